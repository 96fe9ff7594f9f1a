//! Colours and signs. 256-colour indices, because they cost fewer bytes over SSH than 24-bit colours and tmux keeps them.
//!
//! The styles here are the dark theme's; `palette.rs` has what the others make of each index. Colours are never the only
//! carrier of a meaning; `paint.rs` drops them all when NO_COLOR is set.

pub use crate::palette::ThemeName;
use ratatui::style::{Color, Modifier, Style};

/// Sender colours: each at least 4.5:1 against black and told apart by their neighbours.
pub(crate) const SENDERS: [u8; 12] = [203, 209, 179, 149, 114, 79, 80, 75, 111, 141, 176, 211];

/// Ordinary text.
pub const PLAIN: Style = Style::new();
/// Times, hints, service lines.
pub const QUIET: Style = Style::new().fg(Color::Indexed(245));
/// Names in headers, titles.
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// What has the focus, own messages, ticks of read messages.
pub const ACCENT: Style = Style::new().fg(Color::Indexed(75));
/// Errors and failed messages.
pub const ERROR: Style = Style::new().fg(Color::Indexed(203));
/// Doubts and unreadable messages.
pub const WARNING: Style = Style::new().fg(Color::Indexed(179));
/// The row or message that keys act on.
pub const SELECTED: Style = Style::new().bg(Color::Indexed(237));
/// The chat that is open, while the focus is elsewhere.
pub const OPEN: Style = Style::new().bg(Color::Indexed(235));
/// An unread badge.
pub const BADGE: Style =
    Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(25)).add_modifier(Modifier::BOLD);
/// The badge of a muted chat.
pub const BADGE_MUTED: Style = Style::new().fg(Color::Indexed(252)).bg(Color::Indexed(239));
/// Lines between panes.
pub const RULE: Style = Style::new().fg(Color::Indexed(240));
/// Code in a line of text.
pub const CODE: Style = Style::new().fg(Color::Indexed(180));
/// Words a programming language keeps for itself.
pub const CODE_WORD: Style = Style::new().fg(Color::Indexed(176));
/// Texts in code.
pub const CODE_TEXT: Style = Style::new().fg(Color::Indexed(114));
/// Numbers in code.
pub const CODE_NUMBER: Style = Style::new().fg(Color::Indexed(209));
/// Comments in code.
pub const CODE_COMMENT: Style = Style::new().fg(Color::Indexed(245)).add_modifier(Modifier::ITALIC);
/// A button or choice with the focus.
pub const BUTTON: Style = Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(25));

/// The colour of a sender's name: the same on every screen and in every session.
pub fn sender(user: &str) -> Style {
    // FNV-1a: stable across versions, which the standard hasher does not promise.
    let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let index = usize::try_from(hash % SENDERS.len() as u64).unwrap_or_default();
    Style::new()
        .fg(Color::Indexed(SENDERS.get(index).copied().unwrap_or(250)))
        .add_modifier(Modifier::BOLD)
}
