//! Addresses of accounts, and the sessions in which somebody proves to read one.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};

use super::{
    Error, Id, Row,
    entity::{email, email_send},
    execute, query_one, values,
};

/// An address of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    pub address: String,
    pub user: Id,
    pub added_ms: i64,
    pub validated_ms: i64,
}

/// One proof that somebody reads an address, under way or done.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailSession {
    pub sid: String,
    pub client_secret: String,
    pub address: String,
    pub purpose: String,
    /// The user who asked, or whose password is to be reset.
    pub user: Option<Id>,
    /// SHA-256 over sid and code.
    pub code_hash: Vec<u8>,
    /// SHA-256 over sid and link token.
    pub link_hash: Vec<u8>,
    pub send_attempt: i64,
    pub tries: i64,
    pub next_link: Option<String>,
    pub expires_ms: i64,
    pub confirmed_ms: Option<i64>,
    pub used_ms: Option<i64>,
}

impl std::fmt::Debug for EmailSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmailSession")
            .field("sid", &self.sid)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// Most addresses a list returns.
const EMAILS_MAX: u64 = 100;
const SESSION_COLUMNS: &str = "sid, client_secret, address, purpose, user_id, code_hash, link_hash, send_attempt, tries, next_link, expires_ms, confirmed_ms, used_ms";

impl From<email::Model> for Email {
    fn from(row: email::Model) -> Self {
        let email::Model { address, user_id: user, added_ms, validated_ms } = row;
        Self { address, user, added_ms, validated_ms }
    }
}

fn session(row: &Row) -> Result<EmailSession, Error> {
    Ok(EmailSession {
        sid: row.get(0)?,
        client_secret: row.get(1)?,
        address: row.get(2)?,
        purpose: row.get(3)?,
        user: row.get(4)?,
        code_hash: row.get(5)?,
        link_hash: row.get(6)?,
        send_attempt: row.get(7)?,
        tries: row.get(8)?,
        next_link: row.get(9)?,
        expires_ms: row.get(10)?,
        confirmed_ms: row.get(11)?,
        used_ms: row.get(12)?,
    })
}

/// Whose address this is. `address` in its folded form.
pub async fn find_email(db: &impl ConnectionTrait, address: &str) -> Result<Option<Email>, Error> {
    let found = email::Entity::find_by_id(address.to_owned()).one(db).await?;
    Ok(found.map(Email::from))
}

/// The addresses of a user, oldest first.
pub async fn list_emails(db: &impl ConnectionTrait, user: Id) -> Result<Vec<Email>, Error> {
    let emails = email::Entity::find()
        .filter(email::Column::UserId.eq(user))
        .order_by_asc(email::Column::AddedMs)
        .order_by_asc(email::Column::Address);
    let emails = emails.limit(EMAILS_MAX).all(db).await?;
    Ok(emails.into_iter().map(Email::from).collect())
}

/// Adds an address. `false` when it belongs to an account already.
pub async fn insert_email(db: &impl ConnectionTrait, new: &Email) -> Result<bool, Error> {
    let row = email::ActiveModel {
        address: Set(new.address.clone()),
        user_id: Set(new.user),
        added_ms: Set(new.added_ms),
        validated_ms: Set(new.validated_ms),
    };
    let insert = email::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    Ok(insert.exec_without_returning(db).await? > 0)
}

/// Removes an address of `user`. `false` when it was not theirs.
pub async fn delete_email(
    db: &impl ConnectionTrait,
    user: Id,
    address: &str,
) -> Result<bool, Error> {
    let theirs =
        email::Entity::delete_by_id(address.to_owned()).filter(email::Column::UserId.eq(user));
    Ok(theirs.exec(db).await?.rows_affected > 0)
}

/// Removes all addresses of `user`.
pub async fn delete_emails(db: &impl ConnectionTrait, user: Id) -> Result<(), Error> {
    email::Entity::delete_many().filter(email::Column::UserId.eq(user)).exec(db).await?;
    Ok(())
}

/// The session with this id.
pub async fn find_session(
    db: &impl ConnectionTrait,
    sid: &str,
) -> Result<Option<EmailSession>, Error> {
    let sql = format!("SELECT {SESSION_COLUMNS} FROM email_sessions WHERE sid = $1");
    query_one(db, &sql, values![sid]).await?.map(|row| session(&row)).transpose()
}

/// The newest session of a client secret for this address and purpose.
pub async fn find_session_by_secret(
    db: &impl ConnectionTrait,
    client_secret: &str,
    address: &str,
    purpose: &str,
) -> Result<Option<EmailSession>, Error> {
    let sql = format!(
        "SELECT {SESSION_COLUMNS} FROM email_sessions WHERE client_secret = $1 AND address = $2 AND purpose = $3 ORDER BY expires_ms DESC LIMIT 1"
    );
    let values = values![client_secret, address, purpose];
    query_one(db, &sql, values).await?.map(|row| session(&row)).transpose()
}

/// Adds a session, or replaces the one of the same id.
pub async fn insert_session(db: &impl ConnectionTrait, new: &EmailSession) -> Result<(), Error> {
    execute(db, "DELETE FROM email_sessions WHERE sid = $1", values![new.sid.as_str()]).await?;
    let sql = format!(
        "INSERT INTO email_sessions ({SESSION_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let new = new.clone();
    let values = values![
        new.sid,
        new.client_secret,
        new.address,
        new.purpose,
        new.user,
        new.code_hash,
        new.link_hash,
        new.send_attempt,
        new.tries,
        new.next_link,
        new.expires_ms,
        new.confirmed_ms,
        new.used_ms
    ];
    execute(db, &sql, values).await?;
    Ok(())
}

/// Counts a wrong code.
pub async fn update_tries(db: &impl ConnectionTrait, sid: &str) -> Result<(), Error> {
    execute(db, "UPDATE email_sessions SET tries = tries + 1 WHERE sid = $1", values![sid]).await?;
    Ok(())
}

/// Marks a session confirmed.
pub async fn update_confirmed(
    db: &impl ConnectionTrait,
    sid: &str,
    now_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE email_sessions SET confirmed_ms = $1 WHERE sid = $2";
    execute(db, SQL, values![now_ms, sid]).await?;
    Ok(())
}

/// Uses a session up. `false` when it was used before.
pub async fn update_used(db: &impl ConnectionTrait, sid: &str, now_ms: i64) -> Result<bool, Error> {
    const SQL: &str = "UPDATE email_sessions SET used_ms = $1 WHERE sid = $2 AND used_ms IS NULL";
    Ok(execute(db, SQL, values![now_ms, sid]).await? > 0)
}

/// How many mails were asked for `address` since `since_ms`, and when the oldest of them.
pub async fn count_sends(
    db: &impl ConnectionTrait,
    address: &str,
    since_ms: i64,
) -> Result<(i64, Option<i64>), Error> {
    const SQL: &str =
        "SELECT COUNT(*), MIN(at_ms) FROM email_sends WHERE address = $1 AND at_ms > $2";
    let Some(row) = query_one(db, SQL, values![address, since_ms]).await? else {
        return Ok((0, None));
    };
    Ok((row.get(0)?, row.get(1)?))
}

/// Notes a mail to `address`.
pub async fn insert_send(
    db: &impl ConnectionTrait,
    id: Id,
    address: &str,
    at_ms: i64,
) -> Result<(), Error> {
    let row = email_send::ActiveModel {
        id: Set(id),
        address: Set(address.to_owned()),
        at_ms: Set(at_ms),
    };
    email_send::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}
