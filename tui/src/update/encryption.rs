//! The popups of encryption: recovery key, verification by emoji, how things stand.

use super::popups::{CLOSE, close_forms, show};
use crate::backend::{Recovery, Request, Secret, Verification};
use crate::effect::Effect;
use crate::state::form::{Button, FieldName, Form, FormKind, Press, button, field};
use crate::state::{Popup, State};

fn offer() -> Form {
    let buttons = vec![button("Set it up", Press::SetUp), button("Later", Press::Close)];
    let intro = [
        "Your messages are encrypted, and the keys are on this device only.",
        "With a recovery key you can read them on your next device, too.",
        "It takes a moment.",
    ];
    Form::new(FormKind::OfferRecovery, "Keep your messages", Vec::new(), buttons).intro(intro)
}

/// The recovery key is to be set up.
pub(super) fn offer_recovery(state: &mut State) {
    state.popups.push(Popup::Form(offer().unasked()));
}

/// Another device has the keys, and there is no recovery key: the two must be verified with each other.
pub(super) fn offer_verification(state: &mut State) {
    let buttons = vec![button("Verify by emoji", Press::Verify), button("Later", Press::Close)];
    let intro = [
        "This device is new: it can't read earlier encrypted messages yet.",
        "Have another device of yours at hand and verify by emoji; the keys come with it.",
    ];
    let kind = FormKind::OfferVerification;
    let form = Form::new(kind, "Unlock your messages", Vec::new(), buttons).intro(intro);
    state.popups.push(Popup::Form(form.unasked()));
}

/// Sets it up. What offered it stays and waits, so that the key comes where it is looked for.
pub(super) fn set_up(state: &mut State) -> Vec<Effect> {
    if state.form().is_some_and(|form| form.busy.is_some()) {
        return Vec::new();
    }
    if state.form().is_none_or(|form| form.kind != FormKind::OfferRecovery) {
        state.popups.pop();
        state.popups.push(Popup::Form(offer()));
    }
    if let Some(form) = state.form_mut() {
        form.forgive();
        form.busy = Some("Making the recovery key…");
    }
    vec![Effect::Request(Request::EnableRecovery)]
}

/// The set-up that is waited for has failed: it can be tried again where it was asked for.
pub(super) fn set_up_failed(state: &mut State, reason: &str) {
    let waiting = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Form(form) if form.kind == FormKind::OfferRecovery => Some(form),
        _ => None,
    });
    if let Some(form) = waiting.filter(|form| form.busy.is_some()) {
        form.busy = None;
        form.error = Some(reason.to_owned());
    }
}

/// The recovery key is shown once: closing it is asked about once. `true`: it stays for now.
pub(super) fn keeps_key(state: &mut State) -> bool {
    const SURE: &str = "It is not shown again. Close it once more if you have it.";
    let Some(form) = state.form_mut().filter(|form| matches!(form.kind, FormKind::RecoveryKey(_)))
    else {
        return false;
    };
    let first = form.error.is_none();
    form.error = Some(SURE.to_owned());
    first
}

/// The new recovery key, to be written down.
pub(super) fn show_recovery_key(state: &mut State, key: Secret) {
    let intro = [
        "This is your recovery key. It is shown this once:".to_owned(),
        String::new(),
        key.0.clone(),
        String::new(),
        "Write it down or put it in a password manager.".to_owned(),
    ];
    let buttons =
        vec![button("I have written it down", Press::Close), button("Copy", Press::CopyKey)];
    state.popups.push(Popup::Form(
        Form::new(FormKind::RecoveryKey(key), "Your recovery key", Vec::new(), buttons)
            .intro(intro)
            .unasked(),
    ));
}

/// The recovery key of another device is asked for.
pub(super) fn ask_for_recovery_key(state: &mut State) {
    let key = field(FieldName::Key, "Recovery key", "")
        .secret()
        .advice("Spaces don't matter. Ctrl+T shows what you type.");
    let buttons = vec![
        button("Unlock", Press::Submit),
        button("Verify by emoji", Press::Verify),
        button("Later", Press::Close),
    ];
    let intro = [
        "This device is new: it can't read earlier encrypted messages yet.",
        "Give your recovery key, or verify by emoji with another device of yours.",
    ];
    state.popups.push(Popup::Form(
        Form::new(FormKind::Recover, "Unlock your messages", vec![key], buttons).intro(intro),
    ));
}

/// How this device's encryption stands, and what can be done about it.
pub(super) fn show_state(state: &mut State) -> Vec<Effect> {
    let encryption = state.encryption.clone();
    let recovery = encryption.as_ref().map_or(Recovery::Unknown, |encryption| encryption.recovery);
    let verified = encryption.is_some_and(|encryption| encryption.verified);
    let (words, mut buttons) = match recovery {
        Recovery::Unknown => ("Not known yet: wait until the server has answered.", vec![]),
        Recovery::Disabled => {
            ("There is no recovery key yet.", vec![button("Set it up", Press::SetUp)])
        }
        Recovery::Elsewhere => {
            ("There is no recovery key, and the keys are on another device of yours.", vec![])
        }
        Recovery::Incomplete => (
            "The recovery key has not been given here.",
            vec![button("Give the key", Press::EnterKey)],
        ),
        Recovery::Enabled => ("The recovery key is set up; keys are backed up.", vec![]),
    };
    buttons.extend([button("Verify by emoji", Press::Verify), CLOSE]);
    let device = state.me.as_ref().map_or("", |me| &me.device);
    let intro = [
        format!(
            "This device ({device}) is {}.",
            if verified { "verified" } else { "not verified" }
        ),
        words.to_owned(),
    ];
    show(state, Form::new(FormKind::Encryption, "Encryption", Vec::new(), buttons).intro(intro))
}

/// Shows where a verification stands, in one popup that follows it.
pub(super) fn show_verification(state: &mut State, verification: &Verification) -> Vec<Effect> {
    close_forms(state, |kind| *kind == FormKind::Verification);
    let asked = *verification == Verification::Waiting;
    let stop = button("Cancel", Press::Decline);
    let (intro, buttons): (Vec<String>, Vec<Button>) = match verification {
        Verification::Requested { by, own } => {
            let who = if *own {
                "Another device of yours asks to verify this one.".to_owned()
            } else {
                format!("{by} asks to verify each other.")
            };
            (vec![who], vec![button("Accept", Press::Submit), button("Decline", Press::Decline)])
        }
        Verification::Waiting => {
            (vec!["Waiting for the other side: accept there.".to_owned()], vec![stop])
        }
        Verification::Emoji(emoji) => {
            let mut intro = vec![
                "Are these the same on the other device, in this order?".to_owned(),
                String::new(),
            ];
            intro.extend(emoji.iter().map(|(sign, name)| format!("{sign}  {name}")));
            (intro, vec![button("They match", Press::Submit), button("They don't", Press::NoMatch)])
        }
        Verification::Confirmed => {
            (vec!["Waiting for the other side to confirm.".to_owned()], vec![stop])
        }
        Verification::Done => return super::notice(state, "Verified."),
        Verification::Cancelled { reason } => {
            return super::complain(state, format!("Not verified: {reason}"));
        }
    };
    let form = Form::new(FormKind::Verification, "Verification", Vec::new(), buttons).intro(intro);
    // A request may come at any time, and so may the other side's answer.
    show(state, if asked { form } else { form.unasked() })
}
