//! Deleting with a few seconds to change one's mind, and taking back what was just sent.

use super::history::text_of;
use super::{complain, notice, refresh, written};
use crate::action::Command;
use crate::backend::{AccountId, Body, Message, MessageKey, Request, account_of};
use crate::effect::{Effect, Timer};
use crate::keymap::Focus;
use crate::state::undo::Undo;
use crate::state::{Held, Pane, State};
use std::time::Duration;

/// How long a deletion can be taken back.
const DELETED_AFTER: Duration = Duration::from_secs(5);
/// What is older was not just sent.
const JUST_MS: u64 = 10 * 60 * 1000;

/// Deletes messages in a few seconds, unless it is taken back.
pub(super) fn delete(state: &mut State, messages: Vec<MessageKey>) -> Vec<Effect> {
    // One at a time can be taken back.
    let mut effects = flush(state);
    let key = key(state);
    let Some(open) = &mut state.open else { return effects };
    open.deleting = messages.iter().cloned().collect();
    open.chosen.clear();
    let text = match messages.len() {
        1 => format!("Deleted for everybody in 5 s. {key} keeps it."),
        n => format!("{n} messages deleted for everybody in 5 s. {key} keeps them."),
    };
    state.undo = Some(Undo { chat: open.chat.clone(), messages });
    refresh(state);
    effects.extend(notice(state, text));
    effects.push(Effect::Start(Timer::DeletionGoes, DELETED_AFTER));
    effects
}

/// What takes it back, as it is bound: where messages are deleted, else after the leader, else by its name.
fn key(state: &State) -> String {
    let keymap = &state.settings.keymap;
    let here = keymap.key_of(Focus::History, Command::Undo);
    let led = || {
        let leader = keymap.key_of(Focus::History, Command::Leader)?;
        Some(format!("{leader} {}", keymap.key_of(Focus::Leader, Command::Undo)?))
    };
    here.or_else(led).unwrap_or_else(|| "/undo".to_owned())
}

/// The time to change one's mind is over.
pub(super) fn flush(state: &mut State) -> Vec<Effect> {
    let Some(Undo { chat, messages }) = state.undo.take() else { return Vec::new() };
    let mut effects = vec![Effect::Stop(Timer::DeletionGoes)];
    effects.extend(
        messages
            .into_iter()
            .map(|message| Effect::Request(Request::Delete { chat: chat.clone(), message })),
    );
    effects
}

/// Something failed: what is still there after a deletion is no longer shown as leaving.
pub(super) fn give_up(state: &mut State, account: AccountId) {
    let open = state.open.as_mut().filter(|open| account_of(&open.chat) == account);
    let Some(open) = open.filter(|open| !open.deleting.is_empty()) else { return };
    if state.undo.is_none() {
        open.deleting.clear();
        refresh(state);
    }
}

/// Takes back the deletion that waits, or else the message that waits, or else what was just sent; its text is in the composer again.
pub(super) fn undo(state: &mut State) -> Vec<Effect> {
    if state.undo.take().is_some() {
        if let Some(open) = &mut state.open {
            open.deleting.clear();
        }
        refresh(state);
        let mut effects = notice(state, "Kept.");
        effects.push(Effect::Stop(Timer::DeletionGoes));
        return effects;
    }
    if let Some(held) = state.held.pop() {
        written::queued(state, &held.chat, &held.text);
        written::give_back(state, &held.chat, &held.text);
        state.pane = Pane::Composer;
        return notice(state, "Taken back: nobody has seen it.");
    }
    take_back_sent(state)
}

/// Deletes one's newest message for everybody and gives its text back.
fn take_back_sent(state: &mut State) -> Vec<Effect> {
    let now = state.now_ms;
    let Some(open) = state.open.as_mut().filter(|open| open.live) else {
        return complain(state, "Open the chat first whose message is to be taken back.");
    };
    let last = open.messages.iter().rfind(|message| message.own && is_text(message));
    let just = last.filter(|last| now.saturating_sub(last.at_ms) < JUST_MS);
    let Some((message, text)) = just.and_then(|last| Some((last.key.clone(), text_of(last)?)))
    else {
        return complain(state, "You have sent no text here in the last ten minutes.");
    };
    let (chat, text) = (open.chat.clone(), text.to_owned());
    open.selected = None;
    written::give_back(state, &chat, &text);
    state.pane = Pane::Composer;
    let mut effects = notice(state, "Taken back and deleted for everybody.");
    effects.push(Effect::Request(Request::Delete { chat, message }));
    effects
}

fn is_text(message: &Message) -> bool {
    matches!(message.body, Body::Text { .. })
}

/// Has a message wait for as long as the settings say; `None` when they say nothing.
pub(super) fn hold(state: &mut State, held: Held) -> Option<Vec<Effect>> {
    let seconds = state.settings.undo_send;
    if seconds == 0 || held.edits.is_some() {
        return None;
    }
    state.held.push(held);
    let key = state.settings.keymap.key_of(Focus::Leader, Command::Undo);
    let key = key.unwrap_or_else(|| "/undo".to_owned());
    let mut effects =
        notice(state, format!("Goes out in {seconds} s. Ctrl+Space {key} takes it back."));
    effects.push(Effect::Start(Timer::SendHeld, Duration::from_secs(seconds)));
    Some(effects)
}

/// What has waited goes out.
pub(super) fn release(state: &mut State) -> Vec<Effect> {
    let held = std::mem::take(&mut state.held).into_iter();
    held.map(|held| {
        let Held { chat, text, reply_to, edits } = held;
        Effect::Request(Request::SendText { chat, text, reply_to, edits })
    })
    .collect()
}
