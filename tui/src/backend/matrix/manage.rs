//! Changes to chats, to people in them, and to one's own account.

use matrix_sdk::RoomState;
use ruma::{
    EventId, OwnedRoomId, OwnedUserId, UserId,
    api::client::room::{
        Visibility,
        create_room::v3::{CreationContent, Request as CreateRoom, RoomPreset},
    },
    events::{GlobalAccountDataEventType, space::child::SpaceChildEventContent},
    room::RoomType,
    serde::Raw,
};
use serde_json::json;

use super::{
    devices, encryption, errors::explain, identity, key_files, listing, members, profile, rooms,
    session::Session,
};
use crate::backend::{Listed, Manage};

/// Carries it out; the list on the screen that it belongs to is made anew.
pub(super) async fn manage(session: &Session, manage: Manage) {
    let done = match manage {
        Manage::Remove { chat, user } => to_member(session, &chat, &user, Deed::Remove).await,
        Manage::Ban { chat, user } => to_member(session, &chat, &user, Deed::Ban).await,
        Manage::Unban { chat, user } => to_member(session, &chat, &user, Deed::Unban).await,
        Manage::SetLevel { chat, user, level } => {
            to_member(session, &chat, &user, Deed::Level(level)).await
        }
        Manage::SetRight { chat, right, level } => match session.room(&chat) {
            Some(room) => said(members::set_right(&room, right, level).await),
            None => Ok(()),
        },
        Manage::Describe { chat, name, topic } => describe(session, &chat, name, topic).await,
        Manage::NewChannel { name, topic, public } => {
            return rooms::create(session, channel(name, topic, public)).await;
        }
        Manage::NewSpace { name } => return rooms::create(session, space(name)).await,
        Manage::AddToSpace { space, chat } => add_to_space(session, &space, &chat).await,
        Manage::Knock { chat, reason } => knock(session, &chat, reason).await,
        Manage::OpenSaved => return open_saved(session).await,
        Manage::RenameSession { device, name } => {
            let renamed = devices::rename(session, &device, &name).await;
            listing::refresh(session, |of| *of == Listed::Sessions).await;
            renamed
        }
        Manage::EndSession { device, password } => {
            let ended = devices::end(session, &device, &password).await;
            listing::refresh(session, |of| *of == Listed::Sessions).await;
            ended
        }
        Manage::Ignore { user, ignored } => ignore(session, &user, ignored).await,
        Manage::Report { chat, message, reason } => {
            report(session, &chat, message.as_deref(), reason).await
        }
        Manage::RotateRecovery => return encryption::rotate(session).await,
        Manage::ResetIdentity { password } => return identity::reset(session, &password).await,
        Manage::ExportKeys { path, passphrase } => {
            return key_files::export(session, path, &passphrase).await;
        }
        Manage::ImportKeys { path, passphrase } => {
            return key_files::import(session, path, &passphrase).await;
        }
        Manage::AcceptIdentity { user } => identity::accept(session, &user).await,
    };
    if let Err(reason) = done {
        session.reports.failed(reason);
    }
}

fn said(done: matrix_sdk::Result<()>) -> Result<(), String> {
    done.map_err(|error| explain(&error))
}

fn user_id(user: &str) -> Result<OwnedUserId, String> {
    UserId::parse(user).map_err(|_| format!("{user} is not a user id. Check what you typed."))
}

enum Deed {
    Remove,
    Ban,
    Unban,
    Level(i64),
}

async fn to_member(session: &Session, chat: &str, user: &str, deed: Deed) -> Result<(), String> {
    let Some(room) = session.room(chat) else { return Ok(()) };
    let user = user_id(user)?;
    said(match deed {
        Deed::Remove => room.kick_user(&user, None).await,
        Deed::Ban => room.ban_user(&user, None).await,
        Deed::Unban => room.unban_user(&user, None).await,
        Deed::Level(level) => members::set_level(&room, &user, level).await,
    })
}

async fn describe(
    session: &Session,
    chat: &str,
    name: Option<String>,
    topic: Option<String>,
) -> Result<(), String> {
    let Some(room) = session.room(chat) else { return Ok(()) };
    if let Some(name) = name {
        said(room.set_name(name).await.map(drop))?;
    }
    if let Some(topic) = topic {
        said(room.set_room_topic(&topic).await.map(drop))?;
    }
    Ok(())
}

/// A room in which its makers write and everybody else reads.
fn channel(name: String, topic: String, public: bool) -> CreateRoom {
    let mut request = rooms::new_room(!public);
    // Anybody may invite to what is public; else what the server's own levels say.
    let levels = match public {
        true => json!({ "events_default": 50, "invite": 0 }),
        false => json!({ "events_default": 50 }),
    };
    let levels = serde_json::value::to_raw_value(&levels).ok();
    request.power_level_content_override = levels.map(Raw::from_json);
    request.name = Some(name);
    request.topic = Some(topic).filter(|topic| !topic.is_empty());
    request.preset = Some(if public { RoomPreset::PublicChat } else { RoomPreset::PrivateChat });
    request.visibility = if public { Visibility::Public } else { Visibility::Private };
    request
}

fn space(name: String) -> CreateRoom {
    let mut request = CreateRoom::new();
    let mut content = CreationContent::new();
    content.room_type = Some(RoomType::Space);
    request.creation_content = Raw::new(&content).ok();
    // Servers may encrypt by default; a space has no messages.
    let levels = serde_json::value::to_raw_value(&json!({ "events_default": 100 })).ok();
    request.power_level_content_override = levels.map(Raw::from_json);
    request.name = Some(name);
    request.preset = Some(RoomPreset::PrivateChat);
    request
}

async fn add_to_space(session: &Session, space: &str, chat: &str) -> Result<(), String> {
    let (Some(space), Some(room)) = (session.room(space), session.room(chat)) else {
        return Ok(());
    };
    let via = match room.route().await {
        Ok(via) if !via.is_empty() => via,
        _ => vec![session.user.server_name().to_owned()],
    };
    let content = SpaceChildEventContent::new(via);
    let added = space.send_state_event_for_key(room.room_id(), content).await;
    said(added.map(drop))?;
    session.reports.notice("It is in the space.");
    Ok(())
}

async fn knock(session: &Session, chat: &str, reason: String) -> Result<(), String> {
    let Some((target, mut via)) = rooms::parse_target(chat.trim()) else {
        return Err(format!("{chat} is not a chat. Type it like #name:example.org."));
    };
    if via.is_empty() {
        via = rooms::servers_for(session, &target).await;
    }
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    match session.client.knock(target, reason, via).await {
        Ok(room) => {
            session.poke(room.room_id());
            session.reports.notice("Asked. You are let in when somebody there says so.");
            Ok(())
        }
        Err(error) => Err(format!("You could not ask. {}", explain(&error))),
    }
}

/// The account data that names the chat with oneself: the same one for every client of the account.
const SAVED: &str = "chat.tern.saved";

/// The chat with oneself: the one there is, else a new one. The server is asked: a new device may not have synced yet.
async fn open_saved(session: &Session) {
    let account = session.client.account();
    let kind = GlobalAccountDataEventType::from(SAVED);
    let kept = match account.fetch_account_data(kind.clone()).await {
        Ok(kept) => kept,
        Err(_) => account.account_data_raw(kind.clone()).await.ok().flatten(),
    };
    let room = kept.and_then(|raw| raw.get_field::<OwnedRoomId>("room_id").ok().flatten());
    let left = |room: &OwnedRoomId| {
        session.client.get_room(room).is_some_and(|room| room.state() == RoomState::Left)
    };
    if let Some(room) = room.filter(|room| !left(room)) {
        return rooms::ready(session, &room).await;
    }
    let mut request = rooms::new_room(true);
    request.name = Some("Saved Messages".to_owned());
    request.preset = Some(RoomPreset::PrivateChat);
    match session.client.create_room(request).await {
        Ok(room) => {
            let content = serde_json::value::to_raw_value(&json!({ "room_id": room.room_id() }));
            if let Ok(content) = content
                && let Err(error) =
                    account.set_account_data_raw(kind, Raw::from_json(content)).await
            {
                session.reports.failed(explain(&error));
            }
            rooms::ready(session, room.room_id()).await;
        }
        Err(error) => {
            session.reports.failed(format!("The chat could not be made. {}", explain(&error)));
        }
    }
}

async fn ignore(session: &Session, user: &str, ignored: bool) -> Result<(), String> {
    let id = user_id(user)?;
    let account = session.client.account();
    if ignored {
        said(account.ignore_user(&id).await)?;
        session.reports.notice(format!("{user} is ignored from now on."));
    } else {
        said(account.unignore_user(&id).await)?;
        session.reports.notice(format!("{user} is no longer ignored."));
    }
    profile::fetch(session, Some(user.to_owned())).await;
    Ok(())
}

async fn report(
    session: &Session,
    chat: &str,
    message: Option<&str>,
    reason: String,
) -> Result<(), String> {
    let Some(room) = session.room(chat) else { return Ok(()) };
    match message {
        None => said(room.report_room(reason).await.map(drop))?,
        Some(event) => {
            let event = EventId::parse(event)
                .map_err(|_| "The message is not on the server yet. Try again later.".to_owned())?;
            said(room.report_content(event, Some(reason)).await.map(drop))?;
        }
    }
    session.reports.notice("Reported. The owner of your server sees it.");
    Ok(())
}
