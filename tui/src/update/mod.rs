//! What actions do. Pure: changes the state, asks the world by effect, touches no network, disk or clock.

mod accounts;
mod arrange;
mod attach;
mod chats;
mod clipboard;
mod completion;
mod composer;
mod encryption;
mod forms;
mod history;
mod jumps;
mod keys;
mod link_previews;
mod lists;
mod lock;
mod manage;
mod mouse;
mod news;
mod paste;
mod picker;
mod pictures;
mod popups;
mod presence;
mod reports;
mod restore;
mod selection;
mod slash;
mod transfers;
mod undo;
mod welcome;
mod written;

pub use lock::screen as lock_screen;
pub use restore::snapshot_of;
pub use written::written_of;

use crate::action::{Action, Command};
use crate::backend::{AccountId, Message, Request, View, split};
use crate::effect::{Effect, Timer};
use crate::input::Key;
use crate::keymap::Focus;
use crate::state::conversation::Edge;
use crate::state::layout::Sheet;
use crate::state::{Notice, Pane, Popup, State, geometry};
use std::time::Duration;

/// How long a line for a moment stays.
const NOTICE_STAYS: Duration = Duration::from_secs(6);

/// Applies one action to the state.
pub fn update(state: &mut State, action: Action) -> Vec<Effect> {
    // What the action is about is known before it closes what it was done in.
    let asker = match &action {
        Action::Report(account, _) => *account,
        _ => state.asker(),
    };
    let mut effects = match action {
        Action::Key(key) => press_key(state, key),
        Action::Command(command) => run(state, command),
        Action::Paste(text) => paste::take(state, &text.replace("\r\n", "\n").replace('\r', "\n")),
        Action::Mouse(mouse) => mouse::take(state, mouse),
        Action::Hit(stop) => forms::hit(state, stop),
        Action::Edited(edited) => composer::edited(state, edited),
        Action::Clipboard(read) => clipboard::read(state, read),
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
        Action::Report(account, report) => reports::take(state, account, report),
        Action::Elapsed(timer) => elapsed(state, timer),
        Action::Restore(snapshot) => restore::restore(state, *snapshot),
        Action::PasscodeChecked(right) => lock::checked(state, right),
        Action::Remeasured => {
            refresh(state);
            vec![Effect::Repaint]
        }
        Action::Continued => vec![Effect::Repaint],
    };
    give_popups_their_account(state, asker);
    effects.extend(settle(state));
    effects.into_iter().map(|effect| addressed(effect, asker)).collect()
}

/// Says whose request it is.
fn addressed(effect: Effect, asker: AccountId) -> Effect {
    match effect {
        Effect::Request(mut request) => {
            let account = request.account().unwrap_or(asker);
            Effect::RequestOf(account, request)
        }
        effect => effect,
    }
}

/// What has just been opened belongs to the account of its chat, or to that of what it was opened from; and says so where there
/// are several.
fn give_popups_their_account(state: &mut State, asker: AccountId) {
    let mut popups = std::mem::take(&mut state.popups);
    for popup in &mut popups {
        let (account, title, chat) = match popup {
            Popup::Form(form) if !form.kind.is_of_client() => {
                (&mut form.account, &mut form.title, form.kind.chat().cloned())
            }
            // It is everybody's.
            Popup::List(list) if !list.others.is_empty() => {
                list.account.get_or_insert(asker);
                continue;
            }
            Popup::List(list) => {
                let chat = list.chat().cloned();
                (&mut list.account, &mut list.title, chat)
            }
            _ => continue,
        };
        if account.is_none() {
            let whose = chat.and_then(|chat| split(&chat).0).unwrap_or(asker);
            *account = Some(whose);
            *title = state.marked(title, whose);
        }
    }
    state.popups = popups;
}

fn press_key(state: &mut State, key: Key) -> Vec<Effect> {
    let focus = state.focus();
    state.leader = false;
    if let Some(open) = &mut state.open {
        open.older_failed = false;
    }
    let keymap = state.settings.keymap.clone();
    let mut meant = keymap.command_for(focus, key);
    if focus == Focus::Completion && meant.is_none() {
        meant = keymap.command_for(Focus::Composer, key);
    }
    match (meant, key.typed()) {
        (Some(command), _) => run(state, command),
        (None, Some(c)) if focus != Focus::Leader => type_text(state, c.encode_utf8(&mut [0; 4])),
        (None, _) => Vec::new(),
    }
}

fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let text = crate::sanitize::clean(text);
    match state.focus() {
        Focus::Form => forms::type_text(state, &text),
        Focus::Composer | Focus::Completion => composer::type_text(state, &text),
        Focus::Picker if matches!(state.popups.last(), Some(Popup::Picker(_))) => {
            picker::type_text(state, &text)
        }
        Focus::Picker => lists::type_text(state, &text),
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
        Focus::Picker if matches!(state.popups.last(), Some(Popup::Picker(_))) => {
            picker::run(state, command)
        }
        Focus::Picker => lists::run_in_list(state, command),
        Focus::Help => popups::run_in_help(state, command),
        focus => run_in_chats(state, command, focus),
    }
}

fn run_anywhere(state: &mut State, command: Command) -> Option<Vec<Effect>> {
    Some(match command {
        // What waits is kept; no question is shown over the lock.
        Command::Quit if state.lock.is_some() => vec![Effect::Quit],
        Command::Help if state.lock.is_some() => Vec::new(),
        Command::Quit if state.has_unsent() && !popups::is_asking_to_quit(state) => {
            popups::ask_to_quit(state)
        }
        Command::Quit if state.undo.is_some() => {
            // What was deleted on the screen must not come back.
            let mut effects = undo::flush(state);
            effects.extend(notice(state, "Deleting first. Quit again in a moment."));
            effects
        }
        Command::Quit => vec![Effect::Quit],
        Command::Redraw => vec![Effect::Repaint],
        Command::Suspend => vec![Effect::Suspend],
        Command::Help => popups::show_help(state),
        Command::Nothing => Vec::new(),
        Command::NextTheme => {
            state.theme = state.theme.next();
            let mut effects = notice(state, format!("Theme: {}", state.theme.name()));
            effects.push(Effect::Theme(state.theme));
            effects
        }
        Command::SlowLink => {
            state.slow_link = !state.slow_link;
            notice(state, if state.slow_link { "Few bytes." } else { "As many bytes as it takes." })
        }
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
        | Command::Palette => popups::open(state, command),
        Command::Accounts | Command::AddAccount | Command::LogOut => accounts::run(state, command),
        Command::Transfers => transfers::show(state),
        Command::Editor | Command::Emoji | Command::Paste => composer::run(state, command),
        command if command.arranges() => arrange::run(state, command),
        Command::Lock => lock::lock(state),
        Command::Members
        | Command::Rights
        | Command::FindPeople
        | Command::Directory
        | Command::SearchEverywhere
        | Command::Sessions
        | Command::Ignored => lists::run(state, command),
        Command::NewChannel
        | Command::NewSpace
        | Command::AddToSpace
        | Command::SavedMessages
        | Command::EditChat
        | Command::ReportChat => manage::run(state, command),
        Command::NextChat
        | Command::PreviousChat
        | Command::LastChat
        | Command::NextUnread
        | Command::NextMention
        | Command::CloseChat
        | Command::MarkRead => chats::run(state, command),
        Command::GoBack => jumps::back(state),
        Command::FirstUnread => jumps::to_first_unread(state),
        Command::Undo => undo::undo(state),
        Command::Pinned | Command::Threads | Command::SharedMedia | Command::SearchChat => {
            picker::open(state, command)
        }
        Command::GoToDate => popups::ask_for_date(state),
        Command::EditLast | Command::ReplyPrevious | Command::ReplyNext => {
            composer::run(state, command)
        }
        command => match focus {
            Focus::List => chats::run(state, command),
            Focus::History => history::run(state, command),
            Focus::Composer => composer::run(state, command),
            Focus::Completion => completion::run(state, command),
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
        Timer::DeletionGoes => undo::flush(state),
        Timer::SendHeld => undo::release(state),
        Timer::SaveWritten => {
            state.written_due = false;
            vec![Effect::SaveWritten]
        }
        Timer::Ask => lists::ask(state),
        Timer::AskAgain => welcome::ask_again(state),
    }
}

/// Lays the open chat out again after something around its messages changed.
fn refresh(state: &mut State) {
    let (width, _) = history_size(state);
    let State { open, links, zone, .. } = state;
    if let Some(open) = open {
        open.refresh(&mut Sheet { width, zone: *zone, links });
    }
}

/// Aims the composer at a message and quotes parts of it.
fn quote(state: &mut State, message: &Message, parts: &[String]) {
    history::reply_to(state, message);
    let Some(open) = &mut state.open else { return };
    let quoted: Vec<String> =
        parts.iter().flat_map(|part| part.lines()).map(|line| format!("> {line}")).collect();
    let rest = std::mem::take(&mut open.composer.field);
    open.composer.field.insert(&format!("{}\n\n{}", quoted.join("\n"), rest.text()));
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
    let State { open, links, zone, .. } = &mut *state;
    if let Some(open) = open {
        if width > 0 {
            open.resize(&mut Sheet { width, zone: *zone, links });
        }
        if open.live
            && !open.loading_older
            && !open.older_failed
            && !open.at_start
            && height > 0
            && open.wants_older(height)
        {
            open.loading_older = true;
            let chat = open.chat.clone();
            effects.push(Effect::Request(match open.viewing.view {
                View::Around(_) => Request::LoadOlderAround { chat },
                View::Newest | View::Thread(_) => Request::LoadOlder { chat },
            }));
        }
        if open.live && open.wants_newer() {
            open.viewing.loading_newer = true;
            effects.push(Effect::Request(Request::LoadNewer { chat: open.chat.clone() }));
        }
    }
    effects.extend(pictures::settle(state, (width, height)));
    effects.extend(link_previews::settle(state, (width, height)));
    effects.extend(mark_read_if_seen(state, height));
    effects.extend(completion::settle(state));
    effects.extend(written::keep_soon(state));
    let counts = |chat: &&crate::backend::Chat| !chat.muted && !chat.archived;
    let unread: u64 =
        state.chats.iter().map(AsRef::as_ref).filter(counts).map(|chat| chat.unread).sum();
    let title = if unread > 0 { format!("({unread}) Tern") } else { "Tern".to_owned() };
    if state.title != title {
        state.title.clone_from(&title);
        effects.push(Effect::Title(title));
    }
    effects
}

/// Tells the server what has been seen: the open chat's end is on the screen and the terminal is in front.
fn mark_read_if_seen(state: &mut State, height: usize) -> Option<Effect> {
    if state.unfocused || height == 0 || state.welcome.is_some() || state.lock.is_some() {
        return None;
    }
    let unread = state
        .open
        .as_ref()
        .and_then(|open| state.find_chat(&open.chat))
        .is_some_and(|chat| chat.unread > 0 || chat.marked_unread);
    let open = state
        .open
        .as_mut()
        .filter(|open| open.live && open.viewing.is_newest() && open.edge == Edge::Newest)?;
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
    if state.snapshot_due || !state.has_session() {
        return Vec::new();
    }
    state.snapshot_due = true;
    vec![Effect::Start(Timer::SaveSnapshot, SAVED_AFTER)]
}
