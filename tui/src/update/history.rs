//! The history pane: choosing a message and what can be done with it.

use super::{complain, history_size, jumps, notice, picker, popups, selection, transfers, undo};
use crate::action::Command;
use crate::backend::{Body, ChatId, Message, Request, Ticks};
use crate::effect::Effect;
use crate::state::composer::Aim;
use crate::state::conversation::Conversation;
use crate::state::{Pane, State};

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let (_, height) = history_size(state);
    let Some(open) = &mut state.open else { return Vec::new() };
    match command {
        Command::Next => select(open, Way::Down, height),
        Command::Previous => select(open, Way::Up, height),
        Command::PageUp | Command::PageDown => page(state, command),
        Command::First => select(open, Way::First, height),
        Command::Last => {
            let effects = jumps::to_newest(state);
            if let Some(open) = &mut state.open {
                select(open, Way::Last, height);
                open.scroll_to_newest();
            }
            return effects;
        }
        Command::Cancel => return selection::clear(state),
        command => {
            if let Some(effects) = selection::run(state, command) {
                return effects;
            }
            // The messages may have come after the pane was entered.
            if open_message(state).is_none() {
                enter(state);
            }
            return match open_message(state) {
                Some(message) => act(state, command, &message),
                None => notice(state, "There is no message here yet."),
            };
        }
    }
    Vec::new()
}

fn open_message(state: &State) -> Option<Message> {
    state.open.as_ref()?.selected_message().cloned()
}

/// Scrolls by a page; in the history pane the chosen message comes along.
pub(super) fn page(state: &mut State, command: Command) {
    let (_, height) = history_size(state);
    let follow = state.pane == Pane::History;
    let Some(open) = &mut state.open else { return };
    let rows = height.saturating_sub(2).max(1);
    if command == Command::PageUp {
        open.scroll_up(rows, height);
    } else {
        open.scroll_down(rows);
    }
    if follow {
        let view = open.view(height);
        let shown = if command == Command::PageUp { view.first() } else { view.last() };
        open.selected = shown.map(|(message, _)| message.key.clone());
    }
}

/// Goes to the history pane with the newest message in view chosen.
pub(super) fn enter(state: &mut State) -> Vec<Effect> {
    let (_, height) = history_size(state);
    let Some(open) = &mut state.open else { return Vec::new() };
    state.pane = Pane::History;
    let last = open
        .view(height)
        .iter()
        .rev()
        .map(|(message, _)| message)
        .find(|message| can_be_chosen(message))
        .map(|message| message.key.clone());
    open.selected = last;
    Vec::new()
}

enum Way {
    Up,
    Down,
    First,
    Last,
}

pub(super) fn can_be_chosen(message: &Message) -> bool {
    !matches!(message.body, Body::Service(_))
}

fn select(open: &mut Conversation, way: Way, height: usize) {
    let at =
        open.selected.as_ref().and_then(|key| open.index_of(key)).unwrap_or(open.messages.len());
    let found = match way {
        Way::Up => open.messages.iter().take(at).rev().find(|message| can_be_chosen(message)),
        Way::Down => open.messages.iter().skip(at + 1).find(|message| can_be_chosen(message)),
        Way::First => open.messages.iter().find(|message| can_be_chosen(message)),
        Way::Last => open.messages.iter().rev().find(|message| can_be_chosen(message)),
    };
    match (found.map(|message| message.key.clone()), way) {
        (Some(key), _) => {
            open.selected = Some(key);
            open.show_selected(height);
        }
        (None, Way::Down) => open.scroll_to_newest(),
        (None, Way::Up) => open.scroll_up(1, height),
        (None, _) => {}
    }
}

/// A message's text as it would be copied or edited.
pub(super) fn text_of(message: &Message) -> Option<&str> {
    match &message.body {
        Body::Text { text, .. } | Body::Emote(text) | Body::Notice(text) => Some(text),
        Body::File { name, caption, .. } => Some(caption.as_ref().unwrap_or(name)),
        Body::Deleted | Body::Undecryptable { .. } | Body::Service(_) => None,
    }
}

/// What the last run left on the screen has no keys that the backend knows.
pub(super) fn not_yet(state: &mut State) -> Vec<Effect> {
    complain(state, "This chat is still being opened. Try again in a moment.")
}

fn act(state: &mut State, command: Command, message: &Message) -> Vec<Effect> {
    let Some(open) = &state.open else { return Vec::new() };
    let chat = open.chat.clone();
    if !open.live
        && !matches!(
            command,
            Command::Copy | Command::MessageInfo | Command::OpenContent | Command::Unfold
        )
    {
        return not_yet(state);
    }
    match command {
        Command::Reply => {
            reply_to(state, message);
            Vec::new()
        }
        Command::Edit if message.own && matches!(message.body, Body::Text { .. }) => {
            edit(state, message);
            Vec::new()
        }
        Command::Edit => complain(state, "Only your own text messages can be edited."),
        Command::Delete if matches!(message.body, Body::Deleted) => {
            complain(state, "This message is deleted already.")
        }
        Command::Delete => undo::delete(state, vec![message.key.clone()]),
        Command::Quote => picker::quote_parts(state, message),
        Command::Forward => picker::forward(state, vec![message.key.clone()]),
        Command::Pin => pin(state, chat, message),
        Command::OpenThread => jumps::to_thread(state, message),
        Command::GoToReplied => jumps::to_replied(state, message),
        Command::Copy => match text_of(message).map(str::to_owned) {
            Some(text) => {
                let mut effects = notice(state, "Copied.");
                effects.push(Effect::Copy(text));
                effects
            }
            None => complain(state, "There is no text in this message."),
        },
        Command::React => popups::ask_for_reaction(state, chat, message),
        Command::Retry
            if matches!(message.ticks, Some(Ticks::Failed | Ticks::Sending))
                || matches!(message.body, Body::Undecryptable { .. }) =>
        {
            vec![Effect::Request(Request::Retry { chat, message: message.key.clone() })]
        }
        Command::Retry => notice(state, "This message needs no retry."),
        Command::ReportMessage => {
            popups::show(state, super::manage::report(chat, message.relations.event.clone()))
        }
        Command::MessageInfo => popups::show_message_info(state, message),
        Command::Unfold => unfold(state, message),
        Command::SaveFile => transfers::ask_where(state, chat, message),
        Command::OpenContent if matches!(message.body, Body::File { .. }) => {
            transfers::open(state, chat, message)
        }
        Command::OpenContent => picker::links(state, message),
        _ => Vec::new(),
    }
}

/// Pins a message for everybody, or takes the pin away.
fn pin(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    match message.relations.event.clone() {
        Some(event) => {
            let pin = !message.relations.pinned;
            vec![Effect::Request(Request::Pin { chat, event, pin })]
        }
        None => complain(state, "This message has not been sent yet; try again when it has."),
    }
}

/// Shows what a message hides, or hides it again.
fn unfold(state: &mut State, message: &Message) -> Vec<Effect> {
    if !crate::rich::hides(&crate::state::layout::content(message).0) {
        return notice(state, "Nothing is hidden in this message.");
    }
    if let Some(open) = &mut state.open
        && !open.revealed.remove(&message.key)
    {
        open.revealed.insert(message.key.clone());
    }
    super::refresh(state);
    Vec::new()
}

/// A chosen message was clicked again: its file opens, or it is answered.
pub(super) fn second_click(state: &mut State, message: &Message) -> Vec<Effect> {
    let file = matches!(message.body, Body::File { .. });
    act(state, if file { Command::OpenContent } else { Command::Reply }, message)
}

/// Aims the composer at a message.
pub(super) fn reply_to(state: &mut State, message: &Message) {
    let Some(open) = &mut state.open else { return };
    open.composer.drop_aim();
    let line =
        text_of(message).unwrap_or("a message").lines().next().unwrap_or_default().to_owned();
    open.composer.aim =
        Aim::Reply { to: message.key.clone(), name: message.sender_name.clone(), line };
    open.selected = None;
    state.pane = Pane::Composer;
}

/// Puts one's own message into the composer.
pub(super) fn edit(state: &mut State, message: &Message) {
    let Some(open) = &mut state.open else { return };
    open.composer.drop_aim();
    let text = text_of(message).unwrap_or_default();
    let kept =
        std::mem::replace(&mut open.composer.field, crate::state::field::TextField::new(text));
    let line = text.lines().next().unwrap_or_default().to_owned();
    open.composer.aim = Aim::Edit { message: message.key.clone(), line, kept };
    open.selected = None;
    state.pane = Pane::Composer;
}
