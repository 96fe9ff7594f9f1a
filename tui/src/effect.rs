//! Everything the updates ask of the world. `app.rs` carries them out.

use crate::backend::{AccountId, Request, Secret};
use crate::notify::Notification;
use crate::pictures::Shown;
use crate::theme::ThemeName;
use std::path::PathBuf;
use std::time::Duration;

/// One thing to do outside the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something for the network, from the account whose chat it is about or that the action was about. `update` says which that
    /// is, so none of these comes out of it.
    Request(Request),
    /// Something for the network, from this account.
    RequestOf(AccountId, Request),
    /// Text for the clipboard of the terminal the user sits at (OSC 52).
    Copy(String),
    /// An address for the browser of this machine.
    OpenLink(String),
    /// The terminal's title.
    Title(String),
    /// `Action::Elapsed(timer)` after this long; an earlier one of the same timer is forgotten.
    Start(Timer, Duration),
    /// Forgets a timer.
    Stop(Timer),
    /// Paints every cell anew.
    Repaint,
    /// Gives the terminal back and stops the process until it is continued.
    Suspend,
    /// Tells of a message that is not on the screen.
    Notify(Notification),
    /// Gives the terminal a picture that cells will stand for.
    Transmit { shown: Shown, columns: usize, rows: usize },
    /// Paints in this theme.
    Theme(ThemeName),
    /// Gives the terminal to the user's editor, with this text. → `Action::Edited`.
    Edit(String),
    /// Reads the clipboard of the desktop, aside; a picture in it gets this name. → `Action::Clipboard`.
    ReadClipboard { name: String },
    /// Opens a file with a program.
    OpenPath(PathBuf),
    /// Writes the snapshot.
    SaveSnapshot,
    /// Writes what the user has written.
    SaveWritten,
    /// The same of something that was sent just now: in the next frame it is gone from the composer, so it is on disk first.
    SaveSent,
    /// Removes the snapshot: the session is gone.
    ForgetSnapshot,
    /// `Action::PasscodeChecked` says whether it is this one.
    CheckPasscode(Secret),
    /// Sets the passcode, or forgets it.
    SetPasscode(Option<Secret>),
    /// Ends the client.
    Quit,
}

/// The timers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The user has stopped typing.
    TypingStops,
    /// The line for a moment has been there long enough.
    NoticeGoes,
    /// The snapshot on disk is behind.
    SaveSnapshot,
    /// A deletion can no longer be taken back.
    DeletionGoes,
    /// What has been written is not on disk yet.
    SaveWritten,
    /// A message that can still be taken back goes out now.
    SendHeld,
    /// What is typed in a list is to be asked for.
    Ask,
    /// The link in the mail may have been opened meanwhile.
    AskAgain,
}
