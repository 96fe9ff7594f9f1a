//! Joins, names, topics and the like as one quiet line each.

use matrix_sdk_ui::timeline::{
    AnyOtherStateEventContentChange as Change, MemberProfileChange, MembershipChange, OtherState,
    RoomMembershipChange, TimelineItemContent,
};
use ruma::{UserId, events::StateEventContentChange};

/// The line for anything that is not a message. `name` is the name of `sender`.
pub(super) fn line(content: &TimelineItemContent, sender: &UserId, name: &str) -> String {
    match content {
        TimelineItemContent::MembershipChange(change) => membership(change, sender, name),
        TimelineItemContent::ProfileChange(change) => profile(change, name),
        TimelineItemContent::OtherState(state) => other(state, name),
        TimelineItemContent::CallInvite | TimelineItemContent::RtcNotification { .. } => {
            format!("{name} calls; this version has no calls")
        }
        TimelineItemContent::FailedToParseMessageLike { event_type, .. } => {
            format!("{name} sent something this version can't show ({event_type})")
        }
        TimelineItemContent::FailedToParseState { event_type, .. } => {
            format!("{name} changed something this version can't show ({event_type})")
        }
        TimelineItemContent::MsgLike(_) => String::new(),
    }
}

fn membership(change: &RoomMembershipChange, sender: &UserId, name: &str) -> String {
    let whom = change.display_name().unwrap_or_else(|| change.user_id().localpart().to_owned());
    let self_made = change.user_id() == sender;
    match change.change() {
        Some(MembershipChange::Joined | MembershipChange::InvitationAccepted) => {
            format!("{whom} joined")
        }
        Some(MembershipChange::Left) => format!("{whom} left"),
        Some(MembershipChange::Banned | MembershipChange::KickedAndBanned) => {
            format!("{name} banned {whom}")
        }
        Some(MembershipChange::Unbanned) => format!("{name} unbanned {whom}"),
        Some(MembershipChange::Kicked) => format!("{name} removed {whom}"),
        Some(MembershipChange::Invited) => format!("{name} invited {whom}"),
        Some(MembershipChange::InvitationRejected) => format!("{whom} declined the invitation"),
        Some(MembershipChange::InvitationRevoked) => {
            format!("{name} withdrew the invitation of {whom}")
        }
        Some(MembershipChange::Knocked) => format!("{whom} asks to join"),
        Some(MembershipChange::KnockAccepted) => format!("{name} let {whom} in"),
        Some(MembershipChange::KnockRetracted) => format!("{whom} no longer asks to join"),
        Some(MembershipChange::KnockDenied) => format!("{name} did not let {whom} in"),
        _ if self_made => format!("{whom} is here"),
        _ => format!("{name} changed the membership of {whom}"),
    }
}

fn profile(change: &MemberProfileChange, name: &str) -> String {
    let Some(names) = change.displayname_change() else {
        return format!("{name} changed their picture");
    };
    match (&names.old, &names.new) {
        (Some(old), Some(new)) => format!("{old} is now {new}"),
        (None, Some(new)) => format!("{} is now {new}", change.user_id()),
        (Some(old), None) => format!("{old} removed their name"),
        (None, None) => format!("{name} changed their profile"),
    }
}

fn other(state: &OtherState, name: &str) -> String {
    match state.content() {
        Change::RoomName(StateEventContentChange::Original { content, .. })
            if !content.name.is_empty() =>
        {
            format!("{name} named the chat “{}”", content.name)
        }
        Change::RoomName(_) => format!("{name} removed the chat's name"),
        Change::RoomTopic(StateEventContentChange::Original { content, .. })
            if !content.topic.is_empty() =>
        {
            format!("{name} set the topic: {}", content.topic)
        }
        Change::RoomTopic(_) => format!("{name} removed the topic"),
        Change::RoomCreate(_) => format!("{name} made this chat"),
        Change::RoomEncryption(_) => "Messages here are end-to-end encrypted".to_owned(),
        Change::RoomAvatar(_) => format!("{name} changed the chat's picture"),
        Change::RoomPinnedEvents(_) => format!("{name} changed the pinned messages"),
        Change::RoomPowerLevels(_) => format!("{name} changed who may do what"),
        Change::RoomJoinRules(_) => format!("{name} changed who may join"),
        Change::RoomHistoryVisibility(_) => format!("{name} changed who can see the history"),
        Change::RoomGuestAccess(_) => format!("{name} changed what guests may do"),
        Change::RoomCanonicalAlias(_) => format!("{name} changed the chat's address"),
        Change::RoomTombstone(_) => "This chat has moved to a new room".to_owned(),
        Change::RoomServerAcl(_) => format!("{name} changed which servers may take part"),
        other => format!("{name} changed a setting ({})", other.event_type()),
    }
}
