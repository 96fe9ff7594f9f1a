//! What pages say of themselves, asked of one's own server: it fetches them, so that their servers don't see who reads a chat.

use matrix_sdk::{Room, config::RequestConfig};
use ruma::{
    api::client::authenticated_media::get_media_preview::v1::Request, events::macros::EventContent,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::session::Session;
use crate::backend::{LinkPreview, Report};

/// Whether links in a room have previews: where Element keeps it, so that it holds in both.
#[derive(Debug, Clone, Default, Deserialize, Serialize, EventContent)]
#[ruma_event(type = "org.matrix.room.preview_urls", kind = RoomAccountData)]
pub(super) struct PreviewUrlsEventContent {
    #[serde(default)]
    disable: bool,
}

impl PreviewUrlsEventContent {
    pub(super) fn new(shown: bool) -> PreviewUrlsEventContent {
        PreviewUrlsEventContent { disable: !shown }
    }
}

/// Whether the user wants no previews in a room.
pub(super) async fn are_off(room: &Room) -> bool {
    let kept = room.account_data_static::<PreviewUrlsEventContent>().await.ok().flatten();
    kept.and_then(|raw| raw.deserialize().ok()).is_some_and(|event| event.content.disable)
}

/// Asks for the preview of `url`. A server that has none is not asked twice.
pub(super) async fn fetch(session: &Session, url: String) {
    let preview = ask(session, &url).await;
    session.reports.send(Report::Link { url, preview });
}

async fn ask(session: &Session, url: &str) -> Option<LinkPreview> {
    let request = session.client.send(Request::new(url.to_owned()));
    let answer = request.with_request_config(RequestConfig::new().disable_retry()).await;
    let answer =
        answer.inspect_err(|error| tracing::debug!(%error, "a link has no preview")).ok()?;
    read(answer.data?.get())
}

fn read(data: &str) -> Option<LinkPreview> {
    let said: Map<String, Value> = serde_json::from_str(data).ok()?;
    let text = |name: &str| {
        let text = said.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let preview = LinkPreview {
        title: text("og:title"),
        site: text("og:site_name"),
        description: text("og:description"),
    };
    (preview.title.is_some() || preview.description.is_some()).then_some(preview)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_page_that_says_nothing_of_itself_has_no_preview() {
        let full = read(r#"{"og:title":" Title ","og:site_name":"Site","og:description":""}"#);
        let full = full.unwrap();
        assert_eq!(full.title.as_deref(), Some("Title"));
        assert_eq!((full.site.as_deref(), full.description), (Some("Site"), None));
        for nothing in ["{}", r#"{"og:site_name":"Site"}"#, r#"{"og:title":3}"#, "[]", ""] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
