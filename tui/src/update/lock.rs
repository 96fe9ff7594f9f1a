//! The lock screen: nothing of what is below is shown until the passcode is typed.

use super::popups;
use crate::backend::Secret;
use crate::effect::Effect;
use crate::state::State;
use crate::state::form::{FieldName, Form, FormKind, Press, button, field};

/// Shortest passcode that is taken.
const CHARS_MIN: usize = 4;

/// What stands there while it is locked.
pub fn screen() -> Form {
    let passcode = field(FieldName::Password, "Passcode", "").secret();
    let buttons = vec![button("Unlock", Press::Submit)];
    Form::new(FormKind::Locked, "Locked", vec![passcode], buttons)
        .intro(["Tern is locked. Messages still come in; nothing is shown."])
}

/// Locks, or asks for a passcode where there is none yet.
pub(super) fn lock(state: &mut State) -> Vec<Effect> {
    if state.has_passcode {
        state.lock = Some(screen());
        return Vec::new();
    }
    let fields = vec![
        field(FieldName::Password, "Passcode", "").secret().advice("At least 4 characters."),
        field(FieldName::Code, "Once more", "").secret(),
    ];
    let buttons = vec![button("Lock", Press::Submit), popups::CANCEL];
    let intro = [
        "Choose a passcode. It is asked for whenever Tern is locked or started.",
        "It keeps others off the screen; a stolen disk needs a disk's encryption.",
    ];
    let form = Form::new(FormKind::SetPasscode, "Lock with a passcode", fields, buttons);
    popups::show(state, form.intro(intro))
}

/// A new passcode was typed, twice.
pub(super) fn set(state: &mut State, form: &Form) -> Vec<Effect> {
    let (passcode, again) = (form.value(FieldName::Password), form.value(FieldName::Code));
    let wrong = if passcode.chars().count() < CHARS_MIN {
        Some((FieldName::Password, "Take at least 4 characters."))
    } else if passcode != again {
        Some((FieldName::Code, "This is not the same. Type it again."))
    } else {
        None
    };
    if let Some((field, reason)) = wrong {
        if let Some(form) = state.form_mut() {
            form.forgive();
            form.refuse(field, reason);
        }
        return Vec::new();
    }
    state.popups.pop();
    state.has_passcode = true;
    state.lock = Some(screen());
    vec![Effect::SetPasscode(Some(Secret(passcode)))]
}

/// The passcode was typed.
pub(super) fn try_passcode(state: &mut State) -> Vec<Effect> {
    let Some(form) = &mut state.lock else { return Vec::new() };
    let typed = form.value(FieldName::Password);
    form.busy = Some("Checking…");
    vec![Effect::CheckPasscode(Secret(typed))]
}

/// Whether it was the right one.
pub(super) fn checked(state: &mut State, right: bool) -> Vec<Effect> {
    if right {
        state.lock = None;
    } else {
        let mut form = screen();
        form.refuse(FieldName::Password, "That is not it. Try again.");
        state.lock = Some(form);
    }
    Vec::new()
}

/// No passcode any more.
pub(super) fn remove(state: &mut State) -> Vec<Effect> {
    state.has_passcode = false;
    let mut effects = super::notice(state, "There is no passcode any more.");
    effects.push(Effect::SetPasscode(None));
    effects
}
