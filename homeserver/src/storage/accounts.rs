//! Local accounts. Who may log in is `auth`'s to say; this only keeps the rows.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Row, execute, query_all, query_one, values};

/// One local account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The interned user.
    pub user: Id,
    pub localpart: String,
    /// A PHC string. Never leaves `auth`.
    pub password_hash: Option<String>,
    pub created_ms: i64,
    pub admin: bool,
    pub deactivated: bool,
    pub locked: bool,
    pub suspended: bool,
    /// May be found by who knows an address of theirs.
    pub found_by_email: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("localpart", &self.localpart).finish_non_exhaustive()
    }
}

/// A mark on an account that an administrator or its owner sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Admin,
    Locked,
    Suspended,
    FoundByEmail,
}

const COLUMNS: &str = "user_id, localpart, password_hash, created_ms, admin, deactivated, locked, suspended, found_by_email";

fn account(row: &Row) -> Result<Account, Error> {
    Ok(Account {
        user: row.get(0)?,
        localpart: row.get(1)?,
        password_hash: row.get(2)?,
        created_ms: row.get(3)?,
        admin: row.get::<i64>(4)? != 0,
        deactivated: row.get::<i64>(5)? != 0,
        locked: row.get::<i64>(6)? != 0,
        suspended: row.get::<i64>(7)? != 0,
        found_by_email: row.get::<i64>(8)? != 0,
    })
}

/// The account of an interned user, deactivated ones too.
pub async fn find_account(db: &impl ConnectionTrait, user: Id) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE user_id = $1");
    query_one(db, &sql, values![user]).await?.map(|row| account(&row)).transpose()
}

/// The account with this localpart, deactivated ones too.
pub async fn find_account_by_localpart(
    db: &impl ConnectionTrait,
    localpart: &str,
) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE localpart = $1");
    query_one(db, &sql, values![localpart]).await?.map(|row| account(&row)).transpose()
}

/// Local accounts by localpart, `limit` of them after `after`.
pub async fn list_accounts(
    db: &impl ConnectionTrait,
    after: &str,
    limit: u32,
) -> Result<Vec<Account>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE localpart > $1 ORDER BY localpart LIMIT ($2 + 0)"
    );
    let rows = query_all(db, &sql, values![after, i64::from(limit)]).await?;
    rows.iter().map(account).collect()
}

/// Adds an account. `false` when the localpart is taken.
pub async fn insert_account(
    db: &impl ConnectionTrait,
    user: Id,
    localpart: &str,
    password_hash: Option<&str>,
    created_ms: i64,
) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO accounts (user_id, localpart, password_hash, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let hash = password_hash.map(ToOwned::to_owned);
    Ok(execute(db, SQL, values![user, localpart, hash, created_ms]).await? > 0)
}

/// Sets (or, with `None`, takes away) the password.
pub async fn update_password(
    db: &impl ConnectionTrait,
    user: Id,
    password_hash: Option<&str>,
) -> Result<(), Error> {
    let hash = password_hash.map(ToOwned::to_owned);
    execute(db, "UPDATE accounts SET password_hash = $1 WHERE user_id = $2", values![hash, user])
        .await?;
    Ok(())
}

/// Sets or clears a mark. `false` when there is no such account.
pub async fn update_mark(
    db: &impl ConnectionTrait,
    user: Id,
    mark: Mark,
    set: bool,
) -> Result<bool, Error> {
    let column = match mark {
        Mark::Admin => "admin",
        Mark::Locked => "locked",
        Mark::Suspended => "suspended",
        Mark::FoundByEmail => "found_by_email",
    };
    let sql = format!("UPDATE accounts SET {column} = $1 WHERE user_id = $2");
    Ok(execute(db, &sql, values![i64::from(set), user]).await? > 0)
}

/// Marks the account deactivated and takes its password away, for good.
pub async fn update_deactivated(db: &impl ConnectionTrait, user: Id) -> Result<(), Error> {
    const SQL: &str = "UPDATE accounts SET deactivated = 1, password_hash = NULL, admin = 0, search_name = '' WHERE user_id = $1";
    execute(db, SQL, values![user]).await?;
    Ok(())
}

/// Keeps the folded display name that the user directory searches.
pub async fn update_search_name(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
) -> Result<(), Error> {
    execute(db, "UPDATE accounts SET search_name = $1 WHERE user_id = $2", values![name, user])
        .await?;
    Ok(())
}

/// Active accounts that `asker` may find: those whose localpart is `exact`; and of those who share a room with them, or are in a room of
/// the public directory, whose localpart or folded display name starts with `prefix` (folded). By localpart.
pub async fn list_accounts_by_prefix(
    db: &impl ConnectionTrait,
    (prefix, exact): (&str, &str),
    asker: Id,
    limit: u32,
) -> Result<Vec<Account>, Error> {
    let escaped = prefix.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE deactivated = 0 AND user_id <> $4 AND (localpart = $5 OR (localpart LIKE $1 ESCAPE '!' \
             OR search_name LIKE $1 ESCAPE '!' OR search_name LIKE $2 ESCAPE '!') AND EXISTS (SELECT 1 FROM memberships b \
             JOIN rooms r ON r.id = b.room WHERE b.user_id = accounts.user_id AND b.membership = 'join' AND (r.in_directory = 1 \
             OR EXISTS (SELECT 1 FROM memberships a WHERE a.room = b.room AND a.user_id = $4 AND a.membership = 'join')))) \
         ORDER BY localpart LIMIT ($3 + 0)"
    );
    let values =
        values![format!("{escaped}%"), format!("% {escaped}%"), i64::from(limit), asker, exact];
    query_all(db, &sql, values).await?.iter().map(account).collect()
}
