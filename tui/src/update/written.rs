//! What the user has written: kept on disk shortly after every change, and every sent message until the backend keeps it.

use super::complain;
use crate::backend::{AccountId, ChatId, Request, account_of};
use crate::effect::{Effect, Timer};
use crate::snapshot::{Outgoing, Written};
use crate::state::State;
use crate::state::composer::{Aim, Composer};
use crate::state::field::TextField;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// At most so much typing is lost with the power.
const KEPT_AFTER: Duration = Duration::from_millis(250);

/// What belongs on disk now; `None` while nobody is logged in.
pub fn written_of(state: &State) -> Option<Written> {
    state.has_session().then(|| Written {
        accounts: super::restore::saved_accounts(state),
        drafts: drafts_of(state),
        outgoing: state.outgoing.clone(),
        open: state.open.as_ref().map(|open| open.chat.clone()),
    })
}

/// What is being written, by chat. While a message is edited that is what was there before, if anything was.
pub(super) fn drafts_of(state: &State) -> HashMap<ChatId, String> {
    let written = |composer: &Composer| match &composer.aim {
        Aim::Edit { kept, .. } if !kept.is_empty() => kept.text().to_owned(),
        _ => composer.field.text().to_owned(),
    };
    let drafts = state.drafts.iter().map(|(chat, composer)| (chat.clone(), written(composer)));
    let open = state.open.iter().map(|open| (open.chat.clone(), written(&open.composer)));
    drafts.chain(open).filter(|(_, text)| !text.is_empty()).collect()
}

/// Has it kept soon if it is not what is on disk.
pub(super) fn keep_soon(state: &mut State) -> Option<Effect> {
    if !state.has_session() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    if let Some(open) = &state.open {
        (&open.chat, open.composer.field.text()).hash(&mut hasher);
    }
    (state.drafts.len(), state.outgoing.len()).hash(&mut hasher);
    let mark = hasher.finish();
    if std::mem::replace(&mut state.written_mark, mark) == mark || state.written_due {
        return None;
    }
    state.written_due = true;
    Some(Effect::Start(Timer::SaveWritten, KEPT_AFTER))
}

/// Remembers a message that goes to the backend: on disk it stops being a draft and becomes one on its way in one write.
pub(super) fn sent(state: &mut State, chat: ChatId, text: String, edit: bool) -> Effect {
    let message = Outgoing { chat, text, at_ms: state.now_ms, edit, left: false };
    state.outgoing.push(message);
    Effect::SaveSent
}

/// The backend keeps this message from now on.
pub(super) fn queued(state: &mut State, chat: &str, text: &str) {
    let at = state.outgoing.iter().position(|sent| sent.chat == chat && sent.text == text);
    if let Some(at) = at {
        state.outgoing.remove(at);
    }
}

/// The backend could not take it: the text goes back to where it was written.
pub(super) fn not_queued(state: &mut State, chat: &str, text: &str, reason: String) -> Vec<Effect> {
    queued(state, chat, text);
    give_back(state, chat, text);
    complain(state, reason)
}

/// Puts text into the composer of a chat, above what is there.
pub(super) fn give_back(state: &mut State, chat: &str, text: &str) {
    let composer = match &mut state.open {
        Some(open) if open.chat == chat => &mut open.composer,
        _ => state.drafts.entry(chat.to_owned()).or_default(),
    };
    composer.drop_aim();
    let below = composer.field.text();
    let both = if below.is_empty() { text.to_owned() } else { format!("{text}\n{below}") };
    composer.field = TextField::new(both);
}

/// Sends what an earlier run was killed over in this account. The backend looks first whether it went out.
pub(super) fn send_left(state: &mut State, account: AccountId) -> Vec<Effect> {
    let of_it = |sent: &Outgoing| sent.left && account_of(&sent.chat) == account;
    let (left, kept) = std::mem::take(&mut state.outgoing).into_iter().partition(of_it);
    state.outgoing = kept;
    let left: Vec<Outgoing> = left;
    let mut effects = Vec::new();
    for message in left {
        if message.edit {
            give_back(state, &message.chat, &message.text);
            continue;
        }
        let Outgoing { chat, text, at_ms, .. } = message.clone();
        effects.push(Effect::Request(Request::SendAgain { chat, text, at_ms }));
        state.outgoing.push(Outgoing { left: false, ..message });
    }
    effects
}
