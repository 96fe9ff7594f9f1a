//! Downloads: our own files and, fetched on the way, other servers'.

use std::{ops::Range, time::Duration};

use ruma::ServerName;

use super::{ByteStream, Media, MediaError, fetch_remote};
use crate::{
    app::App,
    storage::media::{self, ContentRow, MediaKey, MediaRow},
};

/// How exactly "last asked for" is kept.
const USED_STEP_MS: i64 = 3_600_000;

/// A file, or a part of one, ready to be sent.
pub struct Content {
    pub content_type: Option<String>,
    pub filename: Option<String>,
    /// Bytes of the whole file.
    pub size: u64,
    /// Which of them follow, when not all were asked for.
    pub range: Option<Range<u64>>,
    pub stream: ByteStream,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Want {
    /// How long to wait for a file that is not uploaded yet or is at another server.
    pub timeout: Duration,
    /// Which bytes, if not all.
    pub range: Option<ByteRange>,
}

/// Some bytes of a file whose size the asker doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first, counted from 0, to the last (included) or the end.
    From(u64, Option<u64>),
    /// The last so many.
    Last(u64),
}

impl ByteRange {
    /// The bytes in a file of `size` bytes; `None` when it has none of them.
    pub fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => {
                first..last.map_or(size, |last| last.saturating_add(1).min(size))
            }
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Opens a file of this server or of another.
///
/// # Errors
/// [`MediaError::NotFound`], [`MediaError::NotYetUploaded`], [`MediaError::Remote`].
pub async fn open(
    app: &App,
    media: &Media,
    server_name: &ServerName,
    media_id: &str,
    want: Want,
) -> Result<Content, MediaError> {
    let (row, content) = find(app, media, server_name, media_id, want.timeout).await?;
    content_of(media, row.filename, content, want.range).await
}

/// Opens a file of this server, for another server.
///
/// # Errors
/// As [`open`].
pub async fn open_local(
    app: &App,
    media: &Media,
    media_id: &str,
    want: Want,
) -> Result<Content, MediaError> {
    open(app, media, &app.server_name, media_id, want).await
}

/// The row of a file and its content, fetched or waited for if need be.
pub(super) async fn find(
    app: &App,
    media: &Media,
    server_name: &ServerName,
    media_id: &str,
    timeout: Duration,
) -> Result<(MediaRow, ContentRow), MediaError> {
    let server = app.db.server(server_name.as_str()).await?;
    let key = MediaKey { server, media_id: media_id.to_owned() };
    let row = if app.is_ours(server_name) {
        find_local(app, media, &key, timeout).await?
    } else {
        match media::find_media(&app.db, &key).await? {
            Some(row) => row,
            None => fetch_remote(app, media, server_name, &key, timeout).await?,
        }
    };
    let content = row.content.clone().ok_or(MediaError::NotYetUploaded)?;
    let now_ms = app.clock.now_ms();
    if now_ms - row.used_ms > USED_STEP_MS {
        media::update_used(&app.db, key, now_ms).await?;
    }
    Ok((row, content))
}

/// Finds a file of ours, waiting for its upload when only its id is there.
async fn find_local(
    app: &App,
    media: &Media,
    key: &MediaKey,
    timeout: Duration,
) -> Result<MediaRow, MediaError> {
    let uploaded = async {
        loop {
            // Made before looking, so that an upload in between is not missed.
            let rung = media.0.uploaded.notified();
            let row = media::find_media(&app.db, key).await?.ok_or(MediaError::NotFound)?;
            if row.content.is_some() {
                return Ok(row);
            }
            if row.expires_ms.is_some_and(|ends| ends < app.clock.now_ms()) {
                return Err(MediaError::NotFound);
            }
            rung.await;
        }
    };
    tokio::time::timeout(timeout, uploaded).await.unwrap_or(Err(MediaError::NotYetUploaded))
}

pub(super) async fn content_of(
    media: &Media,
    filename: Option<String>,
    content: ContentRow,
    range: Option<ByteRange>,
) -> Result<Content, MediaError> {
    let size = u64::try_from(content.size).unwrap_or_default();
    let range = match range {
        Some(range) => Some(range.within(size).ok_or(MediaError::NoSuchRange { size })?),
        None => None,
    };
    let stream = media.0.store.get(&content.hash, range.clone()).await?;
    Ok(Content { content_type: content.content_type, filename, size, range, stream })
}

#[cfg(test)]
mod tests {
    use super::ByteRange;

    #[test]
    fn a_range_is_cut_to_the_file() {
        assert_eq!(ByteRange::From(0, Some(0)).within(10), Some(0..1));
        assert_eq!(ByteRange::From(4, None).within(10), Some(4..10));
        assert_eq!(ByteRange::From(4, Some(99)).within(10), Some(4..10));
        assert_eq!(ByteRange::From(10, None).within(10), None);
        assert_eq!(ByteRange::Last(3).within(10), Some(7..10));
        assert_eq!(ByteRange::Last(30).within(10), Some(0..10));
        assert_eq!(ByteRange::Last(0).within(10), None);
        assert_eq!(ByteRange::From(0, None).within(0), None);
    }
}
