//! The screen's data to and from the snapshot.

use super::reports::{clean_chat, clean_message, ordered};
use super::{chats, history_size, written};
use crate::backend::{AccountId, Chat, Connection};
use crate::effect::Effect;
use crate::snapshot::{CHATS_MAX, MESSAGES_MAX, SavedAccount, Snapshot};
use crate::state::accounts::Account;
use crate::state::composer::{Aim, Composer};
use crate::state::conversation::Conversation;
use crate::state::field::TextField;
use crate::state::{Me, State};
use std::sync::Arc;

/// What the next start shows first; `None` while nobody is logged in.
pub fn snapshot_of(state: &State) -> Option<Snapshot> {
    if !state.has_session() {
        return None;
    }
    let messages = state.open.as_ref().map(Conversation::newest).unwrap_or_default();
    Some(Snapshot {
        accounts: saved_accounts(state),
        chats: state.chats.iter().take(CHATS_MAX).map(|chat| Chat::clone(chat)).collect(),
        open: state.open.as_ref().map(|open| open.chat.clone()),
        messages: messages
            .iter()
            .skip(messages.len().saturating_sub(MESSAGES_MAX))
            .cloned()
            .collect(),
        drafts: written::drafts_of(state),
        outgoing: state.outgoing.clone(),
    })
}

/// Who is logged in.
pub(super) fn saved_accounts(state: &State) -> Vec<SavedAccount> {
    let saved = |(id, account): (&AccountId, &Account)| {
        let Me { user, server, device } = account.me.clone()?;
        Some(SavedAccount { id: *id, user, server, device })
    };
    state.accounts.iter().filter_map(saved).collect()
}

/// Shows what the last run showed, until the backend says how things are now.
pub(super) fn restore(state: &mut State, snapshot: Snapshot) -> Vec<Effect> {
    for SavedAccount { id, user, server, device } in snapshot.accounts {
        let account = state.accounts.entry(id).or_default();
        account.me = Some(Me { user, server, device });
        account.connection = Some(Connection::Connecting);
        state.last_account = state.last_account.max(Some(id));
    }
    state.welcome = None;
    state.chats = ordered(snapshot.chats.into_iter().map(clean_chat).map(Arc::new).collect());
    state.drafts = snapshot
        .drafts
        .into_iter()
        .map(|(chat, text)| {
            (chat, Composer { field: TextField::new(crate::sanitize::clean(&text)), aim: Aim::New })
        })
        .collect();
    state.outgoing = snapshot.outgoing;
    state.selected = state.chats.first().map(|chat| chat.id.clone());
    if let Some(chat) = snapshot.open {
        chats::show(state, chat, snapshot.messages.into_iter().map(clean_message).collect());
        let (width, _) = history_size(state);
        if width == 0 {
            state.pane = crate::state::Pane::List;
        }
    }
    Vec::new()
}
