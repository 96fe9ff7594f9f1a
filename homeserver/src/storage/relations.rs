//! Reading relations of many events at once, for aggregations.

use super::{Database, Error, Id, query_all};

/// A child's relation to its parent.
#[derive(Debug, Clone)]
pub struct ChildRow {
    /// The parent's event id.
    pub parent: String,
    pub rel_type: String,
    pub child: Id,
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
