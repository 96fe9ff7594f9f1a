//! Making chats, joining, leaving, inviting.

use std::time::Duration;

use matrix_sdk::{Client, Room, RoomMemberships, RoomState};
use ruma::{
    MatrixToUri, MatrixUri, OwnedServerName, OwnedUserId, RoomId, RoomOrAliasId, ServerName,
    UserId,
    api::client::room::create_room::v3::{CreationContent, Request as CreateRoom, RoomPreset},
    events::{InitialStateEvent, room::encryption::RoomEncryptionEventContent},
    matrix_uri::MatrixId,
    serde::Raw,
};
use serde_json::json;

use super::{errors::explain, session::Session};
use crate::backend::Report;

/// How long a made or joined room may take to come down the sync.
const ARRIVAL: Duration = Duration::from_secs(20);

/// The chat with `user`: the one there is, or a new one.
pub(super) async fn new_direct(session: &Session, user: &str, encrypted: bool) {
    let Some(user) = parse_user(session, user) else { return };
    if let Some(room) = existing_direct(&session.client, &user).await {
        return session.reports.send(Report::ChatReady { chat: room.room_id().to_string() });
    }
    let mut request = new_room(encrypted);
    request.invite = vec![user];
    request.is_direct = true;
    request.preset = Some(RoomPreset::TrustedPrivateChat);
    create(session, request).await;
}

/// A joined direct chat the other person has not left.
async fn existing_direct(client: &Client, user: &UserId) -> Option<Room> {
    for room in client.get_dm_rooms(user) {
        if room.state() != RoomState::Joined {
            continue;
        }
        let active = room.members_no_sync(RoomMemberships::ACTIVE).await.unwrap_or_default();
        if active.is_empty() || active.iter().any(|member| member.user_id() == user) {
            return Some(room);
        }
    }
    None
}

pub(super) async fn new_group(
    session: &Session,
    name: String,
    invite: Vec<String>,
    encrypted: bool,
) {
    let mut users = Vec::new();
    for user in invite.iter().filter(|user| !user.trim().is_empty()) {
        let Some(user) = parse_user(session, user) else { return };
        users.push(user);
    }
    let mut request = new_room(encrypted);
    request.name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    request.invite = users;
    request.preset = Some(RoomPreset::PrivateChat);
    create(session, request).await;
}

/// Servers may encrypt by default, so both answers are said aloud.
pub(super) fn new_room(encrypted: bool) -> CreateRoom {
    let mut request = CreateRoom::new();
    if encrypted {
        let encryption = RoomEncryptionEventContent::with_recommended_defaults();
        request.initial_state =
            vec![InitialStateEvent::with_empty_state_key(encryption).to_raw_any()];
    } else {
        let content = serde_json::value::to_raw_value(&json!({ "chat.tern.encryption": false }));
        request.creation_content = content.ok().map(Raw::<CreationContent>::from_json);
    }
    request
}

pub(super) async fn create(session: &Session, request: CreateRoom) {
    match session.client.create_room(request).await {
        Ok(room) => ready(session, room.room_id()).await,
        Err(error) => {
            session.reports.failed(format!("The chat could not be made. {}", explain(&error)));
        }
    }
}

/// Waits until the room came down the sync, then says it can be opened.
pub(super) async fn ready(session: &Session, room: &RoomId) {
    if tokio::time::timeout(ARRIVAL, session.client.await_room_remote_echo(room)).await.is_err() {
        tracing::debug!(%room, "a new room has not come down the sync yet");
    }
    session.reports.send(Report::ChatReady { chat: room.to_string() });
}

/// Accepts an invitation, or joins by id, alias or link.
pub(super) async fn join(session: &Session, chat: &str) {
    let Some((target, mut via)) = parse_target(chat.trim()) else {
        return session
            .reports
            .failed(format!("{chat} is not a chat. Type it like #name:example.org."));
    };
    if via.is_empty() {
        via = servers_for(session, &target).await;
    }
    match session.client.join_room_by_id_or_alias(&target, &via).await {
        Ok(room) => ready(session, room.room_id()).await,
        Err(error) => session.reports.failed(format!("You could not join. {}", explain(&error))),
    }
}

pub(super) fn parse_target(
    input: &str,
) -> Option<(ruma::OwnedRoomOrAliasId, Vec<OwnedServerName>)> {
    let of_id = |id: &MatrixId| match id {
        MatrixId::Room(room) => Some(room.clone().into()),
        MatrixId::RoomAlias(alias) => Some(alias.clone().into()),
        _ => None,
    };
    if let Ok(link) = MatrixToUri::parse(input) {
        return Some((of_id(link.id())?, link.via().to_vec()));
    }
    if let Ok(link) = MatrixUri::parse(input) {
        return Some((of_id(link.id())?, link.via().to_vec()));
    }
    Some((RoomOrAliasId::parse(input).ok()?, Vec::new()))
}

/// Who can help joining: the inviter's server, and the one in the name.
pub(super) async fn servers_for(session: &Session, target: &RoomOrAliasId) -> Vec<OwnedServerName> {
    let mut servers = Vec::new();
    let room = <&RoomId>::try_from(target).ok().and_then(|id| session.client.get_room(id));
    if let Some(room) = room
        && let Ok(invite) = room.invite_details().await
    {
        servers.push(invite.inviter_id.server_name().to_owned());
    }
    if let Some(server) = target.server_name().map(ServerName::to_owned)
        && !servers.contains(&server)
    {
        servers.push(server);
    }
    servers
}

/// Declines an invitation or leaves for good: the room goes from the list.
pub(super) async fn leave(session: &Session, chat: &str) {
    let Some(room) = session.room(chat) else { return };
    match room.leave().await {
        Ok(()) => session.poke(room.room_id()),
        Err(error) => session.reports.failed(format!("You could not leave. {}", explain(&error))),
    }
}

pub(super) async fn invite(session: &Session, chat: &str, user: &str) {
    let (Some(room), Some(user)) = (session.room(chat), parse_user(session, user)) else { return };
    match room.invite_user_by_id(&user).await {
        Ok(()) => session.reports.notice(format!("{user} is invited.")),
        Err(error) => {
            session.reports.failed(format!("{user} could not be invited. {}", explain(&error)));
        }
    }
}

/// `@user:server`, or a bare name on one's own server.
fn parse_user(session: &Session, user: &str) -> Option<OwnedUserId> {
    let user = user.trim();
    let parsed = if user.contains(':') {
        UserId::parse(user)
    } else {
        UserId::parse(format!("@{}:{}", user.trim_start_matches('@'), session.user.server_name()))
    };
    if parsed.is_err() {
        session
            .reports
            .failed(format!("{user} is not a user id. Type it like @alice:example.org."));
    }
    parsed.ok()
}
