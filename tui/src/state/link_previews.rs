//! What the pages that messages link to say of themselves: each is asked for once while the client runs.

use crate::backend::{Body, LinkPreview, Message};
use crate::rich;
use crate::state::layout::content;
use std::collections::HashMap;
use std::sync::Arc;
use url::Url;

/// More are forgotten all together: they are shown in chats that were left long ago.
const KEPT_MAX: usize = 500;

/// What pages say of themselves, by address. `None`: it was asked for, and nothing is known (yet).
#[derive(Debug, Clone, Default)]
pub struct LinkPreviews(HashMap<String, Option<Arc<Shown>>>);

/// A preview as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The site's name and where it is: a page can call itself anything.
    pub site: String,
    pub title: Option<String>,
    pub description: Option<String>,
}

impl LinkPreviews {
    /// What is known of the page.
    pub fn find(&self, url: &str) -> Option<Arc<Shown>> {
        self.0.get(url).cloned().flatten()
    }

    /// Whether it has to be asked for. It counts as asked for from now on.
    pub fn ask(&mut self, url: &str) -> bool {
        if self.0.contains_key(url) {
            return false;
        }
        if self.0.len() >= KEPT_MAX {
            self.0.clear();
        }
        self.0.insert(url.to_owned(), None);
        true
    }

    /// Takes what the page says; its texts are clean.
    pub fn take(&mut self, url: &str, preview: LinkPreview) {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_default();
        let site = match preview.site.filter(|site| !site.eq_ignore_ascii_case(&host)) {
            Some(site) => format!("{host} · {site}"),
            None => host,
        };
        let LinkPreview { title, description, .. } = preview;
        self.0.insert(url.to_owned(), Some(Arc::new(Shown { site, title, description })));
    }
}

/// The address that a message's preview is of: the first page in its text.
pub fn first_link(message: &Message) -> Option<String> {
    let Body::Text { text, html } = &message.body else { return None };
    // Most messages have none, and looking closer costs more.
    if !text.contains("http") && !html.as_ref().is_some_and(|html| html.contains("http")) {
        return None;
    }
    rich::links(&content(message).0).into_iter().find(|link| is_page(link))
}

/// Whether this is somebody else's page: people and rooms of Matrix are not.
fn is_page(link: &str) -> bool {
    Url::parse(link).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.host_str() != Some("matrix.to")
    })
}
