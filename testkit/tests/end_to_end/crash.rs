//! A server that is killed again and again in the middle of its work: what was acknowledged is there, and what is there holds
//! together (`ternd check`). `TERN_KILLS` asks for more kills than `./test` does.

use std::{
    collections::BTreeMap,
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback, Ternd};
use tokio::{sync::mpsc::UnboundedSender, task::JoinSet};

use crate::people::PASSWORD;

const KILLS: u64 = 30;
const WRITERS: usize = 4;

/// What the server said yes to, since it was last looked at.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Room and event.
    events: Vec<(String, String)>,
    /// The last topic of each room, and those that were asked for and not answered.
    topics: BTreeMap<String, String>,
    asked: Vec<String>,
    /// Files and their bytes.
    files: Vec<(String, Vec<u8>)>,
    /// The last number of each writer's own account data.
    counts: BTreeMap<u64, u64>,
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

fn count_path(api: &Api, writer: u64) -> String {
    format!("/_matrix/client/v3/user/{}/account_data/org.example.count{writer}", api.user_id())
}

/// One writer of a room, until the server is gone.
async fn write(api: Api, room: String, writer: u64, told: Told) -> Result<()> {
    for number in 0_u64.. {
        let text = format!("{writer}-{number}-{}", api.user_id());
        match number % 4 {
            0 | 1 => {
                let Ok(id) = api.send_text(&room, &text).await else { return Ok(()) };
                told.note(|said| said.events.push((room.clone(), id)));
            }
            2 => {
                told.note(|said| said.asked.push(text.clone()));
                let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic");
                let Ok(answer) = api.put(&path, json!({ "topic": text })).await else {
                    return Ok(());
                };
                ensure!(answer.status == 200, "{}", answer.body);
                told.note(|said| drop(said.topics.insert(room.clone(), text)));
            }
            _ => {
                let bytes = text.repeat(200).into_bytes();
                let Ok(uri) = api.upload("text/plain", bytes.clone()).await else { return Ok(()) };
                told.note(|said| said.files.push((uri, bytes)));
                let path = count_path(&api, writer);
                let Ok(answer) = api.put(&path, json!({ "number": number })).await else {
                    return Ok(());
                };
                ensure!(answer.status == 200, "{}", answer.body);
                told.note(|said| said.counts.extend([(writer, number)]));
            }
        }
    }
    Ok(())
}

/// Whether everything that was acknowledged is there.
async fn look(alice: &Api, said: &Acknowledged) -> Result<()> {
    for (room, event_id) in &said.events {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event_id}");
        let answer = alice.get(&path).await?;
        ensure!(answer.status == 200, "{event_id} was acknowledged and is gone: {}", answer.body);
    }
    for (room, topic) in &said.topics {
        let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic");
        let now = alice.get(&path).await?.ok()?;
        let now = now.get("topic").and_then(Value::as_str).unwrap_or_default();
        ensure!(
            now == topic || said.asked.iter().any(|asked| asked == now),
            "{now:?}, not {topic:?}"
        );
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
    for (writer, number) in &said.counts {
        let now = alice.get(&count_path(alice, *writer)).await?.ok()?;
        let kept = now.get("number").and_then(Value::as_u64);
        ensure!(kept >= Some(*number), "count {number} was acknowledged: {now}");
    }
    Ok(())
}

/// `ternd check` on the database as the kill left it.
fn check(ternd: &Ternd) -> Result<()> {
    let output = ternd.run(&["check"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "ternd check: {said}{complaint}");
    ensure!(said.contains("hold together"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_moment_keeps_what_it_acknowledged_and_holds_together() -> Result<()>
{
    let kills = match env::var("TERN_KILLS") {
        Ok(text) => text.parse().context("TERN_KILLS is a number")?,
        Err(_) => KILLS,
    };
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        rooms.push(alice.create_room(json!({ "preset": "public_chat" })).await?);
    }
    let mut all = Acknowledged::default();
    for kill in 0..kills {
        let (bell, mut rung) = tokio::sync::mpsc::unbounded_channel();
        let told = Told(Arc::default(), bell);
        let mut writers = JoinSet::new();
        for (writer, room) in rooms.iter().cycle().take(WRITERS).enumerate() {
            let writer = kill * 100 + writer as u64;
            writers.spawn(write(alice.clone(), room.clone(), writer, told.clone()));
        }
        // An answer means that a group was just committed and the next is under way: from there, steps through its time.
        for _ in 0..=kill * 5 % 23 {
            rung.recv().await.context("a writer writes")?;
        }
        let (answered, moment) = (Instant::now(), Duration::from_micros(kill * 379 % 4_000));
        while answered.elapsed() < moment {
            tokio::task::yield_now().await;
        }
        ternd.kill_9()?;
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
        check(&ternd).with_context(|| format!("after kill {kill}"))?;
        ternd.restart().await?;
        let said = std::mem::take(&mut *told.0.lock().unwrap_or_else(PoisonError::into_inner));
        look(&alice, &said).await.with_context(|| format!("after kill {kill}"))?;
        all.events.extend(said.events);
        all.files.extend(said.files);
    }
    ensure!(all.events.len() as u64 > kills, "the server was killed before it did anything");
    // Once more from the beginning: a later kill took nothing of what an earlier one had left.
    look(&alice, &all).await
}
