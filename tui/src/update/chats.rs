//! The chat list: walking it, opening chats, the ways from chat to chat.

use super::{history_size, popups};
use crate::action::Command;
use crate::backend::{Chat, ChatId, Message, Request};
use crate::effect::Effect;
use crate::state::composer::Composer;
use crate::state::conversation::Conversation;
use crate::state::{Pane, State, geometry};

/// Screen rows of one chat in the list.
pub(super) const CHAT_ROWS: usize = 2;

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let page = rows_in_view(state).max(1);
    match command {
        Command::Next => select(state, 1),
        Command::Previous => select(state, -1),
        Command::PageDown => select(state, i64::try_from(page).unwrap_or(1)),
        Command::PageUp => select(state, -i64::try_from(page).unwrap_or(1)),
        Command::First => select(state, i64::MIN),
        Command::Last => select(state, i64::MAX),
        Command::Open => {
            return state.selected.clone().map_or_else(Vec::new, |chat| open(state, &chat));
        }
        Command::NextChat => return step(state, 1),
        Command::PreviousChat => return step(state, -1),
        Command::LastChat => {
            return state.previous.clone().map_or_else(Vec::new, |chat| open(state, &chat));
        }
        Command::NextUnread => {
            return next(state, |chat| chat.unread > 0 && !chat.muted, "Nothing unread.");
        }
        Command::NextMention => {
            return next(state, |chat| chat.mentions > 0, "Nobody mentions you.");
        }
        Command::CloseChat => close(state),
        Command::MarkRead => {
            let chat = if state.pane == Pane::List { state.selected.clone() } else { None };
            let chat = chat.or_else(|| state.open.as_ref().map(|open| open.chat.clone()));
            return chat
                .map(|chat| Effect::Request(Request::MarkRead { chat }))
                .into_iter()
                .collect();
        }
        _ => {}
    }
    Vec::new()
}

fn moved(from: Option<usize>, by: i64, count: usize) -> Option<usize> {
    let last = i64::try_from(count.checked_sub(1)?).ok()?;
    let from = from.map_or(if by > 0 { -1 } else { 0 }, |at| i64::try_from(at).unwrap_or(0));
    usize::try_from(from.saturating_add(by).clamp(0, last)).ok()
}

fn select(state: &mut State, by: i64) {
    if let Some(chat) =
        moved(state.index_of_selected(), by, state.chats.len()).and_then(|at| state.chats.get(at))
    {
        state.selected = Some(chat.id.clone());
    }
}

/// Opens the chat next to the open one, passing over invitations.
fn step(state: &mut State, by: i64) -> Vec<Effect> {
    let from = state
        .open
        .as_ref()
        .and_then(|open| state.chats.iter().position(|chat| chat.id == open.chat));
    let mut at = from;
    loop {
        let next = moved(at, by, state.chats.len());
        let Some(chat) =
            next.filter(|next| Some(*next) != at).and_then(|next| state.chats.get(next))
        else {
            return Vec::new();
        };
        if chat.invited_by.is_none() {
            let chat = chat.id.clone();
            return open(state, &chat);
        }
        at = next;
    }
}

/// Opens the next chat that is such, after the open one and around.
fn next(state: &mut State, such: impl Fn(&Chat) -> bool, none: &str) -> Vec<Effect> {
    let from = state
        .open
        .as_ref()
        .and_then(|open| state.chats.iter().position(|chat| chat.id == open.chat))
        .map_or(0, |at| at + 1);
    let (before, after) = state.chats.split_at(from.min(state.chats.len()));
    let found = after.iter().chain(before).find(|chat| such(chat) && !state.is_open(&chat.id));
    match found.map(|chat| chat.id.clone()) {
        Some(chat) => open(state, &chat),
        None => super::notice(state, none),
    }
}

/// Puts the open chat away, keeping what is being written.
pub(super) fn close(state: &mut State) {
    if let Some(open) = state.open.take() {
        if !open.composer.is_blank() {
            state.drafts.insert(open.chat.clone(), open.composer);
        }
        state.previous = Some(open.chat);
    }
    state.pane = Pane::List;
}

/// Opens a chat with the focus in its composer; an invitation asks first.
pub(super) fn open(state: &mut State, chat: &str) -> Vec<Effect> {
    if let Some(invited) = state.find_chat(chat).filter(|chat| chat.invited_by.is_some()).cloned() {
        return popups::ask_about_invitation(state, &invited);
    }
    state.selected = Some(chat.to_owned());
    if state.is_open(chat) {
        state.pane = Pane::Composer;
        return Vec::new();
    }
    let mut effects = super::composer::stop_typing(state);
    show(state, chat.to_owned(), Vec::new());
    effects.push(Effect::Request(Request::OpenChat { chat: chat.to_owned() }));
    effects
}

/// Opens a chat that the backend says is there, though its row may still say "invitation" or be missing.
pub(super) fn open_ready(state: &mut State, chat: &str) -> Vec<Effect> {
    if let Some(row) = state.chats.iter_mut().find(|row| row.id == chat) {
        row.invited_by = None;
    }
    open(state, chat)
}

/// Makes `chat` the open one, with these messages until the backend reports.
pub(super) fn show(state: &mut State, chat: ChatId, messages: Vec<Message>) {
    close(state);
    let composer: Composer = state.drafts.remove(&chat).unwrap_or_default();
    let unread = state.find_chat(&chat).map_or(0, |chat| chat.unread);
    state.selected = Some(chat.clone());
    state.open = Some(Conversation::new(chat, composer, unread));
    state.pane = Pane::Composer;
    let (width, _) = history_size(state);
    let zone = state.zone;
    if let Some(open) = &mut state.open {
        open.replace(messages, width, zone);
    }
}

fn rows_in_view(state: &State) -> usize {
    geometry::parts(state).list.map_or(0, |list| usize::from(list.height) / CHAT_ROWS)
}

/// Moves the list's view so that the selected chat is in it.
pub(super) fn keep_selected_in_view(state: &mut State) {
    let rows = rows_in_view(state);
    let Some(selected) = state.index_of_selected() else { return };
    if rows > 0 {
        let top_max = state.chats.len().saturating_sub(rows);
        state.list_top = state
            .list_top
            .min(selected)
            .max((selected + 1).saturating_sub(rows))
            .min(top_max.max(selected.saturating_sub(rows - 1)));
    }
}
