//! SQL written once for both databases: `$1` placeholders, values and typed columns.
//!
//! A limit that is bound is written `LIMIT ($1 + 0)`. SQLite looks at a bare `LIMIT $1` when it plans, and for that prepares the statement
//! anew at every execution: half of what its statements cost.

use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};

use super::{Error, Id};

/// Builds the `Vec<Value>` of a statement from expressions.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(sea_orm::Value::from($value)),*] };
}
pub(crate) use values;

/// One row of an answer.
pub struct Row(QueryResult);

impl Row {
    /// The column at `index`, counted from 0 in the order of the SELECT.
    pub fn get<T: TryGetable>(&self, index: usize) -> Result<T, Error> {
        Ok(self.0.try_get_by_index(index)?)
    }
}

/// Wraps a sea-orm row.
pub fn row(result: QueryResult) -> Row {
    Row(result)
}

/// Runs a statement and tells how many rows it touched.
pub(crate) async fn execute(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<u64, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// The first row, if any.
pub(crate) async fn query_one(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<Row>, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.query_one_raw(statement).await?.map(Row))
}

/// All rows.
pub(crate) async fn query_all(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.query_all_raw(statement).await?.into_iter().map(Row).collect())
}

/// How many ids one statement names at most: fewer than the parts of a UNION that SQLite takes.
const ID_CHUNK: usize = 256;
/// No row has it: ids are counted from 1.
const NO_ID: Id = -1;

/// Everything that is found of `ids`, many in a statement; `sql` writes it around their marks. The marks are filled up with an id that
/// nothing has to a power of two, so that few statements differ and they stay prepared.
pub(crate) async fn query_ids<T>(
    db: &impl ConnectionTrait,
    ids: &[Id],
    sql: impl Fn(&[String]) -> String,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let rows: Vec<[Id; 1]> = ids.iter().map(|id| [*id]).collect();
    query_rows(db, &rows, sql, read).await
}

/// As [`query_ids`] for rows of several numbers; each is written as its marks with commas between them.
pub(crate) async fn query_rows<T, const N: usize>(
    db: &impl ConnectionTrait,
    rows: &[[i64; N]],
    sql: impl Fn(&[String]) -> String,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(ID_CHUNK) {
        let count = chunk.len().next_power_of_two();
        let marks = |row: usize| {
            let marks: Vec<String> = (1..=N).map(|mark| format!("${}", row * N + mark)).collect();
            marks.join(", ")
        };
        let marks: Vec<String> = (0..count).map(marks).collect();
        let values = chunk.iter().copied().chain(std::iter::repeat([NO_ID; N])).take(count);
        let values = values.flatten().map(Value::from).collect();
        for row in &query_all(db, &sql(&marks), values).await? {
            found.push(read(row)?);
        }
    }
    Ok(found)
}
