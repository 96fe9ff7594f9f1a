//! An unmodified matrix-nio client and `tern` on one `ternd`: registration, login, an encrypted conversation.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use tern_testkit::{Loopback, Person, Size, Tern, python_has};

use crate::people;

/// Whether the check can run here; `./test` installs what it needs.
fn nio_is_here() -> bool {
    let here = python_has("nio.crypto, nio, vodozemac");
    if !here {
        eprintln!("matrix-nio with its e2e extra is not installed here: nothing shown");
    }
    here
}

#[tokio::test(flavor = "multi_thread")]
async fn nio_registers_logs_in_and_talks_encrypted_with_tern() -> Result<()> {
    if !nio_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let mut bob = nio(&loopback, &ternd.url(), "bob")?;
    let person = json!({ "username": "bob", "password": people::PASSWORD });
    let registered = bob.ask("register", person.clone()).await?;
    assert_eq!(registered["user_id"], ternd.user_id("bob"));
    bob.ask("login", person).await?;

    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
    people::register_without_email(&mut alice, &ternd, "alice").await?;
    let invite = json!({ "invite": [ternd.user_id("alice")] });
    let room = bob.ask("create_room", invite).await?["room_id"].clone();
    people::accept_invitation(&mut alice, "bob").await?;
    let member = json!({ "room_id": room, "user_id": ternd.user_id("alice") });
    assert_eq!(bob.ask("wait_for_member", member).await?["encrypted"], true);

    bob.ask("send", json!({ "room_id": room, "body": "hello from nio" })).await?;
    alice.wait_for("hello from nio").await?;
    people::say(&mut alice, "hello from tern").await?;
    let heard = bob.ask("wait_for_text", json!({ "body": "hello from tern" })).await?;

    assert_eq!(heard["sender"], ternd.user_id("alice"));
    assert_eq!(heard["encrypted"], true, "the message came in the clear");
    Ok(())
}

#[tokio::test]
async fn nio_registers_with_a_registration_token() -> Result<()> {
    if !nio_is_here() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("token").start().await?;
    let token = String::from_utf8(ternd.run(&["token"])?.stdout)?.trim().to_owned();
    let mut bob = nio(&loopback, &ternd.url(), "bob")?;

    let details = json!({ "username": "bob", "password": people::PASSWORD, "token": token });
    let registered = bob.ask("register", details).await?;

    assert_eq!(registered["user_id"], ternd.user_id("bob"));
    Ok(())
}

/// A person with a store of their own, whose client trusts the test's authority.
fn nio(loopback: &Loopback, url: &str, name: &str) -> Result<Person> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/nio_person.py");
    let authority = loopback.authority().file().to_string_lossy().into_owned();
    let store = loopback.subfolder(&format!("nio-{name}"))?;
    let log = loopback.folder().join(format!("nio-{name}.log"));
    Person::start(&script, &[url, &authority, &store.to_string_lossy()], &log)
}

/// The same library against Synapse, which is known to be right: it shows that the script itself is.
#[tokio::test]
async fn two_nio_clients_talk_encrypted_through_synapse() -> Result<()> {
    if !nio_is_here() || !tern_testkit::Synapse::available() {
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let synapse = loopback.synapse().await?;
    let mut people = Vec::new();
    for name in ["alice", "bob"] {
        synapse.register(name, people::PASSWORD).await?;
        let mut person = nio(&loopback, synapse.api().base_url(), name)?;
        person.ask("login", json!({ "username": name, "password": people::PASSWORD })).await?;
        people.push(person);
    }
    let [alice, bob] = people.as_mut_slice() else { unreachable!("two names") };

    let invite = json!({ "invite": [synapse.user_id("bob")] });
    let room = alice.ask("create_room", invite).await?["room_id"].clone();
    let invited = bob.ask("wait_for_invite", json!({})).await?;
    assert_eq!(invited["room_id"], room);
    bob.ask("join", json!({ "room_id": room })).await?;
    let member = json!({ "room_id": room, "user_id": synapse.user_id("bob") });
    alice.ask("wait_for_member", member).await?;
    alice.ask("send", json!({ "room_id": room, "body": "hello bob" })).await?;
    let heard = bob.ask("wait_for_text", json!({ "body": "hello bob" })).await?;

    assert_eq!(heard["encrypted"], true);
    Ok(())
}
