//! Load, and the memory of what a server said yes to under it: events, state, files and account data.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tern_testkit::{Answer, Api, Ternd};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

/// Writers at a time.
const WRITERS: usize = 4;

/// Numbers that one writer may write in one load.
const NUMBERS: u64 = 1_000_000;

/// What the server said yes to.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// Room and event.
    pub(crate) events: Vec<(String, String)>,
    /// Files and their bytes.
    files: Vec<(String, Vec<u8>)>,
    /// The last number at each path, in account data and in rooms' states. Numbers rise.
    numbers: BTreeMap<String, u64>,
}

impl Acknowledged {
    /// Adds what a later load was told.
    pub(crate) fn add(&mut self, later: Self) {
        self.events.extend(later.events);
        self.files.extend(later.files);
        self.numbers.extend(later.numbers);
    }
}

/// What writers share: what was said yes to, and a bell for each yes.
#[derive(Clone)]
struct Told(Arc<Mutex<Acknowledged>>, UnboundedSender<()>);

impl Told {
    fn note(&self, note: impl FnOnce(&mut Acknowledged)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.1.send(()).ok();
    }
}

/// Writers at work.
pub(crate) struct Load {
    said: Arc<Mutex<Acknowledged>>,
    rung: UnboundedReceiver<()>,
    writers: JoinSet<Result<Option<Answer>>>,
}

impl Load {
    /// Lets writers go, over all rooms. `round` counts the loads of one server.
    pub(crate) fn start(api: &Api, rooms: &[String], round: u64) -> Self {
        let (bell, rung) = unbounded_channel();
        let said = Arc::default();
        let told = Told(Arc::clone(&said), bell);
        let mut writers = JoinSet::new();
        for (name, room) in rooms.iter().cycle().take(WRITERS).enumerate() {
            let writer = Writer { api: api.clone(), room: room.clone(), name };
            writers.spawn(writer.write(round * NUMBERS, told.clone()));
        }
        Self { said, rung, writers }
    }

    /// Waits until somebody was told yes once more; `None` when all writers have stopped.
    pub(crate) async fn next_yes(&mut self) -> Option<()> {
        self.rung.recv().await
    }

    /// Waits until every writer has stopped; what was said yes to, and the refusals that stopped them.
    pub(crate) async fn end(mut self) -> Result<(Acknowledged, Vec<Answer>)> {
        let mut refusals = Vec::new();
        while let Some(writer) = self.writers.join_next().await {
            refusals.extend(writer??);
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((mem::take(&mut *said), refusals))
    }
}

struct Writer {
    api: Api,
    room: String,
    name: usize,
}

impl Writer {
    /// Writes until the server is gone or refuses; gives the refusal.
    async fn write(self, first: u64, told: Told) -> Result<Option<Answer>> {
        for number in first..first + NUMBERS {
            let Ok(answer) = self.one(number, &told).await else { return Ok(None) };
            if answer.status != 200 {
                return Ok(Some(answer));
            }
        }
        bail!("nothing stopped a writer")
    }

    /// One piece of work; of what kind says its number.
    async fn one(&self, number: u64, told: &Told) -> Result<Answer> {
        let (api, room, name) = (&self.api, &self.room, self.name);
        let (rooms, users) = ("/_matrix/client/v3/rooms", "/_matrix/client/v3/user");
        let text = format!("{name}-{number}-{}", api.user_id());
        match number % 5 {
            0 | 1 => {
                let path = format!("{rooms}/{room}/send/m.room.message/{name}-{number}");
                let answer = api.put(&path, json!({ "msgtype": "m.text", "body": text })).await?;
                if answer.status == 200 {
                    let event = (room.clone(), answer.text("/event_id").to_owned());
                    told.note(|said| said.events.push(event));
                }
                Ok(answer)
            }
            2 => {
                let path = format!("{rooms}/{room}/state/org.example.count/{name}");
                self.number(path, number, told).await
            }
            3 => {
                let path =
                    format!("{users}/{}/account_data/org.example.count{name}", api.user_id());
                self.number(path, number, told).await
            }
            _ => {
                let bytes = text.repeat(200).into_bytes();
                let answer = api.try_upload("text/plain", bytes.clone(), "").await?;
                if answer.status == 200 {
                    let uri = answer.text("/content_uri").to_owned();
                    told.note(|said| said.files.push((uri, bytes)));
                }
                Ok(answer)
            }
        }
    }

    async fn number(&self, path: String, number: u64, told: &Told) -> Result<Answer> {
        let answer = self.api.put(&path, json!({ "number": number })).await?;
        if answer.status == 200 {
            told.note(|said| said.numbers.extend([(path, number)]));
        }
        Ok(answer)
    }
}

/// Whether everything that was acknowledged is there.
pub(crate) async fn look(alice: &Api, said: &Acknowledged) -> Result<()> {
    for (room, event_id) in &said.events {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event_id}");
        let answer = alice.get(&path).await?;
        ensure!(answer.status == 200, "{event_id} was acknowledged and is gone: {}", answer.body);
    }
    for (uri, bytes) in &said.files {
        let path =
            format!("/_matrix/client/v1/media/download/{}", uri.trim_start_matches("mxc://"));
        let (status, _, found) = alice.download(&path).await?;
        ensure!(
            status == 200 && found == *bytes,
            "{uri} was acknowledged: {status}, {} bytes",
            found.len()
        );
    }
    for (path, number) in &said.numbers {
        let now = alice.get(path).await?.ok()?;
        let kept = now.get("number").and_then(Value::as_u64);
        ensure!(kept >= Some(*number), "{number} was acknowledged at {path}: {now}");
    }
    Ok(())
}

/// `ternd check` on a server that does not run.
pub(crate) fn check(ternd: &Ternd) -> Result<()> {
    let output = ternd.run(&["check"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ternd check: {said}{complaint}");
    ensure!(said.contains("hold together"), "{said}");
    Ok(())
}
