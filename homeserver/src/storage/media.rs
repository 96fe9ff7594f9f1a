//! Files: what each media id means. The bytes themselves are not here; the media floor keeps them by hash.

use super::{Database, Error, Id, Row, execute, query_all, query_one, values};

/// SHA-256 of a file's bytes.
pub type ContentHash = Vec<u8>;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRow {
    pub uploader: Option<Id>,
    /// `None` while only the id is reserved.
    pub content: Option<ContentRow>,
    pub filename: Option<String>,
    /// When a reserved id ends.
    pub expires_ms: Option<i64>,
    pub used_ms: i64,
}

/// The bytes behind a media id or a thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRow {
    pub hash: ContentHash,
    pub size: i64,
    pub content_type: Option<String>,
}

/// Which file: the interned server and the id it gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaKey {
    pub server: Id,
    pub media_id: String,
}

/// Which thumbnail of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailKey {
    pub source: ContentHash,
    pub width: i64,
    pub height: i64,
    /// `crop` or `scale`.
    pub method: &'static str,
}

/// The file behind a media id.
pub async fn find_media(db: &Database, key: &MediaKey) -> Result<Option<MediaRow>, Error> {
    const FIND: &str = "SELECT uploader, hash, size, content_type, filename, expires_ms, used_ms FROM media WHERE server = $1 AND media_id = $2";
    let row = query_one(db.read(), FIND, values![key.server, key.media_id.as_str()]).await?;
    row.map(|row| media_row(&row)).transpose()
}

fn media_row(row: &Row) -> Result<MediaRow, Error> {
    let (size, content_type) = (row.get(2)?, row.get(3)?);
    let hash: Option<ContentHash> = row.get(1)?;
    Ok(MediaRow {
        uploader: row.get(0)?,
        content: hash.map(|hash| ContentRow { hash, size, content_type }),
        filename: row.get(4)?,
        expires_ms: row.get(5)?,
        used_ms: row.get(6)?,
    })
}

/// Stores a file or a reserved id. What is there under the key already stays.
pub async fn insert_media(
    db: &Database,
    key: MediaKey,
    row: MediaRow,
    now_ms: i64,
) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO media (server, media_id, uploader, hash, size, content_type, filename, created_ms, expires_ms, used_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    let (hash, size, content_type) = match row.content {
        Some(content) => (Some(content.hash), content.size, content.content_type),
        None => (None, 0, None),
    };
    let values = values![
        key.server,
        key.media_id,
        row.uploader,
        hash,
        size,
        content_type,
        row.filename,
        now_ms,
        row.expires_ms,
        row.used_ms
    ];
    db.write(move |txn| {
        Box::pin(async move { execute(txn.db(), INSERT, values).await.map(|_| ()) })
    })
    .await
}

/// Gives a reserved id its content. `false` when it has one already.
pub async fn update_content(
    db: &Database,
    key: MediaKey,
    content: ContentRow,
    filename: Option<String>,
) -> Result<bool, Error> {
    const UPDATE: &str = "UPDATE media SET hash = $1, size = $2, content_type = $3, filename = $4, expires_ms = NULL WHERE server = $5 AND media_id = $6 AND hash IS NULL";
    let values = values![
        content.hash,
        content.size,
        content.content_type,
        filename,
        key.server,
        key.media_id
    ];
    db.write(move |txn| {
        Box::pin(async move { execute(txn.db(), UPDATE, values).await.map(|rows| rows > 0) })
    })
    .await
}

/// How many ids a user has reserved and not filled; those that ended are deleted on the way.
pub async fn count_pending(db: &Database, uploader: Id, now_ms: i64) -> Result<i64, Error> {
    const DELETE: &str =
        "DELETE FROM media WHERE uploader = $1 AND hash IS NULL AND expires_ms < $2";
    const COUNT: &str = "SELECT COUNT(*) FROM media WHERE uploader = $1 AND hash IS NULL";
    db.write(move |txn| {
        Box::pin(async move {
            execute(txn.db(), DELETE, values![uploader, now_ms]).await?;
            let row = query_one(txn.db(), COUNT, values![uploader]).await?;
            row.ok_or(Error::Damaged { what: "count" })?.get(0)
        })
    })
    .await
}

/// Notes that a file was asked for.
pub async fn update_used(db: &Database, key: MediaKey, now_ms: i64) -> Result<(), Error> {
    const UPDATE: &str = "UPDATE media SET used_ms = $1 WHERE server = $2 AND media_id = $3";
    let values = values![now_ms, key.server, key.media_id];
    db.write(move |txn| {
        Box::pin(async move { execute(txn.db(), UPDATE, values).await.map(|_| ()) })
    })
    .await
}

/// A thumbnail made earlier.
pub async fn find_thumbnail(
    db: &Database,
    key: &ThumbnailKey,
) -> Result<Option<ContentRow>, Error> {
    const FIND: &str = "SELECT hash, size, content_type FROM thumbnails WHERE source = $1 AND width = $2 AND height = $3 AND method = $4";
    let values = values![key.source.clone(), key.width, key.height, key.method];
    let row = query_one(db.read(), FIND, values).await?;
    row.map(|row| {
        Ok(ContentRow { hash: row.get(0)?, size: row.get(1)?, content_type: row.get(2)? })
    })
    .transpose()
}

/// Keeps a thumbnail.
pub async fn insert_thumbnail(
    db: &Database,
    key: ThumbnailKey,
    content: ContentRow,
) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO thumbnails (source, width, height, method, hash, size, content_type) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let values = values![
        key.source,
        key.width,
        key.height,
        key.method,
        content.hash,
        content.size,
        content.content_type.unwrap_or_default()
    ];
    db.write(move |txn| {
        Box::pin(async move { execute(txn.db(), INSERT, values).await.map(|_| ()) })
    })
    .await
}

/// The picture of a link preview with these bytes: a file of our own that nobody uploaded.
pub async fn find_preview_picture(
    db: &Database,
    own_server: Id,
    hash: &ContentHash,
) -> Result<Option<String>, Error> {
    const FIND: &str =
        "SELECT media_id FROM media WHERE hash = $1 AND server = $2 AND uploader IS NULL LIMIT 1";
    let row = query_one(db.read(), FIND, values![hash.clone(), own_server]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// The bytes that other servers' files and the pictures of link previews take, thumbnails left out.
pub async fn sum_remote_bytes(db: &Database, own_server: Id) -> Result<i64, Error> {
    // PostgreSQL sums to NUMERIC.
    const SUM: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM media WHERE server <> $1 OR uploader IS NULL";
    let row = query_one(db.read(), SUM, values![own_server]).await?;
    row.ok_or(Error::Damaged { what: "sum" })?.get(0)
}

/// Other servers' files and the pictures of link previews, those not asked for longest first, with their sizes.
pub async fn list_remote_unused(
    db: &Database,
    own_server: Id,
    limit: u32,
) -> Result<Vec<(MediaKey, i64)>, Error> {
    const LIST: &str = "SELECT server, media_id, size FROM media WHERE server <> $1 OR uploader IS NULL ORDER BY used_ms, media_id LIMIT ($2 + 0)";
    let rows = query_all(db.read(), LIST, values![own_server, i64::from(limit)]).await?;
    let key = |row: Row| Ok((MediaKey { server: row.get(0)?, media_id: row.get(1)? }, row.get(2)?));
    rows.into_iter().map(key).collect()
}

/// Forgets a file; returns the hashes that nothing refers to any more, its thumbnails' too.
pub async fn delete_media(db: &Database, key: MediaKey) -> Result<Vec<ContentHash>, Error> {
    const FIND: &str = "SELECT hash FROM media WHERE server = $1 AND media_id = $2";
    const DELETE: &str = "DELETE FROM media WHERE server = $1 AND media_id = $2";
    const THUMBNAILS: &str = "SELECT hash FROM thumbnails WHERE source = $1 ORDER BY width";
    const DELETE_THUMBNAILS: &str = "DELETE FROM thumbnails WHERE source = $1";
    db.write(move |txn| {
        Box::pin(async move {
            let values = values![key.server, key.media_id];
            let Some(row) = query_one(txn.db(), FIND, values.clone()).await? else {
                return Ok(Vec::new());
            };
            execute(txn.db(), DELETE, values).await?;
            let Some(hash) = row.get::<Option<ContentHash>>(0)? else { return Ok(Vec::new()) };
            if is_used(txn.db(), &hash).await? {
                return Ok(Vec::new());
            }
            let mut unused = Vec::new();
            let thumbnails = query_all(txn.db(), THUMBNAILS, values![hash.clone()]).await?;
            execute(txn.db(), DELETE_THUMBNAILS, values![hash.clone()]).await?;
            for thumbnail in thumbnails {
                let thumbnail: ContentHash = thumbnail.get(0)?;
                if !is_used(txn.db(), &thumbnail).await? {
                    unused.push(thumbnail);
                }
            }
            unused.push(hash);
            Ok(unused)
        })
    })
    .await
}

async fn is_used(db: &impl sea_orm::ConnectionTrait, hash: &[u8]) -> Result<bool, Error> {
    const USED: &str = "SELECT 1 FROM media WHERE hash = $1 UNION ALL SELECT 1 FROM thumbnails WHERE hash = $1 LIMIT 1";
    Ok(query_one(db, USED, values![hash.to_vec()]).await?.is_some())
}

/// Up to `limit` hashes of files and thumbnails above `after`, in order, each once.
pub async fn list_hashes(
    db: &Database,
    after: &ContentHash,
    limit: u32,
) -> Result<Vec<ContentHash>, Error> {
    const LIST: &str = "SELECT hash FROM media WHERE hash > $1 UNION SELECT hash FROM thumbnails WHERE hash > $1 \
         ORDER BY hash LIMIT ($2 + 0)";
    let rows = query_all(db.read(), LIST, values![after.clone(), i64::from(limit)]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}
