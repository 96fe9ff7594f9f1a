//! What actions do. Pure: changes the state, asks the world by effect, touches no network, disk or clock.

mod chats;
mod composer;
mod encryption;
mod forms;
mod history;
mod popups;
mod reports;
mod restore;
mod welcome;

pub use restore::snapshot_of;

use crate::action::{Action, Command};
use crate::backend::Request;
use crate::effect::{Effect, Timer};
use crate::input::Key;
use crate::keymap::{self, Focus};
use crate::state::conversation::Edge;
use crate::state::{Notice, Pane, Popup, State, geometry};
use std::time::Duration;

/// How long a line for a moment stays.
const NOTICE_STAYS: Duration = Duration::from_secs(6);

/// Applies one action to the state.
pub fn update(state: &mut State, action: Action) -> Vec<Effect> {
    let mut effects = match action {
        Action::Key(key) => press_key(state, key),
        Action::Command(command) => run(state, command),
        Action::Paste(text) => type_text(state, &text.replace("\r\n", "\n").replace('\r', "\n")),
        Action::Resized(columns, rows) => {
            state.size = (columns, rows);
            vec![Effect::Repaint]
        }
        Action::Focused => {
            state.unfocused = false;
            Vec::new()
        }
        Action::Unfocused => {
            state.unfocused = true;
            Vec::new()
        }
        Action::Report(report) => reports::take(state, report),
        Action::Elapsed(timer) => elapsed(state, timer),
        Action::Restore(snapshot) => restore::restore(state, *snapshot),
        Action::Continued => vec![Effect::Repaint],
    };
    effects.extend(settle(state));
    effects
}

fn press_key(state: &mut State, key: Key) -> Vec<Effect> {
    let focus = state.focus();
    state.leader = false;
    if let Some(open) = &mut state.open {
        open.older_failed = false;
    }
    match (keymap::command_for(focus, key), key.typed()) {
        (Some(command), _) => run(state, command),
        (None, Some(c)) if focus != Focus::Leader => type_text(state, c.encode_utf8(&mut [0; 4])),
        (None, _) => Vec::new(),
    }
}

fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let text = crate::sanitize::clean(text);
    match state.focus() {
        Focus::Form => forms::type_text(state, &text),
        Focus::Composer => composer::type_text(state, &text),
        Focus::Switcher => {
            if let Some(Popup::Switcher { query, selected }) = state.popups.last_mut() {
                query.insert(&crate::sanitize::line(&text));
                *selected = 0;
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Runs a command where the focus is.
fn run(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(effects) = run_anywhere(state, command) {
        return effects;
    }
    match state.focus() {
        Focus::Form => forms::run(state, command),
        Focus::Switcher => popups::run_in_switcher(state, command),
        Focus::Help => popups::run_in_help(state, command),
        focus => run_in_chats(state, command, focus),
    }
}

fn run_anywhere(state: &mut State, command: Command) -> Option<Vec<Effect>> {
    Some(match command {
        Command::Quit if state.has_unsent() && !popups::is_asking_to_quit(state) => {
            popups::ask_to_quit(state)
        }
        Command::Quit => vec![Effect::Quit],
        Command::Redraw => vec![Effect::Repaint],
        Command::Suspend => vec![Effect::Suspend],
        Command::Help => popups::show_help(state),
        _ => return None,
    })
}

fn run_in_chats(state: &mut State, command: Command, focus: Focus) -> Vec<Effect> {
    match command {
        Command::Leader => {
            state.leader = true;
            Vec::new()
        }
        Command::NextPane | Command::PreviousPane => go_to_next_pane(state, command),
        Command::GoToList => go_to(state, Pane::List),
        Command::GoToHistory => composer::leave(state),
        Command::GoToComposer => go_to(state, Pane::Composer),
        Command::Switcher
        | Command::NewChat
        | Command::NewGroup
        | Command::JoinRoom
        | Command::Invite
        | Command::ChatInfo
        | Command::LeaveChat
        | Command::OwnProfile
        | Command::Encryption
        | Command::SendFile
        | Command::LogOut => popups::open(state, command),
        Command::NextChat
        | Command::PreviousChat
        | Command::LastChat
        | Command::NextUnread
        | Command::NextMention
        | Command::CloseChat
        | Command::MarkRead => chats::run(state, command),
        Command::EditLast | Command::ReplyPrevious | Command::ReplyNext => {
            composer::run(state, command)
        }
        command => match focus {
            Focus::List => chats::run(state, command),
            Focus::History => history::run(state, command),
            Focus::Composer => composer::run(state, command),
            _ => Vec::new(),
        },
    }
}

fn go_to(state: &mut State, pane: Pane) -> Vec<Effect> {
    state.pane = if state.open.is_some() { pane } else { Pane::List };
    if state.pane != Pane::History
        && let Some(open) = &mut state.open
    {
        open.selected = None;
    }
    Vec::new()
}

fn go_to_next_pane(state: &mut State, command: Command) -> Vec<Effect> {
    let forward = command == Command::NextPane;
    match (state.pane, forward) {
        (Pane::List, true) | (Pane::Composer, false) => history::enter(state),
        (Pane::History, true) | (Pane::List, false) => go_to(state, Pane::Composer),
        (Pane::Composer, true) | (Pane::History, false) => go_to(state, Pane::List),
    }
}

fn elapsed(state: &mut State, timer: Timer) -> Vec<Effect> {
    match timer {
        Timer::TypingStops => composer::stop_typing(state),
        Timer::NoticeGoes => {
            state.notice = None;
            Vec::new()
        }
        Timer::SaveSnapshot => {
            state.snapshot_due = false;
            vec![Effect::SaveSnapshot]
        }
        Timer::AskAgain => welcome::ask_again(state),
    }
}

/// Shows a line for a moment.
fn notice(state: &mut State, text: impl Into<String>) -> Vec<Effect> {
    state.notice = Some(Notice { text: text.into(), error: false });
    vec![Effect::Start(Timer::NoticeGoes, NOTICE_STAYS)]
}

/// Shows a line about what went wrong.
fn complain(state: &mut State, text: impl Into<String>) -> Vec<Effect> {
    state.notice = Some(Notice { text: text.into(), error: true });
    vec![Effect::Start(Timer::NoticeGoes, NOTICE_STAYS * 2)]
}

/// The size of the history pane: (columns, rows).
fn history_size(state: &State) -> (usize, usize) {
    let history =
        geometry::parts(state).conversation.map(|parts| parts.history).unwrap_or_default();
    (usize::from(history.width.saturating_sub(2)), usize::from(history.height))
}

/// What follows from any action: rows laid out for the width, more history, what has been seen, the title.
fn settle(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    chats::keep_selected_in_view(state);
    let (width, height) = history_size(state);
    let zone = state.zone;
    if let Some(open) = &mut state.open {
        if width > 0 {
            open.resize(width, zone);
        }
        if open.live
            && !open.loading_older
            && !open.older_failed
            && !open.at_start
            && height > 0
            && open.near_start(height)
        {
            open.loading_older = true;
            effects.push(Effect::Request(Request::LoadOlder { chat: open.chat.clone() }));
        }
    }
    effects.extend(mark_read_if_seen(state, height));
    let unread: u64 = state.chats.iter().filter(|chat| !chat.muted).map(|chat| chat.unread).sum();
    let title = if unread > 0 { format!("({unread}) Tern") } else { "Tern".to_owned() };
    if state.title != title {
        state.title.clone_from(&title);
        effects.push(Effect::Title(title));
    }
    effects
}

/// Tells the server what has been seen: the open chat's end is on the screen and the terminal is in front.
fn mark_read_if_seen(state: &mut State, height: usize) -> Option<Effect> {
    if state.unfocused || height == 0 || state.welcome.is_some() {
        return None;
    }
    let unread = state
        .open
        .as_ref()
        .and_then(|open| state.find_chat(&open.chat))
        .is_some_and(|chat| chat.unread > 0);
    let open = state.open.as_mut().filter(|open| open.live && open.edge == Edge::Newest)?;
    let newest = open.messages.last()?;
    let seen = open.marked.as_ref() == Some(&newest.key);
    if seen || (newest.own && !unread) {
        return None;
    }
    open.marked = Some(newest.key.clone());
    Some(Effect::Request(Request::MarkRead { chat: open.chat.clone() }))
}

/// Has the snapshot written soon.
fn save_soon(state: &mut State) -> Vec<Effect> {
    const SAVED_AFTER: Duration = Duration::from_secs(3);
    if state.snapshot_due || state.me.is_none() {
        return Vec::new();
    }
    state.snapshot_due = true;
    vec![Effect::Start(Timer::SaveSnapshot, SAVED_AFTER)]
}
