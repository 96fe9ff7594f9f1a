//! What happened in the lives of a test, counted: a model in which nothing ever goes wrong would show nothing.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter, Result},
    ops::AddAssign,
};

use super::clients::{DOORS, Door};

/// Something that happens in a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    Life,
    Step,
    /// Something that somebody did and that was allowed.
    Deed,
    Refusal,
    /// What a client knows was held against the oracle.
    Look(Door),
    Restart,
    Backup,
    /// A backup was put in the place of the database.
    Restore,
    LostAnswer,
    /// A client asked again for what it had lost, and was told the same.
    Repeat,
    /// A socket was opened by a client that had one before, and went on from where that was.
    Reconnect,
    /// A sliding client was told to begin again.
    NewBeginning,
    /// A v3 client went on from a token of a future that the database has lost.
    LostFuture,
    /// A client waited for something to happen.
    Wait,
    /// The socket told something by itself.
    Push,
}

/// What has to happen in every test, beside looks through every door.
const NEEDED: [Happening; 12] = [
    Happening::Deed,
    Happening::Refusal,
    Happening::Restart,
    Happening::Backup,
    Happening::Restore,
    Happening::LostAnswer,
    Happening::Repeat,
    Happening::Reconnect,
    Happening::NewBeginning,
    Happening::LostFuture,
    Happening::Wait,
    Happening::Push,
];

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<Happening, u64>);

impl Tally {
    pub fn count(&mut self, happening: Happening) {
        *self.0.entry(happening).or_default() += 1;
    }

    pub fn of(&self, happening: Happening) -> u64 {
        self.0.get(&happening).copied().unwrap_or_default()
    }

    /// Asserts that nothing was left out. Only a database of SQLite is one that the model can copy.
    pub fn check(&self) {
        let has_backups =
            !std::env::var("TERN_TEST_DATABASE").is_ok_and(|url| url.starts_with("postgres"));
        let needs_backup = |it: &Happening| {
            matches!(it, Happening::Backup | Happening::Restore | Happening::LostFuture)
        };
        let looks = DOORS.map(Happening::Look);
        let needed = NEEDED.into_iter().filter(|it| has_backups || !needs_backup(it)).chain(looks);
        let missing: Vec<Happening> = needed.filter(|it| self.of(*it) == 0).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}; what did: {self}");
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (happening, count) in &other.0 {
            *self.0.entry(*happening).or_default() += count;
        }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, (happening, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{happening:?} {count}")?;
        }
        Ok(())
    }
}
