//! Pictures of the conversation: asked for when they come into view, drawn when they are here.

use crate::backend::{MessageKey, Request};
use crate::effect::Effect;
use crate::pictures::{Mode, Picture, Shown, Slot};
use crate::state::form::{Form, FormKind};
use crate::state::{Popup, State, layout::Sheet};
use std::sync::Arc;

/// Looks at what is in view.
pub(super) fn settle(state: &mut State, (width, height): (usize, usize)) -> Vec<Effect> {
    let mode = if state.slow_link { Mode::Off } else { state.picture_mode };
    let State { open, links, zone, .. } = state;
    let Some(open) = open else { return Vec::new() };
    open.draw_pictures_as(mode, &mut Sheet { width, zone: *zone, links });
    if mode == Mode::Off || !open.live {
        return Vec::new();
    }
    let chat = open.chat.clone();
    let wanted = open.pictures_wanted(height, &mut Sheet { width, zone: *zone, links });
    let ask = |message| Effect::Request(Request::FetchPicture { chat: chat.clone(), message });
    wanted.into_iter().map(ask).collect()
}

/// Keeps room for the picture in a profile that is shown, and asks for it.
pub(super) fn want_avatar(state: &mut State, avatar: Option<&str>) -> Vec<Effect> {
    let mode = if state.slow_link { Mode::Off } else { state.picture_mode };
    let Some(avatar) = avatar.filter(|_| mode != Mode::Off) else { return Vec::new() };
    let Some(form) = profile_with(state, avatar).filter(|form| form.picture.is_none()) else {
        return Vec::new();
    };
    form.picture = Some(Slot::avatar(mode));
    vec![Effect::Request(Request::FetchAvatar { avatar: avatar.to_owned() })]
}

/// The profile with this picture.
fn profile_with<'a>(state: &'a mut State, avatar: &str) -> Option<&'a mut Form> {
    state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Form(form) => {
            let FormKind::Profile { shown: Some(profile), .. } = &form.kind else { return None };
            (profile.avatar.as_deref() == Some(avatar)).then_some(form)
        }
        _ => None,
    })
}

/// Somebody's picture has come, or can't.
pub(super) fn take_avatar(
    state: &mut State,
    avatar: &str,
    picture: Option<Arc<Picture>>,
) -> Vec<Effect> {
    let shown = picture.map(|picture| Shown { picture, id: next_id(state) });
    let Some(form) = profile_with(state, avatar) else { return Vec::new() };
    let Some(shown) = shown else {
        form.picture = None;
        return Vec::new();
    };
    let Some(slot) = &mut form.picture else { return Vec::new() };
    slot.picture = Some(shown.clone());
    if slot.mode != Mode::Kitty {
        return Vec::new();
    }
    vec![Effect::Transmit { shown, columns: slot.columns, rows: slot.rows }]
}

/// What the next picture is called towards the terminal.
fn next_id(state: &mut State) -> u8 {
    // kitty's cells name it by a colour of 256.
    state.picture_id = state.picture_id.checked_add(1).unwrap_or(1);
    state.picture_id
}

/// One has come, or can't.
pub(super) fn take(
    state: &mut State,
    chat: &str,
    message: &MessageKey,
    picture: Option<Arc<Picture>>,
) -> Vec<Effect> {
    let (width, _) = super::history_size(state);
    let Some(picture) = picture else { return Vec::new() };
    let shown = Shown { picture, id: next_id(state) };
    let State { open, links, zone, .. } = state;
    let Some(open) = open.as_mut().filter(|open| open.chat == chat) else { return Vec::new() };
    let slot = open.show_picture(message, shown.clone(), &mut Sheet { width, zone: *zone, links });
    match slot {
        Some(slot) if slot.mode == Mode::Kitty => {
            vec![Effect::Transmit { shown, columns: slot.columns, rows: slot.rows }]
        }
        _ => Vec::new(),
    }
}
