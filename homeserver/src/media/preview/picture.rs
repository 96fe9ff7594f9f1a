//! The picture of a page: kept only if it is one of the kinds that have thumbnails, under our own media id.

use bytes::Bytes;
use futures_util::stream;
use tern_federation::OpenPage;

use crate::{
    app::App,
    media::{Media, MediaError, remote::evict, thumbnail::measure, upload::new_key},
    storage::media::{self, ContentRow, MediaRow},
};

/// Larger pictures are left out.
const PICTURE_BYTES_MAX: u64 = 5 * 1024 * 1024;

/// A picture that is in the store.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) media_id: String,
    pub(super) content_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) size: i64,
}

/// Reads a picture and keeps it. `None` for what is none: a page without its picture still has a preview.
pub(super) async fn fetch(app: &App, media: &Media, file: &mut OpenPage) -> Option<Picture> {
    let max_bytes = app.config.limits.upload_bytes_max.min(PICTURE_BYTES_MAX);
    let bytes = file.read(usize::try_from(max_bytes).ok()?).await.ok()?;
    let (content_type, width, height) = measure(&bytes).ok()?;
    match keep(app, media, bytes, content_type).await {
        Ok((media_id, size)) => Some(Picture { media_id, content_type, width, height, size }),
        Err(error) => {
            tracing::warn!(%error, "a preview's picture could not be kept");
            None
        }
    }
}

async fn keep(
    app: &App,
    media: &Media,
    bytes: Bytes,
    content_type: &'static str,
) -> Result<(String, i64), MediaError> {
    let max_bytes = bytes.len() as u64;
    let now_ms = app.clock.now_ms();
    let kept = {
        let _placing = media.0.placing.read().await;
        let content = Box::pin(stream::iter([Ok(bytes)]));
        let stored = media.0.store.put(content, max_bytes).await?;
        let key = new_key(app).await?;
        match media::find_preview_picture(&app.db, key.server, &stored.hash).await? {
            // The picture of many pages, or of this one an hour ago.
            Some(media_id) => {
                let key = media::MediaKey { media_id, ..key };
                media::update_used(&app.db, key.clone(), now_ms).await?;
                (key.media_id, stored.size)
            }
            None => {
                let content = ContentRow {
                    hash: stored.hash,
                    size: stored.size,
                    content_type: Some(content_type.to_owned()),
                };
                let row = MediaRow {
                    uploader: None,
                    content: Some(content),
                    filename: None,
                    expires_ms: None,
                    used_ms: now_ms,
                };
                media::insert_media(&app.db, key.clone(), row, now_ms).await?;
                (key.media_id, stored.size)
            }
        }
    };
    if let Err(error) = evict(app, media).await {
        tracing::warn!(%error, "old files could not be removed");
    }
    Ok(kept)
}
