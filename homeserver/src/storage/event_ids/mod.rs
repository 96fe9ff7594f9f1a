//! Which event has an id, on SQLite.
//!
//! An id says nothing of its time. Kept in one index, each event changes another page of it, and the more so the longer the history: pages
//! all over the file that every commit writes to the log and that the disk then takes back one by one. Here the newest ids are in memory, and
//! in a log in the database that grows at its end; from there they go into the table `event_ids`, many at a time, in order of the key, so
//! that each of its pages is changed for many events at once.
//!
//! ```text
//! commit ─▶ event_ids_log + memory ─▶ a sweep in order of the key ─▶ event_ids
//! ```
//!
//! PostgreSQL has its index, which holds that an id is there only once; here [`EventIds::note`] does.

use std::{
    collections::{BTreeSet, HashMap},
    iter, mem,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _, Value,
};
use sha2::{Digest as _, Sha256};

use super::{
    Error, EventBatch, Id, NewEvent, Row, events, execute, insert::in_chunks, query_all, query_one,
    values,
};

/// So many ids in memory begin a sweep: many more than the table has pages for a million events, at 2 MiB of memory.
const SWEEP_AT: usize = 65_536;
/// How many ids a row of the log has: a start reads all rows.
const ROW: usize = 128;
/// So many new ones move older ones on, twice as many: at once they share pages, and a sweep ends.
const MOVED_FOR: usize = 32;
const MOVED_FOR_MAX: usize = 512;
const MOVED_EACH: usize = 2;
/// Ids that are read at once where the table is made anew, and about how many are put in order: 16 MiB.
const PAGE: i64 = 10_000;
const SORTED: usize = 1_000_000;

/// A key and the event that may have it. In order of the key.
type Pair = (i64, Id);

/// Finds events by their ids, and takes note of new ones.
pub(super) struct EventIds(Option<Mutex<Recent>>);

/// What is not in the table yet.
struct Recent {
    sweep_at: usize,
    pairs: BTreeSet<Pair>,
    row: LogRow,
    sweep: Option<Sweep>,
    /// How many came while ids were moved, and were not moved for yet.
    due: usize,
    /// What the transaction under way does, should it be committed.
    staged: Staged,
}

/// A walk over all ids that were in memory when it began. In the database too, so that the next process goes on with it.
#[derive(Clone, Copy)]
struct Sweep {
    /// The last that was moved.
    after: Pair,
    /// The newest row of the log when it began: at its end all of them may go.
    upto: i64,
}

/// The log's newest row.
#[derive(Clone, Default)]
struct LogRow {
    id: i64,
    /// All of it, while more may go into it.
    open: Option<Vec<Pair>>,
}

#[derive(Default)]
struct Staged {
    /// Those that were not in memory before.
    added: Vec<Pair>,
    row: Option<LogRow>,
    moved: Vec<Pair>,
    /// Where the sweep then is; `None` where it was not gone on with.
    sweep: Option<Option<Sweep>>,
}

impl EventIds {
    /// The database has an index of its own.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Reads the log; fills the table from the events where it does not know the newest of them.
    pub(super) async fn open(db: &DatabaseConnection) -> Result<Self, Error> {
        Self::with(db, SWEEP_AT).await
    }

    async fn with(db: &DatabaseConnection, sweep_at: usize) -> Result<Self, Error> {
        const SWEEP: &str = "SELECT upto, key, event FROM event_ids_sweep";
        const LOG: &str = "SELECT id, pairs FROM event_ids_log ORDER BY id";
        // Before the log: beside a tool of the operator's a server may be writing.
        let ends = oldest_and_newest(db).await?;
        let sweep = |row: &Row| {
            Ok::<Sweep, Error>(Sweep { upto: row.get(0)?, after: (row.get(1)?, row.get(2)?) })
        };
        let sweep = query_one(db, SWEEP, values![]).await?.as_ref().map(sweep).transpose()?;
        let mut newest = sweep.map_or(0, |sweep| sweep.upto);
        let (mut pairs, mut is_whole) = (Vec::new(), true);
        for row in &query_all(db, LOG, values![]).await? {
            let id = row.get(0)?;
            newest = newest.max(id);
            let is_moved =
                |pair: &Pair| sweep.is_some_and(|sweep| id <= sweep.upto && *pair <= sweep.after);
            let of_row = unpacked(&row.get::<Vec<u8>>(1)?);
            is_whole &= of_row.is_some();
            pairs.extend(of_row.unwrap_or_default().into_iter().filter(|pair| !is_moved(pair)));
        }
        let pairs: BTreeSet<Pair> = pairs.into_iter().collect();
        // However short the life of a process is, it moves more than it brings.
        let is_due = sweep.is_some() || pairs.len() >= sweep_at;
        let due = if is_due { MOVED_FOR } else { 0 };
        let (row, staged) = (LogRow { id: newest, open: None }, Staged::default());
        let ids = Self(Some(Mutex::new(Recent { sweep_at, pairs, row, sweep, due, staged })));
        for (name, id) in ends {
            is_whole = is_whole && ids.finds(db, &name, id).await?;
        }
        if !is_whole {
            ids.fill(db).await?;
        }
        Ok(ids)
    }

    async fn finds(&self, db: &impl ConnectionTrait, name: &str, id: Id) -> Result<bool, Error> {
        let mut bound = Vec::new();
        let sql = format!("SELECT id FROM events WHERE {}", self.named(&[name], &mut bound));
        let found = query_all(db, &sql, bound).await?;
        Ok(found.iter().any(|row| row.get(0).is_ok_and(|found: Id| found == id)))
    }

    /// Makes the table from the events: of a database from before it, or one that something else has written to.
    async fn fill(&self, db: &DatabaseConnection) -> Result<(), Error> {
        const EVENTS: &str =
            "SELECT id, event_id FROM events WHERE id > $1 ORDER BY id LIMIT ($2 + 0)";
        tracing::info!("making the index of the events' ids: some ten seconds for a million");
        let mode = Some(SqliteTransactionMode::Immediate);
        let options =
            TransactionOptions { sqlite_transaction_mode: mode, ..TransactionOptions::default() };
        let txn = db.begin_with_options(options).await?;
        let mut after = 0;
        loop {
            let mut pairs: Vec<Pair> = Vec::new();
            loop {
                let page = query_all(&txn, EVENTS, values![after, PAGE]).await?;
                let Some(last) = page.last() else { break };
                after = last.get(0)?;
                for row in &page {
                    pairs.push((key(&row.get::<String>(1)?), row.get(0)?));
                }
                if pairs.len() >= SORTED {
                    break;
                }
            }
            if pairs.is_empty() {
                break;
            }
            pairs.sort_unstable();
            for part in pairs.chunks(1_000) {
                in_chunks(&txn, MOVE, rows(part.iter().copied())).await?;
            }
        }
        empty_log(&txn).await?;
        txn.commit().await?;
        Ok(())
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
        let Some(recent) = &self.0 else { return Ok(()) };
        let events = || batches.iter().flat_map(|batch| &batch.events);
        let pairs: Vec<Pair> = events().map(|event| (key(&event.event_id), event.id)).collect();
        lock(recent).begin(&pairs);
        if pairs.is_empty() {
            return Ok(());
        }
        // A message that this server makes is new: nobody else has its id yet.
        let is_new =
            |event: &NewEvent| event.flags & events::LOCAL != 0 && event.state_key.is_none();
        let others = events().filter(|event| !is_new(event));
        let others: Vec<&str> = others.map(|event| event.event_id.as_str()).collect();
        self.refuse_twice(db, &others).await?;
        log(db, recent, &pairs).await?;
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
        let Staged { row, moved, sweep, .. } = mem::take(&mut recent.staged);
        for pair in &moved {
            recent.pairs.remove(pair);
        }
        if let Some(row) = row {
            recent.row = row;
        }
        if let Some(sweep) = sweep {
            recent.sweep = sweep;
        }
    }

    /// Moves all ids into the table, for who is to [`EventIds::forget`] some.
    pub(super) async fn settle(&self, db: &impl ConnectionTrait) -> Result<(), Error> {
        let Some(recent) = &self.0 else { return Ok(()) };
        let moved: Vec<Pair> = lock(recent).pairs.iter().copied().collect();
        in_chunks(db, MOVE, rows(moved.iter().copied())).await?;
        empty_log(db).await?;
        let mut recent = lock(recent);
        let id = recent.staged.row.as_ref().unwrap_or(&recent.row).id;
        let row = Some(LogRow { id, open: None });
        let added = mem::take(&mut recent.staged.added);
        recent.staged = Staged { added, row, moved, sweep: Some(None) };
        Ok(())
    }

    /// Forgets the settled ids of events that are deleted in the same transaction.
    pub(super) async fn forget(
        &self,
        db: &impl ConnectionTrait,
        events: &[(String, Id)],
    ) -> Result<(), Error> {
        if self.0.is_none() {
            return Ok(());
        }
        const DELETE: (&str, &str) = ("DELETE FROM event_ids WHERE (key, event) IN (", ")");
        in_chunks(db, DELETE, rows(events.iter().map(|(name, id)| (key(name), *id)))).await
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
/// Puts rows into the table.
const MOVE: (&str, &str) = ("INSERT INTO event_ids (key, event) ", "ON CONFLICT DO NOTHING");
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
    /// finds anything by them. Those of a transaction that was not committed go.
    fn begin(&mut self, pairs: &[Pair]) {
        let undone = mem::take(&mut self.staged);
        for pair in undone.added {
            self.pairs.remove(&pair);
        }
        if undone.row.is_some() {
            // Whether it is, a failed commit does not always tell.
            self.row.open = None;
        }
        self.staged.added = pairs.iter().copied().filter(|pair| self.pairs.insert(*pair)).collect();
        if self.sweep.is_some() || self.pairs.len() >= self.sweep_at {
            self.due += pairs.len();
        }
    }

    /// What goes into the table next.
    fn piece(&self, after: Pair, count: usize) -> Vec<Pair> {
        self.pairs.range((Bound::Excluded(after), Bound::Unbounded)).take(count).copied().collect()
    }
}

/// Writes ids to the log: into its newest row while there is place, whose page the commits before have changed already.
async fn log(
    db: &impl ConnectionTrait,
    recent: &Mutex<Recent>,
    pairs: &[Pair],
) -> Result<(), Error> {
    const MORE: &str = "UPDATE event_ids_log SET pairs = $1 WHERE id = $2";
    const NEXT: &str = "INSERT INTO event_ids_log (pairs, id) VALUES ($1, $2)";
    const NEWEST: &str = "SELECT MAX(id) FROM event_ids_log";
    let LogRow { id, open } = lock(recent).row.clone();
    let all: Option<Vec<Pair>> = open
        .filter(|open| open.len() + pairs.len() <= ROW)
        .map(|open| open.into_iter().chain(pairs.iter().copied()).collect());
    let row = match all {
        Some(all) if execute(db, MORE, values![packed(&all), id]).await? == 1 => {
            LogRow { id, open: Some(all) }
        }
        _ => {
            let newest = query_one(db, NEWEST, values![]).await?;
            let newest: Option<i64> = newest.map(|row| row.get(0)).transpose()?.flatten();
            let id = newest.map_or(id, |newest| newest.max(id)) + 1;
            execute(db, NEXT, values![packed(pairs), id]).await?;
            LogRow { id, open: Some(pairs.to_vec()) }
        }
    };
    lock(recent).staged.row = Some(row);
    Ok(())
}

/// Moves a piece of the ids in memory into the table, if so many came that it is time. At the end of a sweep, the rows of the log that were
/// there at its beginning go.
async fn move_on(db: &impl ConnectionTrait, recent: &Mutex<Recent>) -> Result<(), Error> {
    const BEGUN: &str = "INSERT INTO event_ids_sweep (key, event, upto) VALUES ($1, $2, $3)";
    const ON: &str = "UPDATE event_ids_sweep SET key = $1, event = $2 WHERE upto = $3";
    const DONE: &str = "DELETE FROM event_ids_sweep WHERE upto = $1";
    const GONE: &str = "DELETE FROM event_ids_log WHERE id <= $1";
    let (begun, moved, count) = {
        let mut recent = lock(recent);
        if recent.due < MOVED_FOR {
            return Ok(());
        }
        let moved_for = recent.due.min(MOVED_FOR_MAX);
        recent.due -= moved_for;
        let count = moved_for * MOVED_EACH;
        let after = recent.sweep.map_or((i64::MIN, Id::MIN), |sweep| sweep.after);
        (recent.sweep, recent.piece(after, count), count)
    };
    let newest = lock(recent).staged.row.as_ref().map_or(0, |row| row.id);
    let upto = begun.map_or(newest, |sweep| sweep.upto);
    in_chunks(db, MOVE, rows(moved.iter().copied())).await?;
    let next = match moved.last() {
        Some(last) if moved.len() == count => Some(Sweep { after: *last, upto }),
        _ => None,
    };
    match next {
        Some(Sweep { after: (key, event), upto }) => {
            let sql = if begun.is_some() { ON } else { BEGUN };
            execute(db, sql, values![key, event, upto]).await?;
        }
        None => {
            execute(db, DONE, values![upto]).await?;
            execute(db, GONE, values![upto]).await?;
        }
    }
    let mut recent = lock(recent);
    recent.staged.moved = moved;
    recent.staged.sweep = Some(next);
    if begun.is_none() {
        // The row may go at the end: what comes from now on goes into the next.
        recent.staged.row = Some(LogRow { id: upto, open: None });
    }
    Ok(())
}

/// All that is in the log is in the table.
async fn empty_log(db: &impl ConnectionTrait) -> Result<(), Error> {
    execute(db, "DELETE FROM event_ids_log", values![]).await?;
    execute(db, "DELETE FROM event_ids_sweep", values![]).await.map(drop)
}

/// If one of them is not found by its id, a program that knew nothing of the table has written to the database, or it is damaged.
async fn oldest_and_newest(db: &impl ConnectionTrait) -> Result<Vec<(String, Id)>, Error> {
    const ENDS: &str = "SELECT event_id, id FROM events \
         WHERE id IN ((SELECT MIN(id) FROM events), (SELECT MAX(id) FROM events))";
    let ends = query_all(db, ENDS, values![]).await?;
    ends.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
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

/// `None`: it is damaged.
fn unpacked(bytes: &[u8]) -> Option<Vec<Pair>> {
    let (pairs, rest) = bytes.as_chunks::<16>();
    let number = |half: &[u8]| half.try_into().map_or(0, i64::from_be_bytes);
    let pair = |pair: &[u8; 16]| (number(&pair[..8]), number(&pair[8..]));
    rest.is_empty().then(|| pairs.iter().map(pair).collect())
}

fn lock(recent: &Mutex<Recent>) -> MutexGuard<'_, Recent> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
