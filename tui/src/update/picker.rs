//! Lists to choose from: opening each, keys in them, and what choosing does.

use super::{chats, complain, composer, jumps, notice, quote};
use crate::action::Command;
use crate::backend::{Hit, Listing, Message, MessageKey, Request, Shared, account_of};
use crate::effect::Effect;
use crate::sanitize::line;
use crate::state::picker::{Picker, Purpose, Row, parts, row_of};
use crate::state::{Found, Popup, State};

fn show(state: &mut State, picker: Picker) {
    state.popups.push(Popup::Picker(picker));
}

/// The list of messages of the open chat that a command is for.
pub(super) fn open(state: &mut State, command: Command) -> Vec<Effect> {
    let listing = match command {
        Command::Pinned => Listing::Pinned,
        Command::Threads => Listing::Threads,
        Command::SharedMedia => Listing::Shared(Shared::Pictures),
        _ => Listing::Search(String::new()),
    };
    list(state, listing)
}

fn list(state: &mut State, listing: Listing) -> Vec<Effect> {
    let Some(chat) = state.open.as_ref().map(|open| open.chat.clone()) else {
        return complain(state, "Open a chat first.");
    };
    let (title, empty, request) = match &listing {
        Listing::Pinned => (
            "Pinned messages",
            "Nothing is pinned here. p pins the chosen message.",
            Some(Request::ListPinned { chat: chat.clone() }),
        ),
        Listing::Threads => (
            "Threads",
            "No threads here. t begins one at the chosen message.",
            Some(Request::ListThreads { chat: chat.clone() }),
        ),
        Listing::Search(_) => ("Search in this chat", "Type words, then Enter.", None),
        Listing::Shared(what) => {
            let (title, empty) = shared_words(*what);
            let what = *what;
            let request = Request::ListShared { chat: chat.clone(), what, older: false };
            (title, empty, Some(request))
        }
    };
    let mut picker = Picker::new(Purpose::Jump { chat, listing }, title, empty);
    picker.busy = request.is_some();
    show(state, picker);
    request.map(Effect::Request).into_iter().collect()
}

/// What has been shared in a chat; it is opened for that.
pub(super) fn shared(state: &mut State, chat: &str) -> Vec<Effect> {
    let mut effects = if state.is_open(chat) { Vec::new() } else { chats::open(state, chat) };
    effects.extend(list(state, Listing::Shared(Shared::Pictures)));
    effects
}

/// The title of a list of what was shared, and what to say when there is nothing.
fn shared_words(what: Shared) -> (&'static str, &'static str) {
    match what {
        Shared::Pictures => ("Shared: pictures (→ files, links)", "No pictures here."),
        Shared::Files => ("Shared: files (← pictures, → links)", "No files here."),
        Shared::Links => ("Shared: links (← files, pictures)", "No links here."),
    }
}

/// To the next kind of what was shared, or the one before.
fn turn(state: &mut State, what: Shared, right: bool) -> Vec<Effect> {
    let next = match (what, right) {
        (Shared::Pictures, true) | (Shared::Links, false) => Shared::Files,
        (Shared::Files, true) => Shared::Links,
        (Shared::Files, false) => Shared::Pictures,
        _ => return Vec::new(),
    };
    state.popups.pop();
    list(state, Listing::Shared(next))
}

/// One row down; below the last one of what was shared, to what was shared earlier.
fn down(picker: &mut Picker) -> Vec<Effect> {
    let last = picker.rows.len().saturating_sub(1);
    if picker.selected < last {
        picker.selected += 1;
        return Vec::new();
    }
    match &picker.purpose {
        Purpose::Jump { chat, listing: Listing::Shared(what) } if !picker.busy => {
            picker.busy = true;
            let (chat, what) = (chat.clone(), *what);
            vec![Effect::Request(Request::ListShared { chat, what, older: true })]
        }
        _ => Vec::new(),
    }
}

/// The chats to send messages to.
pub(super) fn forward(state: &mut State, messages: Vec<MessageKey>) -> Vec<Effect> {
    let Some(chat) = state.open.as_ref().map(|open| open.chat.clone()) else { return Vec::new() };
    let title = match messages.len() {
        1 => "Forward to".to_owned(),
        n => format!("Forward {n} messages to"),
    };
    show(state, Picker::new(Purpose::Forward { chat, messages }, title, "No such chat."));
    fill_chats(state);
    Vec::new()
}

/// The addresses in a message; a single one is taken at once.
pub(super) fn links(state: &mut State, message: &Message) -> Vec<Effect> {
    let links = crate::rich::links(&crate::state::layout::content(message).0);
    match links.as_slice() {
        [] => complain(state, "There is no link in this message."),
        [link] => follow(state, link.clone()),
        _ => {
            let mut picker = Picker::new(Purpose::Link, "Links", "");
            picker.rows = links
                .into_iter()
                .map(|link| Row { text: link.clone(), value: link, ..Row::default() })
                .collect();
            show(state, picker);
            Vec::new()
        }
    }
}

/// The parts of a message to quote; one of a single part is quoted at once.
pub(super) fn quote_parts(state: &mut State, message: &Message) -> Vec<Effect> {
    let Some(text) = super::history::text_of(message) else {
        return complain(state, "There is no text in this message.");
    };
    let parts = parts(text);
    if parts.len() < 2 {
        quote(state, message, &parts);
        return Vec::new();
    }
    let purpose = Purpose::Quote(Box::new(message.clone()));
    let mut picker = Picker::new(purpose, "Quote (Space marks several)", "");
    picker.rows = parts.into_iter().map(|text| Row { text, ..Row::default() }).collect();
    show(state, picker);
    Vec::new()
}

fn follow(state: &mut State, link: String) -> Vec<Effect> {
    if state.opens_links {
        let mut effects = notice(state, format!("Opening {link}"));
        effects.push(Effect::OpenLink(link));
        return effects;
    }
    let mut effects = notice(state, format!("Link copied: {link}"));
    effects.push(Effect::Copy(link));
    effects
}

/// What the backend found for the list that is open.
pub(super) fn take_hits(state: &mut State, of: &str, about: &Listing, hits: &[Hit], done: bool) {
    let rows: Vec<Row> = hits.iter().map(|hit| row(state, about, hit)).collect();
    let picker = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Picker(picker) => Some(picker),
        _ => None,
    });
    let Some(picker) = picker else { return };
    match &picker.purpose {
        Purpose::Jump { chat, listing } if chat == of && listing == about => {}
        _ => return,
    }
    picker.rows = rows;
    picker.busy = !done;
    if matches!(about, Listing::Search(_)) {
        picker.empty = "Nothing found in this chat.";
    }
    picker.selected = picker.selected.min(picker.rows.len().saturating_sub(1));
}

fn row(state: &State, about: &Listing, hit: &Hit) -> Row {
    let mut note = hit.note.as_deref().map(line);
    if *about == Listing::Threads
        && let new @ 1.. = new_in_thread(state, &hit.event)
    {
        note = Some(note.map_or(format!("{new} new"), |note| format!("{note}, {new} new")));
    }
    let hit =
        Hit { sender_name: line(&hit.sender_name), text: line(&hit.text), note, ..hit.clone() };
    row_of(&hit, &state.zone.short(hit.at_ms, state.now_ms))
}

/// How many of others' answers in a thread were unread when the chat was opened, or came since.
fn new_in_thread(state: &State, root: &str) -> usize {
    let Some(open) = &state.open else { return 0 };
    let Some(first) = &open.first_unread else { return 0 };
    let unread = open.newest().iter().skip_while(|message| message.key != *first);
    unread
        .filter(|message| !message.own && message.relations.thread.as_deref() == Some(root))
        .count()
}

fn top(state: &mut State) -> Option<&mut Picker> {
    match state.popups.last_mut() {
        Some(Popup::Picker(picker)) => Some(picker),
        _ => None,
    }
}

/// The chats that match what is typed.
fn fill_chats(state: &mut State) {
    let Some(picker) = top(state) else { return };
    let query = picker.query.text().trim_start_matches('>').to_owned();
    // One account can't read the messages of another.
    let from = match &picker.purpose {
        Purpose::Forward { chat, .. } => account_of(chat),
        _ => return,
    };
    let rows = state
        .find(&query)
        .into_iter()
        .filter_map(|found| match found {
            Found::Chat(id) if account_of(&id) == from => {
                state.find_chat(&id).filter(|chat| chat.invited_by.is_none())
            }
            _ => None,
        })
        .map(|chat| Row {
            text: chat.name.clone(),
            quiet: chat.peer.clone().unwrap_or_default(),
            value: chat.id.clone(),
        })
        .collect();
    if let Some(picker) = top(state) {
        picker.rows = rows;
        picker.selected = 0;
    }
}

/// Typed text: goes to the query, or marks with Space.
pub(super) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let Some(picker) = top(state) else { return Vec::new() };
    if picker.takes_text() {
        picker.query.insert(&line(text));
        changed(state);
    } else if picker.marks() && text == " " {
        let selected = picker.selected;
        if !picker.marked.remove(&selected) {
            picker.marked.insert(selected);
        }
    } else if text == "j" || text == "k" {
        return run(state, if text == "j" { Command::Next } else { Command::Previous });
    }
    Vec::new()
}

/// After the query changed.
fn changed(state: &mut State) {
    match top(state).map(|picker| &mut picker.purpose) {
        Some(Purpose::Forward { .. }) => fill_chats(state),
        // What was found is of other words.
        Some(Purpose::Jump { .. }) => {
            if let Some(picker) = top(state) {
                picker.empty = "Enter searches.";
                picker.rows.clear();
                picker.selected = 0;
            }
        }
        _ => {}
    }
}

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(picker) = top(state) else { return Vec::new() };
    let shared = picker.shared();
    match command {
        Command::Cancel => {
            state.popups.pop();
        }
        Command::Open => return choose(state),
        Command::Next => return down(picker),
        Command::Left | Command::Right if shared.is_some() => {
            let right = command == Command::Right;
            return shared.map_or_else(Vec::new, |what| turn(state, what, right));
        }
        Command::Previous => picker.selected = picker.selected.saturating_sub(1),
        command if picker.takes_text() => {
            let before = picker.query.text().to_owned();
            composer::walk(&mut picker.query, command);
            if picker.query.text() != before {
                changed(state);
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Enter: searches for words that are new, else takes the row.
fn choose(state: &mut State) -> Vec<Effect> {
    let Some(picker) = top(state) else { return Vec::new() };
    let row = picker.rows.get(picker.selected).cloned();
    let words = picker.query.text().trim().to_owned();
    if let Purpose::Jump { chat, listing: Listing::Search(searched) } = &mut picker.purpose
        && (*searched != words || row.is_none())
    {
        if words.is_empty() {
            return Vec::new();
        }
        searched.clone_from(&words);
        let chat = chat.clone();
        picker.busy = true;
        picker.rows.clear();
        return vec![Effect::Request(Request::SearchChat { chat, query: words })];
    }
    let Some(Popup::Picker(picker)) = state.popups.pop() else { return Vec::new() };
    let Some(row) = row else { return Vec::new() };
    match picker.purpose {
        Purpose::Jump { listing: Listing::Threads, .. } => jumps::open_thread(state, row.value),
        Purpose::Jump { .. } => jumps::to_event(state, row.value),
        Purpose::Forward { chat, messages } => {
            if let Some(open) = &mut state.open {
                open.chosen.clear();
            }
            super::refresh(state);
            vec![Effect::Request(Request::Forward { chat, messages, to: row.value })]
        }
        Purpose::Link => follow(state, row.value),
        Purpose::Accounts(choices) => match choices.get(picker.selected) {
            Some(choice) => super::accounts::choose(state, *choice),
            None => Vec::new(),
        },
        Purpose::Quote(message) => {
            let marked: Vec<String> = picker
                .rows
                .iter()
                .enumerate()
                .filter(|(index, _)| picker.marked.contains(index))
                .map(|(_, row)| row.text.clone())
                .collect();
            quote(
                state,
                &message,
                if marked.is_empty() { std::slice::from_ref(&row.text) } else { &marked },
            );
            Vec::new()
        }
    }
}
