//! A small bot: logs in, joins where it is invited, answers every text message and marks it read.
//!
//! Runs as its own process (`bin/bot.rs`) in `cargo demo`; [`run`] can also be awaited inside another program.

use std::path::PathBuf;

use anyhow::Context;
use matrix_sdk::{
    Client, Room, RoomState, SqliteStoreConfig,
    config::SyncSettings,
    encryption::EncryptionSettings,
    ruma::{
        api::client::receipt::create_receipt::v3::ReceiptType,
        events::{
            receipt::ReceiptThread,
            room::{
                member::StrippedRoomMemberEvent,
                message::{MessageType, OriginalSyncRoomMessageEvent, RoomMessageEventContent},
            },
        },
    },
};
use tern_tui::backend::matrix::http;

/// Who the bot is and where it lives.
#[derive(Clone)]
pub(crate) struct Options {
    /// Base URL of its homeserver.
    pub(crate) server: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// A PEM file of certificates to trust besides the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Where it keeps its keys; one login per folder.
    pub(crate) data: PathBuf,
}

/// Logs in and answers until the process ends. `ready` is called once the first sync is through.
pub(crate) async fn run(options: Options, ready: impl FnOnce() + Send) -> anyhow::Result<()> {
    http::install_crypto_provider();
    let client = log_in(&options).await?;
    let settings = SyncSettings::default();
    client.add_event_handler(join);
    // What was said before the bot came gets no answer.
    client.sync_once(settings.clone()).await.context("the first sync failed")?;
    client.add_event_handler(answer);
    for room in client.invited_rooms() {
        accept(&room).await;
    }
    ready();
    client.sync(settings).await.context("the sync ended")
}

async fn log_in(options: &Options) -> anyhow::Result<Client> {
    std::fs::create_dir_all(&options.data).context("the data folder can't be made")?;
    let http = http::build(options.ca.as_deref())?;
    let client = Client::builder()
        .homeserver_url(&options.server)
        .http_client(http)
        .sqlite_store_with_config_and_cache_path(
            SqliteStoreConfig::new(&options.data),
            None::<PathBuf>,
        )
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: true,
            ..EncryptionSettings::default()
        })
        .build()
        .await
        .context("the client could not be built")?;
    client
        .matrix_auth()
        .login_username(&options.user, &options.password)
        .initial_device_display_name("Tern demo bot")
        .send()
        .await
        .context("the login was refused")?;
    Ok(client)
}

async fn join(event: StrippedRoomMemberEvent, client: Client, room: Room) {
    if client.user_id().is_some_and(|own| event.state_key == own)
        && room.state() == RoomState::Invited
    {
        // Joining inside the handler would hold up the sync that brings the room.
        tokio::spawn(async move { accept(&room).await });
    }
}

/// What it says when it comes in.
const GREETING: &str = "Hello! Say something and I will say it back. Try also: ↑ changes your last message; Esc twice goes to the list, \
    where n starts a chat, / finds one and ? shows all keys.";

async fn accept(room: &Room) {
    if let Err(error) = room.join().await {
        return eprintln!("bot: could not join {}: {error}", room.room_id());
    }
    if let Err(error) = room.send(RoomMessageEventContent::text_plain(GREETING)).await {
        eprintln!("bot: could not greet in {}: {error}", room.room_id());
    }
}

async fn answer(event: OriginalSyncRoomMessageEvent, room: Room) {
    if event.sender == room.own_user_id() || room.state() != RoomState::Joined {
        return;
    }
    let MessageType::Text(text) = &event.content.msgtype else { return };
    let reply = RoomMessageEventContent::text_plain(reply_to(&text.body));
    tokio::spawn(async move {
        let read = room
            .send_single_receipt(ReceiptType::Read, ReceiptThread::Unthreaded, event.event_id)
            .await;
        let sent = room.send(reply).await.map(|_| ());
        for failed in [read.err(), sent.err()].into_iter().flatten() {
            eprintln!("bot: could not answer in {}: {failed}", room.room_id());
        }
    });
}

/// What the bot says to `text`.
fn reply_to(text: &str) -> String {
    let text = text.trim();
    match text.to_lowercase().trim_end_matches(['!', '.', '?', ' ']) {
        "hi" | "hello" | "hey" => "Hello! Say something and I will say it back.".to_owned(),
        "bye" => "See you!".to_owned(),
        "ping" => "pong".to_owned(),
        _ => format!("You said: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::reply_to;

    #[test]
    fn greetings_are_answered_and_the_rest_is_said_back() {
        assert!(reply_to("Hello!").starts_with("Hello!"));
        assert_eq!(reply_to(" it rains "), "You said: it rains");
    }
}
