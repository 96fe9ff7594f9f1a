//! Everything a user, the terminal or the backend can make happen. What an action does is in `update/`.

use crate::backend::Report;
use crate::effect::Timer;
use crate::input::Key;
use crate::snapshot::Snapshot;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A key was pressed; the table says what it means where the focus is.
    Key(Key),
    /// A command, from the table or the switcher.
    Command(Command),
    Paste(String),
    Resized(u16, u16),
    Focused,
    Unfocused,
    /// The backend says something.
    Report(Report),
    /// A timer ran out.
    Elapsed(Timer),
    /// What the last run left on disk.
    Restore(Box<Snapshot>),
    /// The process goes on after having been stopped.
    Continued,
}

/// What a key can be bound to. Every one has a row in `keymap::BINDINGS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    // The client.
    Quit,
    Help,
    Redraw,
    Suspend,
    Cancel,
    Leader,
    LogOut,

    // Chats.
    Switcher,
    Next,
    Previous,
    First,
    Last,
    PageUp,
    PageDown,
    Open,
    NextChat,
    PreviousChat,
    LastChat,
    NextUnread,
    NextMention,
    CloseChat,
    MarkRead,
    NewChat,
    NewGroup,
    JoinRoom,
    Invite,
    ChatInfo,
    LeaveChat,
    OwnProfile,
    Encryption,
    SendFile,

    // Panes.
    NextPane,
    PreviousPane,
    GoToList,
    GoToHistory,
    GoToComposer,

    // The selected message.
    Reply,
    Edit,
    Delete,
    Copy,
    React,
    Retry,
    MessageInfo,

    // The composer.
    Send,
    Newline,
    EditLast,
    Up,
    Down,
    ReplyPrevious,
    ReplyNext,

    // Any text field.
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Backspace,
    DeleteForward,
    DeleteWord,
    DeleteToStart,

    // Forms.
    NextField,
    PreviousField,
    NextButton,
    PreviousButton,
    Press,
    Reveal,
}
