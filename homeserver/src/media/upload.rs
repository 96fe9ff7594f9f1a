//! Uploads: at once, or into an id reserved before. Answered when the file is on the disk and its row is committed.

use std::time::Duration;

use super::{ByteStream, Media, MediaError, store::Stored};
use crate::{
    app::App,
    auth::Requester,
    random::LETTERS,
    storage::media::{self, ContentRow, MediaKey, MediaRow},
};

/// Characters of a media id: nobody guesses one.
const MEDIA_ID_LENGTH: usize = 32;
/// How long a reserved id waits for its content.
const RESERVED_TIME: Duration = Duration::from_secs(24 * 3600);
/// Ids that one user may have reserved without content.
const PENDING_MAX: i64 = 50;
/// Longest file name and content type that are kept.
const NAME_BYTES_MAX: usize = 255;

/// A file on its way in.
pub struct Upload {
    pub content: ByteStream,
    /// What the uploader says it is.
    pub content_type: Option<String>,
    pub filename: Option<String>,
    /// What the uploader says about its length; checked before anything is read.
    pub size: Option<u64>,
}

/// Keeps a file and returns its media id.
///
/// # Errors
/// [`MediaError::TooLarge`], [`MediaError::Broken`].
pub async fn upload(
    app: &App,
    media: &Media,
    requester: &Requester,
    upload: Upload,
) -> Result<String, MediaError> {
    let key = new_key(app).await?;
    let now_ms = app.clock.now_ms();
    let filename = upload.filename.clone().map(shorten);
    let _placing = media.0.placing.read().await;
    let content = keep(app, media, upload).await?;
    let row = MediaRow {
        uploader: Some(requester.user),
        content: Some(content),
        filename,
        expires_ms: None,
        used_ms: now_ms,
    };
    media::insert_media(&app.db, key.clone(), row, now_ms).await?;
    Ok(key.media_id)
}

/// Reserves a media id for 24 hours; returns it and when it ends, in ms.
///
/// # Errors
/// [`MediaError::TooManyPending`] beyond 50.
pub async fn create(app: &App, requester: &Requester) -> Result<(String, i64), MediaError> {
    let now_ms = app.clock.now_ms();
    if media::count_pending(&app.db, requester.user, now_ms).await? >= PENDING_MAX {
        return Err(MediaError::TooManyPending { retry_after: Duration::from_secs(60) });
    }
    let key = new_key(app).await?;
    let ends_ms = now_ms.saturating_add(i64::try_from(RESERVED_TIME.as_millis()).unwrap_or(0));
    let row = MediaRow {
        uploader: Some(requester.user),
        content: None,
        filename: None,
        expires_ms: Some(ends_ms),
        used_ms: now_ms,
    };
    media::insert_media(&app.db, key.clone(), row, now_ms).await?;
    Ok((key.media_id, ends_ms))
}

/// Uploads into a reserved id.
///
/// # Errors
/// [`MediaError::NotFound`] for an id that was not reserved or has ended, [`MediaError::NotYours`],
/// [`MediaError::AlreadyUploaded`].
pub async fn put(
    app: &App,
    media: &Media,
    requester: &Requester,
    media_id: &str,
    upload: Upload,
) -> Result<(), MediaError> {
    let server = app.db.server(app.server_name.as_str()).await?;
    let key = MediaKey { server, media_id: media_id.to_owned() };
    let row = media::find_media(&app.db, &key).await?.ok_or(MediaError::NotFound)?;
    if row.uploader != Some(requester.user) {
        return Err(MediaError::NotYours);
    }
    if row.content.is_some() {
        return Err(MediaError::AlreadyUploaded);
    }
    if row.expires_ms.is_some_and(|ends| ends < app.clock.now_ms()) {
        return Err(MediaError::NotFound);
    }
    let filename = upload.filename.clone().map(shorten);
    let _placing = media.0.placing.read().await;
    let content = keep(app, media, upload).await?;
    if !media::update_content(&app.db, key, content, filename).await? {
        return Err(MediaError::AlreadyUploaded);
    }
    media.0.uploaded.notify_waiters();
    Ok(())
}

async fn keep(app: &App, media: &Media, upload: Upload) -> Result<ContentRow, MediaError> {
    let max_bytes = app.config.limits.upload_bytes_max;
    if upload.size.is_some_and(|size| size > max_bytes) {
        return Err(MediaError::TooLarge { max_bytes });
    }
    let Stored { hash, size } = media.0.store.put(upload.content, max_bytes).await?;
    Ok(ContentRow { hash, size, content_type: upload.content_type.map(shorten) })
}

pub(super) async fn new_key(app: &App) -> Result<MediaKey, MediaError> {
    let media_id = app.random.characters(LETTERS, MEDIA_ID_LENGTH);
    let server = app.db.server(app.server_name.as_str()).await?;
    Ok(MediaKey { server, media_id })
}

/// Cut at a character, without what could end a header line.
pub(super) fn shorten(text: String) -> String {
    let mut text: String = text.chars().filter(|char| !char.is_control()).collect();
    text.truncate(text.floor_char_boundary(NAME_BYTES_MAX));
    text
}
