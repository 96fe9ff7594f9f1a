//! The one table of keys. The help screen, the hint line, the keys after the leader and `docs/keys.md` are printed from it.

use crate::action::Command;
pub use crate::bindings::{command_for, document, hints, pages, rows};
pub use crate::letters::{LETTERS, letter};

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
    /// The words offered above the composer.
    Completion,
    Switcher,
    /// A list to choose from.
    Picker,
    Help,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub focus: Focus,
    /// As [`Key::parse`](crate::input::Key::parse) reads it.
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
    bind(Focus::Chats, "alt-l", Command::Lock, "lock the screen"),
    bind(Focus::Chats, "alt-0", Command::SavedMessages, "Saved Messages"),
    bind(Focus::Chats, "alt-j", Command::FindPeople, "find people"),
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
    bind(Focus::Chats, "ctrl-f", Command::SearchChat, "search in this chat"),
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
    bind(Focus::List, "p", Command::PinChat, "pin the chat on top, or no longer"),
    bind(Focus::List, "K", Command::PinUp, "move the pinned chat up"),
    bind(Focus::List, "J", Command::PinDown, "move the pinned chat down"),
    bind(Focus::List, "A", Command::ArchiveChat, "into the archive, or back"),
    bind(Focus::List, "M", Command::Notify, "mute: what to hear of the chat"),
    bind(Focus::List, "U", Command::MarkUnread, "mark the chat unread"),
    bind(
        Focus::List,
        ">",
        Command::NextFilter,
        "next tab: unread, people, groups, spaces, archive",
    ),
    bind(Focus::List, "<", Command::PreviousFilter, "tab before"),
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
    bind(Focus::History, "q", Command::Quote, "quote a part"),
    hint(Focus::History, "f", Command::Forward, "forward"),
    bind(Focus::History, "v", Command::Choose, "mark, to act on several together"),
    bind(Focus::History, "V", Command::ChooseAlbum, "mark all pictures of the album"),
    bind(Focus::History, "p", Command::Pin, "pin or unpin"),
    bind(Focus::History, "t", Command::OpenThread, "thread"),
    bind(Focus::History, "J", Command::GoToReplied, "to the message this answers"),
    bind(Focus::History, "backspace", Command::GoBack, "back to where you came from"),
    bind(Focus::History, "x", Command::Unfold, "show what is hidden"),
    bind(Focus::History, "z", Command::Undo, "take back a deletion, or what was just sent"),
    bind(Focus::History, "U", Command::FirstUnread, "first unread message"),
    bind(Focus::History, "u", Command::Retry, "try again (sending or decrypting)"),
    bind(Focus::History, "i", Command::MessageInfo, "seen by, sent at"),
    bind(Focus::History, "s", Command::SaveFile, "save the file"),
    bind(Focus::History, "o", Command::OpenContent, "open the file, or the link"),
    bind(Focus::History, "!", Command::ReportMessage, "report to the server's owner"),
    bind(Focus::History, "pageup", Command::PageUp, "a page up"),
    bind(Focus::History, "pagedown", Command::PageDown, "a page down"),
    bind(Focus::History, "g", Command::First, "oldest loaded message"),
    bind(Focus::History, "home", Command::First, "oldest loaded message"),
    bind(Focus::History, "G", Command::Last, "newest message"),
    bind(Focus::History, "end", Command::Last, "newest message"),
    bind(Focus::History, "]", Command::NextChat, "next chat"),
    bind(Focus::History, "[", Command::PreviousChat, "previous chat"),
    bind(Focus::History, "/", Command::SearchChat, "search in this chat"),
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
    bind(Focus::Composer, "ctrl-v", Command::Paste, "paste a picture or copied files"),
    bind(Focus::Composer, "ctrl-g", Command::Editor, "write in your editor"),
    hint(Focus::Composer, "ctrl-space", Command::Leader, "more"),
    hint(Focus::Completion, "tab", Command::Complete, "take it"),
    bind(Focus::Completion, "enter", Command::Complete, "take it"),
    bind(Focus::Completion, "down", Command::Next, "next"),
    bind(Focus::Completion, "ctrl-n", Command::Next, "next"),
    bind(Focus::Completion, "up", Command::Previous, "previous"),
    bind(Focus::Completion, "ctrl-p", Command::Previous, "previous"),
    hint(Focus::Completion, "esc", Command::Cancel, "leave it as typed"),
    bind(Focus::Leader, "?", Command::Help, "help"),
    bind(Focus::Leader, "space", Command::Switcher, "find"),
    bind(Focus::Leader, ":", Command::Palette, "find a command"),
    bind(Focus::Leader, "tab", Command::LastChat, "last chat"),
    bind(Focus::Leader, "j", Command::NextChat, "next chat"),
    bind(Focus::Leader, "k", Command::PreviousChat, "previous chat"),
    bind(Focus::Leader, "u", Command::NextUnread, "next unread chat"),
    bind(Focus::Leader, "M", Command::NextMention, "next mention"),
    bind(Focus::Leader, "R", Command::MarkRead, "mark read"),
    bind(Focus::Leader, "i", Command::ChatInfo, "about this chat"),
    bind(Focus::Leader, "w", Command::CloseChat, "close the chat"),
    bind(Focus::Leader, "n", Command::NewChat, "new chat"),
    bind(Focus::Leader, "g", Command::NewGroup, "new group"),
    bind(Focus::Leader, "C", Command::NewChannel, "new channel"),
    bind(Focus::Leader, "G", Command::NewSpace, "new space"),
    bind(Focus::Leader, "+", Command::AddToSpace, "add to a space"),
    bind(Focus::Leader, "0", Command::SavedMessages, "Saved Messages"),
    bind(Focus::Leader, "/", Command::SearchEverywhere, "search all chats"),
    bind(Focus::Leader, "F", Command::FindPeople, "find people"),
    bind(Focus::Leader, "D", Command::Directory, "public rooms"),
    bind(Focus::Leader, "a", Command::JoinRoom, "join by address"),
    bind(Focus::Leader, "v", Command::Invite, "invite somebody"),
    bind(Focus::Leader, "y", Command::Members, "members"),
    bind(Focus::Leader, "Y", Command::Rights, "who may do what"),
    bind(Focus::Leader, "N", Command::EditChat, "name and topic"),
    bind(Focus::Leader, "H", Command::Previews, "previews on or off"),
    bind(Focus::Leader, "!", Command::ReportChat, "report this chat"),
    bind(Focus::Leader, "X", Command::LeaveChat, "leave this chat"),
    bind(Focus::Leader, "o", Command::SendFile, "send a file"),
    bind(Focus::Leader, "V", Command::Paste, "paste a picture"),
    bind(Focus::Leader, "x", Command::Transfers, "files on their way"),
    bind(Focus::Leader, "E", Command::Editor, "write in an editor"),
    bind(Focus::Leader, ";", Command::Emoji, "find an emoji"),
    bind(Focus::Leader, "e", Command::EditLast, "edit your last"),
    bind(Focus::Leader, "r", Command::ReplyPrevious, "reply above"),
    bind(Focus::Leader, "f", Command::ReplyNext, "reply below"),
    bind(Focus::Leader, "d", Command::GoToDate, "go to a date"),
    bind(Focus::Leader, "U", Command::FirstUnread, "first unread"),
    bind(Focus::Leader, "b", Command::GoBack, "back from a jump"),
    bind(Focus::Leader, "P", Command::Pinned, "pinned messages"),
    bind(Focus::Leader, "t", Command::Threads, "threads"),
    bind(Focus::Leader, "S", Command::SharedMedia, "shared media"),
    bind(Focus::Leader, "z", Command::Undo, "take back"),
    bind(Focus::Leader, "l", Command::GoToList, "to the chat list"),
    bind(Focus::Leader, "m", Command::GoToHistory, "to the messages"),
    bind(Focus::Leader, "c", Command::GoToComposer, "to the composer"),
    bind(Focus::Leader, "p", Command::OwnProfile, "your profile"),
    bind(Focus::Leader, "s", Command::Encryption, "encryption"),
    bind(Focus::Leader, "T", Command::NextTheme, "next theme"),
    bind(Focus::Leader, "B", Command::SlowLink, "slow line"),
    bind(Focus::Leader, "W", Command::Sessions, "your sessions"),
    bind(Focus::Leader, "I", Command::Ignored, "people you ignore"),
    bind(Focus::Leader, "L", Command::Lock, "lock the screen"),
    bind(Focus::Leader, "A", Command::Accounts, "accounts"),
    bind(Focus::Leader, "@", Command::AddAccount, "add an account"),
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
    bind(Focus::Form, "ctrl-k", Command::DeleteToEnd, "clear to the end"),
    bind(Focus::Form, "alt-d", Command::DeleteWordForward, "delete a word to the right"),
    bind(Focus::Form, "ctrl-delete", Command::DeleteWordForward, "delete a word to the right"),
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
    hint(Focus::Picker, "enter", Command::Open, "choose"),
    bind(Focus::Picker, "down", Command::Next, "next"),
    bind(Focus::Picker, "ctrl-n", Command::Next, "next"),
    bind(Focus::Picker, "tab", Command::Next, "next"),
    bind(Focus::Picker, "up", Command::Previous, "previous"),
    bind(Focus::Picker, "ctrl-p", Command::Previous, "previous"),
    bind(Focus::Picker, "backtab", Command::Previous, "previous"),
    bind(Focus::Picker, "pagedown", Command::PageDown, "ten down"),
    bind(Focus::Picker, "pageup", Command::PageUp, "ten up"),
    bind(Focus::Picker, "left", Command::Left, "one to the left"),
    bind(Focus::Picker, "right", Command::Right, "one to the right"),
    bind(Focus::Picker, "backspace", Command::Backspace, "delete to the left"),
    bind(Focus::Picker, "ctrl-h", Command::Backspace, "delete to the left"),
    bind(Focus::Picker, "ctrl-w", Command::DeleteWord, "delete a word"),
    bind(Focus::Picker, "ctrl-u", Command::DeleteToStart, "clear"),
    hint(Focus::Picker, "esc", Command::Cancel, "close"),
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

/// The groups of the help screen and of `docs/keys.md`, in order.
pub const GROUPS: [(Focus, &str); 11] = [
    (Focus::Chats, "List, messages and composer"),
    (Focus::List, "Chat list"),
    (Focus::History, "Messages"),
    (Focus::Composer, "Composer"),
    (Focus::Completion, "Words offered above the composer"),
    (Focus::Leader, "After Space (Ctrl+Space in the composer)"),
    (Focus::Form, "Forms and questions"),
    (Focus::Switcher, "Finder"),
    (Focus::Picker, "Lists to choose from"),
    (Focus::Help, "Help"),
    (Focus::Anywhere, "Everywhere"),
];

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
