//! Keys in forms, and what submitting each popup form does. First-run forms submit in `welcome.rs`.

use super::{
    attach, chats, complain, composer, encryption, lists, lock, manage, picker, popups, transfers,
    welcome,
};
use crate::action::Command;
use crate::backend::{ChatId, Listed, Manage, Profile, Request, Secret, UserId};
use crate::effect::Effect;
use crate::state::State;
use crate::state::form::{FieldKind, FieldName, Form, FormKind, Press};
use std::path::PathBuf;

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let before = state.form().map(|form| form.focus);
    let Some(form) = state.form_mut() else { return Vec::new() };
    let on_text = form.focused_field().is_some_and(|field| !field.is_switch());
    match command {
        Command::Cancel => return press(state, Press::Close),
        Command::Press => return press_focused(state),
        Command::NextField => form.next(),
        Command::PreviousField => form.previous(),
        Command::Left if !on_text => form.previous(),
        Command::Right if !on_text => form.next(),
        Command::Reveal => reveal(form),
        Command::Newline => return type_text(state, "\n"),
        command => {
            if let Some(field) = form.focused_field_mut().filter(|field| !field.is_switch()) {
                composer::walk(&mut field.input, command);
                field.error = None;
            }
        }
    }
    if state.form().map(|form| form.focus) == before {
        Vec::new()
    } else {
        welcome::left_field(state, before)
    }
}

fn reveal(form: &mut Form) {
    for field in &mut form.fields {
        field.kind = match field.kind {
            FieldKind::Secret => FieldKind::Revealed,
            FieldKind::Revealed => FieldKind::Secret,
            kind => kind,
        };
    }
}

pub(super) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let Some(form) = state.form_mut() else { return Vec::new() };
    if let Some(field) = form.focused_field_mut() {
        match field.kind {
            FieldKind::On if text == " " => field.kind = FieldKind::Off,
            FieldKind::Off if text == " " => field.kind = FieldKind::On,
            FieldKind::On | FieldKind::Off => {}
            FieldKind::Text | FieldKind::Secret | FieldKind::Revealed => {
                let text = match field.name {
                    FieldName::Bio => popups::one_row(text),
                    _ => crate::sanitize::line(text),
                };
                field.input.insert(&text);
                field.error = None;
            }
        }
        return Vec::new();
    }
    if !form.takes_letters() {
        return Vec::new();
    }
    if text == " " {
        return press_focused(state);
    }
    let pressed = form
        .buttons
        .iter()
        .find(|button| text.chars().eq(button.letter()))
        .map(|button| button.press);
    pressed.map_or_else(Vec::new, |pressed| press(state, pressed))
}

/// Enter: on a button presses it; in a field goes to the next, from the last one submits.
fn press_focused(state: &mut State) -> Vec<Effect> {
    let Some(form) = state.form_mut() else { return Vec::new() };
    if let Some(button) = form.focused_button() {
        let pressed = button.press;
        return press(state, pressed);
    }
    if !form.takes_letters() {
        return Vec::new();
    }
    let before = form.focus;
    let more = form.fields.iter().skip(before + 1).any(|field| !field.is_switch());
    if more {
        form.next();
        return welcome::left_field(state, Some(before));
    }
    press(state, Press::Submit)
}

/// A field or button was clicked, by its place in their order: it gets the focus, and a button or switch is pressed.
pub(super) fn hit(state: &mut State, stop: usize) -> Vec<Effect> {
    let Some(form) = state.form_mut() else { return Vec::new() };
    let before = form.focus;
    form.focus = stop;
    if form.focused_button().is_some() {
        return press_focused(state);
    }
    if form.focused_field().is_some_and(crate::state::form::FormField::is_switch) {
        return type_text(state, " ");
    }
    welcome::left_field(state, Some(before))
}

/// Presses a button of the form on top.
pub(super) fn press(state: &mut State, press: Press) -> Vec<Effect> {
    let Some(form) = state.form().cloned() else { return Vec::new() };
    if state.lock.is_some() {
        return if press == Press::Submit { lock::try_passcode(state) } else { Vec::new() };
    }
    if state.popups.is_empty() {
        return welcome::press(state, press, &form);
    }
    match (press, &form.kind) {
        (Press::Submit, _) => return submit(state, &form),
        (Press::Close, FormKind::Verification)
        | (Press::Decline | Press::NoMatch, FormKind::Verification) => {
            state.popups.pop();
            return vec![Effect::Request(Request::CancelVerification)];
        }
        (Press::CompareEmoji, FormKind::Verification) => {
            if let Some(form) = state.form_mut() {
                form.busy = Some("Waiting for the other side…");
            }
            return vec![Effect::Request(Request::CompareEmoji)];
        }
        (Press::Knock, FormKind::JoinRoom) => {
            let address = form.value(FieldName::Room);
            if !address.starts_with(['#', '!']) {
                return refuse(state, FieldName::Room, NO_ROOM);
            }
            state.popups.pop();
            return manage::ask_to_knock(state, address);
        }
        (Press::CopyKey, FormKind::RecoveryKey(key)) => return vec![Effect::Copy(key.0.clone())],
        (Press::React(reaction), FormKind::React { .. }) => return react(state, &form, reaction),
        _ => {}
    }
    if press == Press::Close && encryption::keeps_key(state) {
        return Vec::new();
    }
    if press == Press::SetUp {
        return encryption::set_up(state);
    }
    state.popups.pop();
    pressed_last(state, press, form)
}

/// A button that has closed its form.
fn pressed_last(state: &mut State, press: Press, form: Form) -> Vec<Effect> {
    match (press, form.kind) {
        (Press::Decline, FormKind::Invitation(chat)) => {
            vec![Effect::Request(Request::Leave { chat })]
        }
        (Press::Edit, FormKind::Profile { shown: Some(profile), .. }) => {
            popups::show(state, popups::edit_profile(profile))
        }
        (Press::Message, FormKind::Profile { user: Some(user), .. }) => {
            state.awaited_chat = form.account;
            vec![Effect::Request(Request::NewDirectChat { user, encrypted: true })]
        }
        (Press::Verify, FormKind::Profile { user, .. }) => {
            vec![Effect::Request(Request::StartVerification { user })]
        }
        (Press::Verify, _) => vec![Effect::Request(Request::StartVerification { user: None })],
        (Press::EnterKey, _) => {
            encryption::ask_for_recovery_key(state);
            Vec::new()
        }
        (Press::Stop, FormKind::Transfers) => transfers::stop(state),
        (Press::AsText | Press::AsCode | Press::AsFile, kind) => {
            super::paste::answered(state, press, kind)
        }
        (Press::Invite, FormKind::ChatInfo(chat)) => popups::invite(state, chat),
        (Press::Leave, FormKind::ChatInfo(chat)) => popups::ask_to_leave(state, chat),
        (Press::Shared, FormKind::ChatInfo(chat)) => picker::shared(state, &chat),
        (Press::Shared, FormKind::Profile { user: Some(user), .. }) => {
            let chat = popups::direct_chat(state, form.account.unwrap_or_default(), &user);
            chat.map_or_else(Vec::new, |chat| picker::shared(state, &chat))
        }
        (Press::ShowPeer, FormKind::ChatInfo(chat)) => {
            let peer = state.find_chat(&chat).and_then(|chat| chat.peer.clone());
            popups::show_profile(state, peer)
        }
        (press, kind) => manage::press(state, press, kind),
    }
}

fn react(state: &mut State, form: &Form, reaction: &str) -> Vec<Effect> {
    let FormKind::React { chat, message } = form.kind.clone() else { return Vec::new() };
    if reaction.is_empty() {
        return refuse(state, FieldName::Reaction, "Type a reaction, or press Esc.");
    }
    state.popups.pop();
    vec![Effect::Request(Request::React { chat, message, reaction: reaction.to_owned() })]
}

fn refuse(state: &mut State, field: FieldName, reason: &str) -> Vec<Effect> {
    if let Some(form) = state.form_mut() {
        form.refuse(field, reason);
    }
    Vec::new()
}

/// A user id, as far as one can tell by looking.
fn user_id(text: &str) -> Option<UserId> {
    let (localpart, server) = text.strip_prefix('@')?.split_once(':')?;
    (!localpart.is_empty() && !server.is_empty() && !text.contains(char::is_whitespace))
        .then(|| text.to_owned())
}

const NO_ROOM: &str = "An address begins with # and names a server: #garden:example.org.";

/// What a form asks of the network, or which field is wrong and how.
fn request_of(form: &Form) -> Option<Result<Request, (FieldName, &'static str)>> {
    const NO_USER: (FieldName, &str) = (FieldName::User, "Give the whole id: @name:server.");
    let user = || user_id(&form.value(FieldName::User)).ok_or(NO_USER);
    let filled =
        |name, wrong| Some(form.value(name)).filter(|value| !value.is_empty()).ok_or((name, wrong));
    let encrypted = form.is_on(FieldName::Encrypted);
    let caption = || Some(form.value(FieldName::Caption)).filter(|text| !text.is_empty());
    Some(match form.kind.clone() {
        FormKind::NewChat => user().map(|user| Request::NewDirectChat { user, encrypted }),
        FormKind::NewGroup => new_group(form),
        FormKind::JoinRoom => match form.value(FieldName::Room) {
            chat if chat.starts_with(['#', '!']) => Ok(Request::Join { chat }),
            _ => Err((FieldName::Room, NO_ROOM)),
        },
        FormKind::Invite(chat) => user().map(|user| Request::Invite { chat, user }),
        FormKind::Invitation(chat) => Ok(Request::Join { chat }),
        FormKind::SendFile { chat, .. } => {
            filled(FieldName::Path, "Give the path of a file.").map(|path| {
                let path = attach::path_of(&path).unwrap_or_else(|| PathBuf::from(path));
                Request::SendFiles { chat, files: vec![path.into()], caption: caption() }
            })
        }
        FormKind::SendFiles { chat, files, .. } => {
            Ok(Request::SendFiles { chat, files, caption: caption() })
        }
        FormKind::LeaveChat(chat) | FormKind::Knocked(chat) => Ok(Request::Leave { chat }),
        FormKind::EditProfile(before) => return changes(form, &before).map(Ok),
        FormKind::LogOut => Ok(Request::LogOut),
        _ => return None,
    })
}

/// What of the profile was changed; `None` when nothing was.
fn changes(form: &Form, before: &Profile) -> Option<Request> {
    let given = |name, before: Option<&String>| {
        let now = popups::many_lines(&form.value(name));
        (now.trim() != before.map_or("", |before| before.trim())).then_some(now)
    };
    let display_name = given(FieldName::Name, before.display_name.as_ref());
    let bio = given(FieldName::Bio, before.bio.as_ref());
    let changed = display_name.is_some() || bio.is_some();
    changed.then_some(Request::SetProfile { display_name, bio })
}

fn submit(state: &mut State, form: &Form) -> Vec<Effect> {
    if let Some(effects) = find_person(state, form) {
        return effects;
    }
    if let Some(effects) = manage::opens_known(state, &form.kind) {
        return effects;
    }
    let asked = request_of(form).or_else(|| manage::request_of(state, form));
    let request = match (asked, &form.kind) {
        (Some(Ok(request)), _) => request,
        (Some(Err((field, reason))), _) => return refuse(state, field, reason),
        (None, FormKind::React { .. }) => {
            return react(state, form, &form.value(FieldName::Reaction));
        }
        (None, FormKind::GoToDate(chat)) => return go_to_date(state, form, chat.clone()),
        (None, FormKind::SetPasscode) => return lock::set(state, form),
        (None, FormKind::Recover) => return recover(state, form),
        (None, FormKind::Verification) => return confirm_verification(state, form),
        (None, FormKind::Quit) => return vec![Effect::Quit],
        (None, FormKind::SaveFile { .. }) => return transfers::save(state, form),
        (None, FormKind::TooLong { text, .. }) => {
            let text = text.clone();
            state.popups.pop();
            let parts = super::paste::parts(&text);
            return parts.iter().flat_map(|part| composer::send_text(state, part)).collect();
        }
        (None, _) => {
            state.popups.pop();
            return Vec::new();
        }
    };
    state.popups.pop();
    if let Request::Leave { chat } = &request
        && state.is_open(chat)
    {
        chats::close(state);
    }
    let awaited = matches!(
        request,
        Request::NewDirectChat { .. }
            | Request::NewGroup { .. }
            | Request::Join { .. }
            | Request::Manage(Manage::NewChannel { .. } | Manage::NewSpace { .. })
    );
    state.awaited_chat = form.account.filter(|_| awaited);
    let mut effects = if awaited { super::notice(state, "One moment…") } else { Vec::new() };
    effects.push(Effect::Request(request));
    effects
}

fn go_to_date(state: &mut State, form: &Form, chat: ChatId) -> Vec<Effect> {
    let Some(at_ms) = state.zone.day_at(&form.value(FieldName::Day), state.now_ms) else {
        return refuse(state, FieldName::Day, "Give year, month and day: 2026-03-31.");
    };
    state.popups.pop();
    let mut effects = super::notice(state, "Looking for that day…");
    effects.push(Effect::Request(Request::FindDate { chat, at_ms }));
    effects
}

/// A name or an email address in place of an id: who is meant is chosen from those found.
fn find_person(state: &mut State, form: &Form) -> Option<Vec<Effect>> {
    let typed = form.value(FieldName::User);
    let searched = form.kind == FormKind::NewChat && !typed.is_empty() && !typed.starts_with('@');
    if !searched {
        return None;
    }
    state.popups.pop();
    Some(lists::open(state, Listed::People(typed)))
}

fn recover(state: &mut State, form: &Form) -> Vec<Effect> {
    let key = form.value(FieldName::Key).trim().to_owned();
    if key.is_empty() {
        return refuse(
            state,
            FieldName::Key,
            "Type your recovery key, or choose another way below.",
        );
    }
    if let Some(form) = state.form_mut() {
        form.forgive();
        form.busy = Some("Unlocking…");
    }
    vec![Effect::Request(Request::Recover { key: Secret(key) })]
}

fn new_group(form: &Form) -> Result<Request, (FieldName, &'static str)> {
    let name = form.value(FieldName::Name);
    if name.is_empty() {
        return Err((FieldName::Name, "Give the group a name."));
    }
    let members = form.value(FieldName::Members);
    let words = members.split([' ', ',', ';']).filter(|word| !word.is_empty());
    let invite: Option<Vec<UserId>> = words.map(user_id).collect();
    let invite = invite
        .ok_or((FieldName::Members, "Give whole ids, separated by spaces: @bob:example.org."))?;
    Ok(Request::NewGroup { name, invite, encrypted: form.is_on(FieldName::Encrypted) })
}

/// "Accept" and "They match" are both the first button; which one it is shows in what the other is.
fn confirm_verification(state: &mut State, form: &Form) -> Vec<Effect> {
    let compared = form.buttons.iter().any(|button| button.press == Press::NoMatch);
    if form.busy.is_some() {
        return Vec::new();
    }
    let waiting = form.buttons.iter().all(|button| button.press != Press::Submit);
    if waiting {
        return complain(state, "The other side has not answered yet.");
    }
    let request = if compared { Request::ConfirmVerification } else { Request::AcceptVerification };
    if let Some(form) = state.form_mut() {
        form.busy = Some("Waiting for the other side…");
    }
    vec![Effect::Request(request)]
}
