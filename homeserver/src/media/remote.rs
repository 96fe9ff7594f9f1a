//! Other servers' files: fetched once however many ask, kept within a budget.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ruma::{
    ServerName, api::federation::authenticated_media::get_content, http_headers::ContentDisposition,
};
use tern_federation::{
    client::{CallLimits, RequestError},
    media::{Media as RemoteMedia, MediaContent},
};

use super::{Media, MediaError, upload::shorten};
use crate::{
    app::App,
    storage::media::{self, ContentRow, MediaKey, MediaRow},
};

/// Longest time one fetch may take: a large file over a slow line.
const FETCH_TIME_MAX: Duration = Duration::from_secs(600);
/// Files removed in one go.
const EVICTED_MAX: u32 = 1_000;

/// Who is fetching what.
#[derive(Debug, Default)]
pub(super) struct Fetching(Mutex<HashMap<MediaKey, Arc<tokio::sync::Mutex<()>>>>);

impl Fetching {
    fn turn(&self, key: &MediaKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Turns that nobody holds or waits for are over.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(key.clone()).or_default().clone()
    }
}

/// Fetches a file from its server, or waits for who is fetching it already. The fetch goes on when the asker leaves.
///
/// # Errors
/// [`MediaError::NotFound`] when its server has no such file, [`MediaError::NotYetUploaded`] after `timeout`,
/// [`MediaError::Remote`] for any other trouble there.
pub async fn fetch_remote(
    app: &App,
    media: &Media,
    server_name: &ServerName,
    key: &MediaKey,
    timeout: Duration,
) -> Result<MediaRow, MediaError> {
    let (app, media) = (app.clone(), media.clone());
    let (server_name, key) = (server_name.to_owned(), key.clone());
    let fetch = tokio::spawn(async move {
        let turn = media.0.fetching.turn(&key);
        let _mine = turn.lock().await;
        // Somebody else may have fetched it meanwhile.
        if let Some(row) = media::find_media(&app.db, &key).await? {
            return Ok(row);
        }
        let row = fetch(&app, &media, &server_name, &key).await?;
        if let Err(error) = evict(&app, &media).await {
            tracing::warn!(%error, "old files of other servers could not be removed");
        }
        Ok(row)
    });
    match tokio::time::timeout(timeout, fetch).await {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(_)) => Err(MediaError::Remote("the fetch was stopped".to_owned())),
        Err(_) => Err(MediaError::NotYetUploaded),
    }
}

async fn fetch(
    app: &App,
    media: &Media,
    server_name: &ServerName,
    key: &MediaKey,
) -> Result<MediaRow, MediaError> {
    let max_bytes = app.config.limits.upload_bytes_max;
    let limits = CallLimits {
        timeout: FETCH_TIME_MAX,
        response_bytes_max: usize::try_from(max_bytes).unwrap_or(usize::MAX),
    };
    let request = get_content::v1::Request::new(key.media_id.clone());
    let found = app.federation.download(server_name, request, limits).await.map_err(refusal)?;
    let found = match found {
        RemoteMedia::Content(content) => content,
        RemoteMedia::Location(url) => {
            match app.federation.follow_location(&url, limits).await.map_err(refusal)? {
                RemoteMedia::Content(content) => content,
                RemoteMedia::Location(_) => {
                    return Err(MediaError::Remote("it points on and on".to_owned()));
                }
            }
        }
    };
    let MediaContent { content_type, content_disposition, body } = found;
    let _placing = media.0.placing.read().await;
    let stored = media.0.store.put(body, max_bytes).await.map_err(|error| match error {
        MediaError::Broken(problem) => MediaError::Remote(problem),
        error => error,
    })?;
    let filename = content_disposition
        .and_then(|header| header.parse::<ContentDisposition>().ok())
        .and_then(|header| header.filename);
    let now_ms = app.clock.now_ms();
    let row = MediaRow {
        uploader: None,
        content: Some(ContentRow {
            hash: stored.hash,
            size: stored.size,
            content_type: content_type.map(shorten),
        }),
        filename: filename.map(shorten),
        expires_ms: None,
        used_ms: now_ms,
    };
    media::insert_media(&app.db, key.clone(), row.clone(), now_ms).await?;
    Ok(row)
}

fn refusal(error: RequestError) -> MediaError {
    match &error {
        RequestError::TooLarge { max_bytes } => {
            MediaError::TooLarge { max_bytes: u64::try_from(*max_bytes).unwrap_or(u64::MAX) }
        }
        _ => match error.status() {
            Some(http::StatusCode::NOT_FOUND) => MediaError::NotFound,
            Some(http::StatusCode::GATEWAY_TIMEOUT) => MediaError::NotYetUploaded,
            _ => MediaError::Remote(error.to_string()),
        },
    }
}

/// Removes other servers' files and the pictures of link previews until they fit into the budget again.
pub(super) async fn evict(app: &App, media: &Media) -> Result<(), MediaError> {
    let own = app.db.server(app.server_name.as_str()).await?;
    let budget = i64::try_from(app.config.limits.remote_media_bytes_max).unwrap_or(i64::MAX);
    let mut over = media::sum_remote_bytes(&app.db, own).await? - budget;
    if over <= 0 {
        return Ok(());
    }
    for (key, size) in media::list_remote_unused(&app.db, own, EVICTED_MAX).await? {
        if over <= 0 {
            break;
        }
        let _removing = media.0.placing.write().await;
        for hash in media::delete_media(&app.db, key).await? {
            media.0.store.delete(&hash).await?;
        }
        over -= size;
    }
    Ok(())
}
