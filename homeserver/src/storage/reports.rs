//! What users told the administrators of.

use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{Error, Id, Row, entity::report, query_all, values};

/// One report: about a room, an event of a room, or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub id: Id,
    pub at_ms: i64,
    /// The interned user who reported.
    pub reporter: Id,
    pub room_id: Option<String>,
    pub event_id: Option<String>,
    pub user_id: Option<String>,
    pub reason: String,
}

/// A report with its reporter's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub report: Report,
    pub reporter: String,
}

fn listed(row: &Row) -> Result<Listed, Error> {
    let report = Report {
        id: row.get(0)?,
        at_ms: row.get(1)?,
        reporter: row.get(2)?,
        room_id: row.get(3)?,
        event_id: row.get(4)?,
        user_id: row.get(5)?,
        reason: row.get(6)?,
    };
    Ok(Listed { report, reporter: row.get(7)? })
}

/// Adds a report.
pub async fn insert_report(db: &impl ConnectionTrait, new: &Report) -> Result<(), Error> {
    let row = report::Model::from(new.clone()).into_active_model();
    report::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

impl From<Report> for report::Model {
    fn from(new: Report) -> Self {
        let Report { id, at_ms, reporter, room_id, event_id, user_id, reason } = new;
        Self { id, at_ms, reporter, room_id, event_id, user_id, reason }
    }
}

/// The newest `limit` reports since `since_ms`, oldest first.
pub async fn list_reports(
    db: &impl ConnectionTrait,
    since_ms: i64,
    limit: u32,
) -> Result<Vec<Listed>, Error> {
    const SQL: &str = "SELECT r.id, r.at_ms, r.reporter, r.room_id, r.event_id, r.user_id, r.reason, u.user_id \
        FROM reports r JOIN users u ON u.id = r.reporter WHERE r.at_ms >= $1 ORDER BY r.at_ms DESC, r.id DESC LIMIT ($2 + 0)";
    let rows = query_all(db, SQL, values![since_ms, i64::from(limit)]).await?;
    rows.iter().rev().map(listed).collect()
}
