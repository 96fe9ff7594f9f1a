//! Link previews: what a page says of itself and its picture, fetched once however many ask, kept for an hour in memory.
//!
//! The picture is a file of ours that nobody uploaded; it goes as other servers' files go. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url>.

mod cache;
mod html;
mod picture;

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tern_federation::{OpenPage, PageError};
use url::Url;

pub(super) use self::cache::Previews;
use self::picture::Picture;
use super::Media;
use crate::app::App;

/// One answer of a site, its body included.
const HOP_TIME_MAX: Duration = Duration::from_secs(8);
/// Everything: waiting for a turn, the page, its redirects, its picture.
const TIME_MAX: Duration = Duration::from_secs(20);
/// What a page says of itself stands at its beginning.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What a page says of itself, as JSON: `og:title`, `og:image` and so on.
pub type Preview = Arc<Map<String, Value>>;

/// Why there is no preview.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    #[error("link previews are switched off on this server")]
    Off,
    #[error("the URL cannot be read: {0}")]
    Url(url::ParseError),
    #[error(transparent)]
    Page(#[from] PageError),
    /// The fetch was ended.
    #[error("the page was not fetched")]
    Stopped,
}

/// The preview of the page at `url`; empty for what is neither a page nor a picture.
///
/// # Errors
/// [`PreviewError`].
pub async fn preview(app: &App, media: &Media, url: &str) -> Result<Preview, PreviewError> {
    if !app.config.previews.enabled {
        return Err(PreviewError::Off);
    }
    let mut url = Url::parse(url).map_err(PreviewError::Url)?;
    url.set_fragment(None);
    let fetched = media.0.previews.find(app.clock.now_ms(), &url, || {
        let (app, media, url) = (app.clone(), media.clone(), url.clone());
        // It goes on when the asker leaves: others wait for it too.
        tokio::spawn(async move { within_limits(&app, &media, &url).await })
    });
    fetched.await
}

async fn within_limits(app: &App, media: &Media, url: &Url) -> Result<Preview, PreviewError> {
    let work = async {
        let turn = media.0.previews.turns.acquire().await;
        let _turn = turn.map_err(|_| PreviewError::Stopped)?;
        fetch(app, media, url).await
    };
    tokio::time::timeout(TIME_MAX, work).await.unwrap_or(Err(PageError::Timeout.into()))
}

async fn fetch(app: &App, media: &Media, url: &Url) -> Result<Preview, PreviewError> {
    let mut page = app.pages.open(url, HOP_TIME_MAX).await?;
    let kind = page.content_type.clone().unwrap_or_default().to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let preview = match essence.as_str() {
        "text/html" | "application/xhtml+xml" => of_page(app, media, &mut page, &kind).await?,
        image if image.starts_with("image/") => of_picture(app, media, &mut page).await,
        _ => Map::new(),
    };
    Ok(Arc::new(preview))
}

async fn of_page(
    app: &App,
    media: &Media,
    page: &mut OpenPage,
    content_type: &str,
) -> Result<Map<String, Value>, PreviewError> {
    let bytes = page.read_start(PAGE_BYTES_MAX).await?;
    let content_type = content_type.to_owned();
    let read = tokio::task::spawn_blocking(move || html::read(&bytes, &content_type)).await;
    let mut said = read.map_err(|_| PreviewError::Stopped)?;
    let image = said.remove("og:image");
    let mut preview: Map<String, Value> =
        said.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    if let Some(url) = image.and_then(|image| page.url.join(&image).ok())
        && let Ok(mut file) = app.pages.open(&url, HOP_TIME_MAX).await
        && let Some(picture) = picture::fetch(app, media, &mut file).await
    {
        describe(app, &picture, &mut preview);
    }
    // Of a picture that is not there nothing is said.
    if !preview.contains_key("og:image") {
        preview.remove("og:image:alt");
    }
    Ok(preview)
}

/// A link to a picture: it is its own preview.
async fn of_picture(app: &App, media: &Media, page: &mut OpenPage) -> Map<String, Value> {
    let mut preview = Map::new();
    if let Some(picture) = picture::fetch(app, media, page).await {
        let name = page.url.path_segments().and_then(|mut parts| parts.next_back());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            preview.insert("og:title".to_owned(), html::tidy(name).into());
        }
        describe(app, &picture, &mut preview);
    }
    preview
}

fn describe(app: &App, picture: &Picture, preview: &mut Map<String, Value>) {
    let uri = format!("mxc://{}/{}", app.server_name, picture.media_id);
    preview.insert("og:image".to_owned(), uri.into());
    preview.insert("og:image:type".to_owned(), picture.content_type.into());
    preview.insert("og:image:width".to_owned(), picture.width.into());
    preview.insert("og:image:height".to_owned(), picture.height.into());
    preview.insert("matrix:image:size".to_owned(), picture.size.into());
}
