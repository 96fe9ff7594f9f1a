//! Saving and opening what was received: asking where to, how far it is, stopping it.

use super::{complain, notice, popups};
use crate::backend::{Body, ChatId, Message, Request, TransferEnd, account_of};
use crate::effect::Effect;
use crate::state::State;
use crate::state::field::TextField;
use crate::state::form::{FieldName, Form, FormKind, Press, button, field};
use crate::state::transfers::Transfer;
use std::path::{Path, PathBuf};

/// Ended ones that are still listed.
const ENDED_MAX: usize = 20;

/// A file name from the network as one part of a path, which hides nothing and climbs nowhere.
fn file_name(name: &str) -> String {
    let name: String = crate::sanitize::line(name)
        .chars()
        .map(|c| if matches!(c, '/' | '\\' | ':') { '_' } else { c })
        .collect();
    let name = name.trim().trim_start_matches('.').trim();
    let short: String = name.chars().take(120).collect();
    if short.is_empty() { "file".to_owned() } else { short }
}

/// Asks where a received file is to be saved.
pub(super) fn ask_where(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    let Body::File { name, .. } = &message.body else {
        return complain(state, "There is no file in this message.");
    };
    let path = state.settings.download_folder().join(file_name(name));
    let mut to = field(FieldName::Path, "Save as", "")
        .advice("A folder or a name on the machine that Tern runs on.");
    to.input = TextField::new(path.to_string_lossy());
    let kind = FormKind::SaveFile { chat, message: message.key.clone(), name: name.clone() };
    let buttons = vec![button("Save", Press::Submit), button("Cancel", Press::Close)];
    let mut form = Form::new(kind, "Save the file", vec![to], buttons);
    form.focus = 0;
    popups::show(state, form)
}

/// Saves to where the form says.
pub(super) fn save(state: &mut State, form: &Form) -> Vec<Effect> {
    let FormKind::SaveFile { chat, message, name } = form.kind.clone() else { return Vec::new() };
    let typed = form.value(FieldName::Path);
    if typed.is_empty() {
        if let Some(form) = state.form_mut() {
            form.refuse(FieldName::Path, "Say where to.");
        }
        return Vec::new();
    }
    state.popups.pop();
    let path = match (typed.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(&typed),
    };
    let path = if typed.ends_with('/') { path.join(file_name(&name)) } else { path };
    begin(state, (chat, message), name, &path, false)
}

/// Has a program open a received file, which is saved first where downloads go.
pub(super) fn open(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    let Body::File { name, .. } = &message.body else {
        return complain(state, "There is no file in this message.");
    };
    let here = state.transfers.iter().find_map(|transfer| match &transfer.end {
        Some(TransferEnd::Saved(path)) if transfer.message == message.key => Some(path.clone()),
        _ => None,
    });
    if let Some(path) = here {
        let mut effects = notice(state, format!("Opening {}.", path.display()));
        effects.push(Effect::OpenPath(path));
        return effects;
    }
    let path = state.settings.download_folder().join(file_name(name));
    begin(state, (chat, message.key.clone()), name.clone(), &path, true)
}

fn begin(
    state: &mut State,
    (chat, message): (ChatId, String),
    name: String,
    path: &Path,
    open: bool,
) -> Vec<Effect> {
    let id = state.transfers.last().map_or(1, |last| last.id + 1);
    let ended = state.transfers.iter().filter(|transfer| transfer.end.is_some()).count();
    if ended > ENDED_MAX
        && let Some(oldest) = state.transfers.iter().position(|transfer| transfer.end.is_some())
    {
        state.transfers.remove(oldest);
    }
    let (total, end) = (None, None);
    state.transfers.push(Transfer {
        id,
        chat: chat.clone(),
        message: message.clone(),
        name: crate::sanitize::line(&name),
        done: 0,
        total,
        open,
        end,
    });
    vec![Effect::Request(Request::SaveFile { id, chat, message, path: path.to_owned() })]
}

/// So much of it is here.
pub(super) fn progress(state: &mut State, id: u64, done: u64, total: Option<u64>) {
    if let Some(transfer) = state.transfers.iter_mut().find(|transfer| transfer.id == id) {
        (transfer.done, transfer.total) = (done, total);
    }
}

/// It has ended.
pub(super) fn ended(state: &mut State, id: u64, end: TransferEnd) -> Vec<Effect> {
    let end = match end {
        TransferEnd::Failed(reason) => TransferEnd::Failed(crate::sanitize::line(&reason)),
        end => end,
    };
    let Some(transfer) = state.transfers.iter_mut().find(|transfer| transfer.id == id) else {
        return Vec::new();
    };
    transfer.end = Some(end.clone());
    let (name, open) = (transfer.name.clone(), transfer.open);
    match end {
        TransferEnd::Saved(path) => {
            let mut effects = notice(state, format!("Saved as {}", path.display()));
            effects.extend(open.then_some(Effect::OpenPath(path)));
            effects
        }
        TransferEnd::Cancelled => notice(state, format!("{name}: stopped. s goes on with it.")),
        TransferEnd::Failed(reason) => complain(state, format!("{name}: {reason}")),
    }
}

/// The files on their way and those that have ended.
pub(super) fn show(state: &mut State) -> Vec<Effect> {
    if state.transfers.is_empty() {
        return notice(state, "No files are on their way. s on a message with a file saves it.");
    }
    let lines: Vec<String> = state.transfers.iter().rev().map(Transfer::line).collect();
    let running = state.transfers.iter().any(|transfer| transfer.end.is_none());
    let mut buttons = vec![popups::CLOSE];
    if running {
        buttons.push(button("Stop", Press::Stop));
    }
    popups::show(state, Form::new(FormKind::Transfers, "Files", Vec::new(), buttons).intro(lines))
}

/// Stops all that are on their way. What has come of them is kept, and gone on with later.
pub(super) fn stop(state: &mut State) -> Vec<Effect> {
    let running = state.transfers.iter().filter(|transfer| transfer.end.is_none());
    let stop = |transfer: &Transfer| {
        let request = Request::StopTransfer { id: transfer.id };
        Effect::RequestOf(account_of(&transfer.chat), request)
    };
    running.map(stop).collect()
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_name_from_the_network_is_one_part_of_a_path() {
        for (name, safe) in [
            ("a.png", "a.png"),
            ("../../.ssh/authorized_keys", "_.._.ssh_authorized_keys"),
            (".bashrc", "bashrc"),
            ("", "file"),
            ("\x1b[2J\u{202e}gpj.exe", "[2Jgpj.exe"),
        ] {
            assert_eq!(file_name(name), safe);
        }
    }
}
