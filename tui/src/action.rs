//! Everything a user, the terminal or the backend can make happen. What an action does is in `update/`.

use crate::backend::{AccountId, Report};
use crate::clipboard::{Clip, ClipboardError};
use crate::effect::Timer;
use crate::input::{Key, Mouse};
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
    Mouse(Mouse),
    /// A field or button of the form on top was clicked, by its place in their order.
    Hit(usize),
    /// What became of a message in the user's editor.
    Edited(Result<String, String>),
    /// What the clipboard of the desktop holds.
    Clipboard(Result<Clip, ClipboardError>),
    Focused,
    Unfocused,
    /// The backend says something of an account.
    Report(AccountId, Report),
    /// A timer ran out.
    Elapsed(Timer),
    /// What the last run left on disk.
    Restore(Box<Snapshot>),
    /// Whether the passcode that was typed is the right one.
    PasscodeChecked(bool),
    /// The terminal has said that it draws some signs wider or narrower than was thought.
    Remeasured,
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
    Accounts,
    AddAccount,
    Palette,
    NextTheme,
    SlowLink,
    /// What a key means that the config file took the meaning from.
    Nothing,
    Lock,

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
    MarkUnread,
    PinChat,
    PinUp,
    PinDown,
    ArchiveChat,
    Notify,
    Previews,
    NextFilter,
    PreviousFilter,
    NewChat,
    NewGroup,
    NewChannel,
    NewSpace,
    AddToSpace,
    SavedMessages,
    JoinRoom,
    Directory,
    FindPeople,
    SearchEverywhere,
    Invite,
    ChatInfo,
    EditChat,
    Members,
    Rights,
    ReportChat,
    LeaveChat,
    OwnProfile,
    Encryption,
    Sessions,
    Ignored,
    SendFile,
    /// A picture or files from the clipboard of the desktop.
    Paste,
    Transfers,

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
    Quote,
    Forward,
    /// Marks the message, to act on several together.
    Choose,
    /// Marks all pictures of its album.
    ChooseAlbum,
    Pin,
    OpenThread,
    /// To the message that this one answers.
    GoToReplied,
    /// Shows what a message hides.
    Unfold,
    /// Opens the file of a message, or follows its link.
    OpenContent,
    Retry,
    MessageInfo,
    Undo,
    ReportMessage,

    // Ways through a chat.
    GoBack,
    FirstUnread,
    SearchChat,
    GoToDate,
    Pinned,
    Threads,
    SharedMedia,
    SaveFile,

    // The composer.
    Send,
    Newline,
    EditLast,
    Up,
    Down,
    ReplyPrevious,
    ReplyNext,
    Editor,
    Complete,
    Emoji,

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
    DeleteToEnd,
    DeleteWordForward,

    // Forms.
    NextField,
    PreviousField,
    NextButton,
    PreviousButton,
    Press,
    Reveal,
}

impl Command {
    /// Whether it arranges one's own list of chats: these work wherever the focus is.
    pub fn arranges(self) -> bool {
        matches!(
            self,
            Command::PinChat
                | Command::PinUp
                | Command::PinDown
                | Command::ArchiveChat
                | Command::Notify
                | Command::Previews
                | Command::MarkUnread
                | Command::NextFilter
                | Command::PreviousFilter
        )
    }
}
