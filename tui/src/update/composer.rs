//! Writing: keys in the composer, sending, replying, editing, telling the others that one types.

use super::{clipboard, history, paste, popups, save_soon, slash, undo, written};
use crate::action::Command;
use crate::backend::{Body, Message, Request, View};
use crate::effect::{Effect, Timer};
use crate::state::composer::Aim;
use crate::state::field::TextField;
use crate::state::geometry::{self, PROMPT_COLUMNS};
use crate::state::{Held, Pane, State};
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

pub(super) fn tell_typing(state: &mut State) -> Vec<Effect> {
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
        Command::Editor => {
            let open = state.open.as_ref();
            return open
                .map(|open| Effect::Edit(open.composer.field.text().to_owned()))
                .into_iter()
                .collect();
        }
        Command::Emoji => {
            state.pane = Pane::Composer;
            return popups::open(state, Command::Emoji);
        }
        Command::Paste => return clipboard::ask(state),
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
        Command::DeleteToEnd => field.delete_to_end(),
        Command::DeleteWordForward => field.delete_word_forward(),
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
    if text.len() > paste::MESSAGE_BYTES_MAX {
        return paste::ask_about_long_message(state, chat, text);
    }
    if slash::is_command(&text) && open.composer.aim == Aim::New {
        return slash::run(state, chat, &text);
    }
    send_text(state, &text)
}

/// Puts away what the composer holds.
pub(super) fn empty(state: &mut State) {
    if let Some(open) = &mut state.open {
        open.composer.drop_aim();
        open.composer.field = TextField::default();
    }
}

/// Sends `text` to the open chat as what the composer aims at.
pub(super) fn send_text(state: &mut State, text: &str) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    let (chat, text) = (open.chat.clone(), text.to_owned());
    let (reply_to, edits, kept) = match std::mem::take(&mut open.composer.aim) {
        Aim::New => (None, None, TextField::default()),
        Aim::Reply { to, .. } => (Some(to), None, TextField::default()),
        Aim::Edit { message, kept, .. } => (None, Some(message), kept),
    };
    open.composer.field = kept;
    open.first_unread = None;
    open.unread_at_open = 0;
    open.scroll_to_newest();
    let mut effects = match (open.viewing.view.clone(), edits) {
        (View::Thread(root), None) => {
            vec![Effect::Request(Request::SendToThread { chat, root, text, reply_to })]
        }
        (view, edits) => {
            // What is sent appears at the newest end.
            let mut effects = match view {
                View::Around(_) => super::jumps::to_newest(state),
                View::Newest | View::Thread(_) => Vec::new(),
            };
            effects.push(written::sent(state, chat.clone(), text.clone(), edits.is_some()));
            let held = Held { chat, text, reply_to, edits };
            match undo::hold(state, held.clone()) {
                Some(holding) => effects.extend(holding),
                None => {
                    let Held { chat, text, reply_to, edits } = held;
                    effects.push(Effect::Request(Request::SendText {
                        chat,
                        text,
                        reply_to,
                        edits,
                    }));
                }
            }
            effects
        }
    };
    effects.extend(stop_typing(state));
    effects.extend(save_soon(state));
    effects
}

/// What became of the text in the user's editor.
pub(super) fn edited(state: &mut State, edited: Result<String, String>) -> Vec<Effect> {
    match edited {
        Ok(text) => {
            if let Some(open) = &mut state.open {
                open.composer.field = TextField::new(crate::sanitize::clean(&text));
                state.pane = Pane::Composer;
            }
            Vec::new()
        }
        Err(reason) => super::complain(state, reason),
    }
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
