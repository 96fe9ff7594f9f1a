//! Many rows in few statements.

use sea_orm::{ConnectionTrait, Value};

use super::{Error, execute};

/// Rows per statement: few sizes, so that the statement cache knows them all.
const CHUNKS: [usize; 4] = [16, 4, 2, 1];

/// `INSERT INTO target VALUES …` for all `rows`, several a statement.
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    target: &str,
    conflict: &str,
    rows: Vec<Vec<Value>>,
) -> Result<(), Error> {
    in_chunks(db, (&format!("INSERT INTO {target} "), conflict), rows).await
}

/// As [`insert`], where a virtual table knows no `ON CONFLICT`: rows that are there already are replaced. SQLite's.
pub(super) async fn insert_or_replace(
    db: &impl ConnectionTrait,
    target: &str,
    rows: Vec<Vec<Value>>,
) -> Result<(), Error> {
    in_chunks(db, (&format!("INSERT OR REPLACE INTO {target} "), ""), rows).await
}

/// `before VALUES … after` for all `rows`, several a statement.
pub(super) async fn in_chunks(
    db: &impl ConnectionTrait,
    (before, after): (&str, &str),
    rows: Vec<Vec<Value>>,
) -> Result<(), Error> {
    let mut rows = rows.into_iter().peekable();
    let mut left = rows.len();
    while let Some(first) = rows.peek() {
        let columns = first.len();
        let take = CHUNKS.into_iter().find(|size| *size <= left).unwrap_or(1);
        let sql = format!("{before}VALUES {} {after}", marks(take, columns));
        execute(db, &sql, rows.by_ref().take(take).flatten().collect()).await?;
        left -= take;
    }
    Ok(())
}

/// `($1, $2), ($3, $4)` for two rows of two columns.
fn marks(rows: usize, columns: usize) -> String {
    let mut marks = String::with_capacity(rows * columns * 6);
    for mark in 0..rows * columns {
        let opening = match (mark, mark % columns) {
            (0, _) => "($",
            (_, 0) => "), ($",
            _ => ", $",
        };
        marks.push_str(opening);
        marks.push_str(&(mark + 1).to_string());
    }
    marks.push(')');
    marks
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_marks_of_rows_are_counted_through() {
        assert_eq!(super::marks(1, 1), "($1)");
        assert_eq!(super::marks(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
