//! Bad input and its clear answers, as another client or another server gets them from the real `ternd`.

use std::{fs, slice};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{
    Api, Loopback, Mail, PATIENCE, Peer, PeerRoom, SmtpSink, Ternd, TestKey, until,
};

use crate::people::PASSWORD;

#[tokio::test]
async fn a_wrong_password_is_refused() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    ternd.api().register_openly("alice", PASSWORD).await?;

    let wrong = ternd.api().login("alice", "wrong").await?;
    let unknown = ternd.api().login("nobody", PASSWORD).await?;
    let right = ternd.api().login("alice", PASSWORD).await?;

    assert_eq!((wrong.status, wrong.errcode()), (403, "M_FORBIDDEN"));
    // Whether the account exists cannot be told from the answer.
    assert_eq!(unknown, wrong);
    assert_eq!(right.status, 200, "{}", right.body);
    Ok(())
}

#[tokio::test]
async fn a_taken_username_and_a_bad_one_are_refused() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    ternd.api().register_openly("alice", PASSWORD).await?;

    let taken = ternd.api().register("alice", PASSWORD, None).await?;
    let bad = ternd.api().register("Al ice", PASSWORD, None).await?;
    let available = "/_matrix/client/v3/register/available?username=";
    let asked = ternd.api().get(&format!("{available}alice")).await?;
    let free = ternd.api().get(&format!("{available}bob")).await?;

    assert_eq!((taken.status, taken.errcode()), (400, "M_USER_IN_USE"));
    assert_eq!((bad.status, bad.errcode()), (400, "M_INVALID_USERNAME"));
    assert_eq!((asked.status, asked.errcode()), (400, "M_USER_IN_USE"));
    assert_eq!(free.body["available"], true, "{}", free.body);
    Ok(())
}

#[tokio::test]
async fn a_mail_code_works_once_and_only_for_its_session() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let api = ternd.api();
    let auth_session = api.start_registration("alice", PASSWORD).await?;
    let email = api.email_session("register", "alice@example.org").await?;
    let code = ternd.wait_for_mail("alice@example.org", 0).await?.code()?;

    let early = api.register_with_email("alice", PASSWORD, &auth_session, &email).await?;
    assert_eq!(early.status, 401, "not confirmed yet: {}", early.body);
    assert_eq!(early.text("/session"), auth_session, "the session goes on");
    let other = api.email_session("register", "bob@example.org").await?;
    let foreign = api.submit_code(&other, &code).await?;
    assert!(!taken(&foreign), "a code of another session: {}", foreign.body);

    let right = api.submit_code(&email, &code).await?;
    assert!(taken(&right), "{}", right.body);
    let done = api.register_with_email("alice", PASSWORD, &auth_session, &email).await?;
    assert_eq!(done.text("/user_id"), ternd.user_id("alice"), "{}", done.body);

    let again = api.start_registration("alice2", PASSWORD).await?;
    let reused = api.register_with_email("alice2", PASSWORD, &again, &email).await?;
    assert_ne!(reused.status, 200, "a used session: {}", reused.body);
    let retyped = api.submit_code(&email, &code).await?;
    assert!(!taken(&retyped), "a used code: {}", retyped.body);
    Ok(())
}

#[tokio::test]
async fn a_guesser_gets_five_tries_and_then_not_even_the_right_code_helps() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").start().await?;
    let api = ternd.api();
    let email = api.email_session("register", "alice@example.org").await?;
    let code = ternd.wait_for_mail("alice@example.org", 0).await?.code()?;

    for guess in 1..=5 {
        let answer = api.submit_code(&email, &format!("WRONG{guess:03}")).await?;
        assert!(!taken(&answer), "guess {guess}: {}", answer.body);
        assert!(!answer.error().is_empty(), "guess {guess} gets an explanation: {}", answer.body);
    }
    let late = api.submit_code(&email, &code).await?;

    assert!(!taken(&late), "after five wrong guesses: {}", late.body);
    Ok(())
}

#[tokio::test]
async fn an_address_in_use_gets_the_same_answer_and_a_mail_that_says_so() -> Result<()> {
    let loopback = Loopback::new()?;
    let sink = SmtpSink::start().await?;
    let ternd = loopback.ternd("localhost").smtp(&sink.url()).start().await?;
    let session = ternd.api().start_registration("alice", PASSWORD).await?;
    let email = ternd.api().email_session("register", "alice@example.org").await?;
    let code = sink.wait_for_mail("alice@example.org", 0).await?.code()?;
    ternd.api().submit_code(&email, &code).await?.ok()?;
    let alice = ternd.api().register_with_email("alice", PASSWORD, &session, &email).await?;
    assert_eq!(alice.status, 200, "{}", alice.body);

    let known = ternd.api().request_email_token("register", "Alice@Example.ORG", "s1", 1).await?;
    let unknown = ternd.api().request_email_token("register", "bob@example.org", "s2", 1).await?;
    // Other mails, of a new device for one, may come before it.
    let told = until("the mail about the address in use", PATIENCE, async || {
        let about = |mail: &Mail| mail.text.to_lowercase().contains("already");
        Ok(sink.mails().into_iter().find(|mail| mail.is_for("alice@example.org") && about(mail)))
    })
    .await?;

    let keys = |body: &Value| -> Vec<String> {
        body.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    };
    assert_eq!((known.status, keys(&known.body)), (unknown.status, keys(&unknown.body)));
    assert_eq!(known.status, 200);
    assert!(told.code().is_err(), "no code for an address in use:\n{}", told.text);
    Ok(())
}

#[tokio::test]
async fn an_unknown_or_private_server_is_refused_with_a_reason() -> Result<()> {
    let loopback = Loopback::new()?;
    let beta = loopback.ternd("beta.localhost").registration("open").start().await?;
    let bob = beta.api().register_openly("bob", PASSWORD).await?;
    let room = bob.create_room(json!({ "preset": "public_chat" })).await?;

    let shut = loopback.ternd("localhost").registration("open").private_networks_refused();
    let shut = shut.start().await?;
    let alice = shut.api().register_openly("alice", PASSWORD).await?;
    let private = alice.join(&room, &[beta.name()]).await?;
    let profile = format!("/_matrix/client/v3/profile/{}", beta.user_id("bob"));
    let also_private = alice.get(&profile).await?;

    let open = loopback.ternd("alpha.localhost").registration("open").start().await?;
    let carol = open.api().register_openly("alice", PASSWORD).await?;
    let port = tern_testkit::free_port()?;
    let nobody = carol.join("#room:nowhere.localhost", &[]).await?;
    let silent = carol.join("!room:localhost", &[&format!("localhost:{port}")]).await?;
    let fine = carol.join(&room, &[beta.name()]).await?;

    for refused in [&private, &also_private, &nobody, &silent] {
        assert!((400..600).contains(&refused.status), "{}", refused.body);
        assert!(refused.errcode().starts_with("M_"), "{}", refused.body);
        assert!(!refused.error().is_empty(), "{}", refused.body);
    }
    // The same request passes where the operator allows it, so it was the address that was refused.
    assert_eq!(fine.status, 200, "{}", fine.body);
    Ok(())
}

#[tokio::test]
async fn a_bad_configuration_is_refused_naming_key_and_line() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").start().await?;
    ternd.stop().await?;
    let good = fs::read_to_string(ternd.config())?;
    let cases = [
        ("registration_mode = \"open\"\n", "registration_mode"),
        ("server_nam = \"example.org\"\n", "server_nam"),
        ("data_dir = 7\n", "data_dir"),
    ];

    for (line, key) in cases {
        // In front, so that the line number is known; a key given twice would be another error.
        let rest: Vec<&str> = good.lines().filter(|old| !old.starts_with(key)).collect();
        fs::write(ternd.config(), format!("\n\n{line}{}", rest.join("\n")))?;
        let output = ternd.run(&["serve"])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{line}");
        assert!(said.contains(key), "{line}: {said}");
        assert!(said.contains("line 3") || said.contains(":3"), "{line}: {said}");
    }
    fs::remove_file(ternd.config())?;
    let output = ternd.run(&["serve"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("config.toml"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_request_with_a_forged_signature_is_refused() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let user = ternd.user_id("alice").replace('@', "%40").replace(':', "%3A");
    let path = format!("/_matrix/federation/v1/query/profile?user_id={user}");

    let forged =
        peer.request_with(&TestKey::new()?, ternd.name(), Method::GET, &path, None).await?;
    let unsigned = ternd.api().get(&path).await?;
    let right = peer.request(ternd.name(), Method::GET, &path, None).await?;

    assert_eq!((forged.status, forged.errcode()), (401, "M_UNAUTHORIZED"), "{}", forged.body);
    assert_eq!((unsigned.status, unsigned.errcode()), (401, "M_UNAUTHORIZED"));
    assert_eq!(right.status, 200, "{}", right.body);
    Ok(())
}

/// Where the events of the next two tests go.
struct Heard {
    ternd: Ternd,
    alice: Api,
    peer: Peer,
    room: PeerRoom,
}

impl Heard {
    async fn new(loopback: &Loopback) -> Result<Self> {
        let ternd = loopback.ternd("localhost").registration("open").start().await?;
        let alice = ternd.api().register_openly("alice", PASSWORD).await?;
        let peer = Peer::start(loopback, "gamma.localhost").await?;
        let create = json!({ "preset": "public_chat" });
        let room_id = alice.create_room(create).await?;
        let room = peer.join(ternd.name(), &room_id, "bob").await?;
        Ok(Self { ternd, alice, peer, room })
    }

    /// Sends a good event after the bad ones and waits for it: by then the bad ones have been judged.
    async fn settle(&self) -> Result<Vec<Value>> {
        let last = self.peer.message(&self.room, json!({ "msgtype": "m.text", "body": "last" }))?;
        self.peer.send(self.ternd.name(), slice::from_ref(&last)).await?.ok()?;
        let id = self.room.event_id(&last)?;
        self.alice.wait_for_event(&self.room.room_id, &id).await?;
        self.alice.messages(&self.room.room_id).await
    }
}

#[tokio::test]
async fn an_event_of_65536_bytes_passes_and_one_of_65537_does_not() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut heard = Heard::new(&loopback).await?;
    let fits = heard.peer.message_of_bytes(&heard.room, 65_536)?;
    let fits_id = heard.room.event_id(&fits)?;

    heard.peer.send(heard.ternd.name(), slice::from_ref(&fits)).await?.ok()?;
    heard.alice.wait_for_event(&heard.room.room_id, &fits_id).await?;
    heard.room.advance(&fits)?;
    let bursts = heard.peer.message_of_bytes(&heard.room, 65_537)?;
    let answer = heard.peer.send(heard.ternd.name(), slice::from_ref(&bursts)).await?.ok()?;
    let seen = heard.settle().await?;

    let id = heard.room.event_id(&bursts)?;
    let told = answer["pdus"][&id]["error"].as_str().unwrap_or_default();
    assert!(told.contains("65537"), "{answer}");
    assert!(seen.iter().any(|event| event["event_id"] == fits_id));
    assert!(!seen.iter().any(|event| event["event_id"] == id));
    Ok(())
}

#[tokio::test]
async fn an_event_with_a_wrong_signature_is_dropped_and_one_with_a_wrong_hash_is_redacted()
-> Result<()> {
    let loopback = Loopback::new()?;
    let heard = Heard::new(&loopback).await?;
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let mut signature = heard.peer.message(&heard.room, text("wrong signature"))?;
    signature.insert("depth".to_owned(), ruma::CanonicalJsonValue::Integer(ruma::int!(77)));
    let mut hash = heard.peer.message(&heard.room, text("signed"))?;
    // The signature covers the redacted event, so only the hash tells that the text was changed.
    let changed = ruma::CanonicalJsonValue::try_from(text("changed on the way"))?;
    hash.insert("content".to_owned(), changed);

    let bad = [signature.clone(), hash.clone()];
    let answer = heard.peer.send(heard.ternd.name(), &bad).await?.ok()?;
    let told = &answer["pdus"][heard.room.event_id(&signature)?]["error"];
    assert!(told.as_str().unwrap_or_default().contains("signature"), "{answer}");
    let seen = heard.settle().await?;

    let with_id = |id: String| seen.iter().find(move |event| event["event_id"] == id);
    assert!(with_id(heard.room.event_id(&signature)?).is_none());
    let changed = with_id(heard.room.event_id(&hash)?);
    // The spec has the receiver keep it redacted; its text must be nowhere.
    assert!(changed.is_none_or(|event| event["content"].get("body").is_none()), "{changed:?}");
    Ok(())
}

/// Whether a code was accepted: other clients go by the status, ours by `success` too.
fn taken(answer: &tern_testkit::Answer) -> bool {
    answer.status == 200 && answer.body.get("success") != Some(&Value::Bool(false))
}
