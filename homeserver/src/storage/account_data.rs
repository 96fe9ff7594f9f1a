//! What a user keeps on the server: account data (tags and push rules too), filters, pushers, OpenID tokens.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::OnConflict,
};

use super::{
    Error, Id, Position, Row, entity::filter, execute, query_all, query_one, tokens::TokenHash,
    values,
};

/// One piece of account data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountData {
    /// Empty for global data.
    pub room_id: String,
    pub data_type: String,
    /// JSON text.
    pub content: String,
    pub position: Position,
}

/// Most pushers of a user.
const PUSHERS_MAX: i64 = 100;
const COLUMNS: &str = "room_id, data_type, content, position";

fn account_data(row: &Row) -> Result<AccountData, Error> {
    Ok(AccountData {
        room_id: row.get(0)?,
        data_type: row.get(1)?,
        content: row.get(2)?,
        position: row.get(3)?,
    })
}

/// One piece, as JSON text. `room_id`: empty for global data.
pub async fn find_account_data(
    db: &impl ConnectionTrait,
    user: Id,
    room_id: &str,
    data_type: &str,
) -> Result<Option<String>, Error> {
    const SQL: &str =
        "SELECT content FROM account_data WHERE user_id = $1 AND room_id = $2 AND data_type = $3";
    let row = query_one(db, SQL, values![user, room_id, data_type]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// What changed after `since` up to and including `upto`, in order of change, at most `limit`.
pub async fn list_account_data(
    db: &impl ConnectionTrait,
    user: Id,
    (since, upto): (Position, Position),
    limit: u32,
) -> Result<Vec<AccountData>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_data WHERE user_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT ($4 + 0)"
    );
    let rows = query_all(db, &sql, values![user, since, upto, i64::from(limit)]).await?;
    rows.iter().map(account_data).collect()
}

/// All data of one room, in order of change, at most `limit`.
pub async fn list_account_data_of_room(
    db: &impl ConnectionTrait,
    user: Id,
    room_id: &str,
    limit: u32,
) -> Result<Vec<AccountData>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_data WHERE user_id = $1 AND room_id = $2 ORDER BY position LIMIT ($3 + 0)"
    );
    let rows = query_all(db, &sql, values![user, room_id, i64::from(limit)]).await?;
    rows.iter().map(account_data).collect()
}

/// The pieces of one type in all rooms, by room, at most 10,000.
pub async fn list_account_data_of_type(
    db: &impl ConnectionTrait,
    user: Id,
    data_type: &str,
) -> Result<Vec<AccountData>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_data WHERE user_id = $1 AND data_type = $2 AND room_id <> '' ORDER BY room_id LIMIT 10000"
    );
    query_all(db, &sql, values![user, data_type]).await?.iter().map(account_data).collect()
}

/// The users who ever changed a push rule or ignored somebody, by interned id. No limit: they are loaded whole, once.
pub async fn list_users_with_wishes(db: &impl ConnectionTrait) -> Result<Vec<Id>, Error> {
    const LIST: &str = "SELECT DISTINCT user_id FROM account_data WHERE room_id = '' \
         AND data_type IN ('m.push_rules', 'm.ignored_user_list') ORDER BY user_id";
    query_all(db, LIST, values![]).await?.iter().map(|row| row.get(0)).collect()
}

/// Sets one piece.
pub async fn insert_account_data(
    db: &impl ConnectionTrait,
    user: Id,
    data: &AccountData,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO account_data (user_id, room_id, data_type, content, position) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (user_id, room_id, data_type) DO UPDATE SET content = excluded.content, position = excluded.position";
    let data = data.clone();
    let values = values![user, data.room_id, data.data_type, data.content, data.position];
    execute(db, SQL, values).await?;
    Ok(())
}

/// Forgets everything in this file that `user` keeps.
pub async fn delete_all_of_user(db: &impl ConnectionTrait, user: Id) -> Result<(), Error> {
    for table in ["account_data", "filters", "pushers", "openid_tokens"] {
        execute(db, &format!("DELETE FROM {table} WHERE user_id = $1"), values![user]).await?;
    }
    Ok(())
}

/// The filter of `user` with this number, as JSON text.
pub async fn find_filter(
    db: &impl ConnectionTrait,
    user: Id,
    id: Id,
) -> Result<Option<String>, Error> {
    let theirs = filter::Entity::find_by_id(id).filter(filter::Column::UserId.eq(user));
    Ok(theirs.one(db).await?.map(|filter| filter.json))
}

/// Keeps a filter and returns its number: `id`, or that of the same filter kept before.
pub async fn insert_filter(
    db: &impl ConnectionTrait,
    user: Id,
    id: Id,
    digest: &TokenHash,
    json: &str,
) -> Result<Id, Error> {
    let row = filter::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        digest: Set(digest.to_vec()),
        json: Set(json.to_owned()),
    };
    let insert = filter::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(db).await?;
    let kept = filter::Entity::find()
        .filter(filter::Column::UserId.eq(user))
        .filter(filter::Column::Digest.eq(digest.to_vec()));
    Ok(kept.one(db).await?.ok_or(Error::Damaged { what: "filter" })?.id)
}

/// The pushers of `user` as JSON text, by app and key.
pub async fn list_pushers(db: &impl ConnectionTrait, user: Id) -> Result<Vec<String>, Error> {
    const SQL: &str =
        "SELECT json FROM pushers WHERE user_id = $1 ORDER BY app_id, pushkey LIMIT ($2 + 0)";
    let rows = query_all(db, SQL, values![user, PUSHERS_MAX]).await?;
    rows.into_iter().map(|row| row.get(0)).collect()
}

/// Sets a pusher. Unless `append`, other users lose theirs of the same app and key.
pub async fn insert_pusher(
    db: &impl ConnectionTrait,
    (user, device): (Id, Id),
    (app_id, pushkey): (&str, &str),
    json: &str,
    append: bool,
) -> Result<(), Error> {
    if !append {
        const TAKE: &str = "DELETE FROM pushers WHERE app_id = $1 AND pushkey = $2";
        execute(db, TAKE, values![app_id, pushkey]).await?;
    }
    const SQL: &str = "INSERT INTO pushers (user_id, app_id, pushkey, device, json) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (user_id, app_id, pushkey) DO UPDATE SET device = excluded.device, json = excluded.json";
    execute(db, SQL, values![user, app_id, pushkey, device, json]).await?;
    Ok(())
}

/// Removes a pusher.
pub async fn delete_pusher(
    db: &impl ConnectionTrait,
    user: Id,
    app_id: &str,
    pushkey: &str,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM pushers WHERE user_id = $1 AND app_id = $2 AND pushkey = $3";
    execute(db, SQL, values![user, app_id, pushkey]).await?;
    Ok(())
}

/// Removes the pushers that were set by other devices of `user` than `device`.
pub async fn delete_pushers_of_others(
    db: &impl ConnectionTrait,
    user: Id,
    device: Option<Id>,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM pushers WHERE user_id = $1 AND device <> $2";
    execute(db, SQL, values![user, device.unwrap_or(-1)]).await?;
    Ok(())
}

/// Adds an OpenID token.
pub async fn insert_openid_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    user: Id,
    expires_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO openid_tokens (hash, user_id, expires_ms) VALUES ($1, $2, $3)";
    execute(db, SQL, values![hash.to_vec(), user, expires_ms]).await?;
    Ok(())
}

/// Whose OpenID token this is, if it has not expired.
pub async fn find_openid_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    now_ms: i64,
) -> Result<Option<Id>, Error> {
    const SQL: &str = "SELECT user_id FROM openid_tokens WHERE hash = $1 AND expires_ms > $2";
    query_one(db, SQL, values![hash.to_vec(), now_ms]).await?.map(|row| row.get(0)).transpose()
}
