//! Reading relations of many events at once, for aggregations.

use super::{Database, Error, Id, query_all, values};

/// A child's relation to its parent.
#[derive(Debug, Clone)]
pub struct ChildRow {
    /// The parent's event id.
    pub parent: String,
    pub rel_type: String,
    pub child: Id,
}

/// How a redaction is kept below an event that is not here yet. No relation in the specification's sense.
pub const WAITING_REDACTION: &str = "chat.tern.redaction";

/// The events that were kept as redactions of these before they were here.
pub async fn list_waiting_redactions(
    db: &Database,
    room: Id,
    targets: &[&str],
) -> Result<Vec<Id>, Error> {
    let mut found = Vec::new();
    for chunk in targets.chunks(500) {
        let marks: Vec<String> = (3..chunk.len() + 3).map(|mark| format!("${mark}")).collect();
        let sql = format!(
            "SELECT child FROM relations WHERE room = $1 AND rel_type = $2 AND parent IN ({}) ORDER BY child",
            marks.join(", ")
        );
        let mut row = values![room, WAITING_REDACTION];
        row.extend(chunk.iter().map(|target| sea_orm::Value::from(*target)));
        for row in &query_all(db.read(), &sql, row).await? {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// Most children one call reads.
const CHILDREN_MAX: u64 = 5_000;

/// The edits, thread replies and references of these events that were not taken back, oldest first.
pub async fn list_children(
    db: &Database,
    room: Id,
    parents: &[&str],
) -> Result<Vec<ChildRow>, Error> {
    let mut children = Vec::new();
    for chunk in parents.chunks(500) {
        let marks: Vec<String> = (2..chunk.len() + 2).map(|mark| format!("${mark}")).collect();
        let sql = format!(
            "SELECT r.parent, r.rel_type, r.child FROM relations r JOIN events e ON e.id = r.child \
             WHERE r.room = $1 AND r.parent IN ({}) AND r.rel_type IN ('m.replace', 'm.thread', 'm.reference') \
             AND e.timeline_order IS NOT NULL AND e.redacted_by IS NULL \
             ORDER BY e.timeline_order LIMIT {CHILDREN_MAX}",
            marks.join(", ")
        );
        let mut row = vec![sea_orm::Value::from(room)];
        row.extend(chunk.iter().map(|parent| sea_orm::Value::from(*parent)));
        for row in &query_all(db.read(), &sql, row).await? {
            children.push(ChildRow {
                parent: row.get(0)?,
                rel_type: row.get(1)?,
                child: row.get(2)?,
            });
        }
    }
    Ok(children)
}
