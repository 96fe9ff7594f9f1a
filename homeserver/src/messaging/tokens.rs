//! The tokens clients hold: where they are in one room's timeline, and where they are in everything.
//!
//! Opaque to clients, versioned by their first letters. Called by `notification` (hands them out) and by the doors that
//! take them back (`/messages`, `/relations`, `/sync`, `/keys/changes`).

use std::fmt;

use crate::storage::{Id, Position};

/// A place between two events of one room's timeline: before it is every event with a smaller order.
///
/// Written `p<order>`. Backward from it comes the event with order − 1, forward the one with its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineToken {
    pub order: i64,
}

/// A place in everything a user's sync tells, written `t1_<epoch>_<position>_<to_device>_<boot>_<serial>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncToken {
    /// The database the position belongs to ([`crate::storage::Database::epoch`]).
    pub epoch: String,
    /// Everything persisted up to here was told.
    pub position: Position,
    /// Every message to the device up to here was told: less than `position` when there were too many for one answer.
    pub to_device: Position,
    /// The process the serial belongs to.
    pub boot: u32,
    /// Everything ephemeral (typing) up to here was told.
    pub serial: u64,
}

/// A place in one sliding sync connection, written `<number>.<device>.<sync token>`: the `pos` of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionPos {
    /// Counts the answers of a process.
    pub number: u64,
    /// The interned device it was given to.
    pub device: Id,
    /// Where the connection is in everything.
    pub token: SyncToken,
}

impl fmt::Display for TimelineToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.order)
    }
}

impl TimelineToken {
    /// Reads a token; `None` when it is none of this server's.
    pub fn parse(text: &str) -> Option<Self> {
        let order = text.strip_prefix('p')?.parse().ok()?;
        Some(Self { order })
    }
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, position, to_device, boot, serial } = self;
        write!(f, "t1_{epoch}_{position}_{to_device}_{boot:08x}_{serial}")
    }
}

impl SyncToken {
    /// Reads a token; `None` when it is none of this server's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("t1_")?.split('_');
        let epoch = parts.next()?.to_owned();
        let position = parts.next()?.parse().ok()?;
        let to_device = parts.next()?.parse().ok()?;
        let boot = u32::from_str_radix(parts.next()?, 16).ok()?;
        let serial = parts.next()?.parse().ok()?;
        let token = Self { epoch, position, to_device, boot, serial };
        (parts.next().is_none() && (0..=position).contains(&to_device)).then_some(token)
    }

    /// Reads the token of any sync: a v3 token, or the one in a sliding sync's `pos`.
    pub fn of_any_sync(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| ConnectionPos::parse(text).map(|pos| pos.token))
    }
}

impl fmt::Display for ConnectionPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, device, token } = self;
        write!(f, "{number}.{device}.{token}")
    }
}

impl ConnectionPos {
    /// Reads a `pos`; `None` when it is none of this server's.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, rest) = text.split_once('.')?;
        let (device, token) = rest.split_once('.')?;
        Some(Self {
            number: number.parse().ok()?,
            device: device.parse().ok()?,
            token: SyncToken::parse(token)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionPos, SyncToken, TimelineToken};

    #[test]
    fn a_sync_token_reads_back() {
        let epoch = "0a1b2c3d".to_owned();
        let token = SyncToken { epoch, position: 42, to_device: 40, boot: 0xfeed, serial: 7 };
        assert_eq!(token.to_string(), "t1_0a1b2c3d_42_40_0000feed_7");
        assert_eq!(SyncToken::parse(&token.to_string()), Some(token));
    }

    #[test]
    fn a_pos_reads_back_and_is_a_token_of_a_sync() {
        let epoch = "0a1b2c3d".to_owned();
        let token = SyncToken { epoch, position: 42, to_device: 0, boot: 1, serial: 7 };
        let pos = ConnectionPos { number: 5, device: 6, token: token.clone() };
        assert_eq!(pos.to_string(), "5.6.t1_0a1b2c3d_42_0_00000001_7");
        assert_eq!(ConnectionPos::parse(&pos.to_string()), Some(pos.clone()));
        assert_eq!(SyncToken::of_any_sync(&pos.to_string()), Some(token.clone()));
        assert_eq!(SyncToken::of_any_sync(&token.to_string()), Some(token));
        assert_eq!(ConnectionPos::parse("5.t1_0a1b2c3d_42_0_00000001_7"), None);
    }

    #[test]
    fn a_timeline_token_reads_back_below_zero_too() {
        for order in [0, 17, -3] {
            let token = TimelineToken { order };
            assert_eq!(TimelineToken::parse(&token.to_string()), Some(token));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "s72594_4483",
            "t1_",
            "t1_e_x_0_0_0",
            "t1_e_1_0_0",
            "t1_e_1_0_0_0_0",
            "t1_e_1_2_0_0",
        ] {
            assert_eq!(SyncToken::parse(text), None, "{text}");
        }
        for text in ["", "p", "px", "12"] {
            assert_eq!(TimelineToken::parse(text), None, "{text}");
        }
    }
}
