//! Telling of messages that are not on the screen: new ones only, never what was there before.

use crate::backend::{AccountId, Chat, ChatKind, account_of};
use crate::effect::Effect;
use crate::notify::Notification;
use crate::settings::When;
use crate::state::State;

/// What took longer to come than this is old.
const NEW_MS: u64 = 15 * 60 * 1000;

/// What to tell of, now that the chats of an account are as they are.
pub(super) fn tell(state: &mut State, account: AccountId) -> Vec<Effect> {
    let Some(of) = state.accounts.get_mut(&account) else { return Vec::new() };
    let first = !std::mem::replace(&mut of.news_begun, true);
    let began_ms = of.began_ms;
    let mark = state.mark(account);
    let mut effects = Vec::new();
    for chat in state.chats.iter().filter(|chat| account_of(&chat.id) == account) {
        let at_ms = chat.last.as_ref().map_or(0, |last| last.at_ms);
        let now = (at_ms, chat.mentions);
        let before = match state.told.get_mut(&chat.id) {
            Some(told) => Some(std::mem::replace(told, now)),
            None => state.told.insert(chat.id.clone(), now),
        };
        let (told_ms, mentions) = before.unwrap_or_default();
        let invited = chat.invited_by.is_some() && before.is_none();
        let newer = at_ms > told_ms && is_new(at_ms, began_ms, state.now_ms);
        if !first && (invited || newer) && wanted(state, chat, mentions) {
            effects.push(Effect::Notify(match state.lock {
                None => words(chat, mark.as_deref(), state.settings.notify.preview),
                // Behind the lock nobody learns who writes, and where.
                Some(_) => {
                    Notification { title: "Tern".to_owned(), text: "A new message".to_owned() }
                }
            }));
        }
    }
    effects
}

/// It was written since this client has been running, and not long ago.
fn is_new(at_ms: u64, began_ms: u64, now_ms: u64) -> bool {
    at_ms >= began_ms && now_ms.saturating_sub(at_ms) < NEW_MS
}

fn wanted(state: &State, chat: &Chat, mentions_before: u64) -> bool {
    let own = chat.last.as_ref().is_some_and(|last| last.own);
    let shown = state.popups.is_empty() && state.lock.is_none();
    let seen = state.is_open(&chat.id) && !state.unfocused && shown;
    let mentioned = chat.mentions > mentions_before || chat.invited_by.is_some();
    let kind = match state.settings.notify.when {
        When::All => true,
        When::Mentions => mentioned || chat.kind == ChatKind::Direct,
        When::Never => false,
    };
    kind && !seen && !chat.muted && (!own || chat.invited_by.is_some())
}

/// `mark`: whose chat it is, where there are several accounts.
fn words(chat: &Chat, mark: Option<&str>, preview: bool) -> Notification {
    let title = match mark {
        Some(mark) => format!("{} · {mark}", chat.name),
        None => chat.name.clone(),
    };
    if let Some(inviter) = &chat.invited_by {
        let text = format!("{inviter} invites you");
        return Notification { title, text };
    }
    let text = match &chat.last {
        Some(_) if !preview => String::new(),
        Some(last) if chat.kind == ChatKind::Direct => last.text.clone(),
        Some(last) => format!("{}: {}", last.sender, last.text),
        None => String::new(),
    };
    Notification { title, text }
}
