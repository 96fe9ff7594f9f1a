//! The forms about one's keys: another recovery key, a new identity, keys to and from a file.

use super::popups;
use crate::backend::{Manage, Request, Secret};
use crate::effect::Effect;
use crate::state::State;
use crate::state::form::{FieldName, Form, FormKind, Press, button, field};
use std::path::PathBuf;

const NO_PASSPHRASE: (FieldName, &str) =
    (FieldName::Password, "Give a passphrase; the file can be read with it only.");

/// Presses a button about keys. The form has been closed.
pub(super) fn press(state: &mut State, press: Press) -> Vec<Effect> {
    match press {
        Press::RemovePasscode => super::lock::remove(state),
        Press::Rotate => popups::show(state, ask_to_rotate()),
        Press::Reset => popups::show(state, ask_to_reset()),
        Press::ExportKeys => popups::show(state, key_file(FormKind::ExportKeys)),
        Press::ImportKeys => popups::show(state, key_file(FormKind::ImportKeys)),
        _ => Vec::new(),
    }
}

fn ask_to_rotate() -> Form {
    let buttons = vec![button("Make a new key", Press::Submit), popups::CANCEL];
    let intro = ["The recovery key you have stops working.", "A new one is shown once."];
    Form::new(FormKind::RotateRecovery, "Another recovery key", Vec::new(), buttons).intro(intro)
}

fn ask_to_reset() -> Form {
    let password = field(FieldName::Password, "Your password", "")
        .secret()
        .advice("Ctrl+T shows what you type.");
    let buttons = vec![button("Start over", Press::Submit), popups::CANCEL];
    let intro = [
        "For who has lost the recovery key and every verified device:",
        "your account gets new keys, and a new recovery key is shown.",
        "Old messages whose keys are not here stay locked for good.",
        "People who verified you are told that your keys changed.",
    ];
    Form::new(FormKind::ResetIdentity, "Start over with new keys", vec![password], buttons)
        .intro(intro)
}

fn key_file(kind: FormKind) -> Form {
    let export = kind == FormKind::ExportKeys;
    let (title, label, words) = if export {
        ("Keys to a file", "Export", "All message keys of this device, locked with a passphrase.")
    } else {
        ("Keys from a file", "Import", "Message keys that you or another client wrote to a file.")
    };
    let fields = vec![
        field(FieldName::Path, "File", "").advice("Its path on the machine that Tern runs on."),
        field(FieldName::Password, "Passphrase", "").secret().advice("Ctrl+T shows what you type."),
    ];
    let buttons = vec![button(label, Press::Submit), popups::CANCEL];
    Form::new(kind, title, fields, buttons).intro([words])
}

/// What a form about keys asks for; `None` for other forms.
pub(super) fn request_of(form: &Form) -> Option<Result<Request, (FieldName, &'static str)>> {
    let secret = form.value(FieldName::Password);
    let file = || match (form.value(FieldName::Path), secret.is_empty()) {
        (path, _) if path.is_empty() => Err((FieldName::Path, "Give the path of a file.")),
        (_, true) => Err(NO_PASSPHRASE),
        (path, false) => Ok((PathBuf::from(path), Secret(secret.clone()))),
    };
    let asked = match form.kind {
        FormKind::RotateRecovery => Ok(Manage::RotateRecovery),
        FormKind::ResetIdentity if secret.is_empty() => {
            Err((FieldName::Password, "Servers want the password for this."))
        }
        FormKind::ResetIdentity => Ok(Manage::ResetIdentity { password: Secret(secret) }),
        FormKind::ExportKeys => {
            file().map(|(path, passphrase)| Manage::ExportKeys { path, passphrase })
        }
        FormKind::ImportKeys => {
            file().map(|(path, passphrase)| Manage::ImportKeys { path, passphrase })
        }
        _ => return None,
    };
    Some(asked.map(Request::Manage))
}
