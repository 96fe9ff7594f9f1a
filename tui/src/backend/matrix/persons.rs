//! Finding people, whom one ignores, and whether they are here.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use matrix_sdk::{Client, Room};
use ruma::{
    OwnedUserId, UserId, api::client::presence::get_presence,
    events::ignored_user_list::IgnoredUserListEventContent, presence::PresenceState,
};

use super::{errors::explain_http, session::Session};
use crate::backend::{Item, Person, Presence, Report};

/// Most people of one answer.
const FOUND_MAX: u64 = 50;
/// How often the person of the open chat is looked for.
const LOOKED_AT: Duration = Duration::from_secs(60);

/// People with this name, email address or id.
pub(super) async fn find(session: &Session, typed: &str) -> Option<Vec<Item>> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Some(Vec::new());
    }
    let mut people = match session.client.search_users(typed, FOUND_MAX).await {
        Ok(answer) => answer
            .results
            .into_iter()
            .map(|user| Person { user: user.user_id.to_string(), name: user.display_name })
            .collect(),
        Err(error) => {
            session.reports.failed(format!("Nobody could be looked up. {}", explain_http(&error)));
            Vec::new()
        }
    };
    // Directories know a part of the world only; a whole id is always somebody.
    if let Ok(user) = UserId::parse(typed)
        && !people.iter().any(|person| person.user == typed)
    {
        people.insert(0, Person { user: user.to_string(), name: None });
    }
    Some(people.into_iter().map(Item::Person).collect())
}

/// Whom the user ignores.
pub(super) async fn ignored(session: &Session) -> Vec<Item> {
    let mut users: Vec<_> = ignored_users(&session.client).await.into_iter().collect();
    users.sort();
    users.into_iter().map(|user| Item::Ignored(user.to_string())).collect()
}

/// The same as ids.
pub(super) async fn ignored_users(client: &Client) -> HashSet<OwnedUserId> {
    let list = client.account().account_data::<IgnoredUserListEventContent>().await;
    let list = list.ok().flatten().and_then(|raw| raw.deserialize().ok()).unwrap_or_default();
    list.ignored_users.into_keys().collect()
}

/// Whether `user` is here; `None` where the server does not say.
pub(super) async fn presence(session: &Session, user: &UserId) -> Option<Presence> {
    let request = get_presence::v3::Request::new(user.to_owned());
    let answer = session.client.send(request).await.ok()?;
    let active_ms = answer.last_active_ago.and_then(|ago| {
        let at = now().checked_sub(ago)?;
        u64::try_from(at.as_millis()).ok()
    });
    let online = answer.presence == PresenceState::Online;
    Some(Presence { online, active_ms, status: answer.status_msg })
}

#[expect(clippy::disallowed_methods, reason = "the server gives an age, the screen shows a time")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Reports the presence of the other person of an open direct chat now and then: sliding sync does not carry it.
pub(super) async fn watch_presence(session: Arc<Session>, room: Room) {
    let mut others = room.direct_targets().into_iter().filter_map(|target| {
        UserId::parse(target.as_str()).ok().filter(|user| *user != session.user)
    });
    let Some(user) = others.next() else { return };
    let mut clock = tokio::time::interval(LOOKED_AT);
    let mut sent = None;
    loop {
        clock.tick().await;
        let Some(presence) = presence(&session, &user).await else { return };
        // The age of an absence changes all the time; its time by little more than the clocks' difference.
        let said =
            (presence.online, presence.status.clone(), presence.active_ms.map(|at| at / 60_000));
        if sent.as_ref() != Some(&said) {
            session.reports.send(Report::Presence { user: user.to_string(), presence });
            sent = Some(said);
        }
    }
}

/// Names of the chats that the user shares with `user`, as far as their members are known here.
pub(super) async fn shared_chats(session: &Session, user: &UserId) -> Vec<String> {
    const SHARED_MAX: usize = 12;
    let mut shared = Vec::new();
    for room in session.client.joined_rooms() {
        let member = room.get_member_no_sync(user).await.ok().flatten();
        let joined = member.is_some_and(|member| {
            *member.membership() == ruma::events::room::member::MembershipState::Join
        });
        if joined && !room.is_space() {
            shared.push(super::chats::name(&room));
        }
        if shared.len() == SHARED_MAX {
            break;
        }
    }
    shared
}
