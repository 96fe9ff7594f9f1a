//! Which event has an id, on SQLite.
//!
//! An id says nothing of its time. Kept in one index, each event changes another page of it, and the more so the longer the history: pages
//! all over the file that every commit writes to the log and that the disk then takes back one by one. Here the newest ids are in memory, and
//! in a log in the database that grows at its end; from there they go into the table `event_ids`, many at a time, in order of the key, so
//! that each of its pages is changed for many events at once.
//!
//! ```text
//! commit ─▶ event_ids_log (a row a commit) + memory ─▶ a sweep in order of the key ─▶ event_ids
//! ```
//!
//! PostgreSQL has its index, which holds that an id is there only once; here [`EventIds::note`] does.

use std::{
    collections::{BTreeSet, HashMap},
    iter, mem,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait as _, Value};
use sha2::{Digest as _, Sha256};

use super::{Error, EventBatch, Id, execute, insert::in_chunks, query_all, query_one, values};

/// So many ids in memory begin a sweep: many more than the index has pages, for a million events.
const RECENT_MAX: usize = 65_536;
/// So many rows of the log do: a start reads them all.
const LOG_MAX: usize = 4_096;
/// So many new ones move older ones on, twice as many: at once they share pages, and a sweep ends.
const MOVED_FOR: usize = 32;
const MOVED_EACH: usize = 2;
/// Ids that are read at once where the table is made anew.
const PAGE: i64 = 10_000;

/// A key and the event that may have it. In order of the key.
type Pair = (i64, Id);

/// Finds events by their ids, and takes note of new ones.
pub(super) struct EventIds(Option<Mutex<Recent>>);

/// What is not in the table yet.
#[derive(Default)]
struct Recent {
    pairs: BTreeSet<Pair>,
    /// Rows of the log.
    rows: usize,
    sweep: Option<Sweep>,
    /// How many came while ids were moved, and were not moved for yet.
    due: usize,
    /// What the transaction under way does, should it be committed.
    staged: Staged,
}

/// A walk over all ids that were in memory when it began.
#[derive(Clone, Copy)]
struct Sweep {
    /// The last that was moved.
    after: Pair,
    /// The newest row of the log when it began: at its end all of them may go.
    upto: i64,
}

#[derive(Default)]
struct Staged {
    rows_added: usize,
    rows_gone: usize,
    moved: Vec<Pair>,
    /// Where the sweep then is; `None` where it was not gone on with.
    sweep: Option<Option<Sweep>>,
}

impl EventIds {
    /// The database has an index of its own.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Reads the log; fills the table where there are events and no ids.
    pub(super) async fn open(db: &DatabaseConnection) -> Result<Self, Error> {
        const LOG: &str = "SELECT pairs FROM event_ids_log ORDER BY id";
        const IS_FILLED: &str =
            "SELECT EXISTS (SELECT 1 FROM event_ids) OR NOT EXISTS (SELECT 1 FROM events)";
        let rows = query_all(db, LOG, values![]).await?;
        let mut recent = Recent { rows: rows.len(), ..Recent::default() };
        for row in &rows {
            recent.pairs.extend(unpacked(&row.get::<Vec<u8>>(0)?)?);
        }
        let is_filled = query_one(db, IS_FILLED, values![]).await?;
        let is_filled: i64 = is_filled.ok_or(Error::Damaged { what: "index of ids" })?.get(0)?;
        if rows.is_empty() && is_filled == 0 {
            fill(db).await?;
        }
        Ok(Self(Some(Mutex::new(recent))))
    }

    /// A condition on the table `events`: its id is one of `names`. What it binds is put after `bound`.
    pub(super) fn named(&self, names: &[&str], bound: &mut Vec<Value>) -> String {
        let Some(last) = names.last() else { return "FALSE".to_owned() };
        // The last one again and again, up to a power of two: few statements differ, and they stay prepared.
        let count = names.len().next_power_of_two();
        let names = || names.iter().chain(iter::repeat(last)).take(count).copied();
        let Some(recent) = &self.0 else {
            return format!("event_id IN ({})", bind(bound, names(), "$?"));
        };
        let keys: Vec<i64> = names().map(key).collect();
        let mut known = lock(recent).with_keys(&keys);
        known.resize(known.len().max(count), NOBODY);
        let keys = bind(bound, keys, "$?");
        let known = bind(bound, known, "($?)");
        let named = bind(bound, names(), "$?");
        format!(
            "id IN (SELECT event FROM event_ids WHERE key IN ({keys}) UNION ALL VALUES {known}) AND event_id IN ({named})"
        )
    }

    /// Takes note of the events of `batches`, which stand in the open transaction, and moves some older ids on.
    ///
    /// # Errors
    /// When an id is there already, with another event.
    pub(super) async fn note(
        &self,
        db: &impl ConnectionTrait,
        batches: &[EventBatch],
    ) -> Result<(), Error> {
        const LOG: &str = "INSERT INTO event_ids_log (pairs) VALUES ($1)";
        let Some(recent) = &self.0 else { return Ok(()) };
        let events = || batches.iter().flat_map(|batch| &batch.events);
        let pairs: Vec<Pair> = events().map(|event| (key(&event.event_id), event.id)).collect();
        lock(recent).begin(&pairs);
        if pairs.is_empty() {
            return Ok(());
        }
        // What this server made itself has a new id.
        let others = events().filter(|event| event.flags & super::events::LOCAL == 0);
        let others: Vec<&str> = others.map(|event| event.event_id.as_str()).collect();
        self.refuse_twice(db, &others).await?;
        execute(db, LOG, values![packed(&pairs)]).await?;
        move_on(db, recent).await
    }

    async fn refuse_twice(&self, db: &impl ConnectionTrait, names: &[&str]) -> Result<(), Error> {
        let mut events: HashMap<String, Id> = HashMap::new();
        for names in names.chunks(NAMES_MAX) {
            let mut bound = Vec::new();
            let sql =
                format!("SELECT event_id, id FROM events WHERE {}", self.named(names, &mut bound));
            for row in query_all(db, &sql, bound).await? {
                let (name, id): (String, Id) = (row.get(0)?, row.get(1)?);
                if let Some(other) = events.insert(name, id)
                    && other != id
                {
                    return Err(Error::Database("an event's id is there already".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// The transaction is committed: what it moved is in the table.
    pub(super) fn committed(&self) {
        let Some(recent) = &self.0 else { return };
        let mut recent = lock(recent);
        let Staged { rows_added, rows_gone, moved, sweep } = mem::take(&mut recent.staged);
        for pair in &moved {
            recent.pairs.remove(pair);
        }
        recent.rows = (recent.rows + rows_added).saturating_sub(rows_gone);
        if let Some(sweep) = sweep {
            recent.sweep = sweep;
        }
    }

    /// Forgets the ids of events that are deleted in the same transaction.
    pub(super) async fn forget(
        &self,
        db: &impl ConnectionTrait,
        events: &[(String, Id)],
    ) -> Result<(), Error> {
        let Some(recent) = &self.0 else { return Ok(()) };
        let pairs: Vec<Pair> = events.iter().map(|(name, id)| (key(name), *id)).collect();
        for pair in &pairs {
            lock(recent).pairs.remove(pair);
        }
        const DELETE: (&str, &str) = ("DELETE FROM event_ids WHERE (key, event) IN (", ")");
        in_chunks(db, DELETE, rows(pairs)).await
    }
}

/// Puts `values` after `bound`; gives their marks, each as `mark` has it.
fn bind<T: Into<Value>>(
    bound: &mut Vec<Value>,
    values: impl IntoIterator<Item = T>,
    mark: &str,
) -> String {
    let first = bound.len();
    bound.extend(values.into_iter().map(Into::into));
    let marks: Vec<String> =
        (first + 1..=bound.len()).map(|at| mark.replace('?', &at.to_string())).collect();
    marks.join(", ")
}

/// Most names that one condition takes: fewer than the parts of a UNION that SQLite takes.
pub(super) const NAMES_MAX: usize = 256;
/// No event has it: ids are counted from 1.
const NOBODY: Id = -1;

impl Recent {
    fn with_keys(&self, keys: &[i64]) -> Vec<Id> {
        let of = |key: &i64| self.pairs.range((*key, Id::MIN)..=(*key, Id::MAX)).map(|(_, id)| *id);
        let mut known: Vec<Id> = keys.iter().flat_map(of).collect();
        known.dedup();
        known
    }

    /// A transaction begins with these. They are known before its commit, so that nobody misses one after it; without the event nobody
    /// finds anything by them.
    fn begin(&mut self, pairs: &[Pair]) {
        self.staged = Staged { rows_added: usize::from(!pairs.is_empty()), ..Staged::default() };
        self.pairs.extend(pairs);
        if self.sweep.is_some() || self.is_full() {
            self.due += pairs.len();
        }
    }

    fn is_full(&self) -> bool {
        self.pairs.len() >= RECENT_MAX || self.rows >= LOG_MAX
    }

    /// What goes into the table next.
    fn piece(&self, after: Pair, count: usize) -> Vec<Pair> {
        self.pairs.range((Bound::Excluded(after), Bound::Unbounded)).take(count).copied().collect()
    }
}

/// Moves a piece of the ids in memory into the table, if so many came that it is time. At the end of a sweep, the rows of the log that were
/// there at its beginning go.
async fn move_on(db: &impl ConnectionTrait, recent: &Mutex<Recent>) -> Result<(), Error> {
    const NEWEST: &str = "SELECT MAX(id) FROM event_ids_log";
    const DONE: &str = "DELETE FROM event_ids_log WHERE id <= $1";
    const MOVE: (&str, &str) = ("INSERT INTO event_ids (key, event) ", "ON CONFLICT DO NOTHING");
    let (sweep, count) = {
        let mut recent = lock(recent);
        if recent.due < MOVED_FOR {
            return Ok(());
        }
        (recent.sweep, mem::take(&mut recent.due) * MOVED_EACH)
    };
    let sweep = match sweep {
        Some(sweep) => sweep,
        None => {
            let newest = query_one(db, NEWEST, values![]).await?;
            let upto = newest.ok_or(Error::Damaged { what: "log of ids" })?.get(0)?;
            Sweep { after: (i64::MIN, Id::MIN), upto }
        }
    };
    let moved = lock(recent).piece(sweep.after, count);
    in_chunks(db, MOVE, rows(moved.iter().copied())).await?;
    let (next, rows_gone) = match moved.last() {
        Some(last) if moved.len() == count => (Some(Sweep { after: *last, ..sweep }), 0),
        _ => (None, execute(db, DONE, values![sweep.upto]).await?),
    };
    let rows_gone = usize::try_from(rows_gone).unwrap_or(usize::MAX);
    let mut recent = lock(recent);
    let rows_added = recent.staged.rows_added;
    recent.staged = Staged { rows_added, rows_gone, moved, sweep: Some(next) };
    Ok(())
}

/// Makes the table from the events: a database from before it, or one that was put together by hand.
async fn fill(db: &DatabaseConnection) -> Result<(), Error> {
    const EVENTS: &str = "SELECT id, event_id FROM events WHERE id > $1 ORDER BY id LIMIT ($2 + 0)";
    const PUT: (&str, &str) = ("INSERT INTO event_ids (key, event) ", "");
    tracing::info!("making the index of the events' ids: some ten seconds for a million");
    let txn = db.begin().await?;
    let mut after = 0;
    loop {
        let page = query_all(&txn, EVENTS, values![after, PAGE]).await?;
        let Some(last) = page.last() else { break };
        after = last.get(0)?;
        let pair = |row: &super::Row| Ok::<Pair, Error>((key(&row.get::<String>(1)?), row.get(0)?));
        let pairs: BTreeSet<Pair> = page.iter().map(pair).collect::<Result<_, Error>>()?;
        in_chunks(&txn, PUT, rows(pairs)).await?;
    }
    txn.commit().await?;
    Ok(())
}

fn rows(pairs: impl IntoIterator<Item = Pair>) -> Vec<Vec<Value>> {
    pairs.into_iter().map(|(key, event)| values![key, event]).collect()
}

/// The first 63 bits of the hash of an event's id.
fn key(event_id: &str) -> i64 {
    let hash: [u8; 32] = Sha256::digest(event_id).into();
    let first = hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    (first >> 1).cast_signed()
}

fn packed(pairs: &[Pair]) -> Vec<u8> {
    pairs
        .iter()
        .flat_map(|(key, event)| [key.to_be_bytes(), event.to_be_bytes()])
        .flatten()
        .collect()
}

fn unpacked(bytes: &[u8]) -> Result<Vec<Pair>, Error> {
    let (pairs, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(Error::Damaged { what: "log of ids" });
    }
    let number = |half: &[u8]| half.try_into().map_or(0, i64::from_be_bytes);
    let pair = |pair: &[u8; 16]| (number(&pair[..8]), number(&pair[8..]));
    Ok(pairs.iter().map(pair).collect())
}

fn lock(recent: &Mutex<Recent>) -> MutexGuard<'_, Recent> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}
