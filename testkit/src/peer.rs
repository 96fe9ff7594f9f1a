//! A server of our own making on the other side of a federation: it holds a real key, publishes it over TLS, and then sends what
//! it likes, forged, oversized or right. For showing what `ternd` refuses; for the rest there are `ternd` and Synapse.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use axum::{Json, Router, extract::Request, http::StatusCode, routing};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use reqwest::Method;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, RoomVersionId,
    canonical_json::try_from_json_map,
    room_version_rules::RoomVersionRules,
    signatures::{Ed25519KeyPair, hash_and_sign_event, reference_hash, sign_json},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    http::{Answer, Api, encode},
    loopback::Loopback,
    tls_listener::TlsListener,
};

/// A signing key.
pub struct TestKey {
    pair: Ed25519KeyPair,
}

impl TestKey {
    /// A new key with the id `ed25519:test`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self> {
        let document = Ed25519KeyPair::generate();
        let pair = Ed25519KeyPair::from_der(&document, "test".to_owned())
            .map_err(|error| anyhow!("a key of our own: {error}"))?;
        Ok(Self { pair })
    }

    fn id(&self) -> String {
        format!("ed25519:{}", self.pair.version())
    }

    fn public(&self) -> String {
        STANDARD_NO_PAD.encode(self.pair.public_key())
    }

    fn sign(&self, server: &str, object: Value) -> Result<CanonicalJsonObject> {
        let mut object = canonical(object)?;
        sign_json(server, &self.pair, &mut object)?;
        Ok(object)
    }

    /// The `Authorization` header of a request from `origin` to `destination`.
    ///
    /// # Errors
    /// When the body is not canonical JSON.
    pub fn authorization(
        &self,
        origin: &str,
        destination: &str,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String> {
        let mut object = json!({
            "method": method.as_str(), "uri": path, "origin": origin, "destination": destination,
        });
        if let (Some(fields), Some(body)) = (object.as_object_mut(), body) {
            fields.insert("content".to_owned(), body.clone());
        }
        let signed = serde_json::to_value(self.sign(origin, object)?)?;
        let signature = signed
            .get("signatures")
            .and_then(|signatures| signatures.get(origin)?.get(self.id())?.as_str())
            .context("no signature")?;
        let key = self.id();
        Ok(format!(
            "X-Matrix origin=\"{origin}\",destination=\"{destination}\",key=\"{key}\",sig=\"{signature}\""
        ))
    }
}

/// The running peer. Dropping it closes its port.
pub struct Peer {
    name: String,
    key: Arc<TestKey>,
    http: reqwest::Client,
    transactions: AtomicU64,
    script: Script,
    task: JoinHandle<()>,
}

/// A request that came to the peer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// Percent-decoded, without the query.
    pub path: String,
    /// Percent-decoded; empty where there was none.
    pub query: String,
    /// Null where there was none.
    pub body: Value,
}

/// In a scripted answer: the body of the request that it answers.
pub const ASKED_BODY: &str = "the body of the request";

fn fill_in(answer: &mut Value, asked: &Value) {
    match answer {
        Value::String(text) if text == ASKED_BODY => *answer = asked.clone(),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, asked)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill_in(field, asked)),
        _ => {}
    }
}

/// What the peer answers beside its key, and what it was asked.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Scripted>>);

#[derive(Default)]
struct Scripted {
    /// By the beginning of the path; the last one given counts.
    answers: Vec<(String, u16, Value)>,
    asked: Vec<Asked>,
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, Scripted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, asked: Asked) -> (StatusCode, Json<Value>) {
        let mut scripted = self.lock();
        let found = scripted.answers.iter().rev().find(|(path, ..)| asked.path.starts_with(path));
        let unknown = json!({ "errcode": "M_UNRECOGNIZED", "error": "a peer for tests" });
        let (status, mut body) =
            found.map_or((404, unknown), |(_, status, body)| (*status, body.clone()));
        fill_in(&mut body, &asked.body);
        scripted.asked.push(asked);
        (StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND), Json(body))
    }
}

/// A room the peer is in, as far as it needs to know for speaking there.
#[derive(Debug, Clone)]
pub struct PeerRoom {
    /// The room's id.
    pub room_id: String,
    /// The peer's user in it.
    pub user_id: String,
    version: RoomVersionId,
    auth_events: Vec<String>,
    previous: String,
    depth: i64,
}

impl Peer {
    /// Starts it as `host:PORT`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(loopback: &Loopback, host: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let name = format!("{host}:{}", listener.local_addr()?.port());
        let key = Arc::new(TestKey::new()?);
        let acceptor = TlsAcceptor::from(loopback.authority().server_config(host)?);
        let script = Script::default();
        let router = router(&name, &key, &script)?;
        let task = tokio::spawn(async move {
            axum::serve(TlsListener { listener, acceptor }, router).await.ok();
        });
        let http = loopback.http_client()?;
        Ok(Self { name, key, http, transactions: AtomicU64::new(0), script, task })
    }

    /// Its server name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full id of a user here.
    pub fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.name)
    }

    /// From now on answers requests whose path begins with `path` with `status` and `body`.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        self.script.lock().answers.push((path.to_owned(), status, body));
    }

    /// The requests that came so far and whose path begins with `path`, oldest first.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let scripted = self.script.lock();
        scripted.asked.iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }

    /// A request to `server`, signed with the peer's key.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn request(
        &self,
        server: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        let key = Arc::clone(&self.key);
        self.request_with(&key, server, method, path, body).await
    }

    /// A request that claims to be from this peer but is signed with `key`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn request_with(
        &self,
        key: &TestKey,
        server: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        let header = key.authorization(&self.name, server, &method, path, body.as_ref())?;
        let api = Api::new(&format!("https://{server}"), self.http.clone())?;
        api.call_as(&header, method, path, body.as_ref()).await
    }

    /// Joins a public room of `server` as `localpart`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn join(&self, server: &str, room_id: &str, localpart: &str) -> Result<PeerRoom> {
        let user_id = self.user_id(localpart);
        let (room, user) = (encode(room_id), encode(&user_id));
        let versions: Vec<String> = (6..=12).map(|version| format!("ver={version}")).collect();
        let path = format!("/_matrix/federation/v1/make_join/{room}/{user}?{}", versions.join("&"));
        let made = self.request(server, Method::GET, &path, None).await?.ok()?;
        let version =
            made.get("room_version").and_then(Value::as_str).context("no room_version")?;
        let version = RoomVersionId::try_from(version)?;
        let mut event = made.get("event").cloned().context("no event")?;
        if let Some(fields) = event.as_object_mut() {
            fields.insert("origin_server_ts".to_owned(), now_ms().into());
            fields.remove("event_id");
        }
        let depth = event.get("depth").and_then(Value::as_i64).unwrap_or_default();
        let join = self.sign_event(&version, event)?;
        let join_id = event_id(&version, &join)?;

        let path = format!("/_matrix/federation/v2/send_join/{room}/{}", encode(&join_id));
        let body = serde_json::to_value(&join)?;
        let joined = self.request(server, Method::PUT, &path, Some(body)).await?.ok()?;
        let state = joined.get("state").and_then(Value::as_array).context("no state")?;
        let mut auth_events = vec![join_id.clone()];
        for event in state {
            let kind = event.get("type").and_then(Value::as_str);
            let rules = rules(&version)?;
            let create = kind == Some("m.room.create")
                && !rules.authorization.room_create_event_id_as_room_id;
            if create || kind == Some("m.room.power_levels") {
                auth_events.push(event_id(&version, &canonical(event.clone())?)?);
            }
        }
        let room_id = room_id.to_owned();
        Ok(PeerRoom { room_id, user_id, version, auth_events, previous: join_id, depth })
    }

    /// A message event of the peer's user after its last, hashed and signed, not sent.
    ///
    /// # Errors
    /// When `content` is not canonical JSON.
    pub fn message(&self, room: &PeerRoom, content: Value) -> Result<CanonicalJsonObject> {
        let fields = json!({ "type": "m.room.message", "content": content });
        self.event_after(room, std::slice::from_ref(&room.previous), fields)
    }

    /// An event of the peer's user with these prev events; `fields` has its type and content, and whatever else it says.
    ///
    /// # Errors
    /// When `fields` is no object of canonical JSON.
    pub fn event_after(
        &self,
        room: &PeerRoom,
        prev_events: &[String],
        fields: Value,
    ) -> Result<CanonicalJsonObject> {
        let mut event = json!({
            "room_id": room.room_id,
            "sender": room.user_id,
            "origin_server_ts": now_ms(),
            "depth": room.depth.saturating_add(1),
            "prev_events": prev_events,
            "auth_events": room.auth_events,
        });
        let (Some(event_fields), Value::Object(fields)) = (event.as_object_mut(), fields) else {
            bail!("the fields of an event are an object");
        };
        event_fields.extend(fields);
        self.sign_event(&room.version, event)
    }

    /// The same with a body of as many letters as it takes for the whole event to have `bytes` bytes of canonical JSON.
    ///
    /// # Errors
    /// When `bytes` is less than an empty message has.
    pub fn message_of_bytes(&self, room: &PeerRoom, bytes: usize) -> Result<CanonicalJsonObject> {
        let text = |length: usize| json!({ "msgtype": "m.text", "body": "x".repeat(length) });
        let empty = serde_json::to_vec(&self.message(room, text(0))?)?.len();
        let message = self.message(room, text(bytes.saturating_sub(empty)))?;
        let length = serde_json::to_vec(&message)?.len();
        ensure!(length == bytes, "the event has {length} bytes, not {bytes}");
        Ok(message)
    }

    /// Sends `pdus` to `server` in one transaction.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(&self, server: &str, pdus: &[CanonicalJsonObject]) -> Result<Answer> {
        self.send_with(server, pdus, &[]).await
    }

    /// The same with EDUs.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send_with(
        &self,
        server: &str,
        pdus: &[CanonicalJsonObject],
        edus: &[Value],
    ) -> Result<Answer> {
        let number = self.transactions.fetch_add(1, Ordering::Relaxed);
        let path = format!("/_matrix/federation/v1/send/peer{number}");
        let now = now_ms();
        let body =
            json!({ "origin": self.name, "origin_server_ts": now, "pdus": pdus, "edus": edus });
        self.request(server, Method::PUT, &path, Some(body)).await
    }

    /// Hashes and signs `event`, whatever it says.
    ///
    /// # Errors
    /// When it is not canonical JSON.
    pub fn sign_event(&self, version: &RoomVersionId, event: Value) -> Result<CanonicalJsonObject> {
        let mut event = canonical(event)?;
        let rules = rules(version)?;
        hash_and_sign_event(&self.name, &self.key.pair, &mut event, &rules.redaction)?;
        Ok(event)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PeerRoom {
    /// The id of an event made for this room.
    ///
    /// # Errors
    /// When it is none.
    pub fn event_id(&self, event: &CanonicalJsonObject) -> Result<String> {
        event_id(&self.version, event)
    }

    /// Makes the next message follow `event`.
    ///
    /// # Errors
    /// When `event` is none.
    pub fn advance(&mut self, event: &CanonicalJsonObject) -> Result<()> {
        self.previous = self.event_id(event)?;
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }
}

/// The id of an event of a room of this version.
///
/// # Errors
/// When it is none.
pub fn event_id(version: &RoomVersionId, event: &CanonicalJsonObject) -> Result<String> {
    Ok(format!("${}", reference_hash(event, &rules(version)?)?))
}

fn rules(version: &RoomVersionId) -> Result<RoomVersionRules> {
    version.rules().with_context(|| format!("unknown room version {version}"))
}

fn canonical(value: Value) -> Result<CanonicalJsonObject> {
    let Value::Object(map) = value else { return Err(anyhow!("no object: {value}")) };
    Ok(try_from_json_map(map)?)
}

#[expect(clippy::disallowed_methods, reason = "the outside world's clock is the real one")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// What the peer answers: its key, thanks for every transaction, and what the test says.
fn router(name: &str, key: &TestKey, script: &Script) -> Result<Router> {
    let day_ms: u64 = 24 * 60 * 60 * 1000;
    let keys = json!({
        "server_name": name,
        "valid_until_ts": now_ms().saturating_add(day_ms),
        "verify_keys": { key.id(): { "key": key.public() } },
        "old_verify_keys": {},
    });
    let keys = CanonicalJsonValue::Object(key.sign(name, keys)?);
    let version = json!({ "server": { "name": "test peer", "version": "0" } });
    let (script, transactions) = (script.clone(), script.clone());
    Ok(Router::new()
        .route("/_matrix/key/v2/server", routing::get(async move || Json(keys)))
        .route("/_matrix/federation/v1/version", routing::get(async move || Json(version)))
        .route(
            "/_matrix/federation/v1/send/{transaction}",
            routing::put(async move |request: Request| {
                let asked = read(request).await;
                transactions.lock().asked.push(asked);
                Json(json!({ "pdus": {} }))
            }),
        )
        .fallback(async move |request: Request| script.answer(read(request).await)))
}

async fn read(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 16 * 1024 * 1024).await.unwrap_or_default();
    Asked {
        method: parts.method.to_string(),
        path: decode(parts.uri.path()),
        query: decode(parts.uri.query().unwrap_or_default()),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn decode(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16).ok());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_publishes_the_key_it_signs_with() {
        let loopback = Loopback::new().unwrap();
        let peer = Peer::start(&loopback, "gamma.localhost").await.unwrap();
        let api = loopback.api(&format!("https://{}", peer.name())).unwrap();

        let keys = api.get("/_matrix/key/v2/server").await.unwrap().ok().unwrap();

        assert_eq!(keys["server_name"], peer.name());
        assert_eq!(keys["verify_keys"]["ed25519:test"]["key"], peer.key.public());
        assert!(keys["signatures"][peer.name()]["ed25519:test"].is_string());
    }

    #[tokio::test]
    async fn a_message_has_exactly_the_bytes_asked_for() {
        let loopback = Loopback::new().unwrap();
        let peer = Peer::start(&loopback, "localhost").await.unwrap();
        let room = PeerRoom {
            room_id: "!room:example.org".to_owned(),
            user_id: peer.user_id("bob"),
            version: RoomVersionId::V11,
            auth_events: Vec::new(),
            previous: "$event".to_owned(),
            depth: 1,
        };

        for bytes in [65_536, 65_537] {
            let message = peer.message_of_bytes(&room, bytes).unwrap();
            assert_eq!(serde_json::to_vec(&message).unwrap().len(), bytes);
        }
        assert!(peer.message_of_bytes(&room, 100).is_err());
    }
}
