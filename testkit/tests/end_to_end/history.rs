//! Two `ternd`: what was said before somebody came, or while they were away, is fetched and stands in its order.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tern_testkit::{Api, Loopback};

use crate::people;

/// More than one answer to a backfill holds.
const MESSAGES: usize = 130;

#[tokio::test(flavor = "multi_thread")]
async fn history_before_a_join_and_between_two_stays_is_fetched_in_order() -> Result<()> {
    let loopback = Loopback::new()?;
    let alpha = loopback.ternd("alpha.localhost").registration("open").start().await?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let alice = alpha.api().register_openly("alice", people::PASSWORD).await?;
    let bob = beta.api().register_openly("bob", people::PASSWORD).await?;
    let room = alice.create_room(json!({ "preset": "public_chat" })).await?;

    let mut said = say(&alice, &room, "before", MESSAGES).await?;
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    assert_eq!(texts(&bob, &room, 100).await?, said);

    let leave = format!("/_matrix/client/v3/rooms/{room}/leave");
    bob.post(&leave, json!({})).await?.ok()?;
    said.extend(say(&alice, &room, "while away", 30).await?);
    bob.join(&room, &[alpha.name()]).await?.ok()?;
    said.extend(say(&bob, &room, "back", 2).await?);

    assert_eq!(texts(&bob, &room, 10).await?, said);
    Ok(())
}

/// Says `count` things, and gives them.
async fn say(person: &Api, room: &str, what: &str, count: usize) -> Result<Vec<String>> {
    let mut said = Vec::with_capacity(count);
    for number in 0..count {
        let text = format!("{what} {number}");
        person.send_text(room, &text).await?;
        said.push(text);
    }
    Ok(said)
}

/// Everything that was said in a room, oldest first, read backwards by pages of `limit`.
async fn texts(person: &Api, room: &str, limit: usize) -> Result<Vec<String>> {
    let (mut texts, mut from) = (Vec::new(), String::new());
    for _ in 0..MESSAGES {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit={limit}{from}");
        let page = person.get(&path).await?.ok()?;
        let chunk = page.get("chunk").and_then(Value::as_array).context("a chunk")?;
        let bodies = chunk.iter().filter_map(|event| event.pointer("/content/body")?.as_str());
        texts.extend(bodies.map(str::to_owned));
        match page.get("end").and_then(Value::as_str) {
            Some(end) => from = format!("&from={end}"),
            None => break,
        }
    }
    texts.reverse();
    Ok(texts)
}
