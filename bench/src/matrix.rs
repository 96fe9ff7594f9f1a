//! The operations of the client-server API that the scenarios are made of.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::header::HeaderValue;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};
use tern_testkit::encode;

use crate::client::{Bearer, Client, read};

/// How long a long poll waits.
pub(crate) const POLL: Duration = Duration::from_secs(30);

/// Makes every transaction id of this process unlike the others.
static TRANSACTIONS: AtomicU64 = AtomicU64::new(0);

/// A logged-in user.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) bearer: Bearer,
}

impl Person {
    /// The part of the id that names the server.
    pub(crate) fn server_name(&self) -> &str {
        self.id.split_once(':').map_or("", |(_, server)| server)
    }
}

/// A room, as paths name it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: String,
    /// Percent-encoded.
    pub(crate) in_path: String,
    /// How many messages the bench has sent there.
    pub(crate) messages: AtomicU64,
}

impl Room {
    pub(crate) fn new(id: String) -> Self {
        Self { in_path: encode(&id), id, messages: AtomicU64::new(0) }
    }
}

/// Makes an account as clients do: one request to learn what is asked, one to answer it.
pub(crate) async fn register(client: &mut Client, username: &str) -> Result<Person> {
    #[derive(Deserialize)]
    struct Asked {
        session: String,
    }
    #[derive(Deserialize)]
    struct Made {
        user_id: String,
        access_token: String,
    }
    const PATH: &str = "/_matrix/client/v3/register";

    let mut body = json!({ "username": username, "password": "a password for a bench" });
    let asked = client.post(&None, PATH, &body).await?;
    ensure!(asked.status == 401, "no interactive auth, but {}", asked.status);
    let Asked { session } = read(&asked.body)?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("auth".to_owned(), json!({ "type": "m.login.dummy", "session": session }));
    }
    let answer = client.post(&None, PATH, &body).await?.ok().context("registration")?;
    let made: Made = read(&answer)?;
    let bearer = HeaderValue::try_from(format!("Bearer {}", made.access_token))?;
    Ok(Person { id: made.user_id, bearer: Some(bearer) })
}

/// The body of `/createRoom` for an unencrypted room.
pub(crate) fn new_room(preset: &str, version: &str) -> Value {
    json!({
        "preset": preset,
        "room_version": version,
        "creation_content": { "chat.tern.encryption": false },
    })
}

/// Creates a room.
pub(crate) async fn create(client: &mut Client, person: &Person, body: &Value) -> Result<Room> {
    #[derive(Deserialize)]
    struct Created {
        room_id: String,
    }
    let answer = client.post(&person.bearer, "/_matrix/client/v3/createRoom", body).await?;
    let Created { room_id } = read(&answer.ok().context("createRoom")?)?;
    Ok(Room::new(room_id))
}

/// Joins a room, through the server `via` where it is another.
pub(crate) async fn join(
    client: &mut Client,
    person: &Person,
    room: &Room,
    via: Option<&str>,
) -> Result<()> {
    let query = via.map(|server| format!("?via={0}&server_name={0}", encode(server)));
    let path = format!("/_matrix/client/v3/join/{}{}", room.in_path, query.unwrap_or_default());
    client.post(&person.bearer, &path, &json!({})).await?.ok().context("join")?;
    Ok(())
}

/// The content of a text message.
pub(crate) fn text(words: &str) -> Bytes {
    json!({ "msgtype": "m.text", "body": words }).to_string().into()
}

/// Sends a message; gives how long the answer took.
pub(crate) async fn send(
    client: &mut Client,
    person: &Person,
    room: &Room,
    content: Bytes,
) -> Result<Duration> {
    let transaction = TRANSACTIONS.fetch_add(1, Ordering::Relaxed);
    let path =
        format!("/_matrix/client/v3/rooms/{}/send/m.room.message/b{transaction}", room.in_path);
    let began = Instant::now();
    let answer = client.put(&person.bearer, &path, content).await?;
    let took = began.elapsed();
    answer.ok().context("send")?;
    room.messages.fetch_add(1, Ordering::Relaxed);
    Ok(took)
}

/// The path of a v3 sync that goes on from `since`.
pub(crate) fn sync_path(since: &str, wait: Duration) -> String {
    format!("/_matrix/client/v3/sync?timeout={}&since={}", wait.as_millis(), encode(since))
}

/// The token at which the next v3 sync goes on.
pub(crate) fn next_batch(body: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Synced {
        next_batch: String,
    }
    Ok(read::<Synced>(body)?.next_batch)
}

/// A place to go on from, without the history before it.
pub(crate) async fn sync_position(client: &mut Client, person: &Person) -> Result<String> {
    let filter =
        json!({ "room": { "timeline": { "limit": 1 }, "state": { "lazy_load_members": true } } });
    let path = format!("/_matrix/client/v3/sync?timeout=0&filter={}", encode(&filter.to_string()));
    next_batch(&client.get(&person.bearer, &path).await?.ok().context("sync")?)
}

/// Long polls of one person, one after the other.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) client: Client,
    pub(crate) person: Person,
    pub(crate) since: String,
    /// How long each waits.
    pub(crate) wait: Duration,
}

impl Follower {
    /// Begins now: nothing earlier will come.
    pub(crate) async fn begin(mut client: Client, person: &Person) -> Result<Self> {
        let since = sync_position(&mut client, person).await?;
        Ok(Self { client, person: person.clone(), since, wait: POLL })
    }

    /// One poll; gives the time at which its answer was there, if it holds `mark`.
    pub(crate) async fn poll(&mut self, mark: &str) -> Result<Option<Instant>> {
        let path = sync_path(&self.since, self.wait);
        let body = self.client.get(&self.person.bearer, &path).await?.ok().context("sync")?;
        let arrived = Instant::now();
        self.since = next_batch(&body)?;
        Ok(memmem::find(&body, mark.as_bytes()).map(|_| arrived))
    }

    /// Polls until an answer holds `mark`.
    pub(crate) async fn until(&mut self, mark: &str) -> Result<Instant> {
        loop {
            if let Some(arrived) = self.poll(mark).await? {
                return Ok(arrived);
            }
        }
    }
}
