//! The sync over the server's WebSocket, and by HTTP where that cannot be: what passes between client and server is counted on the way.

use anyhow::{Result, ensure};
use serde_json::json;
use tern_testkit::{Api, Loopback, PATIENCE, Passed, Relay, Size, Tern, Upgrades, until};

use crate::{garden::wait_in_chat, people};

/// The connections of a client: the chat list's, and that of what is sent to the device.
const CONNECTIONS: u64 = 2;

/// Alice at `tern`, in a chat with bob, with the relay between her and the server.
pub(crate) struct Talk {
    pub(crate) alice: Tern,
    bob: Api,
    room: String,
    pub(crate) relay: Relay,
    said: usize,
}

impl Talk {
    /// `server` is a logged-out client of the server that speaks plain HTTP at `plain`.
    pub(crate) async fn begin(
        loopback: &Loopback,
        bob: Api,
        plain: &str,
        upgrades: Upgrades,
    ) -> Result<Talk> {
        let relay = Relay::start().await?;
        relay.lead_to(plain)?;
        relay.set_upgrades(upgrades);
        let room = bob.create_room(json!({ "preset": "public_chat", "name": "Garden" })).await?;
        let mut alice = Tern::open(loopback, "alice", Size::STANDARD)?;
        people::log_in(&mut alice, &relay.url(), "alice", people::PASSWORD).await?;
        let server = bob.user_id().split_once(':').map_or("", |(_, server)| server);
        bob.invite(&room, &format!("@alice:{server}")).await?;
        people::accept_invitation(&mut alice, "invited by bob").await?;
        wait_in_chat(&alice, "bob made this chat").await?;
        Ok(Talk { alice, bob, room, relay, said: 0 })
    }

    /// The next line, which bob writes and nobody waits for.
    async fn bob_writes(&mut self) -> Result<String> {
        self.said += 1;
        let text = format!("seed {:03}.", self.said);
        self.bob.send_text(&self.room, &text).await?;
        Ok(text)
    }

    /// Bob writes, alice reads.
    pub(crate) async fn bob_says(&mut self) -> Result<()> {
        let text = self.bob_writes().await?;
        wait_in_chat(&self.alice, &text).await
    }

    async fn passes(&self, what: &str, is_it: impl Fn(&Passed) -> bool) -> Result<Passed> {
        until(what, PATIENCE, async || Ok(Some(self.relay.passed()).filter(&is_it))).await
    }

    /// Waits until the sync goes by sockets that were opened after `before`.
    async fn goes_by_the_socket(&mut self, before: u64) -> Result<Passed> {
        // A long poll ends with news, and then the socket is tried.
        until("the sync to go by the socket", PATIENCE, async || {
            self.bob_says().await?;
            let passed = self.relay.passed();
            Ok((passed.sockets > before).then_some(passed))
        })
        .await
    }

    /// What was said lately stands in the chat, each line once and in order.
    fn reads_everything_once(&self) -> Result<()> {
        let screen = self.alice.text();
        let shown: Vec<usize> = screen
            .lines()
            .filter_map(|row| row.split_once('│')?.1.split_once("seed ")?.1.get(..3)?.parse().ok())
            .collect();
        let first = self.said + 1 - shown.len();
        ensure!(shown.len() > 5, "{}", self.alice.picture());
        ensure!(shown == (first..=self.said).collect::<Vec<_>>(), "{}", self.alice.picture());
        Ok(())
    }
}

/// Bob and alice, with accounts.
pub(crate) async fn bob_and_alice(server: &Api) -> Result<Api> {
    server.register_openly("alice", people::PASSWORD).await?;
    server.register_openly("bob", people::PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_comes_over_the_socket_also_after_the_server_was_gone() -> Result<()> {
    let loopback = Loopback::new()?;
    let mut ternd = loopback.ternd("localhost").registration("open").plain_http().start().await?;
    let bob = bob_and_alice(ternd.api()).await?;
    let plain = ternd.plain_url().unwrap_or_default().to_owned();
    let mut talk = Talk::begin(&loopback, bob, &plain, Upgrades::Pass).await?;
    talk.goes_by_the_socket(0).await?;
    let before = talk.passes("both connections", |passed| passed.sockets >= CONNECTIONS).await?;
    for _ in 0..10 {
        talk.bob_says().await?;
    }
    let after = talk.relay.passed();
    ensure!((after.polls, after.sockets) == (before.polls, before.sockets), "{after:?} {before:?}");
    talk.reads_everything_once()?;

    // What it sends goes the same way as ever.
    people::say(&mut talk.alice, "thank you").await?;
    until("thanks", PATIENCE, async || {
        let said = talk.bob.messages(&talk.room).await?;
        Ok(said.iter().any(|event| event.to_string().contains("thank you")).then_some(()))
    })
    .await?;

    // The server is restarted; what is written meanwhile is told by whichever way is there first.
    ternd.restart().await?;
    talk.bob_says().await?;
    talk.goes_by_the_socket(after.sockets).await?;
    for _ in 0..5 {
        talk.bob_says().await?;
    }
    talk.reads_everything_once()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_way_has_no_websockets_it_goes_by_http_and_nothing_is_lost_between() -> Result<()>
{
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").plain_http().start().await?;
    let bob = bob_and_alice(ternd.api()).await?;
    let plain = ternd.plain_url().unwrap_or_default().to_owned();
    let mut talk = Talk::begin(&loopback, bob, &plain, Upgrades::Forbid).await?;
    talk.passes("a refusal", |passed| passed.refused > 0).await?;
    let before = talk.relay.passed();
    talk.relay.set_upgrades(Upgrades::Drop);
    for _ in 0..5 {
        talk.bob_says().await?;
    }
    let after = talk.relay.passed();
    ensure!(after.polls >= before.polls + 5 && after.sockets == 0, "{after:?} {before:?}");

    // The way is mended, breaks in the middle of what is being said, and loses its sockets.
    talk.relay.set_upgrades(Upgrades::Pass);
    talk.goes_by_the_socket(0).await?;
    for upgrades in [Upgrades::Pass, Upgrades::Drop, Upgrades::Pass] {
        for _ in 0..3 {
            talk.bob_writes().await?;
        }
        talk.relay.set_upgrades(upgrades);
        talk.relay.break_connections();
        talk.bob_writes().await?;
        talk.bob_says().await?;
        talk.reads_everything_once()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_the_socket_does_without() -> Result<()> {
    let loopback = Loopback::new()?;
    Tern::set(&loopback, "alice", "socket = false\n")?;
    let ternd = loopback.ternd("localhost").registration("open").plain_http().start().await?;
    let bob = bob_and_alice(ternd.api()).await?;
    let plain = ternd.plain_url().unwrap_or_default().to_owned();
    let mut talk = Talk::begin(&loopback, bob, &plain, Upgrades::Pass).await?;
    for _ in 0..6 {
        talk.bob_says().await?;
    }
    talk.reads_everything_once()?;
    let passed = talk.relay.passed();
    ensure!(passed.polls > 6 && passed.sockets + passed.refused == 0, "{passed:?}");
    Ok(())
}
