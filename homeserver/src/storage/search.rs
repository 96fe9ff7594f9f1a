//! The index of words: which events hold them. Both databases' ways of full text stand here and nowhere else.

use super::{
    Database, Error, Id, Position, Row, Txn, events::StoredEvent, execute,
    insert::insert_or_replace, open::is_sqlite, query_all, query_one, values,
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

/// Up to which position events are in the index.
pub async fn find_progress(db: &Database) -> Result<Position, Error> {
    const FIND: &str = "SELECT position FROM search_progress";
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
    let sqlite = is_sqlite(db.read());
    db.write(move |txn| {
        Box::pin(async move {
            insert_words(txn, sqlite, added).await?;
            let column = if sqlite { "rowid" } else { "position" };
            for position in removed {
                let sql = format!("DELETE FROM search_index WHERE {column} = $1");
                execute(txn.db(), &sql, values![position]).await?;
            }
            const NOTE: &str = "UPDATE search_progress SET position = $1 WHERE position < $1";
            execute(txn.db(), NOTE, values![upto]).await.map(|_| ())
        })
    })
    .await
}

async fn insert_words(txn: &Txn, sqlite: bool, added: Vec<Words>) -> Result<(), Error> {
    if sqlite {
        let row = |Words { position, room, body, name, topic }| {
            values![position, room_word(room), body, name, topic]
        };
        let rows = added.into_iter().map(row).collect();
        let columns = "search_index (rowid, room, body, name, topic)";
        return insert_or_replace(txn.db(), columns, rows).await;
    }
    for Words { position, room, body, name, topic } in added {
        const INSERT: &str = "INSERT INTO search_index (position, room, words) VALUES ($1, $2, \
             setweight(to_tsvector('simple', $3), 'A') || setweight(to_tsvector('simple', $4), 'B') || \
             setweight(to_tsvector('simple', $5), 'C')) ON CONFLICT (position) DO NOTHING";
        let row = values![position, room, body, name, topic];
        execute(txn.db(), INSERT, row).await?;
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
    let sqlite = is_sqlite(db.read());
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
    let sql = format!(
        "SELECT m.place, e.id, e.room, m.rank FROM (SELECT {place} AS place, {rank} AS rank FROM {tables} \
         WHERE {condition} {tail}) m JOIN events e ON e.position = m.place ORDER BY {}",
        match order {
            Order::RecentBefore(_) => "m.place DESC",
            Order::RankSkip(_) => "m.rank DESC, m.place DESC",
        }
    );
    let values = values![wanted.expression(sqlite), number, limit];
    query_all(db.read(), &sql, values).await?.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Match, Error> {
    Ok(Match { position: row.get(0)?, event: row.get(1)?, room: row.get(2)?, rank: row.get(3)? })
}

/// How many events match, at most [`COUNT_MAX`].
pub async fn count_matches(db: &Database, wanted: &Wanted) -> Result<i64, Error> {
    if wanted.is_empty() {
        return Ok(0);
    }
    let sqlite = is_sqlite(db.read());
    let (tables, condition) = wanted.matching(sqlite);
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {tables} WHERE {condition} LIMIT {COUNT_MAX}) m"
    );
    let row = query_one(db.read(), &sql, values![wanted.expression(sqlite)]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}
