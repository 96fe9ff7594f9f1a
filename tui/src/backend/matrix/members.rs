//! The people in a chat, their roles, and who may do what.

use matrix_sdk::{
    Room, RoomMemberships,
    room::{RoomMember, power_levels::RoomPowerLevelChanges},
};
use ruma::{
    Int, UserId,
    events::{
        StateEventType,
        room::{
            member::MembershipState,
            power_levels::{PowerLevelUserAction, RoomPowerLevels, UserPowerLevel},
        },
    },
};

use super::{errors::explain, session::Session};
use crate::backend::{Item, Member, MemberPowers, Membership, Right, RightName};

/// Everybody in `chat`: who asks to be let in first, then by role and name, the banned last.
pub(super) async fn list(session: &Session, chat: &str) -> Option<Vec<Item>> {
    let room = session.room(chat)?;
    let all = RoomMemberships::JOIN
        | RoomMemberships::INVITE
        | RoomMemberships::KNOCK
        | RoomMemberships::BAN;
    let known = match room.members(all).await {
        Ok(known) => known,
        // Without the server, those that are here.
        Err(error) => match room.members_no_sync(all).await {
            Ok(known) if !known.is_empty() => known,
            _ => {
                session.reports.failed(format!("The members did not come. {}", explain(&error)));
                return None;
            }
        },
    };
    let levels = room.power_levels().await.ok();
    let mut members = Vec::with_capacity(known.len());
    for member in &known {
        members.extend(entry(session, member, levels.as_ref()).await);
    }
    let place = |membership| match membership {
        Membership::Knocking => 0,
        Membership::Joined => 1,
        Membership::Invited => 2,
        Membership::Banned => 3,
    };
    members.sort_by_cached_key(|member| {
        let level = std::cmp::Reverse(member.level.unwrap_or(i64::MAX));
        (place(member.membership), level, member.name.to_lowercase())
    });
    Some(members.into_iter().map(Item::Member).collect())
}

async fn entry(
    session: &Session,
    member: &RoomMember,
    levels: Option<&RoomPowerLevels>,
) -> Option<Member> {
    let membership = match member.membership() {
        MembershipState::Join => Membership::Joined,
        MembershipState::Invite => Membership::Invited,
        MembershipState::Knock => Membership::Knocking,
        MembershipState::Ban => Membership::Banned,
        _ => return None,
    };
    let user = member.user_id();
    let level = match member.power_level() {
        UserPowerLevel::Int(level) => Some(level.into()),
        _ => None,
    };
    let own = user == session.user;
    let can = levels.filter(|_| !own).map(|levels| powers(levels, &session.user, user));
    let identity = session.client.encryption().get_user_identity(user).await.ok().flatten();
    Some(Member {
        user: user.to_string(),
        name: member.name().to_owned(),
        membership,
        level,
        can: can.unwrap_or_default(),
        verified: identity.is_some_and(|identity| identity.is_verified()),
    })
}

fn powers(levels: &RoomPowerLevels, own: &UserId, other: &UserId) -> MemberPowers {
    let may = |action| levels.user_can_do_to_user(own, other, action);
    MemberPowers {
        remove: may(PowerLevelUserAction::Kick),
        ban: may(PowerLevelUserAction::Ban),
        invite: levels.user_can_invite(own),
        set_role: may(PowerLevelUserAction::ChangePowerLevel),
    }
}

/// Who may do what in `chat`.
pub(super) async fn rights(session: &Session, chat: &str) -> Option<Vec<Item>> {
    let room = session.room(chat)?;
    let levels = match room.power_levels().await {
        Ok(levels) => levels,
        Err(error) => {
            tracing::debug!(%error, "no power levels");
            session.reports.failed("The rights did not come. Try again in a moment.");
            return None;
        }
    };
    let can_set = levels.user_can_send_state(&session.user, StateEventType::RoomPowerLevels);
    let state = |event| levels.for_state(event);
    let all = [
        (RightName::Write, levels.events_default),
        (RightName::Invite, levels.invite),
        (RightName::Remove, levels.kick),
        (RightName::Ban, levels.ban),
        (RightName::DeleteOthers, levels.redact),
        (RightName::Rename, state(StateEventType::RoomName)),
        (RightName::SetTopic, state(StateEventType::RoomTopic)),
        (RightName::OtherSettings, levels.state_default),
    ];
    let rights = all.map(|(what, level)| Item::Right(Right { what, level: level.into(), can_set }));
    Some(rights.into())
}

pub(super) async fn set_right(room: &Room, right: RightName, level: i64) -> matrix_sdk::Result<()> {
    let mut changes = RoomPowerLevelChanges::new();
    let place = match right {
        RightName::Write => &mut changes.events_default,
        RightName::Invite => &mut changes.invite,
        RightName::Remove => &mut changes.kick,
        RightName::Ban => &mut changes.ban,
        RightName::DeleteOthers => &mut changes.redact,
        RightName::Rename => &mut changes.room_name,
        RightName::SetTopic => &mut changes.room_topic,
        RightName::OtherSettings => &mut changes.state_default,
    };
    *place = Some(level);
    room.apply_power_level_changes(changes).await
}

pub(super) async fn set_level(room: &Room, user: &UserId, level: i64) -> matrix_sdk::Result<()> {
    let level = Int::new_saturating(level);
    room.update_power_levels(vec![(user, level)]).await.map(drop)
}
