//! A disk that fills up under load: a clear answer, nothing lost that was acknowledged, reads go on, and writes too once there is room.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tern_testkit::{Answer, Api, Loopback, SmallDisk, Ternd};

use crate::{
    acknowledged::{Acknowledged, Load, check, look},
    people::PASSWORD,
};

const DISK_BYTES: u64 = 32 * 1024 * 1024;

/// Writes until nothing more fits.
fn fill(file: &Path) -> Result<()> {
    let mut filler = File::create(file)?;
    for bytes in [1024 * 1024, 4096, 1] {
        let full = loop {
            if let Err(error) = filler.write_all(&vec![1; bytes]) {
                break error;
            }
        };
        ensure!(full.kind() == io::ErrorKind::StorageFull, "{full}");
    }
    Ok(())
}

/// Whether an answer says what is the matter, in the terms of the protocol.
fn says_the_disk_is_full(answer: &Answer) -> Result<()> {
    let full = answer.status == 507 && answer.error().contains("disk is full");
    // What was to follow an event that did not fit.
    let undone = answer.status == 503 && answer.error().contains("could not be stored; try again");
    ensure!(answer.errcode() == "M_UNKNOWN" && (full || undone), "{answer:?}");
    Ok(())
}

/// Every kind of write, until each was refused: a page here and there may still fit.
async fn refusals(api: &Api, room: &str) -> Result<()> {
    let users = format!("/_matrix/client/v3/user/{}", api.user_id());
    let rooms = format!("/_matrix/client/v3/rooms/{room}");
    let text = "many words ".repeat(300);
    let mut refused = [false; 5];
    for number in 0..200 {
        let content = json!({ "msgtype": "m.text", "body": text });
        let answers = [
            api.put(&format!("{rooms}/send/m.room.message/full{number}"), content).await?,
            api.put(&format!("{rooms}/state/org.example/{number}"), json!({ "text": text }))
                .await?,
            api.put(&format!("{users}/account_data/org.example"), json!({ "a": [number, text] }))
                .await?,
            api.try_upload("text/plain", vec![b'a'; 300 * 1024 + number], "").await?,
            api.post("/_matrix/client/v3/createRoom", json!({ "topic": text })).await?,
        ];
        for (answer, refused) in answers.iter().zip(&mut refused) {
            if answer.status != 200 {
                says_the_disk_is_full(answer)?;
                *refused = true;
            }
        }
        if refused == [true; 5] {
            return Ok(());
        }
    }
    anyhow::bail!("not refused: {refused:?}")
}

/// Files that are on their way in.
fn unfinished(ternd: &Ternd) -> Result<usize> {
    // The folder is made for the first upload.
    Ok(fs::read_dir(ternd.data().join("media/unfinished")).map_or(0, Iterator::count))
}

/// Alice, her rooms, and what was acknowledged before and while the disk filled up.
struct Filled {
    ternd: Ternd,
    alice: Api,
    rooms: Vec<String>,
    all: Acknowledged,
}

/// Fills the disk in the middle of a load.
async fn filled(loopback: &Loopback) -> Result<Filled> {
    let builder = loopback.ternd("localhost").database(tern_testkit::Database::Sqlite);
    let ternd = builder.registration("open").small_disk(DISK_BYTES).start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        rooms.push(alice.create_room(json!({ "preset": "public_chat" })).await?);
    }
    // Names that a first sync asks for are kept from then on.
    alice.sync(None, Duration::ZERO).await?;
    let mut load = Load::start(&alice, &rooms, 1);
    for _ in 0..30 {
        load.next_yes().await;
    }
    fill(&ternd.data().join("filler"))?;
    let (all, refused) = load.end().await?;
    ensure!(!refused.is_empty(), "no writer was refused");
    for answer in &refused {
        says_the_disk_is_full(answer)?;
    }
    Ok(Filled { ternd, alice, rooms, all })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_of_loses_nothing_and_is_over_once_there_is_room() -> Result<()> {
    if !SmallDisk::available() {
        writeln!(io::stderr(), "no namespaces of our own: no full disk shown")?;
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let Filled { mut ternd, alice, rooms, mut all } = filled(&loopback).await?;
    let [room, ..] = rooms.as_slice() else { unreachable!("two rooms") };
    refusals(&alice, room).await?;
    // Of a longer file the first part is refused while the rest is on its way: the connection may end before the answer is read.
    if let Ok(answer) = alice.try_upload("text/plain", vec![b'c'; 5 * 1024 * 1024], "").await {
        says_the_disk_is_full(&answer)?;
    }
    let log = fs::read_to_string(ternd.log())?;
    ensure!(log.contains("the disk is full: writes fail until there is room"), "{log}");
    ensure!(unfinished(&ternd)? == 0, "something of an upload was left behind");

    look(&alice, &all).await?;
    ensure!(!alice.messages(room).await?.is_empty());
    alice.sync(None, Duration::ZERO).await?;

    fs::remove_file(ternd.data().join("filler"))?;
    for room in &rooms {
        alice.send_text(room, "there is room again").await.context("a message")?;
    }
    alice.upload("text/plain", vec![b'b'; 3 * 1024 * 1024]).await.context("a file")?;
    let mut load = Load::start(&alice, &rooms, 2);
    for _ in 0..30 {
        load.next_yes().await;
    }
    // What is acknowledged now is as durable as ever: the server does not get the time to make up for anything.
    ternd.kill_9()?;
    let (later, refused) = load.end().await?;
    ensure!(refused.is_empty(), "{refused:?}");
    all.add(later);
    check(&ternd)?;
    ternd.restart().await?;
    look(&alice, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_on_a_full_disk_says_so_at_its_start_and_has_everything_afterwards()
-> Result<()> {
    if !SmallDisk::available() {
        writeln!(io::stderr(), "no namespaces of our own: no full disk shown")?;
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let Filled { mut ternd, alice, all, .. } = filled(&loopback).await?;
    ternd.kill_9()?;
    fill(&ternd.data().join("more"))?;

    // It may start, for reading; where it can't, it says why.
    if let Err(error) = ternd.restart().await {
        ensure!(format!("{error:#}").contains("full"), "{error:#}");
    } else {
        look(&alice, &all).await?;
        ternd.kill_9()?;
    }

    fs::remove_file(ternd.data().join("filler"))?;
    fs::remove_file(ternd.data().join("more"))?;
    check(&ternd)?;
    ternd.restart().await?;
    look(&alice, &all).await
}
