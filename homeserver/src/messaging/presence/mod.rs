//! Presence: who is there, told to those who share a room with them. In memory only, on the per-boot serial, never in a position.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#presence>. What a look at the clock or a device's request changes is
//! found in `table`; here others are told of it, and only of changes, so that who changes nothing costs nobody anything.

mod table;

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use ruma::{
    OwnedServerName, OwnedUserId, RoomId, ServerName, UserId,
    api::federation::transactions::edu::PresenceUpdate, presence::PresenceState,
};

pub use table::{Presence, Shown};

use super::{Engine, Error};
use crate::{
    auth::Requester,
    storage::{Id, mutual_rooms},
};

/// Most bytes of a status message.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// Most rooms that are told of one change.
const ROOMS_MAX: usize = 2_000;
/// Most users of one of another server's messages.
const UPDATES_MAX: usize = 500;

/// How somebody is; the later the more present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Status {
    #[default]
    Offline,
    Unavailable,
    Online,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Unavailable => "unavailable",
            Self::Online => "online",
        }
    }
}

impl From<&PresenceState> for Status {
    fn from(state: &PresenceState) -> Self {
        match state {
            PresenceState::Online => Self::Online,
            PresenceState::Unavailable => Self::Unavailable,
            // What is not known, `busy` for instance, is there all the same.
            PresenceState::Offline => Self::Offline,
            _ => Self::Unavailable,
        }
    }
}

impl Engine {
    fn has_presence(&self) -> bool {
        self.app().config.presence.enabled
    }
}

/// A device that waits for news, until this is dropped.
#[derive(Debug)]
pub struct Connected {
    engine: Engine,
    who: (Id, Id),
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.engine.presence().close(self.who, self.engine.app().clock.now_ms());
    }
}

/// A device waits for news, which shows that its user is there, unless it says otherwise.
pub async fn connect(engine: &Engine, requester: &Requester, says: Status) -> Option<Connected> {
    if says == Status::Offline || !engine.has_presence() {
        return None;
    }
    let who = (requester.user, requester.device);
    let changed = engine.presence().open(who, says, engine.app().clock.now_ms());
    let connected = Connected { engine: engine.clone(), who };
    if changed {
        Box::pin(tell(engine, requester.user)).await;
    }
    Some(connected)
}

/// Says how the requester is.
///
/// # Errors
/// [`Error::Forbidden`] where presence is switched off, [`Error::InvalidParam`] for a message that is too long.
pub async fn declare(
    engine: &Engine,
    requester: &Requester,
    says: Status,
    status_msg: Option<String>,
) -> Result<(), Error> {
    if !engine.has_presence() {
        return Err(Error::Forbidden("presence is switched off on this server".to_owned()));
    }
    let status_msg = status_msg.filter(|text| !text.is_empty());
    if status_msg.as_ref().is_some_and(|text| text.len() > MESSAGE_BYTES_MAX) {
        let text = format!("a status message has at most {MESSAGE_BYTES_MAX} bytes");
        return Err(Error::InvalidParam(text));
    }
    let (who, now_ms) = ((requester.user, requester.device), engine.app().clock.now_ms());
    if engine.presence().declare(who, says, status_msg, now_ms) {
        Box::pin(tell(engine, requester.user)).await;
    }
    Ok(())
}

/// A user of ours did something that others see.
pub(super) async fn act(engine: &Engine, user: Id) {
    let now_ms = engine.app().clock.now_ms();
    if engine.has_presence() && engine.presence().act(user, now_ms) {
        Box::pin(tell(engine, user)).await;
    }
}

/// How a user is, to somebody who shares a room with them. Who was never heard of is offline.
///
/// # Errors
/// [`Error::Forbidden`] for all others.
pub async fn of(
    engine: &Engine,
    requester: &Requester,
    user_id: &UserId,
) -> Result<Option<Shown>, Error> {
    let denied = || Error::Forbidden("you share no room with that user".to_owned());
    let db = &engine.app().db;
    let user = db.find_user(user_id.as_str()).await?.ok_or_else(denied)?;
    let shares = user == requester.user
        || !mutual_rooms::list_sharing(db, requester.user, &[user]).await?.is_empty();
    if !shares {
        return Err(denied());
    }
    Ok(engine.presence().shown(user, engine.app().clock.now_ms()))
}

/// Takes `origin`'s word of how its users are, as far as users of ours share a room with them.
pub async fn receive(
    engine: &Engine,
    origin: &ServerName,
    updates: Vec<PresenceUpdate>,
) -> Result<(), Error> {
    if !engine.has_presence() {
        return Ok(());
    }
    let app = engine.app();
    for update in updates.into_iter().take(UPDATES_MAX) {
        if update.user_id.server_name() != origin {
            continue;
        }
        let Some(user) = app.db.find_user(update.user_id.as_str()).await? else { continue };
        let (watchers, _) = audience(engine, user, true).await?;
        if watchers.is_empty() {
            continue;
        }
        let heard = Shown {
            status: Status::from(&update.presence),
            status_msg: update.status_msg.filter(|text| text.len() <= MESSAGE_BYTES_MAX),
            active_ago_ms: i64::from(update.last_active_ago),
            currently_active: update.currently_active,
        };
        if engine.presence().hear(user, &heard, app.clock.now_ms()) {
            app.bell.ring_users(watchers);
        }
    }
    Ok(())
}

/// Shows who fell idle and who is gone, for ever.
pub async fn watch(engine: Engine) {
    const LOOK_EVERY: Duration = Duration::from_secs(5);
    let app = engine.app();
    loop {
        app.clock.sleep(LOOK_EVERY).await;
        let passed = engine.presence().pass(app.clock.now_ms());
        for user in passed.changed.into_iter().chain(passed.repeat) {
            tell(&engine, user).await;
        }
    }
}

/// Tells others that a user changed: rings those of ours, and writes to the other servers of our own users' rooms.
async fn tell(engine: &Engine, user: Id) {
    if let Err(error) = try_tell(engine, user).await {
        tracing::warn!(%error, "a change of presence was not told");
    }
}

async fn try_tell(engine: &Engine, user: Id) -> Result<(), Error> {
    let app = engine.app();
    let (watchers, servers) = audience(engine, user, false).await?;
    app.bell.ring_users(watchers);
    let user_id = app.db.user_name(user).await?;
    let Ok(user_id) = OwnedUserId::try_from(user_id.as_str()) else { return Ok(()) };
    let now_ms = app.clock.now_ms();
    if let Some(shown) = engine.presence().shown(user, now_ms)
        && app.is_ours(user_id.server_name())
    {
        engine.announce_presence(&user_id, &shown, &servers);
        engine.presence().note_told(user, now_ms);
    }
    Ok(())
}

/// Who shares a room with a user: users of ours, and other servers. `load`: rooms are brought into memory for it. Other servers say often
/// how their users are; of ours it is told when they come, and nothing is loaded for that.
async fn audience(
    engine: &Engine,
    user: Id,
    load: bool,
) -> Result<(HashSet<Id>, BTreeSet<OwnedServerName>), Error> {
    let app = engine.app();
    let (mut users, mut servers) = (HashSet::new(), BTreeSet::new());
    let standings = engine.standings(user).await?;
    let joined = standings.iter().rev().filter(|standing| standing.membership == "join");
    let mut not_loaded = Vec::new();
    for standing in joined.take(ROOMS_MAX) {
        let Ok(room_id) = <&RoomId>::try_from(standing.room_id.as_str()) else { continue };
        let room = match engine.loaded(room_id) {
            // One that does not load costs the others nothing.
            None if load => engine.find_room(room_id).await.ok().flatten(),
            loaded => loaded,
        };
        let Some(room) = room else {
            not_loaded.push(standing.room);
            continue;
        };
        let seen = room.seen();
        users.extend(&seen.local_joined);
        servers.extend(seen.servers.keys().filter(|server| !app.is_ours(server)).cloned());
    }
    for (user, user_id) in mutual_rooms::list_joined(&app.db, &not_loaded).await? {
        let Ok(user_id) = <&UserId>::try_from(user_id.as_str()) else { continue };
        if app.is_ours(user_id.server_name()) {
            users.insert(user);
        } else {
            servers.insert(user_id.server_name().to_owned());
        }
    }
    Ok((users, servers))
}
