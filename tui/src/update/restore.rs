//! The screen's data to and from the snapshot.

use super::reports::{clean_chat, clean_message, ordered};
use super::{chats, history_size};
use crate::backend::Connection;
use crate::effect::Effect;
use crate::snapshot::{CHATS_MAX, MESSAGES_MAX, Snapshot};
use crate::state::composer::{Aim, Composer};
use crate::state::field::TextField;
use crate::state::{Me, State};

/// What the next start shows first; `None` while nobody is logged in.
pub fn snapshot_of(state: &State) -> Option<Snapshot> {
    let me = state.me.as_ref()?;
    let written = |composer: &Composer| match &composer.aim {
        Aim::Edit { kept, .. } => kept.text().to_owned(),
        Aim::New | Aim::Reply { .. } => composer.field.text().to_owned(),
    };
    let drafts = state.drafts.iter().map(|(chat, composer)| (chat.clone(), written(composer)));
    let open = state.open.iter().map(|open| (open.chat.clone(), written(&open.composer)));
    let messages = state.open.as_ref().map(|open| open.messages.as_slice()).unwrap_or_default();
    Some(Snapshot {
        user: me.user.clone(),
        server: me.server.clone(),
        device: me.device.clone(),
        chats: state.chats.iter().take(CHATS_MAX).cloned().collect(),
        open: state.open.as_ref().map(|open| open.chat.clone()),
        messages: messages
            .iter()
            .skip(messages.len().saturating_sub(MESSAGES_MAX))
            .cloned()
            .collect(),
        drafts: drafts.chain(open).filter(|(_, text)| !text.is_empty()).collect(),
    })
}

/// Shows what the last run showed, until the backend says how things are now.
pub(super) fn restore(state: &mut State, snapshot: Snapshot) -> Vec<Effect> {
    state.me = Some(Me { user: snapshot.user, server: snapshot.server, device: snapshot.device });
    state.welcome = None;
    state.connection = Some(Connection::Connecting);
    state.chats = ordered(snapshot.chats.into_iter().map(clean_chat).collect());
    state.drafts = snapshot
        .drafts
        .into_iter()
        .map(|(chat, text)| {
            (chat, Composer { field: TextField::new(crate::sanitize::clean(&text)), aim: Aim::New })
        })
        .collect();
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
