//! Up to where a connection was told what a room has beside its events: typing, receipts, account data.
//!
//! Such data come with a room while it is within an extension's scope. When it leaves the scope, the place is noted
//! where it did; when it comes back, what changed since comes with it.

use crate::storage::Position;

/// An extension that concerns rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    AccountData,
    Receipts,
    Typing,
}

/// Up to where a room's data of one extension was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mark {
    /// Nothing yet.
    #[default]
    Never,
    /// The room is in scope: as far as the connection is.
    Current,
    /// The room left the scope here.
    Until(Position),
}

/// A room's marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    account_data: Mark,
    receipts: Mark,
    typing: Mark,
}

impl Marks {
    pub(super) fn of(&self, aside: Aside) -> Mark {
        match aside {
            Aside::AccountData => self.account_data,
            Aside::Receipts => self.receipts,
            Aside::Typing => self.typing,
        }
    }

    /// The marks after an answer in which the extension was or was not in scope. `left_at`: where the connection was
    /// before the answer.
    pub(super) fn after(mut self, aside: Aside, in_scope: bool, left_at: Position) -> Self {
        let mark = match aside {
            Aside::AccountData => &mut self.account_data,
            Aside::Receipts => &mut self.receipts,
            Aside::Typing => &mut self.typing,
        };
        match (in_scope, *mark) {
            (true, _) => *mark = Mark::Current,
            (false, Mark::Current) => *mark = Mark::Until(left_at),
            (false, Mark::Never | Mark::Until(_)) => {}
        }
        self
    }

    /// The marks when the room is in no scope any more.
    pub(super) fn out_of_scope(self, left_at: Position) -> Self {
        [Aside::AccountData, Aside::Receipts, Aside::Typing]
            .into_iter()
            .fold(self, |marks, aside| marks.after(aside, false, left_at))
    }
}

#[cfg(test)]
mod tests {
    use super::{Aside, Mark, Marks};

    #[test]
    fn a_mark_keeps_the_place_where_the_room_left_the_scope() {
        let marks = Marks::default().after(Aside::Typing, false, 5);
        assert_eq!(marks.of(Aside::Typing), Mark::Never);
        let marks = marks.after(Aside::Typing, true, 6);
        assert_eq!(marks.of(Aside::Typing), Mark::Current);
        let marks = marks.out_of_scope(7).out_of_scope(9);
        assert_eq!(marks.of(Aside::Typing), Mark::Until(7));
        assert_eq!(marks.of(Aside::Receipts), Mark::Never);
        assert_eq!(marks.after(Aside::Typing, true, 9).of(Aside::Typing), Mark::Current);
    }
}
