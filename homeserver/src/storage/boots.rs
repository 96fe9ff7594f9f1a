//! The starts of a database: which positions were told by which process. A database that was put back from a backup knows by them what
//! it has lost, however far it has gone on since.
//!
//! A token carries the process it is of. What that process told was stored up to where the next one began; a token from beyond that
//! is of a future that this database does not have. Called by [`super::Database`].

use super::{Error, Position, Txn, execute, query_one, values};
use crate::random::Random;

/// Starts that are remembered; a token from before them is believed if it is from before them by its position too.
const STARTS_MAX: usize = 200;

/// The starts, oldest first: what the process is called in tokens, and the newest commit it found. The last is this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Boots(Vec<(u32, Position)>);

impl Boots {
    /// Notes that a process begins at `position`.
    pub(super) async fn begin(txn: &Txn, position: Position) -> Result<Self, Error> {
        const FIND: &str = "SELECT value FROM server WHERE name = 'boots'";
        const SET: &str = "INSERT INTO server (name, value) VALUES ('boots', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut boots = match query_one(txn.db(), FIND, values![]).await? {
            Some(row) => Self::parse(&row.get::<String>(0)?),
            None => Self(Vec::new()),
        };
        // Never a sequence that a test chose: two processes are two even there.
        boots.add(u32::from_be_bytes(Random::default().bytes()), position);
        execute(txn.db(), SET, values![boots.text()]).await?;
        Ok(boots)
    }

    fn add(&mut self, boot: u32, position: Position) {
        self.0.push((boot, position));
        let too_many = self.0.len().saturating_sub(STARTS_MAX);
        self.0.drain(..too_many);
    }

    /// This process.
    pub(super) fn own(&self) -> u32 {
        self.0.last().map_or(0, |(boot, _)| *boot)
    }

    /// Whether what a process had told up to `position` is in this database; `None`: a process from before they had names.
    pub(super) fn have(&self, boot: Option<u32>, position: Position) -> bool {
        let at = self.0.iter().rposition(|(known, _)| Some(*known) == boot);
        let next = at.map_or(0, |at| at + 1);
        self.0.get(next).is_none_or(|(_, end)| position <= *end)
    }

    fn parse(text: &str) -> Self {
        let start = |start: &str| {
            let (boot, position) = start.split_once(':')?;
            Some((u32::from_str_radix(boot, 16).ok()?, position.parse().ok()?))
        };
        Self(text.split(' ').filter_map(start).collect())
    }

    fn text(&self) -> String {
        let starts = self.0.iter().map(|(boot, position)| format!("{boot:08x}:{position}"));
        starts.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Boots, STARTS_MAX};

    #[test]
    fn what_a_process_told_is_believed_up_to_where_the_next_one_began() {
        let boots = Boots(vec![(7, 10), (8, 20), (9, 30)]);
        for (boot, position, known) in [
            (Some(7), 20, true),
            (Some(7), 21, false),
            (Some(8), 30, true),
            (Some(8), 31, false),
            (Some(9), 1_000, true),
            (Some(4), 10, true),
            (Some(4), 11, false),
            (None, 10, true),
            (None, 11, false),
        ] {
            assert_eq!(boots.have(boot, position), known, "{boot:?} {position}");
        }
        assert_eq!(boots.own(), 9);
    }

    #[test]
    fn starts_read_back_and_stay_few() {
        let mut boots = Boots::parse("");
        assert_eq!(boots, Boots(Vec::new()));
        for start in 0..500_u32 {
            boots.add(start, start.into());
        }
        assert_eq!(boots.0.len(), STARTS_MAX);
        assert_eq!(Boots::parse(&boots.text()), boots);
        assert!(boots.have(Some(1), 300) && !boots.have(Some(1), 301), "forgotten, and believed");
    }
}
