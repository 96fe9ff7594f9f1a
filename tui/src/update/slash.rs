//! Lines of the composer that begin with a slash. `/me` is a message and goes to the backend as it is.

use super::{attach, complain, popups, undo};
use crate::action::Command;
use crate::backend::{ChatId, Request};
use crate::effect::Effect;
use crate::keymap::{BINDINGS, Focus};
use crate::presets;
use crate::state::State;
use crate::state::field::TextField;

/// Whether `text` is a command. Two slashes begin a line that begins with one.
pub(super) fn is_command(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/me ")
}

/// Carries out the command that the composer of `chat` holds.
pub(super) fn run(state: &mut State, chat: ChatId, text: &str) -> Vec<Effect> {
    let (name, words) = text
        .get(1..)
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or((text.get(1..).unwrap_or_default(), ""));
    let words = words.trim();
    let plain = BINDINGS
        .iter()
        .find(|row| row.focus == Focus::Leader && presets::name(row.command) == name)
        .map(|row| row.command);
    let request = match (name, words.is_empty()) {
        ("shrug", _) => {
            clear(state);
            return super::composer::send_text(state, format!("{words} ¯\\\\_(ツ)\\_/¯").trim());
        }
        ("undo", _) => {
            clear(state);
            return undo::undo(state);
        }
        ("theme", _) => {
            clear(state);
            return super::run(state, Command::NextTheme);
        }
        ("file", false) => {
            clear(state);
            return attach::ask(state, chat, attach::typed(words), None);
        }
        ("file", true) => {
            clear(state);
            return popups::open(state, Command::SendFile);
        }
        ("invite", false) => Request::Invite { chat, user: words.to_owned() },
        ("join", false) => Request::Join { chat: words.to_owned() },
        ("msg", false) => Request::NewDirectChat { user: words.to_owned(), encrypted: true },
        (_, true) if plain.is_some() => {
            clear(state);
            return plain.map_or_else(Vec::new, |command| super::run(state, command));
        }
        ("invite" | "join" | "msg", true) => {
            return complain(state, format!("Say whom or what: /{name} and an id or address."));
        }
        _ => {
            let problem =
                format!("There is no command /{name}. A second / in front sends it as it is.");
            return complain(state, problem);
        }
    };
    clear(state);
    let awaited = !matches!(request, Request::Invite { .. });
    state.awaited_chat = awaited.then(|| state.front());
    vec![Effect::Request(request)]
}

fn clear(state: &mut State) {
    if let Some(open) = &mut state.open {
        open.composer.field = TextField::default();
    }
}
