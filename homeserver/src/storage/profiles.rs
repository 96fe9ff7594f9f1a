//! Profiles of local users, a row a field.

use sea_orm::ConnectionTrait;

use super::{Error, Id, execute, query_all, query_one, values};

/// Most fields a profile can have; its bytes are limited by `account`.
const FIELDS_MAX: i64 = 10_000;

/// All fields of `user` by name, values as JSON text.
pub async fn list_profile_fields(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Vec<(String, String)>, Error> {
    const SQL: &str =
        "SELECT name, value FROM profile_fields WHERE user_id = $1 ORDER BY name LIMIT $2";
    let rows = query_all(db, SQL, values![user, FIELDS_MAX]).await?;
    rows.into_iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// One field of `user`, as JSON text.
pub async fn find_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT value FROM profile_fields WHERE user_id = $1 AND name = $2";
    query_one(db, SQL, values![user, name]).await?.map(|row| row.get(0)).transpose()
}

/// Sets a field.
pub async fn insert_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO profile_fields (user_id, name, value) VALUES ($1, $2, $3) ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value";
    execute(db, SQL, values![user, name, value]).await?;
    Ok(())
}

/// Removes a field.
pub async fn delete_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM profile_fields WHERE user_id = $1 AND name = $2";
    execute(db, SQL, values![user, name]).await?;
    Ok(())
}

/// Removes a whole profile.
pub async fn delete_profile(db: &impl ConnectionTrait, user: Id) -> Result<(), Error> {
    execute(db, "DELETE FROM profile_fields WHERE user_id = $1", values![user]).await?;
    Ok(())
}
