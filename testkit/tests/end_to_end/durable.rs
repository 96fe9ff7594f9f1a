//! What is answered with 200 is on the disk by then. The server runs below strace; each request carries a name of its own, so that the
//! record shows it three times: as it arrives, as it is written to the database's log, and, after the log was synced, as it is answered.
//! `kill -9` cannot show this, for what was written and not synced survives it.

use std::{
    collections::HashMap,
    io::{Write as _, stderr},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{Api, Call, Database, Loopback, Strace, Trace, binary, can_trace, encode};
use tokio::task::JoinSet;

use crate::people::PASSWORD;

/// Clients that ask at the same time, so that some share a commit.
const CLIENTS: usize = 3;
/// Users of another server, who join and talk at the same time, and how often each says something.
const NEIGHBOURS: [&str; 3] = ["markedoneend", "markedtwoend", "markedthreeend"];
const MESSAGES: usize = 5;

/// What was answered with 200, and what has to be on the disk by then.
#[derive(Debug, Clone)]
enum Promise {
    /// The name itself, in the database.
    Kept(String),
    /// Something, in the database: what was asked leaves no name there.
    Something(String),
    /// A file that has the name in it, and a row that has the name.
    File(String),
}

/// When a request had arrived and when its answer left, as moments of a trace.
#[derive(Debug, Clone, Copy)]
struct Span {
    arrived: usize,
    answered: usize,
}

/// Looks at every answer of a trace that was a 200, by the request's text.
fn answers(trace: &Trace) -> Vec<(String, Span)> {
    let mut heard: HashMap<&str, (String, usize)> = HashMap::new();
    let mut answers = Vec::new();
    let sockets = |call: &&Call| call.file().starts_with("socket:");
    for call in trace.calls().iter().filter(sockets) {
        if call.is_read() {
            // Whether there is more is asked all the time.
            if call.data().is_empty() {
                continue;
            }
            let (text, arrived) = heard.entry(call.file()).or_default();
            text.push_str(call.data());
            *arrived = call.ended;
        } else if call.is_write() && call.data().starts_with("HTTP/1.1 ") {
            let Some((text, arrived)) = heard.remove(call.file()) else { continue };
            if call.data().starts_with("HTTP/1.1 200") {
                answers.push((text, Span { arrived, answered: call.began }));
            }
        }
    }
    answers
}

/// Whether a sync of `file` began after `written` and ended before `answered`.
fn synced_between(trace: &Trace, file: &str, written: usize, answered: usize) -> bool {
    let synced = |call: &Call| {
        call.is_sync() && call.succeeded() && call.began > written && call.ended < answered
    };
    trace.of_file(file).any(synced)
}

/// What a trace says of a promise; `Ok` when it was kept.
fn kept(trace: &Trace, promise: &Promise, span: Span) -> Result<()> {
    let wal = |name: &str| {
        let mut writes = trace.of_file("/tern.db-wal").filter(|call| call.is_write());
        writes.find(|call| call.began > span.arrived && call.data().contains(name)).cloned()
    };
    match promise {
        Promise::Something(_) => {
            let written = wal("").context("nothing was written")?;
            let synced = synced_between(trace, "/tern.db-wal", written.ended, span.answered);
            ensure!(synced, "answered before anything was synced");
        }
        Promise::Kept(name) | Promise::File(name) => {
            let written = wal(name).context("it was not written to the database")?;
            let synced = synced_between(trace, "/tern.db-wal", written.ended, span.answered);
            ensure!(synced, "answered before the database was synced");
            if let Promise::File(_) = promise {
                file_kept(trace, name, written.began)?;
            }
        }
    }
    Ok(())
}

/// Whether the promise was kept that the first 200 made to a request that begins with `begins`.
fn judge(trace: &Trace, answers: &[(String, Span)], begins: &str, promise: &Promise) -> Result<()> {
    let (Promise::Kept(name) | Promise::Something(name) | Promise::File(name)) = promise;
    let mut answers =
        answers.iter().filter(|(text, _)| text.starts_with(begins) && text.contains(name));
    let (_, span) = answers.next().with_context(|| format!("no 200 for {begins} {name}"))?;
    kept(trace, promise, *span).with_context(|| format!("{begins} {promise:?}"))
}

/// Whether a file with `name` in it was synced, then got its name, and whether its folders were synced before its row was written.
fn file_kept(trace: &Trace, name: &str, row_written: usize) -> Result<()> {
    let in_media = |call: &&Call| call.file().contains("/media/") && call.data().contains(name);
    let first = trace.calls().iter().find(in_media).context("the file was not written")?;
    let mut path = first.file();
    let mut written = first.ended;
    loop {
        let writes = trace.of_file(path).filter(|call| call.is_write());
        written = writes.map(|call| call.ended).fold(written, usize::max);
        let is_named =
            |call: &&Call| call.succeeded() && call.paths().is_some_and(|(from, _)| from == path);
        let renames = || trace.calls().iter().filter(|call| call.name().starts_with("rename"));
        let rename = renames().find(is_named).context("the file never got its name")?;
        let (_, to) = rename.paths().unwrap_or_default();
        if to.contains("/unfinished/") {
            path = to;
            continue;
        }
        ensure!(synced_between(trace, path, written, rename.began), "its bytes were not synced");
        for folder in Path::new(to).ancestors().skip(1).take(3) {
            let folder = folder.to_str().unwrap_or_default();
            let synced = synced_between(trace, folder, rename.ended, row_written);
            ensure!(synced, "{folder} was not synced before its row was written");
        }
        return Ok(());
    }
}

/// One client that asks for one thing after the other.
struct Client {
    api: Api,
    /// What its names begin with.
    name: String,
    promises: Vec<Promise>,
}

impl Client {
    /// A name that nothing else has. It begins with a letter, so that strace's way of quoting leaves it whole.
    fn fresh(&self) -> String {
        format!("marked{}x{}end", self.name, self.promises.len())
    }

    /// Asks, with `{}` in path and body for a fresh name; the name has to be in the database.
    async fn ask(&mut self, method: Method, path: &str, body: &str) -> Result<Value> {
        let name = self.fresh();
        self.promises.push(Promise::Kept(name.clone()));
        let path = format!("/_matrix/client/v3/{}", path.replace("{}", &name));
        let body = serde_json::from_str(&body.replace("{}", &name))?;
        let answer = self.api.call(method, &path, Some(body)).await?;
        answer.ok().with_context(|| path)
    }

    /// Asks what leaves no name: it stands in the query.
    async fn ask_something(&mut self, method: Method, path: &str, body: Value) -> Result<()> {
        let name = self.fresh();
        self.promises.push(Promise::Something(name.clone()));
        let path = format!("/_matrix/client/v3/{path}?name={name}");
        self.api.call(method, &path, Some(body)).await?.ok().with_context(|| path)?;
        Ok(())
    }

    /// Uploads a file of about so many bytes.
    async fn upload(&mut self, bytes: usize) -> Result<()> {
        let name = self.fresh();
        self.promises.push(Promise::File(name.clone()));
        let content = format!("{name} {}", "b".repeat(bytes));
        self.api.try_upload("text/plain", content.into_bytes(), &name).await?.ok()?;
        Ok(())
    }

    /// Everything that changes something, once.
    async fn work(mut self) -> Result<Vec<Promise>> {
        let created = self.ask(Method::POST, "createRoom", r#"{"name": "{}"}"#).await?;
        let room = created.get("room_id").and_then(Value::as_str).context("no room_id")?;
        let room = format!("rooms/{room}");
        for _ in 0..4 {
            let path = format!("{room}/send/m.room.message/t{{}}");
            self.ask(Method::PUT, &path, r#"{"msgtype": "m.text", "body": "{}"}"#).await?;
        }
        let path = format!("{room}/send/m.room.message/last");
        let sent = self.ask(Method::PUT, &path, r#"{"msgtype": "m.text", "body": "{}"}"#).await?;
        let event = sent.get("event_id").and_then(Value::as_str).context("no event_id")?;
        self.ask(Method::PUT, &format!("{room}/state/m.room.topic"), r#"{"topic": "{}"}"#).await?;
        self.ask_something(Method::POST, &format!("{room}/receipt/m.read/{event}"), json!({}))
            .await?;
        let path = format!("{room}/redact/{event}/redacting");
        self.ask(Method::PUT, &path, r#"{"reason": "{}"}"#).await?;
        self.account(&room).await?;
        self.devices().await?;
        for bytes in [10, 3 * 1024 * 1024] {
            self.upload(bytes).await?;
        }
        self.ask_something(Method::POST, &format!("{room}/leave"), json!({})).await?;
        self.ask_something(Method::POST, "logout", json!({})).await?;
        Ok(self.promises)
    }

    /// What is the user's own.
    async fn account(&mut self, room: &str) -> Result<()> {
        let user = self.api.user_id().to_owned();
        let server = user.split_once(':').map(|(_, server)| server.to_owned()).unwrap_or_default();
        let room_id = room.trim_start_matches("rooms/");
        let users = format!("user/{user}");
        let alias = format!("directory/room/{}{{}}{}", encode("#"), encode(&format!(":{server}")));
        let put = [
            (format!("{users}/account_data/org.example"), r#"{"a": "{}"}"#.to_owned()),
            (format!("{users}/{room}/account_data/org.example"), r#"{"a": "{}"}"#.to_owned()),
            (format!("{users}/{room}/tags/u.{{}}"), r#"{"order": 0.5}"#.to_owned()),
            (format!("profile/{user}/displayname"), r#"{"displayname": "{}"}"#.to_owned()),
            (alias, json!({ "room_id": room_id }).to_string()),
            (
                "pushrules/global/override/{}".to_owned(),
                r#"{"actions": ["notify"], "conditions": []}"#.to_owned(),
            ),
        ];
        for (path, body) in put {
            self.ask(Method::PUT, &path, &body).await?;
        }
        let filter = r#"{"room": {"timeline": {"senders": ["@{}:example.org"]}}}"#;
        self.ask(Method::POST, &format!("{users}/filter"), filter).await?;
        Ok(())
    }

    /// Sessions, devices, keys and what is sent to devices.
    async fn devices(&mut self) -> Result<()> {
        let (user, device) = (self.api.user_id().to_owned(), self.api.device_id().to_owned());
        let localpart = user.trim_start_matches('@').split(':').next().unwrap_or_default();
        let login = json!({
            "type": "m.login.password", "password": PASSWORD, "initial_device_display_name": "{}",
            "identifier": { "type": "m.id.user", "user": localpart },
        });
        self.ask(Method::POST, "login", &login.to_string()).await?;
        self.ask(Method::PUT, &format!("devices/{device}"), r#"{"display_name": "{}"}"#).await?;
        let keys = json!({ "one_time_keys": { "signed_curve25519:{}": {
            "key": "zKbLg+NrIjpnagy+pIY6uPL4ZwEG2v+8F9lmgsnlZzs",
            "signatures": { user.as_str(): { format!("ed25519:{device}"): "abcd" } },
        } } });
        self.ask(Method::POST, "keys/upload", &keys.to_string()).await?;
        let backup = json!({
            "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
            "auth_data": { "public_key": "abcdefg", "org.example": "{}" },
        });
        self.ask(Method::POST, "room_keys/version", &backup.to_string()).await?;
        let message = json!({ "messages": { user.as_str(): { device.as_str(): { "a": "{}" } } } });
        self.ask(Method::PUT, "sendToDevice/org.example/t{}", &message.to_string()).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_200_leaves_before_the_sync_of_what_it_promises() -> Result<()> {
    if !can_trace() {
        writeln!(stderr(), "strace is not here or may not trace: no sync shown")?;
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let log = loopback.folder().join("strace.log");
    let builder = loopback.ternd("localhost").database(Database::Sqlite).registration("open");
    let mut ternd = builder.plain_http().strace(Strace::recording(&log)).start().await?;
    let api = loopback.api(ternd.plain_url().context("a plain listener")?)?;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let username = format!("markeduser{number}end");
        let api = api.register_openly(&username, PASSWORD).await?;
        let promises = vec![Promise::Kept(username)];
        clients.spawn(Client { api, name: number.to_string(), promises }.work());
    }
    let mut promises = Vec::new();
    while let Some(client) = clients.join_next().await {
        promises.extend(client??);
    }
    ternd.stop().await?;

    let trace = Trace::read(&log)?;
    let answers = answers(&trace);
    for promise in &promises {
        judge(&trace, &answers, "", promise)?;
    }
    ensure!(promises.len() > 25 * CLIENTS, "only {} requests", promises.len());
    // What is in the data folder is there by name too.
    let made =
        |call: &&Call| call.name().starts_with("mkdir") && call.data().ends_with("/data/media");
    let made = trace.calls().iter().find(made).context("the folder of files was made")?;
    let first = answers.iter().find(|(text, _)| text.contains("markeduser"));
    let (_, first) = first.context("an account was made")?;
    ensure!(synced_between(&trace, "/localhost/data", made.ended, first.answered));
    writeln!(stderr(), "{} answers, each after its sync", promises.len())?;
    Ok(())
}

/// Somebody of another server joins a room that `via` is in, and says things there until `reader` has been told of the last.
async fn join_and_talk(
    localpart: &str,
    neighbour: &Api,
    reader: &Api,
    (room_id, via): (&str, &str),
) -> Result<Vec<String>> {
    neighbour.join(room_id, &[via]).await?.ok().context("the join")?;
    let mut said = Vec::new();
    for number in 0..MESSAGES {
        let text = format!("{localpart}says{number}end");
        let event = neighbour.send_text(room_id, &text).await?;
        // One after the other: the record keeps the beginning of a long transaction only.
        reader.wait_for_event(room_id, &event).await?;
        said.push(text);
    }
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_200_to_another_server_leaves_before_the_sync_of_what_it_promises() -> Result<()> {
    const JOIN: &str = "PUT /_matrix/federation/v2/send_join/";
    const SEND: &str = "PUT /_matrix/federation/v1/send/";
    if !can_trace() {
        writeln!(stderr(), "strace is not here or may not trace: no sync shown")?;
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let log = loopback.folder().join("strace.log");
    let builder = loopback.ternd("alpha.localhost").database(Database::Sqlite);
    let builder = builder.registration("open").behind_front().strace(Strace::recording(&log));
    let mut alpha = builder.start().await?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let alice = alpha.api().register_openly("alice", PASSWORD).await?;
    let name = alpha.name().to_owned();
    let said = NEIGHBOURS.map(async |localpart| {
        let neighbour = beta.api().register_openly(localpart, PASSWORD).await?;
        // A room each: in one that a server is in already, its users join at home.
        let room_id = alice.create_room(json!({ "preset": "public_chat" })).await?;
        join_and_talk(localpart, &neighbour, &alice, (&room_id, &name)).await
    });
    let [one, two, three] = said;
    let (one, two, three) = tokio::try_join!(one, two, three)?;
    let said = [one, two, three].concat();
    // Whatever is being answered is answered before the end.
    alpha.stop().await?;

    let trace = Trace::read(&log)?;
    let answers = answers(&trace);
    for localpart in NEIGHBOURS {
        let joined = Promise::Kept(format!("@{localpart}:"));
        judge(&trace, &answers, JOIN, &joined)?;
    }
    for text in &said {
        judge(&trace, &answers, SEND, &Promise::Kept(text.clone()))?;
    }
    ensure!(said.len() == MESSAGES * NEIGHBOURS.len(), "only {} messages", said.len());
    writeln!(
        stderr(),
        "{} joins and {} messages of another server, each answered after its sync",
        NEIGHBOURS.len(),
        said.len()
    )?;
    Ok(())
}

#[test]
fn what_init_makes_is_synced_with_its_folders_before_it_says_so() -> Result<()> {
    if !can_trace() {
        writeln!(stderr(), "strace is not here or may not trace: no sync shown")?;
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let root = folder.path().canonicalize()?;
    let (log, config, data) =
        (root.join("log"), root.join("new/sub/tern.toml"), root.join("data/of/mine"));
    let mut command = Command::new(binary("ternd")?);
    command.args(["init", "--server-name", "example.org", "--config"]).arg(&config);
    command.arg("--data").arg(&data);
    let output = Strace::recording(&log).wrap_in_front(&command).output()?;
    ensure!(output.status.success(), "{output:?}");

    let trace = Trace::read(&log)?;
    let said = trace
        .calls()
        .iter()
        .find(|call| call.is_write() && call.data().contains("run the server with"));
    let said = said.context("it says what it wrote")?.began;
    let at = |path: &Path| path.to_str().map(str::to_owned).context("a path of text");
    for file in [config, data.join("signing.key")] {
        let file = at(&file)?;
        let written =
            trace.of_file(&file).filter(|call| call.is_write()).map(|call| call.ended).max();
        let written = written.with_context(|| format!("{file} was written"))?;
        ensure!(synced_between(&trace, &file, written, said), "{file} was not synced");
        // The file's name, and the names of the folders that were made for it.
        for folder in
            Path::new(&file).ancestors().skip(1).take_while(|path| path.starts_with(&root))
        {
            let folder = at(folder)?;
            let synced = synced_between(&trace, &folder, 0, said);
            ensure!(synced, "{folder} was not synced, and {file} is below it");
        }
    }
    Ok(())
}

#[test]
fn an_answer_before_its_sync_is_found_out() {
    const BEFORE: &str = r#"7  recvfrom(9<socket:[1]>, "PUT /markedend HTTP/1.1", 99, 0, NULL, NULL) = 23
8  pwrite64(12</d/tern.db-wal>, "page markedend", 4096, 8192) = 4096
"#;
    const SYNC: &str = "8  fsync(12</d/tern.db-wal>) = 0\n";
    const ANSWER: &str = r#"7  writev(9<socket:[1]>, [{iov_base="HTTP/1.1 200 OK", iov_len=15}], 1) = 15
"#;
    let judge = |text: &str| {
        let trace = Trace::parse(text);
        let (_, span) = answers(&trace).pop().unwrap();
        kept(&trace, &Promise::Kept("markedend".to_owned()), span)
    };
    assert!(judge(&format!("{BEFORE}{SYNC}{ANSWER}")).is_ok());
    assert!(judge(&format!("{BEFORE}{ANSWER}{SYNC}")).is_err());
    assert!(judge(&format!("{SYNC}{BEFORE}{ANSWER}")).is_err());
}
