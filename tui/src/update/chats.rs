//! The chat list: walking it, opening chats, the ways from chat to chat.

use super::{history_size, jumps, popups};
use crate::action::Command;
use crate::backend::{Chat, ChatId, ChatKind, Listed, Message, Request, account_of};
use crate::effect::Effect;
use crate::state::composer::Composer;
use crate::state::conversation::Conversation;
use crate::state::filter::Filter;
use crate::state::layout::Sheet;
use crate::state::{Pane, Popup, State, geometry};
use std::sync::Arc;

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
            let unread = |chat: &Chat| (chat.unread > 0 && !chat.muted) || chat.marked_unread;
            let such = |chat: &Chat| unread(chat) && !chat.archived && is_conversation(chat);
            return next(state, such, "Nothing unread.");
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

fn listed(state: &State) -> Vec<ChatId> {
    state.listed().iter().map(|chat| chat.id.clone()).collect()
}

fn select(state: &mut State, by: i64) {
    let listed = listed(state);
    if let Some(chat) =
        moved(state.index_of_selected(), by, listed.len()).and_then(|at| listed.get(at))
    {
        state.selected = Some(chat.clone());
    }
}

/// Something with messages in it: no invitation, no space.
fn is_conversation(chat: &Chat) -> bool {
    chat.invited_by.is_none() && !chat.knocked && chat.kind != ChatKind::Space
}

/// Opens the chat next to the open one, passing over invitations.
fn step(state: &mut State, by: i64) -> Vec<Effect> {
    let listed = listed(state);
    let mut at =
        state.open.as_ref().and_then(|open| listed.iter().position(|chat| *chat == open.chat));
    loop {
        let next = moved(at, by, listed.len());
        let Some(chat) = next.filter(|next| Some(*next) != at).and_then(|next| listed.get(next))
        else {
            return Vec::new();
        };
        if state.find_chat(chat).is_some_and(is_conversation) {
            return open(state, chat);
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
    if let Some(known) = state.find_chat(chat).cloned() {
        if known.knocked {
            return popups::ask_about_knock(state, &known);
        }
        if known.kind == ChatKind::Space {
            return open_space(state, known.id);
        }
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

/// Opens a chat and goes to a message of it, wherever that is.
pub(super) fn open_at(state: &mut State, chat: &str, message: &str) -> Vec<Effect> {
    let mut effects = open(state, chat);
    if state.is_open(chat) {
        effects.extend(jumps::to_event(state, message.to_owned()));
    }
    effects
}

/// A space is a tab of the list; opened there, it shows all its rooms.
fn open_space(state: &mut State, space: ChatId) -> Vec<Effect> {
    if state.filter == Filter::Space(space.clone()) {
        return super::lists::open(state, Listed::Space(space));
    }
    follow(state, &space);
    state.selected = Some(space.clone());
    state.filter = Filter::Space(space);
    state.list_top = 0;
    state.pane = Pane::List;
    Vec::new()
}

/// Opens a chat that the backend says is there, though its row may still say "invitation" or be missing.
pub(super) fn open_ready(state: &mut State, chat: &str) -> Vec<Effect> {
    if let Some(row) = state.chats.iter_mut().find(|row| row.id == chat) {
        Arc::make_mut(row).invited_by = None;
    }
    // What it was chosen from has done its work.
    state.popups.retain(|popup| !matches!(popup, Popup::List(_)));
    open(state, chat)
}

/// Where one account's chats alone are shown, what is gone to in another one brings that one.
fn follow(state: &mut State, chat: &str) {
    if let Some(chosen) = &mut state.chosen {
        *chosen = account_of(chat);
    }
}

/// Makes `chat` the open one, with these messages until the backend reports.
pub(super) fn show(state: &mut State, chat: ChatId, messages: Vec<Message>) {
    close(state);
    follow(state, &chat);
    let composer: Composer = state.drafts.remove(&chat).unwrap_or_default();
    let unread = state.find_chat(&chat).map_or(0, |chat| chat.unread);
    state.selected = Some(chat.clone());
    state.open = Some(Conversation::new(chat, composer, unread));
    state.pane = Pane::Composer;
    let (width, _) = history_size(state);
    let State { open, links, zone, .. } = state;
    if let Some(open) = open {
        open.replace(messages, &mut Sheet { width, zone: *zone, links });
    }
}

fn rows_in_view(state: &State) -> usize {
    let tab = u16::from(state.list_title().is_some());
    geometry::parts(state)
        .list
        .map_or(0, |list| usize::from(list.height.saturating_sub(tab)) / CHAT_ROWS)
}

/// Moves the list's view so that the selected chat is in it.
pub(super) fn keep_selected_in_view(state: &mut State) {
    let rows = rows_in_view(state);
    let Some(selected) = state.index_of_selected() else { return };
    if rows > 0 {
        let top_max = state.listed().len().saturating_sub(rows);
        state.list_top = state
            .list_top
            .min(selected)
            .max((selected + 1).saturating_sub(rows))
            .min(top_max.max(selected.saturating_sub(rows - 1)));
    }
}
