//! A sync request of the SDK, taken apart into what the socket needs to know.

use std::time::Duration;

use bytes::Bytes;
use http::{header, request::Parts};
use serde_json::{Value, json};
use url::Url;

/// The path that the SDK syncs at, below the server's base.
const SYNC: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
/// The form its requests are written in, as the socket names it.
pub(super) const FORM: &str = "org.matrix.simplified_msc3575";

/// What is asked for, and from where on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    /// The client's name for the connection.
    pub(super) conn_id: String,
    /// What is wanted, without the place.
    pub(super) wanted: Value,
    /// Up to where the client has everything.
    pub(super) pos: Option<String>,
    /// Up to where it has the messages to the device.
    pub(super) since: Option<String>,
    /// How long it waits for news.
    pub(super) timeout: Duration,
}

/// The server that `url` is a sync of, as its base URL.
pub(super) fn base(url: &Url) -> Option<Url> {
    let prefix = url.path().strip_suffix(SYNC)?;
    let mut base = url.clone();
    base.set_path(prefix);
    base.set_query(None);
    Some(base)
}

/// The access token of a request.
pub(super) fn token(parts: &Parts) -> Option<&str> {
    parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

impl Ask {
    /// Reads a request; `None` if it is not one that a socket could answer.
    pub(super) fn read(url: &Url, body: &Bytes) -> Option<Ask> {
        let mut wanted: Value = serde_json::from_slice(body).ok()?;
        let conn_id = wanted.get("conn_id")?.as_str()?.to_owned();
        let (mut pos, mut timeout) = (None, Duration::ZERO);
        for (name, value) in url.query_pairs() {
            match &*name {
                "pos" => pos = Some(value.into_owned()),
                "timeout" => timeout = Duration::from_millis(value.parse().ok()?),
                "set_presence" => {
                    wanted.as_object_mut()?.insert(name.into_owned(), json!(value));
                }
                // What is not known may mean anything.
                _ => return None,
            }
        }
        let to_device = wanted.pointer_mut("/extensions/to_device").and_then(Value::as_object_mut);
        let since = to_device.and_then(|to_device| to_device.remove("since"));
        let since = since.and_then(|since| since.as_str().map(str::to_owned));
        Some(Ask { conn_id, wanted, pos, since, timeout })
    }

    /// The same as a request of the socket.
    pub(super) fn request(&self) -> Value {
        let mut request = self.wanted.clone();
        if let (Some(pos), Some(request)) = (&self.pos, request.as_object_mut()) {
            request.insert("pos".to_owned(), json!(pos));
        }
        let to_device = request.pointer_mut("/extensions/to_device").and_then(Value::as_object_mut);
        if let (Some(since), Some(to_device)) = (&self.since, to_device) {
            to_device.insert("since".to_owned(), json!(since));
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use serde_json::json;
    use url::Url;

    use super::{Ask, SYNC, base};

    fn url(query: &str) -> Url {
        Url::parse(&format!("https://example.org/below{SYNC}{query}")).unwrap()
    }

    #[test]
    fn a_sync_is_taken_apart_and_put_together_for_the_socket() {
        let body = json!({
            "conn_id": "one", "lists": {},
            "extensions": { "to_device": { "enabled": true, "since": "d1" } },
        });
        let body = Bytes::from(body.to_string());
        let query = "?pos=p%2F1&timeout=30000&set_presence=offline";
        let ask = Ask::read(&url(query), &body).unwrap();
        assert_eq!(ask.conn_id, "one");
        assert_eq!((ask.pos.as_deref(), ask.since.as_deref()), (Some("p/1"), Some("d1")));
        assert_eq!(ask.timeout, Duration::from_secs(30));
        assert_eq!(
            ask.request(),
            json!({
                "conn_id": "one", "lists": {}, "pos": "p/1", "set_presence": "offline",
                "extensions": { "to_device": { "enabled": true, "since": "d1" } },
            })
        );
        let later = Ask::read(&url("?pos=p2&timeout=1&set_presence=offline"), &body).unwrap();
        assert_eq!(later.wanted, ask.wanted);
    }

    #[test]
    fn what_a_socket_could_not_answer_is_left_alone() {
        let body = Bytes::from_static(br#"{ "conn_id": "one" }"#);
        assert!(Ask::read(&url("?pos=1"), &body).is_some());
        assert!(Ask::read(&url("?org.example.more=1"), &body).is_none());
        assert!(Ask::read(&url("?timeout=soon"), &body).is_none());
        assert!(Ask::read(&url(""), &Bytes::from_static(b"{}")).is_none());
        assert_eq!(base(&url("?pos=1")).unwrap().as_str(), "https://example.org/below");
        assert!(base(&Url::parse("https://example.org/_matrix/client/v3/sync").unwrap()).is_none());
    }
}
