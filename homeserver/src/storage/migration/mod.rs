//! The schema, one file a floor and step; never edited once landed.
//!
//! The SQL is written once, with the few words that differ between the databases in braces: `{int}` (INTEGER, BIGINT),
//! `{bytes}` (BLOB, BYTEA), `{strict}` (STRICT, nothing), and lines for one of them only behind `@sqlite` or `@postgres`. Every table says its owner and its retention rule in the comment
//! above it; a test refuses a table without one.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait};

use super::{Error, execute, open::is_sqlite, query_one, values};
use crate::random::Random;

/// The steps, oldest first: name, SQL.
const STEPS: &[(&str, &str)] = &[
    ("m0001_server", include_str!("m0001_server.sql")),
    ("m0002_accounts", include_str!("m0002_accounts.sql")),
    ("m0003_rooms", include_str!("m0003_rooms.sql")),
    ("m0004_keys", include_str!("m0004_keys.sql")),
    ("m0005_media", include_str!("m0005_media.sql")),
    ("m0006_federation", include_str!("m0006_federation.sql")),
    ("m0007_transactions", include_str!("m0007_transactions.sql")),
    ("m0008_auth", include_str!("m0008_auth.sql")),
    ("m0009_reports", include_str!("m0009_reports.sql")),
    ("m0010_reception", include_str!("m0010_reception.sql")),
    ("m0011_threads", include_str!("m0011_threads.sql")),
    ("m0012_search", include_str!("m0012_search.sql")),
    ("m0013_search_file", include_str!("m0013_search_file.sql")),
    ("m0014_standing_snapshot", include_str!("m0014_standing_snapshot.sql")),
    ("m0015_event_ids", include_str!("m0015_event_ids.sql")),
];

struct Step {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature; async_trait takes no other"
)]
#[async_trait::async_trait]
impl MigrationTrait for Step {
    /// Whole or not at all, on SQLite too: a process that is killed meanwhile begins the step anew.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let sqlite = db.get_database_backend() == sea_orm::DbBackend::Sqlite;
        for statement in for_database(self.sql, sqlite)
            .split(';')
            .filter(|statement| !statement.trim().is_empty())
        {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS
            .iter()
            .map(|(name, sql)| Box::new(Step { name, sql }) as Box<dyn MigrationTrait>)
            .collect()
    }
}

fn for_database(sql: &str, sqlite: bool) -> String {
    let (int, bytes, strict) =
        if sqlite { ("INTEGER", "BLOB", "STRICT") } else { ("BIGINT", "BYTEA", "") };
    // Comments go first: they may hold semicolons.
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let (ours, theirs) =
        if sqlite { ("@sqlite ", "@postgres ") } else { ("@postgres ", "@sqlite ") };
    let lines = lines.filter(|line| !line.starts_with(theirs));
    let sql: Vec<&str> = lines.map(|line| line.strip_prefix(ours).unwrap_or(line)).collect();
    sql.join("\n").replace("{int}", int).replace("{bytes}", bytes).replace("{strict}", strict)
}

/// Brings the schema up to this program's version.
///
/// # Errors
/// [`Error::Unusable`] when the database was written by a newer program.
pub(super) async fn run(db: &DatabaseConnection) -> Result<(), Error> {
    // What is sorted for an index may be larger than the memory there is.
    if is_sqlite(db) {
        db.execute_unprepared("PRAGMA temp_store = FILE").await?;
    }
    let outcome = Migrator::up(db, None).await;
    if is_sqlite(db) {
        db.execute_unprepared("PRAGMA temp_store = MEMORY").await?;
    }
    match outcome {
        Ok(()) => Ok(()),
        // sea-orm's own word for "applied here, unknown to this program".
        Err(DbErr::Custom(text)) if text.contains("applied but its file is missing") || text.contains("missing") => {
            Err(Error::Unusable(
                "the database was written by a newer ternd: use that version, or restore a backup from before the upgrade"
                    .to_owned(),
            ))
        }
        Err(DbErr::Exec(RuntimeErr::Internal(text))) => Err(Error::Unusable(text)),
        Err(error) => Err(error.into()),
    }
}

/// Marks the database as this server's, once, and returns its epoch.
///
/// # Errors
/// [`Error::Unusable`] when it belongs to another server name: a name can never be changed later.
pub(super) async fn claim(db: &DatabaseConnection, server_name: &str) -> Result<String, Error> {
    const FIND: &str = "SELECT value FROM server WHERE name = $1";
    const SET: &str = "INSERT INTO server (name, value) VALUES ($1, $2)";
    if let Some(row) = query_one(db, FIND, values!["server_name"]).await? {
        let stored: String = row.get(0)?;
        if stored != server_name {
            let text = format!(
                "the database belongs to {stored}, but server_name is {server_name}; it can't be changed"
            );
            return Err(Error::Unusable(text));
        }
        let row =
            query_one(db, FIND, values!["epoch"]).await?.ok_or(Error::Damaged { what: "epoch" })?;
        return row.get(0);
    }
    // Never a sequence that a test chose: two databases are two even there.
    let epoch = format!("{:08x}", u32::from_be_bytes(Random::default().bytes()));
    execute(db, SET, values!["epoch", epoch.as_str()]).await?;
    execute(db, SET, values!["server_name", server_name]).await?;
    if is_sqlite(db) {
        tracing::debug!("a new database");
    }
    Ok(epoch)
}

/// The retention rule of every table, as the comment above it says it.
#[cfg(test)]
pub(super) fn kept_by_table() -> std::collections::BTreeMap<String, String> {
    let mut tables = std::collections::BTreeMap::new();
    for (name, sql) in STEPS {
        let mut comment = String::new();
        for line in sql.lines() {
            let line = line.trim().trim_end_matches(';');
            let words: Vec<&str> =
                line.split_whitespace().filter(|word| !word.starts_with('@')).collect();
            match words.as_slice() {
                ["--", text @ ..] => {
                    comment.push_str(&text.join(" "));
                    comment.push(' ');
                }
                ["CREATE", "TABLE", table, ..] | ["CREATE", "VIRTUAL", "TABLE", table, ..] => {
                    let rule = comment
                        .split_once("owner: ")
                        .and_then(|(_, text)| text.split_once(" kept: "));
                    let (_, kept) = rule.unwrap_or_else(|| {
                        panic!("{name}: {table} has no `owner: … kept: …` above it")
                    });
                    tables.insert((*table).to_owned(), kept.to_owned());
                }
                ["ALTER", "TABLE", table, "RENAME", "TO", new] => {
                    let kept = tables.remove(*table).expect("a table is made before it is renamed");
                    tables.insert((*new).to_owned(), kept);
                }
                // What one database drops the other keeps.
                ["DROP", "TABLE", table] if !line.starts_with('@') => drop(tables.remove(*table)),
                [] => comment.clear(),
                _ => {}
            }
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_table_has_an_owner_and_a_retention_rule() {
        let tables = super::kept_by_table();
        assert!(tables.len() > 40);
        assert!(tables.contains_key("search_index"), "PostgreSQL has it");
    }
}
