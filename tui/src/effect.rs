//! Everything the updates ask of the world. `app.rs` carries them out.

use crate::backend::Request;
use std::time::Duration;

/// One thing to do outside the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something for the network.
    Request(Request),
    /// Text for the clipboard of the terminal the user sits at (OSC 52).
    Copy(String),
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
    /// Writes the snapshot.
    SaveSnapshot,
    /// Removes the snapshot: the session is gone.
    ForgetSnapshot,
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
    /// The link in the mail may have been opened meanwhile.
    AskAgain,
}
