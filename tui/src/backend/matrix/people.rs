//! Who is in a chat, for completing names.

use matrix_sdk::RoomMemberships;

use super::session::Session;
use crate::backend::Report;

/// Of larger chats, as many as this.
const PEOPLE_MAX: usize = 5_000;

/// Tells who is there; without the server, those that are known.
pub(super) async fn fetch(session: &Session, chat: String) {
    let Some(room) = session.room(&chat) else { return };
    // Asks the server unless all of them are known.
    let known = match room.members(RoomMemberships::ACTIVE).await {
        Ok(all) => all,
        Err(error) => {
            tracing::debug!(%error, "the members could not be fetched");
            room.members_no_sync(RoomMemberships::ACTIVE).await.unwrap_or_default()
        }
    };
    let people = known
        .iter()
        .filter(|member| member.user_id() != room.own_user_id())
        .take(PEOPLE_MAX)
        .map(|member| (member.user_id().to_string(), member.name().to_owned()));
    let people = people.collect();
    session.reports.send(Report::People { chat, people });
}
