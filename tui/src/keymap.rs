//! The one table of keys. The help screen, the hint line, the keys after the leader and `docs/keys.md` are printed from it.

use crate::action::Command;
use crate::input::Key;

/// Where a row of the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Focus {
    /// In every focus that has no row of its own for the key.
    Anywhere,
    /// In the list, the history and the composer.
    Chats,
    List,
    History,
    Composer,
    /// After the leader (Space; Ctrl+Space in the composer).
    Leader,
    /// A form or question, first-run screens included.
    Form,
    Switcher,
    Help,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub focus: Focus,
    /// As [`Key::parse`] reads it.
    pub key: &'static str,
    pub command: Command,
    /// What it does, in a few words.
    pub label: &'static str,
    /// Shown in the hint line of its focus.
    pub hint: bool,
}

const fn bind(focus: Focus, key: &'static str, command: Command, label: &'static str) -> Binding {
    Binding { focus, key, command, label, hint: false }
}

const fn hint(focus: Focus, key: &'static str, command: Command, label: &'static str) -> Binding {
    Binding { focus, key, command, label, hint: true }
}

/// Every key the client knows.
pub const BINDINGS: &[Binding] = &[
    bind(Focus::Anywhere, "f1", Command::Help, "help"),
    bind(Focus::Anywhere, "ctrl-q", Command::Quit, "quit"),
    bind(Focus::Anywhere, "ctrl-c", Command::Cancel, "cancel or clear"),
    bind(Focus::Anywhere, "ctrl-l", Command::Redraw, "draw the screen anew"),
    bind(Focus::Anywhere, "ctrl-z", Command::Suspend, "suspend"),
    bind(Focus::Chats, "ctrl-k", Command::Switcher, "find a chat or command"),
    bind(Focus::Chats, "ctrl-n", Command::NextChat, "next chat"),
    bind(Focus::Chats, "alt-down", Command::NextChat, "next chat"),
    bind(Focus::Chats, "ctrl-pagedown", Command::NextChat, "next chat"),
    bind(Focus::Chats, "ctrl-p", Command::PreviousChat, "previous chat"),
    bind(Focus::Chats, "alt-up", Command::PreviousChat, "previous chat"),
    bind(Focus::Chats, "ctrl-pageup", Command::PreviousChat, "previous chat"),
    bind(Focus::Chats, "ctrl-6", Command::LastChat, "the chat before this one"),
    bind(Focus::Chats, "alt-a", Command::NextUnread, "next unread chat"),
    bind(Focus::Chats, "alt-m", Command::NextMention, "next chat that mentions you"),
    bind(Focus::Chats, "ctrl-r", Command::MarkRead, "mark the chat read"),
    bind(
        Focus::Chats,
        "ctrl-\\",
        Command::ChatInfo,
        "about this chat, and what can be done with it",
    ),
    // What most terminals make of it.
    bind(
        Focus::Chats,
        "ctrl-4",
        Command::ChatInfo,
        "about this chat, and what can be done with it",
    ),
    bind(Focus::Chats, "ctrl-w", Command::CloseChat, "close the chat"),
    bind(Focus::Chats, "ctrl-o", Command::SendFile, "send a file"),
    bind(Focus::Chats, "tab", Command::NextPane, "next pane"),
    bind(Focus::Chats, "backtab", Command::PreviousPane, "previous pane"),
    hint(Focus::List, "enter", Command::Open, "open"),
    bind(Focus::List, "l", Command::Open, "open"),
    bind(Focus::List, "right", Command::Open, "open"),
    bind(Focus::List, "j", Command::Next, "next chat"),
    bind(Focus::List, "down", Command::Next, "next chat"),
    bind(Focus::List, "k", Command::Previous, "previous chat"),
    bind(Focus::List, "up", Command::Previous, "previous chat"),
    bind(Focus::List, "g", Command::First, "first chat"),
    bind(Focus::List, "home", Command::First, "first chat"),
    bind(Focus::List, "G", Command::Last, "last chat"),
    bind(Focus::List, "end", Command::Last, "last chat"),
    bind(Focus::List, "pagedown", Command::PageDown, "a page down"),
    bind(Focus::List, "pageup", Command::PageUp, "a page up"),
    hint(Focus::List, "n", Command::NewChat, "new chat"),
    hint(Focus::List, "N", Command::NewGroup, "new group"),
    bind(Focus::List, "a", Command::JoinRoom, "join by address"),
    bind(Focus::List, "i", Command::ChatInfo, "about this chat"),
    bind(Focus::List, "u", Command::NextUnread, "next unread chat"),
    hint(Focus::List, "/", Command::Switcher, "find"),
    hint(Focus::List, "space", Command::Leader, "more"),
    hint(Focus::List, "?", Command::Help, "help"),
    bind(Focus::List, "esc", Command::GoToComposer, "back to the composer"),
    bind(Focus::History, "k", Command::Previous, "message above"),
    bind(Focus::History, "up", Command::Previous, "message above"),
    bind(Focus::History, "j", Command::Next, "message below"),
    bind(Focus::History, "down", Command::Next, "message below"),
    hint(Focus::History, "r", Command::Reply, "reply"),
    hint(Focus::History, "e", Command::Edit, "edit"),
    hint(Focus::History, "d", Command::Delete, "delete"),
    hint(Focus::History, "y", Command::Copy, "copy"),
    hint(Focus::History, "+", Command::React, "react"),
    bind(Focus::History, "u", Command::Retry, "try again (sending or decrypting)"),
    bind(Focus::History, "i", Command::MessageInfo, "seen by, sent at"),
    bind(Focus::History, "pageup", Command::PageUp, "a page up"),
    bind(Focus::History, "pagedown", Command::PageDown, "a page down"),
    bind(Focus::History, "g", Command::First, "oldest loaded message"),
    bind(Focus::History, "home", Command::First, "oldest loaded message"),
    bind(Focus::History, "G", Command::Last, "newest message"),
    bind(Focus::History, "end", Command::Last, "newest message"),
    bind(Focus::History, "]", Command::NextChat, "next chat"),
    bind(Focus::History, "[", Command::PreviousChat, "previous chat"),
    bind(Focus::History, "/", Command::Switcher, "find a chat or command"),
    hint(Focus::History, "enter", Command::GoToComposer, "write"),
    bind(Focus::History, "h", Command::GoToList, "to the chat list"),
    bind(Focus::History, "left", Command::GoToList, "to the chat list"),
    bind(Focus::History, "esc", Command::GoToList, "to the chat list"),
    hint(Focus::History, "space", Command::Leader, "more"),
    bind(Focus::History, "?", Command::Help, "help"),
    hint(Focus::Composer, "enter", Command::Send, "send"),
    hint(Focus::Composer, "ctrl-j", Command::Newline, "new line"),
    bind(Focus::Composer, "alt-enter", Command::Newline, "new line"),
    bind(Focus::Composer, "shift-enter", Command::Newline, "new line"),
    hint(Focus::Composer, "esc", Command::GoToHistory, "messages"),
    bind(Focus::Composer, "up", Command::Up, "row above; edit your last message when empty"),
    bind(Focus::Composer, "down", Command::Down, "row below"),
    bind(Focus::Composer, "ctrl-up", Command::ReplyPrevious, "reply to the message above"),
    bind(Focus::Composer, "ctrl-down", Command::ReplyNext, "reply to the message below"),
    bind(Focus::Composer, "pageup", Command::PageUp, "history: a page up"),
    bind(Focus::Composer, "pagedown", Command::PageDown, "history: a page down"),
    bind(Focus::Composer, "left", Command::Left, "one to the left"),
    bind(Focus::Composer, "right", Command::Right, "one to the right"),
    bind(Focus::Composer, "ctrl-left", Command::WordLeft, "a word to the left"),
    bind(Focus::Composer, "alt-b", Command::WordLeft, "a word to the left"),
    bind(Focus::Composer, "ctrl-right", Command::WordRight, "a word to the right"),
    bind(Focus::Composer, "alt-f", Command::WordRight, "a word to the right"),
    bind(Focus::Composer, "home", Command::LineStart, "start of the line"),
    bind(Focus::Composer, "ctrl-a", Command::LineStart, "start of the line"),
    bind(Focus::Composer, "end", Command::LineEnd, "end of the line"),
    bind(Focus::Composer, "ctrl-e", Command::LineEnd, "end of the line"),
    bind(Focus::Composer, "backspace", Command::Backspace, "delete to the left"),
    bind(Focus::Composer, "ctrl-h", Command::Backspace, "delete to the left"),
    bind(Focus::Composer, "delete", Command::DeleteForward, "delete to the right"),
    bind(Focus::Composer, "ctrl-d", Command::DeleteForward, "delete to the right"),
    bind(
        Focus::Composer,
        "ctrl-w",
        Command::DeleteWord,
        "delete a word; close the chat when empty",
    ),
    bind(Focus::Composer, "alt-backspace", Command::DeleteWord, "delete a word"),
    bind(Focus::Composer, "ctrl-u", Command::DeleteToStart, "delete to the start of the line"),
    hint(Focus::Composer, "ctrl-space", Command::Leader, "more"),
    bind(Focus::Leader, "?", Command::Help, "help"),
    bind(Focus::Leader, "space", Command::Switcher, "find a chat or command"),
    bind(Focus::Leader, "tab", Command::LastChat, "the chat before this one"),
    bind(Focus::Leader, "j", Command::NextChat, "next chat"),
    bind(Focus::Leader, "k", Command::PreviousChat, "previous chat"),
    bind(Focus::Leader, "u", Command::NextUnread, "next unread chat"),
    bind(Focus::Leader, "M", Command::NextMention, "next chat that mentions you"),
    bind(Focus::Leader, "R", Command::MarkRead, "mark the chat read"),
    bind(Focus::Leader, "i", Command::ChatInfo, "about this chat"),
    bind(Focus::Leader, "w", Command::CloseChat, "close the chat"),
    bind(Focus::Leader, "n", Command::NewChat, "new chat"),
    bind(Focus::Leader, "g", Command::NewGroup, "new group"),
    bind(Focus::Leader, "a", Command::JoinRoom, "join by address"),
    bind(Focus::Leader, "v", Command::Invite, "invite somebody here"),
    bind(Focus::Leader, "X", Command::LeaveChat, "leave this chat"),
    bind(Focus::Leader, "o", Command::SendFile, "send a file"),
    bind(Focus::Leader, "e", Command::EditLast, "edit your last message"),
    bind(Focus::Leader, "r", Command::ReplyPrevious, "reply to the message above"),
    bind(Focus::Leader, "f", Command::ReplyNext, "reply to the message below"),
    bind(Focus::Leader, "l", Command::GoToList, "to the chat list"),
    bind(Focus::Leader, "m", Command::GoToHistory, "to the messages"),
    bind(Focus::Leader, "c", Command::GoToComposer, "to the composer"),
    bind(Focus::Leader, "p", Command::OwnProfile, "your profile"),
    bind(Focus::Leader, "s", Command::Encryption, "encryption and this device"),
    bind(Focus::Leader, "O", Command::LogOut, "log out"),
    bind(Focus::Leader, "q", Command::Quit, "quit"),
    hint(Focus::Form, "enter", Command::Press, "go on"),
    hint(Focus::Form, "tab", Command::NextField, "next"),
    bind(Focus::Form, "down", Command::NextField, "next field"),
    bind(Focus::Form, "backtab", Command::PreviousField, "field before"),
    bind(Focus::Form, "up", Command::PreviousField, "field before"),
    bind(Focus::Form, "left", Command::Left, "to the left; button before"),
    bind(Focus::Form, "right", Command::Right, "to the right; next button"),
    bind(Focus::Form, "home", Command::LineStart, "start of the field"),
    bind(Focus::Form, "end", Command::LineEnd, "end of the field"),
    bind(Focus::Form, "ctrl-a", Command::LineStart, "start of the field"),
    bind(Focus::Form, "ctrl-e", Command::LineEnd, "end of the field"),
    bind(Focus::Form, "ctrl-left", Command::WordLeft, "a word to the left"),
    bind(Focus::Form, "ctrl-right", Command::WordRight, "a word to the right"),
    bind(Focus::Form, "backspace", Command::Backspace, "delete to the left"),
    bind(Focus::Form, "ctrl-h", Command::Backspace, "delete to the left"),
    bind(Focus::Form, "delete", Command::DeleteForward, "delete to the right"),
    bind(Focus::Form, "ctrl-w", Command::DeleteWord, "delete a word"),
    bind(Focus::Form, "ctrl-u", Command::DeleteToStart, "clear to the start"),
    bind(Focus::Form, "ctrl-j", Command::Newline, "another line, in a bio"),
    bind(Focus::Form, "ctrl-t", Command::Reveal, "show or hide what is typed in secret fields"),
    hint(Focus::Form, "esc", Command::Cancel, "back"),
    hint(Focus::Switcher, "enter", Command::Open, "open"),
    bind(Focus::Switcher, "down", Command::Next, "next"),
    bind(Focus::Switcher, "ctrl-n", Command::Next, "next"),
    bind(Focus::Switcher, "tab", Command::Next, "next"),
    bind(Focus::Switcher, "up", Command::Previous, "previous"),
    bind(Focus::Switcher, "ctrl-p", Command::Previous, "previous"),
    bind(Focus::Switcher, "backtab", Command::Previous, "previous"),
    bind(Focus::Switcher, "left", Command::Left, "one to the left"),
    bind(Focus::Switcher, "right", Command::Right, "one to the right"),
    bind(Focus::Switcher, "backspace", Command::Backspace, "delete to the left"),
    bind(Focus::Switcher, "ctrl-h", Command::Backspace, "delete to the left"),
    bind(Focus::Switcher, "ctrl-w", Command::DeleteWord, "delete a word"),
    bind(Focus::Switcher, "ctrl-u", Command::DeleteToStart, "clear"),
    hint(Focus::Switcher, "esc", Command::Cancel, "close"),
    hint(Focus::Help, "j", Command::Next, "down"),
    bind(Focus::Help, "down", Command::Next, "down"),
    hint(Focus::Help, "k", Command::Previous, "up"),
    bind(Focus::Help, "up", Command::Previous, "up"),
    bind(Focus::Help, "pagedown", Command::PageDown, "a page down"),
    bind(Focus::Help, "space", Command::PageDown, "a page down"),
    bind(Focus::Help, "pageup", Command::PageUp, "a page up"),
    bind(Focus::Help, "g", Command::First, "top"),
    bind(Focus::Help, "home", Command::First, "top"),
    bind(Focus::Help, "G", Command::Last, "bottom"),
    bind(Focus::Help, "end", Command::Last, "bottom"),
    hint(Focus::Help, "esc", Command::Cancel, "close"),
    bind(Focus::Help, "q", Command::Cancel, "close"),
    bind(Focus::Help, "?", Command::Cancel, "close"),
];

/// The letter that presses a button while no text field has the focus, by the button's label. It is underlined on the screen.
pub const LETTERS: &[(&str, char)] = &[
    ("Accept", 'a'),
    ("Another server", 'a'),
    ("Back", 'b'),
    ("Cancel", 'c'),
    ("Close", 'c'),
    ("Copy", 'y'),
    ("Create", 'r'),
    ("Decline", 'd'),
    ("Delete", 'd'),
    ("Edit", 'e'),
    ("Give the key", 'g'),
    ("Go on", 'g'),
    ("I have opened it", 'i'),
    ("I have written it down", 'w'),
    ("Invite", 'i'),
    ("Join", 'j'),
    ("Keep", 'k'),
    ("Later", 'l'),
    ("Leave", 'l'),
    ("Log in", 'l'),
    ("Log in anew", 'l'),
    ("Log out", 'l'),
    ("Mail me", 'm'),
    ("Message", 'm'),
    ("New mail", 'n'),
    ("New password", 'n'),
    ("Profile", 'p'),
    ("Quit", 'q'),
    ("Register", 'r'),
    ("Save", 's'),
    ("Send", 's'),
    ("Set it", 's'),
    ("Set it up", 's'),
    ("Start", 's'),
    ("Stay", 's'),
    ("They don't", 'd'),
    ("They match", 'm'),
    ("Try again", 't'),
    ("Unlock", 'u'),
    ("Verify", 'v'),
    ("Verify by emoji", 'v'),
    ("👍", '1'),
    ("❤️", '2'),
    ("😂", '3'),
    ("😮", '4'),
    ("😢", '5'),
    ("🎉", '6'),
    ("I accept", 'c'),
];

/// The letter of the button with this label.
pub fn letter(label: &str) -> Option<char> {
    LETTERS.iter().find(|(known, _)| *known == label).map(|(_, letter)| *letter)
}

/// The groups of the help screen and of `docs/keys.md`, in order.
pub const GROUPS: [(Focus, &str); 9] = [
    (Focus::Chats, "List, messages and composer"),
    (Focus::List, "Chat list"),
    (Focus::History, "Messages"),
    (Focus::Composer, "Composer"),
    (Focus::Leader, "After Space (Ctrl+Space in the composer)"),
    (Focus::Form, "Forms and questions"),
    (Focus::Switcher, "Finder"),
    (Focus::Help, "Help"),
    (Focus::Anywhere, "Everywhere"),
];

/// What `key` means in `focus`: its own row, else the panes' common one, else the one for everywhere.
pub fn command_for(focus: Focus, key: Key) -> Option<Command> {
    let row = |focus| {
        BINDINGS
            .iter()
            .find(|row| row.focus == focus && Key::parse(row.key) == Some(key))
            .map(|row| row.command)
    };
    let pane = matches!(focus, Focus::List | Focus::History | Focus::Composer);
    row(focus)
        .or_else(|| pane.then(|| row(Focus::Chats)).flatten())
        .or_else(|| (focus != Focus::Leader).then(|| row(Focus::Anywhere)).flatten())
}

/// (keys, what they do) of one group, rows of the same meaning together.
pub fn rows(focus: Focus) -> Vec<(String, &'static str)> {
    let mut rows: Vec<(String, &'static str, Command)> = Vec::new();
    for row in BINDINGS.iter().filter(|row| row.focus == focus) {
        let Some(key) = Key::parse(row.key) else { continue };
        match rows
            .iter_mut()
            .find(|(_, label, command)| *label == row.label && *command == row.command)
        {
            Some((keys, _, _)) => *keys = format!("{keys}, {key}"),
            None => rows.push((key.to_string(), row.label, row.command)),
        }
    }
    rows.into_iter().map(|(keys, label, _)| (keys, label)).collect()
}

/// Everything the help and `docs/keys.md` show: groups with their title and rows.
pub fn pages() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    let mut pages: Vec<_> = GROUPS.iter().map(|(focus, title)| (*title, rows(*focus))).collect();
    let letters = LETTERS.iter().map(|(label, letter)| (letter.to_string(), *label)).collect();
    pages.push(("Buttons, while no text field has the focus", letters));
    pages
}

/// The hint line of a focus: (key, what it does).
pub fn hints(focus: Focus) -> Vec<(String, &'static str)> {
    let hints = BINDINGS.iter().filter(|row| row.focus == focus && row.hint);
    hints.filter_map(|row| Some((Key::parse(row.key)?.to_string(), row.label))).collect()
}

/// `docs/keys.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Keys\n\nPrinted from the table in `tui/src/keymap.rs`; a test compares. Every action can be reached without Alt,\nwithout Ctrl and a digit, and without a mouse. In the client, `?` (or F1) shows the same.\n",
    );
    for (title, rows) in pages() {
        text.push_str(&format!("\n## {title}\n\n| Keys | What they do |\n|---|---|\n"));
        for (keys, label) in rows {
            text.push_str(&format!("| {keys} | {label} |\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BINDINGS, Focus, LETTERS, command_for};
    use crate::input::Key;
    use crossterm::event::{KeyCode, KeyModifiers};
    use std::collections::HashSet;

    #[test]
    fn every_row_is_a_key_and_no_two_rows_share_focus_and_key() {
        let mut seen = HashSet::new();
        for row in BINDINGS {
            let key = Key::parse(row.key).unwrap_or_else(|| panic!("{} is no key", row.key));
            assert!(seen.insert((row.focus, key)), "{:?} {} twice", row.focus, row.key);
        }
    }

    #[test]
    fn every_command_can_be_reached_without_alt_and_without_ctrl_and_a_digit() {
        let easy = |key: Key| {
            let digit = matches!(key.code, KeyCode::Char(c) if c.is_ascii_digit());
            let held = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT);
            let with_digit = digit && key.modifiers.contains(KeyModifiers::CONTROL);
            !held && !with_digit
        };
        for row in BINDINGS {
            let ways = BINDINGS.iter().filter(|other| other.command == row.command);
            assert!(ways.filter_map(|other| Key::parse(other.key)).any(easy), "{:?}", row.command);
        }
    }

    #[test]
    fn keys_that_terminals_cannot_tell_apart_are_not_bound() {
        for row in BINDINGS {
            assert!(
                !["ctrl-i", "ctrl-m", "ctrl-[", "alt-[", "alt-O", "ctrl-b"].contains(&row.key),
                "{}",
                row.key
            );
        }
    }

    #[test]
    fn every_label_has_one_letter() {
        let labels: HashSet<&str> = LETTERS.iter().map(|(label, _)| *label).collect();
        assert_eq!(labels.len(), LETTERS.len());
    }

    #[test]
    fn letters_type_in_the_composer() {
        for c in ' '..='~' {
            assert_eq!(
                command_for(
                    Focus::Composer,
                    Key { code: KeyCode::Char(c), modifiers: KeyModifiers::empty() }
                ),
                None
            );
        }
    }
}
