//! Access, refresh, login and registration tokens. All but the last are kept as SHA-256 only.

use sea_orm::ConnectionTrait;

use super::{Error, Id, execute, query_all, query_one, values};

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// An access token with the session it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub user: Id,
    pub user_id: String,
    /// The interned device.
    pub device: Id,
    pub device_id: String,
    pub last_seen_ms: Option<i64>,
    pub expires_ms: Option<i64>,
    /// The hash of the refresh token given out with it.
    pub refresh: Option<Vec<u8>>,
    pub locked: bool,
    pub deactivated: bool,
    pub suspended: bool,
}

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub user: Id,
    pub device: Id,
    /// The hash of its replacement, once there is one.
    pub successor: Option<Vec<u8>>,
}

/// A registration token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationToken {
    pub token: String,
    pub uses_allowed: Option<i64>,
    pub uses: i64,
    pub expires_ms: Option<i64>,
}

/// The session behind an access token, expired ones too.
pub async fn find_access_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
) -> Result<Option<AccessToken>, Error> {
    const SQL: &str = "SELECT t.user_id, u.user_id, t.device, d.device_id, d.last_seen_ms, t.expires_ms, t.refresh, a.locked, a.deactivated, a.suspended \
        FROM access_tokens t JOIN devices d ON d.id = t.device JOIN users u ON u.id = t.user_id JOIN accounts a ON a.user_id = t.user_id \
        WHERE t.hash = $1";
    let Some(row) = query_one(db, SQL, values![hash.to_vec()]).await? else { return Ok(None) };
    Ok(Some(AccessToken {
        user: row.get(0)?,
        user_id: row.get(1)?,
        device: row.get(2)?,
        device_id: row.get(3)?,
        last_seen_ms: row.get(4)?,
        expires_ms: row.get(5)?,
        refresh: row.get(6)?,
        locked: row.get::<i64>(7)? != 0,
        deactivated: row.get::<i64>(8)? != 0,
        suspended: row.get::<i64>(9)? != 0,
    }))
}

/// Adds an access token of `device`.
pub async fn insert_access_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    (user, device): (Id, Id),
    expires_ms: Option<i64>,
    refresh: Option<&TokenHash>,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO access_tokens (hash, user_id, device, expires_ms, refresh) VALUES ($1, $2, $3, $4, $5)";
    let refresh = refresh.map(|hash| hash.to_vec());
    execute(db, SQL, values![hash.to_vec(), user, device, expires_ms, refresh]).await?;
    Ok(())
}

/// Ends one access token.
pub async fn delete_access_token(db: &impl ConnectionTrait, hash: &TokenHash) -> Result<(), Error> {
    execute(db, "DELETE FROM access_tokens WHERE hash = $1", values![hash.to_vec()]).await?;
    Ok(())
}

/// Ends all access and refresh tokens of a device.
pub async fn delete_tokens_of_device(db: &impl ConnectionTrait, device: Id) -> Result<(), Error> {
    execute(db, "DELETE FROM access_tokens WHERE device = $1", values![device]).await?;
    execute(db, "DELETE FROM refresh_tokens WHERE device = $1", values![device]).await?;
    Ok(())
}

/// Adds a refresh token of `device`.
pub async fn insert_refresh_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    (user, device): (Id, Id),
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO refresh_tokens (hash, user_id, device) VALUES ($1, $2, $3)";
    execute(db, SQL, values![hash.to_vec(), user, device]).await?;
    Ok(())
}

/// The refresh token with this hash.
pub async fn find_refresh_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
) -> Result<Option<RefreshToken>, Error> {
    const SQL: &str = "SELECT user_id, device, successor FROM refresh_tokens WHERE hash = $1";
    let Some(row) = query_one(db, SQL, values![hash.to_vec()]).await? else { return Ok(None) };
    Ok(Some(RefreshToken { user: row.get(0)?, device: row.get(1)?, successor: row.get(2)? }))
}

/// Notes what replaces a refresh token.
pub async fn update_successor(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    successor: &TokenHash,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE refresh_tokens SET successor = $1 WHERE hash = $2";
    execute(db, SQL, values![successor.to_vec(), hash.to_vec()]).await?;
    Ok(())
}

/// Ends a refresh token and the access tokens given out with it.
pub async fn delete_refresh_token(db: &impl ConnectionTrait, hash: &[u8]) -> Result<(), Error> {
    execute(db, "DELETE FROM access_tokens WHERE refresh = $1", values![hash.to_vec()]).await?;
    execute(db, "DELETE FROM refresh_tokens WHERE hash = $1", values![hash.to_vec()]).await?;
    Ok(())
}

/// The refresh token that `successor` replaces, while it is still kept.
pub async fn find_replaced(
    db: &impl ConnectionTrait,
    successor: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    const SQL: &str = "SELECT hash FROM refresh_tokens WHERE successor = $1";
    query_one(db, SQL, values![successor.to_vec()]).await?.map(|row| row.get(0)).transpose()
}

/// Adds a login token.
pub async fn insert_login_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    user: Id,
    expires_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO login_tokens (hash, user_id, expires_ms) VALUES ($1, $2, $3)";
    execute(db, SQL, values![hash.to_vec(), user, expires_ms]).await?;
    Ok(())
}

/// Uses a login token up: who it belongs to, unless it has expired.
pub async fn delete_login_token(
    db: &impl ConnectionTrait,
    hash: &TokenHash,
    now_ms: i64,
) -> Result<Option<Id>, Error> {
    const FIND: &str = "SELECT user_id, expires_ms FROM login_tokens WHERE hash = $1";
    let Some(row) = query_one(db, FIND, values![hash.to_vec()]).await? else { return Ok(None) };
    execute(db, "DELETE FROM login_tokens WHERE hash = $1", values![hash.to_vec()]).await?;
    Ok(if row.get::<i64>(1)? >= now_ms { Some(row.get(0)?) } else { None })
}

const REGISTRATION_COLUMNS: &str = "token, uses_allowed, uses, expires_ms";

/// The registration token, used up and expired ones too.
pub async fn find_registration_token(
    db: &impl ConnectionTrait,
    token: &str,
) -> Result<Option<RegistrationToken>, Error> {
    let sql = format!("SELECT {REGISTRATION_COLUMNS} FROM registration_tokens WHERE token = $1");
    let Some(row) = query_one(db, &sql, values![token]).await? else { return Ok(None) };
    Ok(Some(RegistrationToken {
        token: row.get(0)?,
        uses_allowed: row.get(1)?,
        uses: row.get(2)?,
        expires_ms: row.get(3)?,
    }))
}

/// All registration tokens, newest first, at most `limit`.
pub async fn list_registration_tokens(
    db: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<RegistrationToken>, Error> {
    let sql = format!(
        "SELECT {REGISTRATION_COLUMNS} FROM registration_tokens ORDER BY created_ms DESC, token LIMIT ($1 + 0)"
    );
    let rows = query_all(db, &sql, values![i64::from(limit)]).await?;
    let token = |row: super::Row| {
        Ok(RegistrationToken {
            token: row.get(0)?,
            uses_allowed: row.get(1)?,
            uses: row.get(2)?,
            expires_ms: row.get(3)?,
        })
    };
    rows.into_iter().map(token).collect()
}

/// Adds a registration token. `false` when there is one of that text.
pub async fn insert_registration_token(
    db: &impl ConnectionTrait,
    token: &RegistrationToken,
    now_ms: i64,
) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO registration_tokens (token, uses_allowed, uses, expires_ms, created_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let text = token.token.as_str();
    let values = values![text, token.uses_allowed, token.uses, token.expires_ms, now_ms];
    Ok(execute(db, SQL, values).await? > 0)
}

/// Counts one use, if one is left. `false` when none is, or the token has expired.
pub async fn update_registration_token_used(
    db: &impl ConnectionTrait,
    token: &str,
    now_ms: i64,
) -> Result<bool, Error> {
    const SQL: &str = "UPDATE registration_tokens SET uses = uses + 1 WHERE token = $1 \
        AND (uses_allowed IS NULL OR uses < uses_allowed) AND (expires_ms IS NULL OR expires_ms > $2)";
    Ok(execute(db, SQL, values![token, now_ms]).await? > 0)
}

/// Removes a registration token. `false` when there was none.
pub async fn delete_registration_token(
    db: &impl ConnectionTrait,
    token: &str,
) -> Result<bool, Error> {
    Ok(execute(db, "DELETE FROM registration_tokens WHERE token = $1", values![token]).await? > 0)
}
