//! The index of words: which events hold them. Both databases' ways of full text stand here; SQLite's tables are in `search_file`.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseConnection, Value};

use super::{
    Database, Error, Id, Position, Row,
    events::StoredEvent,
    execute,
    insert::insert_or_replace,
    query_all, query_one,
    retention::delete_in_pieces,
    search_file::{SearchFile, note_progress},
    sql::query_ids,
    values,
};

/// The words of one event.
#[derive(Debug, Clone, Default)]
pub struct Words {
    pub position: Position,
    pub room: Id,
    pub body: String,
    pub name: String,
    pub topic: String,
}

/// Which of an event's texts are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub body: bool,
    pub name: bool,
    pub topic: bool,
}

/// What is searched for: every word, in one of the rooms.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Letters and digits only.
    pub words: Vec<String>,
    pub fields: Fields,
    pub rooms: Vec<Id>,
}

/// In which order, and from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newest first, below this position.
    RecentBefore(Position),
    /// Best first, without the first so many.
    RankSkip(i64),
}

/// An event that holds the words.
#[derive(Debug, Clone, Copy)]
pub struct Match {
    pub position: Position,
    pub event: Id,
    pub room: Id,
    /// The larger the better.
    pub rank: f64,
}

/// Most matches that are counted.
pub const COUNT_MAX: i64 = 1_000;

/// The connections that search.
async fn index(db: &Database) -> Result<DatabaseConnection, Error> {
    match db.search_file() {
        Some(file) => file.connection().await,
        None => Ok(db.read().clone()),
    }
}

/// The rows of a statement over the index.
async fn query_index(db: &Database, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    let rows = async { query_all(&index(db).await?, sql, values).await }.await;
    match db.search_file() {
        Some(file) => file.checked(rows).await,
        None => rows,
    }
}

/// Up to which position events are in the index.
pub async fn find_progress(db: &Database) -> Result<Position, Error> {
    const FIND: &str = "SELECT position FROM search_progress";
    if let Some(file) = db.search_file() {
        return file.checked(file.progress(db).await).await;
    }
    let row = query_one(db.read(), FIND, values![]).await?;
    row.ok_or(Error::Damaged { what: "search progress" })?.get(0)
}

/// The events in `(after, upto]` that may change the index, oldest first: whatever holds text, and redactions.
pub async fn list_unindexed(
    db: &Database,
    (after, upto): (Position, Position),
    limit: u64,
) -> Result<Vec<StoredEvent>, Error> {
    let sql = format!(
        "{} WHERE position > $1 AND position <= $2 AND event_type IN \
         ('m.room.message', 'm.room.name', 'm.room.topic', 'm.room.redaction') ORDER BY position LIMIT ($3 + 0)",
        super::events::EVENT
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query_all(db.read(), &sql, values![after, upto, limit])
        .await?
        .iter()
        .map(super::events::event)
        .collect()
}

/// Adds and removes words, and notes how far the index goes.
pub async fn update_index(
    db: &Database,
    added: Vec<Words>,
    removed: Vec<Position>,
    upto: Position,
) -> Result<(), Error> {
    if let Some(file) = db.search_file() {
        return file.checked(update_file(db, file, added, removed, upto).await).await;
    }
    db.write(move |txn| {
        Box::pin(async move {
            for Words { position, room, body, name, topic } in added {
                const INSERT: &str = "INSERT INTO search_index (position, room, words) VALUES ($1, $2, \
                     setweight(to_tsvector('simple', $3), 'A') || setweight(to_tsvector('simple', $4), 'B') || \
                     setweight(to_tsvector('simple', $5), 'C')) ON CONFLICT (position) DO NOTHING";
                let row = values![position, room, body, name, topic];
                execute(txn.db(), INSERT, row).await?;
            }
            remove(txn.db(), "position", removed).await?;
            const NOTE: &str = "UPDATE search_progress SET position = $1 WHERE position < $1";
            execute(txn.db(), NOTE, values![upto]).await.map(drop)
        })
    })
    .await
}

async fn update_file(
    db: &Database,
    file: &SearchFile,
    added: Vec<Words>,
    removed: Vec<Position>,
    upto: Position,
) -> Result<(), Error> {
    let txn = file.begin().await?;
    let row = |Words { position, room, body, name, topic }| {
        values![position, room_word(room), body, name, topic]
    };
    let columns = "search_index (rowid, room, body, name, topic)";
    insert_or_replace(&txn, columns, added.into_iter().map(row).collect()).await?;
    remove(&txn, "rowid", removed).await?;
    note_progress(&txn, db, upto).await?;
    Ok(txn.commit().await?)
}

async fn remove(
    db: &impl ConnectionTrait,
    column: &str,
    positions: Vec<Position>,
) -> Result<(), Error> {
    let sql = format!("DELETE FROM search_index WHERE {column} = $1");
    for position in positions {
        execute(db, &sql, values![position]).await?;
    }
    Ok(())
}

/// Takes a room's words out of the index, and off the disk. Its events are still there.
pub(super) async fn forget_words(db: &Database, room: Id) -> Result<(), Error> {
    const PIECE: &str = "SELECT position FROM events WHERE room = $1 AND position > $2 ORDER BY position LIMIT 1000";
    let Some(file) = db.search_file() else {
        delete_in_pieces(db, "search_index", "room = $1", values![room]).await?;
        return Ok(());
    };
    // The index keeps no columns, and its rows are found by their events.
    let mut after: Position = 0;
    loop {
        let rows = query_all(db.read(), PIECE, values![room, after]).await?;
        let piece: Vec<Position> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        let Some(last) = piece.last() else { break };
        after = *last;
        let removed = async {
            let txn = file.begin().await?;
            remove(&txn, "rowid", piece).await?;
            Ok(txn.commit().await?)
        };
        file.checked(removed.await).await?;
    }
    if let Err(error) = file.checked(file.shrink().await).await {
        tracing::warn!(%error, "the search index did not get smaller: what was removed is not overwritten yet");
    }
    Ok(())
}

fn room_word(room: Id) -> String {
    format!("r{room}")
}

impl Wanted {
    /// SQLite's expression. Words are quoted though they hold nothing that would need it.
    fn sqlite(&self) -> String {
        let rooms: Vec<String> = self.rooms.iter().map(|room| room_word(*room)).collect();
        let words: Vec<String> = self.words.iter().map(|word| format!("\"{word}\"")).collect();
        let Fields { body, name, topic } = self.fields;
        let columns = [(body, "body"), (name, "name"), (topic, "topic")];
        let columns: Vec<&str> =
            columns.into_iter().filter(|(wanted, _)| *wanted).map(|(_, column)| column).collect();
        let (rooms, words, columns) = (rooms.join(" OR "), words.join(" AND "), columns.join(" "));
        format!("room : ({rooms}) AND {{{columns}}} : ({words})")
    }

    /// PostgreSQL's expression.
    fn postgres(&self) -> String {
        let Fields { body, name, topic } = self.fields;
        let weights = [(body, 'A'), (name, 'B'), (topic, 'C')];
        let weights: String =
            weights.into_iter().filter(|(wanted, _)| *wanted).map(|(_, weight)| weight).collect();
        let words: Vec<String> =
            self.words.iter().map(|word| format!("'{word}':{weights}")).collect();
        words.join(" & ")
    }

    /// The tables, and the condition over `$1`, with its value.
    fn matching(&self, sqlite: bool) -> (String, String) {
        if sqlite {
            return ("search_index s".to_owned(), "search_index MATCH $1".to_owned());
        }
        let rooms: Vec<String> = self.rooms.iter().map(ToString::to_string).collect();
        let condition = format!("s.words @@ q.q AND s.room IN ({})", rooms.join(", "));
        ("search_index s, to_tsquery('simple', $1) q(q)".to_owned(), condition)
    }

    fn expression(&self, sqlite: bool) -> String {
        if sqlite { self.sqlite() } else { self.postgres() }
    }

    fn is_empty(&self) -> bool {
        let Fields { body, name, topic } = self.fields;
        self.words.is_empty() || self.rooms.is_empty() || !(body || name || topic)
    }
}

/// The matches in this order, at most `limit`.
pub async fn list_matches(
    db: &Database,
    wanted: &Wanted,
    order: Order,
    limit: u64,
) -> Result<Vec<Match>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sqlite = db.search_file().is_some();
    let (tables, condition) = wanted.matching(sqlite);
    let (place, rank) = if sqlite {
        ("s.rowid", "-s.rank")
    } else {
        ("s.position", "ts_rank(s.words, q.q)::double precision")
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (tail, number) = match order {
        Order::RecentBefore(position) => {
            (format!("AND {place} < $2 ORDER BY {place} DESC LIMIT ($3 + 0)"), position)
        }
        Order::RankSkip(skip) => {
            (format!("ORDER BY rank DESC, {place} DESC LIMIT ($3 + 0) OFFSET $2"), skip)
        }
    };
    let sql =
        format!("SELECT {place} AS place, {rank} AS rank FROM {tables} WHERE {condition} {tail}");
    let values = values![wanted.expression(sqlite), number, limit];
    let rows = query_index(db, &sql, values).await?;
    let places: Vec<(Position, f64)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, Error>>()?;
    let events = events_at(db, &places).await?;
    let found = |(position, rank): (Position, f64)| {
        let (event, room) = *events.get(&position)?;
        Some(Match { position, event, room, rank })
    };
    Ok(places.into_iter().filter_map(found).collect())
}

/// The events at these positions, each with its room.
async fn events_at(
    db: &Database,
    places: &[(Position, f64)],
) -> Result<HashMap<Position, (Id, Id)>, Error> {
    let positions: Vec<Position> = places.iter().map(|(position, _)| *position).collect();
    let sql = |marks: &[String]| {
        let marks = marks.join(", ");
        format!("SELECT position, id, room FROM events WHERE position IN ({marks})")
    };
    let read = |row: &Row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    Ok(query_ids(db.read(), &positions, sql, read).await?.into_iter().collect())
}

/// How many events match, at most [`COUNT_MAX`].
pub async fn count_matches(db: &Database, wanted: &Wanted) -> Result<i64, Error> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let sqlite = db.search_file().is_some();
    let (tables, condition) = wanted.matching(sqlite);
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {tables} WHERE {condition} LIMIT {COUNT_MAX}) m"
    );
    let rows = query_index(db, &sql, values![wanted.expression(sqlite)]).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}
