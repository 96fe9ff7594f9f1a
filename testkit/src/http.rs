//! Raw Matrix calls over HTTP, as any client would make them. Answers are JSON, with nothing hidden.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};
use url::Url;

use crate::patience::{PATIENCE, until};

/// What a server answered: any status, not only 200.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; a JSON string with the text where it is not JSON, null where it is empty.
    pub body: Value,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self> {
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)))
        };
        Ok(Self { status, body })
    }

    /// The Matrix error code, empty where there is none.
    pub fn errcode(&self) -> &str {
        self.text("/errcode")
    }

    /// The error's words, empty where there are none.
    pub fn error(&self) -> &str {
        self.text("/error")
    }

    /// The string at a JSON pointer such as `/room_id`; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The body of a 200.
    ///
    /// # Errors
    /// Any other status; the answer is shown.
    pub fn ok(self) -> Result<Value> {
        ensure!(self.status == 200, "the server answered {}: {}", self.status, self.body);
        Ok(self.body)
    }
}

/// A client of one server, logged in or not. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    base: Url,
    http: reqwest::Client,
    token: Option<String>,
    user_id: String,
    device_id: String,
}

/// Makes transaction ids of one test process unlike each other.
static TRANSACTIONS: AtomicU64 = AtomicU64::new(0);

impl Api {
    /// A logged-out client of the server at `base_url`, speaking through `http`.
    ///
    /// # Errors
    /// When `base_url` is no URL.
    pub fn new(base_url: &str, http: reqwest::Client) -> Result<Self> {
        let base = Url::parse(base_url).with_context(|| format!("{base_url} is no URL"))?;
        Ok(Self { base, http, token: None, user_id: String::new(), device_id: String::new() })
    }

    /// Where the server answers, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The access token; empty when logged out.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// Such as `@alice:localhost:8448`; empty when logged out.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// This session's device; empty when logged out.
    pub fn device_id(&self) -> &str {
        &self.device_id
    }

    /// The session that a login or registration `answer` gave.
    ///
    /// # Errors
    /// When the answer is not 200 or carries none.
    pub fn session(&self, answer: Answer) -> Result<Self> {
        let body = answer.ok()?;
        let field = |key: &str| {
            let text = body.get(key).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("no {key} in {body}"))
        };
        Ok(Self {
            token: Some(field("access_token")?),
            user_id: field("user_id")?,
            device_id: field("device_id")?,
            ..self.clone()
        })
    }

    /// The same client without its session.
    pub fn logged_out(&self) -> Self {
        Self { token: None, user_id: String::new(), device_id: String::new(), ..self.clone() }
    }

    /// GETs `path`, which begins with `/_matrix` and may carry a query.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// POSTs JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PUTs JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Any request; `body` is sent as JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let mut request = self.request(method, path)?;
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::read(request.send().await?).await
    }

    /// A request with an `Authorization` header of the caller's making, for federation.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call_as(
        &self,
        authorization: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut request = self.request(method, path)?.header(AUTHORIZATION, authorization);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        Ok(self.http.request(method, self.base.join(path)?))
    }

    /// Uploads a file. Gives its `mxc://` URL.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn upload(&self, content_type: &str, bytes: Vec<u8>) -> Result<String> {
        text_of(&self.try_upload(content_type, bytes, "").await?.ok()?, "content_uri")
    }

    /// Uploads a file, under a name if it is not empty.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn try_upload(
        &self,
        content_type: &str,
        bytes: Vec<u8>,
        filename: &str,
    ) -> Result<Answer> {
        let path = match filename {
            "" => "/_matrix/media/v3/upload".to_owned(),
            _ => format!("/_matrix/media/v3/upload?filename={}", encode(filename)),
        };
        let request = self.request(Method::POST, &path)?.header(CONTENT_TYPE, content_type);
        Answer::read(request.bearer_auth(self.token()).body(bytes).send().await?).await
    }

    /// GETs a file: status, content type and bytes.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn download(&self, path: &str) -> Result<(u16, String, Vec<u8>)> {
        let response = self.request(Method::GET, path)?.bearer_auth(self.token()).send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap_or_default().to_owned());
        Ok((status, content_type.unwrap_or_default(), response.bytes().await?.to_vec()))
    }

    /// Logs in by user name with a password.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn login(&self, user: &str, password: &str) -> Result<Answer> {
        let identifier = json!({ "type": "m.id.user", "user": user });
        self.post(
            "/_matrix/client/v3/login",
            json!({ "type": "m.login.password", "identifier": identifier, "password": password }),
        )
        .await
    }

    /// Creates a room; `body` as the spec's `/createRoom`. Gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_room(&self, body: Value) -> Result<String> {
        let answer = self.post("/_matrix/client/v3/createRoom", body).await?.ok()?;
        text_of(&answer, "room_id")
    }

    /// Invites `user_id`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn invite(&self, room_id: &str, user_id: &str) -> Result<()> {
        let path = format!("/_matrix/client/v3/rooms/{}/invite", encode(room_id));
        self.post(&path, json!({ "user_id": user_id })).await?.ok()?;
        Ok(())
    }

    /// Joins by id or alias, through `via` where the room is on other servers.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn join(&self, room: &str, via: &[&str]) -> Result<Answer> {
        let query: Vec<String> =
            via.iter().map(|server| format!("via={0}&server_name={0}", encode(server))).collect();
        let path = format!("/_matrix/client/v3/join/{}?{}", encode(room), query.join("&"));
        self.post(&path, json!({})).await
    }

    /// Sends any event. Gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn send(&self, room_id: &str, kind: &str, content: Value) -> Result<String> {
        let transaction = TRANSACTIONS.fetch_add(1, Ordering::Relaxed);
        let room = encode(room_id);
        let path = format!("/_matrix/client/v3/rooms/{room}/send/{kind}/kit{transaction}");
        let answer = self.put(&path, content).await?.ok()?;
        text_of(&answer, "event_id")
    }

    /// Sends plain, unencrypted text. Gives the event's id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn send_text(&self, room_id: &str, text: &str) -> Result<String> {
        self.send(room_id, "m.room.message", json!({ "msgtype": "m.text", "body": text })).await
    }

    /// One `/sync`, waiting up to `wait` for something new after `since`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn sync(&self, since: Option<&str>, wait: Duration) -> Result<Value> {
        let since = since.map(|token| format!("&since={}", encode(token))).unwrap_or_default();
        let path = format!("/_matrix/client/v3/sync?timeout={}{since}", wait.as_millis());
        self.get(&path).await?.ok()
    }

    /// Every event the user can see in a room, oldest first, at most 1,000.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn messages(&self, room_id: &str) -> Result<Vec<Value>> {
        let room = encode(room_id);
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=1000");
        let body = self.get(&path).await?.ok()?;
        let mut events = body.get("chunk").and_then(Value::as_array).cloned().unwrap_or_default();
        events.reverse();
        Ok(events)
    }

    /// Waits until the user can read an event with this `id` in the room.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn wait_for_event(&self, room_id: &str, id: &str) -> Result<Value> {
        let is_it = |event: &Value| event.get("event_id").and_then(Value::as_str) == Some(id);
        until(&format!("{id} to reach {}", self.user_id), PATIENCE, async || {
            Ok(self.messages(room_id).await?.into_iter().find(is_it))
        })
        .await
    }

    /// Waits until somebody has invited the user. Gives the room's id.
    ///
    /// # Errors
    /// When nobody does within [`PATIENCE`].
    pub async fn wait_for_invite(&self) -> Result<String> {
        until(&format!("an invitation for {}", self.user_id), PATIENCE, async || {
            let answer = self.sync(None, Duration::ZERO).await?;
            let invites = answer.pointer("/rooms/invite").and_then(Value::as_object);
            Ok(invites.and_then(|rooms| rooms.keys().next().cloned()))
        })
        .await
    }

    /// The ids of the rooms the user is in.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn joined_rooms(&self) -> Result<Vec<String>> {
        let body = self.get("/_matrix/client/v3/joined_rooms").await?.ok()?;
        let Some(rooms) = body.get("joined_rooms").and_then(Value::as_array) else {
            bail!("no joined_rooms in {body}");
        };
        Ok(rooms.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// Percent-encodes one path segment or query value.
pub fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn text_of(body: &Value, key: &str) -> Result<String> {
    let text = body.get(key).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no {key} in {body}"))
}
