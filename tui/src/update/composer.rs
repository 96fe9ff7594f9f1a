//! Writing: keys in the composer, sending, replying, editing, telling the others that one types.

use super::{history, save_soon};
use crate::action::Command;
use crate::backend::{Body, Message, Request};
use crate::effect::{Effect, Timer};
use crate::state::composer::Aim;
use crate::state::field::TextField;
use crate::state::geometry::{self, PROMPT_COLUMNS};
use crate::state::{Pane, State};
use std::time::Duration;

/// The others are told again after this long.
const TYPING_TOLD_AGAIN_MS: u64 = 4_000;
/// Nothing typed for this long is "stopped".
const TYPING_STOPS: Duration = Duration::from_secs(6);

pub(super) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    open.composer.field.insert(text);
    let mut effects = tell_typing(state);
    effects.extend(save_soon(state));
    effects
}

fn tell_typing(state: &mut State) -> Vec<Effect> {
    let Some(open) = &state.open else { return Vec::new() };
    let mut effects = vec![Effect::Start(Timer::TypingStops, TYPING_STOPS)];
    let told = state
        .typing_told_ms
        .is_some_and(|told| state.now_ms.saturating_sub(told) < TYPING_TOLD_AGAIN_MS);
    if !told && !matches!(open.composer.aim, Aim::Edit { .. }) {
        state.typing_told_ms = Some(state.now_ms);
        effects.push(Effect::Request(Request::Typing { chat: open.chat.clone(), typing: true }));
    }
    effects
}

/// Tells the others that the typing has stopped, if they were told that it began.
pub(super) fn stop_typing(state: &mut State) -> Vec<Effect> {
    match (&state.open, state.typing_told_ms.take()) {
        (Some(open), Some(_)) => {
            vec![
                Effect::Stop(Timer::TypingStops),
                Effect::Request(Request::Typing { chat: open.chat.clone(), typing: false }),
            ]
        }
        _ => Vec::new(),
    }
}

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Send => return send(state),
        Command::EditLast => return edit_last(state),
        Command::ReplyPrevious | Command::ReplyNext => return move_reply(state, command),
        Command::PageUp | Command::PageDown => {
            history::page(state, command);
            return Vec::new();
        }
        Command::Cancel => return cancel(state),
        Command::Newline => return type_text(state, "\n"),
        _ => {}
    }
    let width = usize::from(
        geometry::parts(state)
            .conversation
            .map_or(0, |parts| parts.composer.width)
            .saturating_sub(PROMPT_COLUMNS + 1),
    );
    let Some(open) = &mut state.open else { return Vec::new() };
    let field = &mut open.composer.field;
    match command {
        Command::Up if field.is_empty() => return edit_last(state),
        Command::Up if !field.up(width) => field.line_start(),
        Command::Down if !field.down(width) => field.line_end(),
        Command::DeleteWord if field.is_empty() => {
            super::chats::close(state);
            return Vec::new();
        }
        command => walk(field, command),
    }
    Vec::new()
}

/// The commands that all text fields have in common.
pub(super) fn walk(field: &mut TextField, command: Command) {
    match command {
        Command::Left => field.left(),
        Command::Right => field.right(),
        Command::WordLeft => field.word_left(),
        Command::WordRight => field.word_right(),
        Command::LineStart => field.line_start(),
        Command::LineEnd => field.line_end(),
        Command::Backspace => field.backspace(),
        Command::DeleteForward => field.delete(),
        Command::DeleteWord => field.delete_word(),
        Command::DeleteToStart => field.delete_to_start(),
        _ => {}
    }
}

/// Esc: drops the reply or edit first, then goes to the messages.
pub(super) fn leave(state: &mut State) -> Vec<Effect> {
    if state.pane == Pane::Composer
        && state.open.as_mut().is_some_and(|open| open.composer.drop_aim())
    {
        return Vec::new();
    }
    history::enter(state)
}

/// Ctrl+C: drops the reply or edit, else clears what is written.
fn cancel(state: &mut State) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    if !open.composer.drop_aim() {
        if open.composer.field.is_empty() {
            return super::notice(state, "Ctrl+Q quits.");
        }
        open.composer.field = TextField::default();
    }
    stop_typing(state)
}

fn send(state: &mut State) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    let text = open.composer.field.text().trim_matches(['\n', ' ']).to_owned();
    if text.is_empty() {
        return Vec::new();
    }
    let chat = open.chat.clone();
    let (reply_to, edits, kept) = match std::mem::take(&mut open.composer.aim) {
        Aim::New => (None, None, TextField::default()),
        Aim::Reply { to, .. } => (Some(to), None, TextField::default()),
        Aim::Edit { message, kept, .. } => (None, Some(message), kept),
    };
    open.composer.field = kept;
    open.first_unread = None;
    open.unread_at_open = 0;
    open.scroll_to_newest();
    let mut effects = vec![Effect::Request(Request::SendText { chat, text, reply_to, edits })];
    effects.extend(stop_typing(state));
    effects.extend(save_soon(state));
    effects
}

fn edit_last(state: &mut State) -> Vec<Effect> {
    let own = |message: &&Message| message.own && matches!(message.body, Body::Text { .. });
    if state.open.as_ref().is_some_and(|open| !open.live) {
        return history::not_yet(state);
    }
    let last = state.open.as_ref().and_then(|open| open.messages.iter().rev().find(own)).cloned();
    if let Some(message) = last {
        history::edit(state, &message);
    }
    Vec::new()
}

/// Aims the reply one message up or down; below the newest there is no reply.
fn move_reply(state: &mut State, command: Command) -> Vec<Effect> {
    if state.open.as_ref().is_some_and(|open| !open.live) {
        return history::not_yet(state);
    }
    let Some(open) = &mut state.open else { return Vec::new() };
    let answerable = |message: &&Message| !matches!(message.body, Body::Service(_) | Body::Deleted);
    let at = match &open.composer.aim {
        Aim::Reply { to, .. } => open.index_of(to),
        Aim::New | Aim::Edit { .. } => None,
    };
    let found = match (command, at) {
        (Command::ReplyPrevious, at) => {
            open.messages.iter().take(at.unwrap_or(open.messages.len())).rev().find(answerable)
        }
        (_, Some(at)) => open.messages.iter().skip(at + 1).find(answerable),
        (_, None) => return Vec::new(),
    };
    match found.cloned() {
        Some(message) => history::reply_to(state, &message),
        None if command == Command::ReplyNext => {
            open.composer.drop_aim();
        }
        None => {}
    }
    Vec::new()
}
