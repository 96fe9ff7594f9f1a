//! The words on offer above the composer: taken, walked, left.

use super::composer;
use crate::action::Command;
use crate::backend::Request;
use crate::effect::Effect;
use crate::state::completion::{self, Completion};
use crate::state::{Pane, State};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Looks at the word again if the text left of the cursor is not what it was.
pub(super) fn settle(state: &mut State) -> Vec<Effect> {
    let mut hasher = DefaultHasher::new();
    if let Some(open) = &state.open {
        (&open.chat, open.composer.field.before(), state.people.people.len()).hash(&mut hasher);
    }
    let mark = (state.pane == Pane::Composer, hasher.finish());
    if std::mem::replace(&mut state.completion_mark, mark) == mark {
        Vec::new()
    } else {
        look(state)
    }
}

fn look(state: &mut State) -> Vec<Effect> {
    let wanted = if state.pane == Pane::Composer { completion::complete(state) } else { None };
    let left = state.left_word;
    state.completion = wanted.filter(|wanted| left != Some(wanted.from));
    if wanted_nothing(state) {
        state.left_word = None;
    }
    match completion::wants_people(state) {
        Some(chat) if state.people_asked.as_ref() != Some(&chat) => {
            state.people_asked = Some(chat.clone());
            vec![Effect::Request(Request::People { chat })]
        }
        _ => Vec::new(),
    }
}

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(shown) = &mut state.completion else { return Vec::new() };
    let count = shown.offers.len().max(1);
    match command {
        Command::Next => shown.selected = (shown.selected + 1) % count,
        Command::Previous => shown.selected = (shown.selected + count - 1) % count,
        Command::Cancel => {
            state.left_word = Some(shown.from);
            state.completion = None;
        }
        Command::Complete => return take(state),
        command => return composer::run(state, command),
    }
    Vec::new()
}

fn take(state: &mut State) -> Vec<Effect> {
    let Some(Completion { from, offers, selected }) = state.completion.take() else {
        return Vec::new();
    };
    let (Some(offer), Some(open)) = (offers.get(selected), &mut state.open) else {
        return Vec::new();
    };
    open.composer.field.replace_before(from, &offer.becomes);
    // A command that takes no words needs no second Enter.
    if offer.becomes.starts_with('/') && !offer.becomes.ends_with(' ') {
        return composer::run(state, Command::Send);
    }
    composer::tell_typing(state)
}

/// The word that was left as typed has ended.
fn wanted_nothing(state: &State) -> bool {
    state.open.as_ref().is_none_or(|open| {
        let before = open.composer.field.before();
        before.is_empty() || before.ends_with(char::is_whitespace)
    })
}
