//! The popups of encryption: recovery key, verification by emoji or a code, how things stand.

use super::popups::{CLOSE, close_forms, show};
use crate::backend::{AccountId, Recovery, Request, Secret, Verification};
use crate::effect::Effect;
use crate::state::form::{Button, FieldName, Form, FormKind, Press, button, field};
use crate::state::{Popup, State};

/// For who has lost all keys.
const START_OVER: Button = button("Start over", Press::Reset);

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
    let buttons = vec![button("Verify", Press::Verify), button("Later", Press::Close)];
    let intro = [
        "This device is new: it can't read earlier encrypted messages yet.",
        "Have another device of yours at hand and verify with it; the keys come with that.",
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
pub(super) fn set_up_failed(state: &mut State, account: AccountId, reason: &str) {
    let is_it = |form: &Form| form.kind == FormKind::OfferRecovery && form.account == Some(account);
    let waiting = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Form(form) if is_it(form) => Some(form),
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
        button("Verify", Press::Verify),
        START_OVER,
        button("Later", Press::Close),
    ];
    let intro = [
        "This device is new: it can't read earlier encrypted messages yet.",
        "Give your recovery key, or verify with another device of yours.",
    ];
    state.popups.push(Popup::Form(
        Form::new(FormKind::Recover, "Unlock your messages", vec![key], buttons).intro(intro),
    ));
}

/// How this device's encryption stands, and what can be done about it.
pub(super) fn show_state(state: &mut State) -> Vec<Effect> {
    let account = state.asker();
    let encryption = state.account(account).and_then(|of| of.encryption.clone());
    let recovery = encryption.as_ref().map_or(Recovery::Unknown, |encryption| encryption.recovery);
    let verified = encryption.is_some_and(|encryption| encryption.verified);
    let (words, mut buttons) = match recovery {
        Recovery::Unknown => ("Not known yet: wait until the server has answered.", vec![]),
        // Also where starting over got no further than taking the old key away.
        Recovery::Disabled if !verified => {
            ("There is no recovery key yet.", vec![button("Set it up", Press::SetUp), START_OVER])
        }
        Recovery::Disabled => {
            ("There is no recovery key yet.", vec![button("Set it up", Press::SetUp)])
        }
        Recovery::Elsewhere => {
            let words = "There is no recovery key, and the keys are on another device of yours.";
            (words, vec![START_OVER])
        }
        Recovery::Incomplete => (
            "The recovery key has not been given here.",
            vec![button("Give the key", Press::EnterKey), START_OVER],
        ),
        Recovery::Enabled => (
            "The recovery key is set up; keys are backed up.",
            vec![button("New key", Press::Rotate)],
        ),
    };
    buttons.extend([
        button("Verify", Press::Verify),
        button("Export keys", Press::ExportKeys),
        button("Import keys", Press::ImportKeys),
    ]);
    if state.has_passcode {
        buttons.push(button("No passcode", Press::RemovePasscode));
    }
    buttons.push(CLOSE);
    let device = state.me(account).map_or("", |me| &me.device);
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
pub(super) fn show_verification(
    state: &mut State,
    account: AccountId,
    verification: &Verification,
) -> Vec<Effect> {
    let asked = *verification == Verification::Waiting;
    let (intro, buttons) = match verification {
        Verification::Done => {
            close_forms(state, account, |kind| *kind == FormKind::Verification);
            return super::notice(state, "Verified.");
        }
        Verification::Cancelled { reason } => {
            close_forms(state, account, |kind| *kind == FormKind::Verification);
            return super::complain(state, format!("Not verified: {reason}"));
        }
        under_way => stage(under_way),
    };
    // What is told twice must not take the focus from the answer that is being given.
    let shown = |form: &Form| {
        let same = form.kind == FormKind::Verification && form.intro == intro;
        same && form.account == Some(account)
    };
    if state.popups.iter().any(|popup| matches!(popup, Popup::Form(form) if shown(form))) {
        return vec![];
    }
    close_forms(state, account, |kind| *kind == FormKind::Verification);
    let code = match verification {
        Verification::Code(code) => Some(code.clone()),
        _ => None,
    };
    let form = Form::new(FormKind::Verification, "Verification", Vec::new(), buttons).intro(intro);
    let form = Form { code, ..form };
    // A request may come at any time, and so may the other side's answer.
    show(state, if asked { form } else { form.unasked() })
}

/// What is said and can be answered while a verification is under way.
fn stage(verification: &Verification) -> (Vec<String>, Vec<Button>) {
    let stop = button("Cancel", Press::Decline);
    match verification {
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
        Verification::Code(_) => {
            let intro = [
                "Scan this code with the other device, or compare emoji if it can't.".to_owned(),
                String::new(),
                "You are asked here what it said then.".to_owned(),
            ];
            (intro.into(), vec![button("Compare emoji", Press::CompareEmoji), stop])
        }
        Verification::Scanned => {
            let intro = [
                "The code has been scanned.".to_owned(),
                "Does the other device say that it worked?".to_owned(),
            ];
            let buttons =
                vec![button("It does", Press::Submit), button("It doesn't", Press::NoMatch)];
            (intro.into(), buttons)
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
        Verification::Done | Verification::Cancelled { .. } => (Vec::new(), Vec::new()),
    }
}
