//! Several accounts in one client: which of them something is about, and chat ids that say it.
//!
//! The same room may be in two accounts at once. Whatever is outside of `matrix/` knows it by a [`ChatId`] that begins with the
//! account's number; inside, where everything belongs to one account, it is the room's id.

use super::{Arrange, Chat, ChatId, Item, Listed, Manage, Report, Request};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names an account for as long as it is in this client.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AccountId(pub u32);

impl AccountId {
    /// The one whose data stand in the data folder itself.
    pub const FIRST: AccountId = AccountId(0);

    /// The id of one of its rooms outside of its backend.
    pub fn chat(self, room: &str) -> ChatId {
        format!("{}{room}", self.0)
    }
}

/// The account that a chat id names, and the room's own id. Room ids begin with `!`, so a number before it is nobody else's.
pub fn split(chat: &str) -> (Option<AccountId>, &str) {
    let number = chat.find('!').and_then(|at| chat.split_at_checked(at));
    match number {
        Some((number, room)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            match number.parse() {
                Ok(number) => (Some(AccountId(number)), room),
                Err(_) => (None, chat),
            }
        }
        _ => (None, chat),
    }
}

/// The account of a chat.
pub fn account_of(chat: &str) -> AccountId {
    split(chat).0.unwrap_or_default()
}

type See<'a> = &'a mut dyn FnMut(&mut ChatId);

impl Request {
    /// The account whose chat it is about, if it says so.
    pub fn account(&mut self) -> Option<AccountId> {
        let mut account = None;
        self.each_chat(&mut |chat| account = account.or(split(chat).0));
        account
    }

    /// The same with the ids that rooms have inside of an account.
    pub(super) fn inside(mut self) -> Request {
        self.each_chat(&mut |chat| *chat = split(chat).1.to_owned());
        self
    }

    fn each_chat(&mut self, see: See<'_>) {
        match self {
            Request::OpenChat { chat }
            | Request::LoadOlder { chat }
            | Request::LoadOlderAround { chat }
            | Request::OpenAround { chat, .. }
            | Request::LoadNewer { chat }
            | Request::ListPinned { chat }
            | Request::ListThreads { chat }
            | Request::SearchChat { chat, .. }
            | Request::ListShared { chat, .. }
            | Request::FindDate { chat, .. }
            | Request::Pin { chat, .. }
            | Request::SendToThread { chat, .. }
            | Request::SendText { chat, .. }
            | Request::SendAgain { chat, .. }
            | Request::Retry { chat, .. }
            | Request::Delete { chat, .. }
            | Request::React { chat, .. }
            | Request::SendFiles { chat, .. }
            | Request::SendSnippet { chat, .. }
            | Request::SaveFile { chat, .. }
            | Request::FetchPicture { chat, .. }
            | Request::People { chat }
            | Request::MarkRead { chat }
            | Request::Typing { chat, .. }
            | Request::Join { chat }
            | Request::Leave { chat }
            | Request::Invite { chat, .. } => see(chat),
            Request::Forward { chat, to, .. } => [chat, to].into_iter().for_each(see),
            Request::Arrange(arrange) => each_arranged(arrange, see),
            Request::List(Some(of)) => each_listed(of, see),
            Request::Manage(manage) => each_managed(manage, see),
            Request::FindServer { .. }
            | Request::CheckUsername { .. }
            | Request::Register { .. }
            | Request::SubmitMailCode { .. }
            | Request::ContinueRegistration { .. }
            | Request::AcceptTerms
            | Request::LogIn { .. }
            | Request::StartSso { .. }
            | Request::FinishSso { .. }
            | Request::StopSso
            | Request::Restore
            | Request::StartPasswordReset { .. }
            | Request::FinishPasswordReset { .. }
            | Request::LogOut
            | Request::Rest
            | Request::StopTransfer { .. }
            | Request::List(None)
            | Request::NewDirectChat { .. }
            | Request::NewGroup { .. }
            | Request::FetchLink { .. }
            | Request::FetchAvatar { .. }
            | Request::FetchProfile { .. }
            | Request::SetProfile { .. }
            | Request::EnableRecovery
            | Request::Recover { .. }
            | Request::StartVerification { .. }
            | Request::AcceptVerification
            | Request::CompareEmoji
            | Request::ConfirmVerification
            | Request::CancelVerification => {}
        }
    }
}

fn each_arranged(arrange: &mut Arrange, see: See<'_>) {
    match arrange {
        Arrange::Pin { chats } => chats.iter_mut().for_each(see),
        Arrange::Unpin { chat }
        | Arrange::Archive { chat, .. }
        | Arrange::Notify { chat, .. }
        | Arrange::Previews { chat, .. }
        | Arrange::MarkUnread { chat } => see(chat),
    }
}

fn each_managed(manage: &mut Manage, see: See<'_>) {
    match manage {
        Manage::Remove { chat, .. }
        | Manage::Ban { chat, .. }
        | Manage::Unban { chat, .. }
        | Manage::SetLevel { chat, .. }
        | Manage::SetRight { chat, .. }
        | Manage::Describe { chat, .. }
        | Manage::Knock { chat, .. }
        | Manage::Report { chat, .. } => see(chat),
        Manage::AddToSpace { space, chat } => [space, chat].into_iter().for_each(see),
        Manage::NewChannel { .. }
        | Manage::NewSpace { .. }
        | Manage::OpenSaved
        | Manage::RenameSession { .. }
        | Manage::EndSession { .. }
        | Manage::Ignore { .. }
        | Manage::RotateRecovery
        | Manage::ResetIdentity { .. }
        | Manage::ExportKeys { .. }
        | Manage::ImportKeys { .. }
        | Manage::AcceptIdentity { .. } => {}
    }
}

fn each_listed(of: &mut Listed, see: See<'_>) {
    match of {
        Listed::Members(chat) | Listed::Rights(chat) | Listed::Space(chat) => see(chat),
        Listed::People(_)
        | Listed::Directory(_)
        | Listed::Sessions
        | Listed::Ignored
        | Listed::Messages(_) => {}
    }
}

impl Report {
    /// All chats of the account, in order.
    pub fn chats(chats: impl IntoIterator<Item = Chat>) -> Report {
        Report::Chats(chats.into_iter().map(Arc::new).collect())
    }

    /// The same with the ids that the rooms of `account` have outside of it.
    pub fn outside(mut self, account: AccountId) -> Report {
        self.each_chat(&mut |chat| *chat = account.chat(chat));
        self
    }

    fn each_chat(&mut self, see: See<'_>) {
        match self {
            Report::Chats(chats) => {
                for chat in chats.iter_mut().map(Arc::make_mut) {
                    see(&mut chat.id);
                    chat.spaces.iter_mut().for_each(&mut *see);
                }
            }
            Report::Timeline { chat, .. }
            | Report::View { chat, .. }
            | Report::ViewFailed { chat, .. }
            | Report::NewerLoaded { chat, .. }
            | Report::Hits { chat, .. }
            | Report::JumpTo { chat, .. }
            | Report::KeysChanged { chat, .. }
            | Report::Picture { chat, .. }
            | Report::People { chat, .. }
            | Report::Queued { chat, .. }
            | Report::NotQueued { chat, .. }
            | Report::HistoryEnd { chat }
            | Report::OlderLoaded { chat, .. }
            | Report::Typing { chat, .. }
            | Report::ChatReady { chat } => see(chat),
            Report::Rows { of, items } => {
                each_listed(of, see);
                for item in items {
                    match item {
                        Item::Room(room) => see(&mut room.id),
                        Item::Message(found) => see(&mut found.chat),
                        _ => {}
                    }
                }
            }
            Report::ServerFound(_)
            | Report::ServerNotFound { .. }
            | Report::UsernameChecked { .. }
            | Report::RegistrationStep(_)
            | Report::RegistrationTerms { .. }
            | Report::PasswordResetStep(_)
            | Report::AuthFailed { .. }
            | Report::AccountMade { .. }
            | Report::SsoStarted { .. }
            | Report::LoggedIn { .. }
            | Report::CantOpen { .. }
            | Report::LoggedOut { .. }
            | Report::Connection(_)
            | Report::Transfer { .. }
            | Report::TransferEnded { .. }
            | Report::Link { .. }
            | Report::Avatar { .. }
            | Report::Profile(_)
            | Report::Presence { .. }
            | Report::Encryption(_)
            | Report::RecoveryKey(_)
            | Report::RecoveryFailed { .. }
            | Report::Verification(_)
            | Report::Failed { .. }
            | Report::Notice { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountId, account_of, split};
    use crate::backend::{Arrange, Chat, Report, Request};

    #[test]
    fn a_chat_id_names_its_account_and_a_room_id_names_none() {
        let third = AccountId(3);
        let chat = third.chat("!12!a:example.org");
        assert_eq!(split(&chat), (Some(third), "!12!a:example.org"));
        for other in ["!a:example.org", "#3!a:example.org", "3", "", "99999999999!a:example.org"] {
            assert_eq!(split(other), (None, other));
            assert_eq!(account_of(other), AccountId::FIRST);
        }
    }

    #[test]
    fn requests_and_reports_change_all_their_ids_at_the_border() {
        let third = AccountId(3);
        let room = "!a:example.org".to_owned();
        let mut pin = Request::Arrange(Arrange::Pin { chats: vec![third.chat(&room)] });
        assert_eq!(pin.account(), Some(third));
        let inside = Request::Arrange(Arrange::Pin { chats: vec![room.clone()] });
        assert_eq!(pin.inside(), inside);
        let chat =
            Chat { id: room.clone(), spaces: vec!["!s:example.org".to_owned()], ..Chat::default() };
        let Report::Chats(chats) = Report::chats([chat]).outside(third) else { panic!() };
        assert_eq!(
            (chats[0].id.as_str(), chats[0].spaces[0].as_str()),
            ("3!a:example.org", "3!s:example.org")
        );
    }
}
