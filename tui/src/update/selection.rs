//! Several messages marked, to be copied, forwarded or deleted together.

use super::{complain, history, notice, picker, refresh, undo};
use crate::action::Command;
use crate::backend::Message;
use crate::effect::Effect;
use crate::state::State;

/// Marks the chosen message, or acts on the marked ones; `None` where none are marked and nothing is to be marked.
pub(super) fn run(state: &mut State, command: Command) -> Option<Vec<Effect>> {
    if command == Command::Choose {
        return Some(mark(state));
    }
    if command == Command::ChooseAlbum {
        return Some(mark_album(state));
    }
    let open = state.open.as_ref().filter(|open| !open.chosen.is_empty())?;
    let marked: Vec<Message> = open
        .messages
        .iter()
        .filter(|message| open.chosen.contains(&message.key))
        .cloned()
        .collect();
    let keys = marked.iter().map(|message| message.key.clone()).collect();
    Some(match command {
        Command::Copy => copy(state, &marked),
        Command::Forward => picker::forward(state, keys),
        Command::Delete => undo::delete(state, keys),
        // Everything else is for one message: a key that looks like it acts on all must not act on one.
        Command::Reply | Command::Edit | Command::React | Command::Quote | Command::Pin => {
            complain(
                state,
                "Several are marked: y copies, f forwards, d deletes them; Ctrl+C unmarks.",
            )
        }
        _ => return None,
    })
}

fn mark(state: &mut State) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    let Some(key) = open.selected.clone() else { return Vec::new() };
    if !open.chosen.remove(&key) {
        open.chosen.insert(key);
    }
    tell(state)
}

/// Marks all pictures of an album, or none of them any more.
fn mark_album(state: &mut State) -> Vec<Effect> {
    let Some(open) = &mut state.open else { return Vec::new() };
    let album = open.selected.as_ref().map(|key| open.album_of(key)).unwrap_or_default();
    if album.is_empty() {
        return complain(state, "This is no picture of an album; v marks one message.");
    }
    if album.iter().all(|key| open.chosen.contains(key)) {
        open.chosen.retain(|key| !album.contains(key));
    } else {
        open.chosen.extend(album);
    }
    tell(state)
}

/// How many are marked.
fn tell(state: &mut State) -> Vec<Effect> {
    let count = state.open.as_ref().map_or(0, |open| open.chosen.len());
    refresh(state);
    match count {
        0 => notice(state, "Nothing is marked."),
        n => notice(state, format!("{n} marked: y copies, f forwards, d deletes; Ctrl+C unmarks.")),
    }
}

/// Unmarks all.
pub(super) fn clear(state: &mut State) -> Vec<Effect> {
    let marked = state.open.as_mut().is_some_and(|open| {
        let marked = !open.chosen.is_empty();
        open.chosen.clear();
        marked
    });
    refresh(state);
    if marked { notice(state, "Nothing is marked.") } else { Vec::new() }
}

fn copy(state: &mut State, marked: &[Message]) -> Vec<Effect> {
    let lines: Vec<String> = marked
        .iter()
        .filter_map(|message| {
            Some(format!("{}: {}", message.sender_name, history::text_of(message)?))
        })
        .collect();
    if let Some(open) = &mut state.open {
        open.chosen.clear();
    }
    refresh(state);
    let mut effects = notice(state, format!("{} messages copied.", lines.len()));
    effects.push(Effect::Copy(lines.join("\n")));
    effects
}
