//! Two people on two servers, from the first-run screen to each other's answer in an encrypted room, with everything real: two
//! `ternd` with TLS, two `tern` in terminals, mails with codes, kill -9.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;
use tern_testkit::{Api, Database, Finding, Loopback, Marker, Postgres, Size, Tern, Ternd};

use crate::people;

#[tokio::test(flavor = "multi_thread")]
async fn two_people_on_two_servers_talk_encrypted_and_lose_nothing() -> Result<()> {
    conversation(Database::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_on_two_servers_talk_encrypted_and_lose_nothing_on_postgresql() -> Result<()> {
    if !Postgres::available() {
        eprintln!("PostgreSQL is not installed here: nothing shown");
        return Ok(());
    }
    conversation(Database::Postgres).await
}

async fn conversation(database: Database) -> Result<()> {
    let loopback = Loopback::new()?;
    let mut alpha = loopback.ternd("alpha.localhost").database(database).start().await?;
    let mut beta = loopback.ternd("beta.localhost").database(database).start().await?;
    let mut alice = Tern::open(&loopback, "alice", Size::STANDARD)?;
    let mut bob = Tern::open(&loopback, "bob", Size::STANDARD)?;
    let [question, answer, late] = ["question", "answer", "late"].map(Marker::random);

    people::register(&mut alice, &alpha, "alice").await?;
    people::register(&mut bob, &beta, "bob").await?;
    people::start_chat(&mut alice, &beta.user_id("bob")).await?;
    people::accept_invitation(&mut bob, "alice").await?;
    people::say(&mut alice, question.text()).await?;
    bob.wait_for(question.text()).await?;
    people::wait_for_tick(&alice, question.text(), "✓✓").await?;
    people::say(&mut bob, answer.text()).await?;
    alice.wait_for(answer.text()).await?;
    people::wait_for_tick(&bob, answer.text(), "✓✓").await?;

    let before = everything(&alpha, &beta).await?;
    alpha.kill_9()?;
    beta.kill_9()?;
    alpha.restart().await?;
    beta.restart().await?;
    let after = everything(&alpha, &beta).await?;
    let lost: Vec<&String> = before.difference(&after).collect();
    assert!(lost.is_empty(), "acknowledged before kill -9 and missing after: {lost:?}");
    assert!(before.len() >= 4, "two messages at each of two servers: {before:?}");

    beta.kill_9()?;
    people::say(&mut alice, late.text()).await?;
    beta.restart().await?;
    bob.wait_for(late.text()).await?;

    // Whoever comes back finds the conversation as it was, also without any server.
    alpha.kill_9()?;
    beta.kill_9()?;
    alice.kill_9_and_reopen()?;
    alice.wait_for("offline").await?;
    for marker in [&question, &answer, &late] {
        alice.wait_for(marker.text()).await?;
    }

    let found = findings(&[&alpha, &beta], &[&alice, &bob], &[&question, &answer, &late]).await?;
    assert!(found.is_empty(), "what was said stands in the clear: {found:?}");
    // The search sees what is there: user names are no secret.
    for (ternd, name) in [(&alpha, "alice"), (&beta, "bob")] {
        assert!(
            !ternd.find(&Marker::new(name))?.is_empty(),
            "{name} is nowhere: the search is blind"
        );
    }
    Ok(())
}

async fn findings(
    servers: &[&Ternd],
    clients: &[&Tern],
    markers: &[&Marker],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for marker in markers {
        for server in servers {
            findings.extend(server.find(marker)?);
        }
        for client in clients {
            findings.extend(client.find(marker)?);
        }
        if servers.iter().any(|server| server.database_url().starts_with("postgres")) {
            findings.extend(marker.find_below(Postgres::shared().await?.folder())?);
        }
    }
    Ok(findings)
}

/// The ids of all events that the two can read at their servers, each with the server's name.
async fn everything(alpha: &Ternd, beta: &Ternd) -> Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for (ternd, name) in [(alpha, "alice"), (beta, "bob")] {
        let api = session(ternd, name).await?;
        for room in api.joined_rooms().await? {
            for event in api.messages(&room).await? {
                let id = event.get("event_id").and_then(Value::as_str).unwrap_or_default();
                ids.insert(format!("{name} {id}"));
            }
        }
        api.post("/_matrix/client/v3/logout", serde_json::json!({})).await?.ok()?;
    }
    Ok(ids)
}

async fn session(ternd: &Ternd, name: &str) -> Result<Api> {
    ternd.api().session(ternd.api().login(name, people::PASSWORD).await?)
}
