//! What the pages that messages link to say of themselves: asked for when they come into view, where the server may know of them.

use crate::backend::{Chat, LinkPreview, Request, account_of};
use crate::effect::Effect;
use crate::sanitize::line;
use crate::settings::Previews;
use crate::state::State;
use crate::state::layout::Sheet;

/// Asked for at once: a screen has room for few.
const WANTED_MAX: usize = 10;

/// Looks at what is in view.
pub(super) fn settle(state: &mut State, (width, height): (usize, usize)) -> Vec<Effect> {
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let (shown, off) = (are_shown(state), are_off(state));
    let State { open, links, zone, link_previews, .. } = state;
    let Some(open) = open.as_mut().filter(|open| open.live) else { return Vec::new() };
    if off {
        open.hide_pages(&mut Sheet { width, zone: *zone, links: &mut *links }, height);
    }
    if !shown {
        return Vec::new();
    }
    let in_view = open.pages_in_view(height);
    let known = in_view.iter().filter_map(|url| Some((url.clone(), link_previews.find(url)?)));
    open.show_pages(known.collect(), &mut Sheet { width, zone: *zone, links }, height);
    // The server that is asked is that of the chat, whoever was last heard of.
    let account = account_of(&open.chat);
    let wanted = in_view.into_iter().filter(|url| link_previews.ask(url)).take(WANTED_MAX);
    wanted.map(|url| Effect::RequestOf(account, Request::FetchLink { url })).collect()
}

/// Whether previews belong into the open chat. A chat that is not known yet may be encrypted.
fn are_shown(state: &State) -> bool {
    state.settings.previews == Previews::Plain
        && !state.slow_link
        && open_chat(state).is_some_and(|chat| !chat.encrypted && !chat.no_previews)
}

/// Whether the user wants none in the open chat.
fn are_off(state: &State) -> bool {
    open_chat(state).is_some_and(|chat| chat.no_previews)
}

fn open_chat(state: &State) -> Option<&Chat> {
    state.open.as_ref().and_then(|open| state.find_chat(&open.chat))
}

/// One has come, or there is none.
pub(super) fn take(state: &mut State, url: &str, preview: Option<LinkPreview>) -> Vec<Effect> {
    if let Some(LinkPreview { title, site, description }) = preview {
        let clean = |text: Option<String>| {
            text.map(|text| line(&text)).filter(|text| !text.trim().is_empty())
        };
        let preview =
            LinkPreview { title: clean(title), site: clean(site), description: clean(description) };
        if preview.title.is_some() || preview.description.is_some() {
            state.link_previews.take(url, preview);
        }
    }
    Vec::new()
}
