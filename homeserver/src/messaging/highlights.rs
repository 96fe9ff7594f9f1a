//! Who an event mentions: the exceptions to the derived unread counts, written in the event's commit.
//!
//! A pure function of the event and the room. Spec: intentional mentions,
//! <https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions>. In encrypted rooms the mentions are
//! encrypted too, and clients count for themselves.

use ruma::OwnedUserId;
use serde::Deserialize;

use super::{pdu::Pdu, room::Room};
use crate::{app::App, storage::UserAction};

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "m.mentions")]
    mentions: Option<Mentions>,
}

#[derive(Deserialize)]
struct Mentions {
    #[serde(default)]
    user_ids: Vec<OwnedUserId>,
    #[serde(default)]
    room: bool,
}

/// The highlights that `pdu` makes for this server's joined users.
pub(super) fn of(pdu: &Pdu, room: &Room, app: &App) -> Vec<UserAction> {
    let Some(order) = pdu.place.order.filter(|_| pdu.is_countable()) else { return Vec::new() };
    let Some(mentions) = pdu.content_as::<Content>().and_then(|content| content.mentions) else {
        return Vec::new();
    };
    let seen = room.seen();
    let highlight = |user| UserAction {
        user,
        event: pdu.id,
        timeline_order: order,
        notify: true,
        highlight: true,
    };
    seen.local_joined
        .iter()
        .filter(|user| **user != pdu.sender_id)
        .filter(|user| {
            let named = |member: &super::room::Member| {
                app.is_ours(member.user_id.server_name())
                    && mentions.user_ids.contains(&member.user_id)
            };
            mentions.room || seen.members.get(user).is_some_and(named)
        })
        .map(|user| highlight(*user))
        .collect()
}
