//! Room keys backed up by clients ([spec]): versions, and the sessions in the newest.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups

use ruma::{CanonicalJsonObject, CanonicalJsonValue};

use super::{
    Error,
    signed_json::{NAME_BYTES_MAX, object, parse_object, text, to_text},
};
use crate::{
    app::App,
    storage::{
        self, Id, Txn,
        key_backup::{self, SessionFilter, StoredBackup, StoredSession},
    },
};

/// Most sessions in one request: it is one transaction.
const SESSIONS_MAX: usize = 1_000;

/// A backup version as clients see it.
#[derive(Debug, Clone)]
pub struct BackupInfo {
    pub version: String,
    pub algorithm: String,
    /// A JSON object.
    pub auth_data: String,
    pub count: u64,
    pub etag: String,
}

/// What changed with a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupState {
    pub count: u64,
    pub etag: String,
}

/// All keys, a room's, or one session's.
#[derive(Debug, Clone, Default)]
pub struct SessionPath {
    pub room_id: Option<String>,
    pub session_id: Option<String>,
}

impl SessionPath {
    fn filter(&self) -> SessionFilter<'_> {
        SessionFilter { room_id: self.room_id.as_deref(), session_id: self.session_id.as_deref() }
    }
}

impl From<StoredBackup> for BackupInfo {
    fn from(stored: StoredBackup) -> Self {
        Self {
            version: stored.version.to_string(),
            algorithm: stored.algorithm,
            auth_data: stored.auth_data,
            count: u64::try_from(stored.count).unwrap_or_default(),
            etag: stored.etag.to_string(),
        }
    }
}

impl From<StoredBackup> for BackupState {
    fn from(stored: StoredBackup) -> Self {
        let BackupInfo { count, etag, .. } = stored.into();
        Self { count, etag }
    }
}

const NO_BACKUP: Error = Error::NotFound("there is no such key backup");

/// Makes a new version out of `{"algorithm": …, "auth_data": …}` and returns its name.
pub async fn create_backup(app: &App, user: Id, json: &str) -> Result<String, Error> {
    let (algorithm, auth_data, _) = read_version(json)?;
    let write = app.db.write(move |txn| {
        Box::pin(async move { key_backup::insert_backup(txn, user, &algorithm, &auth_data).await })
    });
    Ok(write.await?.to_string())
}

/// The given version, or the newest.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn find_backup(app: &App, user: Id, version: Option<&str>) -> Result<BackupInfo, Error> {
    let version = version.map(number).transpose()?;
    let found = key_backup::find_backup(app.db.read(), user, version).await?;
    found.map(Into::into).ok_or(NO_BACKUP)
}

/// Replaces a version's auth data; its algorithm stays.
pub async fn update_backup(app: &App, user: Id, version: &str, json: &str) -> Result<(), Error> {
    let (algorithm, auth_data, named) = read_version(json)?;
    if named.is_some_and(|named| named != version) {
        return Err(Error::invalid("the version in the body is not that of the path"));
    }
    let version = number(version)?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let found = key_backup::find_backup(txn.db(), user, Some(version)).await?;
            if found.ok_or(NO_BACKUP)?.algorithm != algorithm {
                return Err(Error::invalid("the algorithm of a backup cannot be changed"));
            }
            Ok(key_backup::update_auth_data(txn, user, version, &auth_data).await?)
        })
    });
    write.await
}

/// Deletes a version with its keys.
pub async fn delete_backup(app: &App, user: Id, version: &str) -> Result<(), Error> {
    let version = number(version)?;
    let write = app.db.write(move |txn| {
        Box::pin(async move { key_backup::delete_backup(txn, user, version).await })
    });
    if !write.await? {
        return Err(NO_BACKUP);
    }
    Ok(key_backup::forget_backup(&app.db, user, version).await?)
}

/// Stores sessions, each only if it is better than what is there. `sessions`: room id, session id, JSON.
///
/// # Errors
/// [`Error::WrongVersion`] when `version` is not the newest; [`Error::NotFound`] when there is no backup.
pub async fn put_backup_keys(
    app: &App,
    user: Id,
    version: &str,
    sessions: Vec<(String, String, String)>,
) -> Result<BackupState, Error> {
    let version = number(version)?;
    let sessions =
        sessions.into_iter().map(read_session).collect::<Result<Vec<StoredSession>, Error>>()?;
    if sessions.len() > SESSIONS_MAX {
        return Err(Error::TooLarge(format!("at most {SESSIONS_MAX} keys at a time")));
    }
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let newest = key_backup::find_backup(txn.db(), user, None).await?.ok_or(NO_BACKUP)?;
            if newest.version != version {
                return Err(Error::WrongVersion { current: newest.version.to_string() });
            }
            let (mut added, mut changed) = (0, false);
            for session in &sessions {
                let filter = SessionFilter {
                    room_id: Some(&session.room_id),
                    session_id: Some(&session.session_id),
                };
                let known = key_backup::list_sessions(txn.db(), user, version, filter).await?;
                match known.first() {
                    Some(known) if !is_better(session, known) => continue,
                    Some(_) => {}
                    None => added += 1,
                }
                key_backup::upsert_session(txn, user, version, session).await?;
                changed = true;
            }
            if changed {
                key_backup::update_count(txn, user, version, added).await?;
            }
            state(txn, user, version).await
        })
    });
    write.await
}

/// The backed-up sessions, in order of room and session.
///
/// # Errors
/// [`Error::NotFound`] when there is no such version, or one session was asked for and is not there.
pub async fn find_backup_keys(
    app: &App,
    user: Id,
    version: &str,
    path: &SessionPath,
) -> Result<Vec<StoredSession>, Error> {
    let version = number(version)?;
    key_backup::find_backup(app.db.read(), user, Some(version)).await?.ok_or(NO_BACKUP)?;
    let sessions = key_backup::list_sessions(app.db.read(), user, version, path.filter()).await?;
    if path.session_id.is_some() && sessions.is_empty() {
        return Err(Error::NotFound("this session is not in the backup"));
    }
    Ok(sessions)
}

/// Deletes backed-up sessions.
pub async fn delete_backup_keys(
    app: &App,
    user: Id,
    version: &str,
    path: SessionPath,
) -> Result<BackupState, Error> {
    let version = number(version)?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            key_backup::find_backup(txn.db(), user, Some(version)).await?.ok_or(NO_BACKUP)?;
            let deleted = key_backup::delete_sessions(txn, user, version, path.filter()).await?;
            if deleted > 0 {
                let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
                key_backup::update_count(txn, user, version, -deleted).await?;
            }
            state(txn, user, version).await
        })
    });
    write.await
}

async fn state(txn: &Txn, user: Id, version: i64) -> Result<BackupState, Error> {
    let now = key_backup::find_backup(txn.db(), user, Some(version)).await?;
    Ok(now.ok_or(storage::Error::Damaged { what: "key backup" })?.into())
}

/// Whether `new` should replace `old`: verified before unverified, then the one that decrypts more, then the one that fewer
/// hands passed on.
fn is_better(new: &StoredSession, old: &StoredSession) -> bool {
    if new.is_verified != old.is_verified {
        return new.is_verified;
    }
    (new.first_message_index, new.forwarded_count) < (old.first_message_index, old.forwarded_count)
}

/// Versions are ours, so numbers; anything else never existed.
fn number(version: &str) -> Result<i64, Error> {
    version.parse().ok().filter(|version| *version > 0).ok_or(NO_BACKUP)
}

/// Algorithm, auth data, and the version if named.
fn read_version(json: &str) -> Result<(String, String, Option<String>), Error> {
    let version = parse_object(json)?;
    let algorithm =
        text(&version, "algorithm").ok_or_else(|| Error::invalid("algorithm is missing"))?;
    if algorithm.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("an algorithm's name has at most 255 bytes"));
    }
    let auth_data =
        object(&version, "auth_data").ok_or_else(|| Error::invalid("auth_data is missing"))?;
    let named = text(&version, "version").map(ToOwned::to_owned);
    Ok((algorithm.to_owned(), to_text(auth_data), named))
}

fn read_session(
    (room_id, session_id, json): (String, String, String),
) -> Result<StoredSession, Error> {
    if session_id.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("a session id has at most 255 bytes"));
    }
    let session = parse_object(&json)?;
    if object(&session, "session_data").is_none() {
        return Err(Error::invalid("session_data is missing"));
    }
    let is_verified = session.get("is_verified").and_then(CanonicalJsonValue::as_bool);
    Ok(StoredSession {
        room_id,
        session_id,
        first_message_index: count(&session, "first_message_index")?,
        forwarded_count: count(&session, "forwarded_count")?,
        is_verified: is_verified.ok_or_else(|| Error::invalid("is_verified is missing"))?,
        json: to_text(&session),
    })
}

/// A whole number from 0 on.
fn count(session: &CanonicalJsonObject, field: &str) -> Result<i64, Error> {
    let number = session.get(field).and_then(CanonicalJsonValue::as_integer).map(i64::from);
    number
        .filter(|number| *number >= 0)
        .ok_or_else(|| Error::invalid(format!("{field} must be a whole number from 0 on")))
}
