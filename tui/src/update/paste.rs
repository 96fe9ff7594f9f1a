//! What is pasted into the composer: files dropped on the terminal and long texts are asked about first.

use super::{attach, composer, popups};
use crate::backend::{ChatId, Request};
use crate::effect::Effect;
use crate::keymap::Focus;
use crate::state::State;
use crate::state::form::{Form, FormKind, Press, button};

/// A paste of more lines is asked about.
const LINES_MAX: usize = 8;
/// A longer paste is, too.
const PASTE_BYTES_MAX: usize = 4_000;
/// A longer message does not fit an event: its text stands there twice, and encryption makes it a third longer.
pub(super) const MESSAGE_BYTES_MAX: usize = 16_000;

pub(super) fn take(state: &mut State, text: &str) -> Vec<Effect> {
    if let Some(form) = state.form_mut().filter(|form| matches!(form.kind, FormKind::Sso(_))) {
        // There is one thing to be pasted, whichever button has the focus.
        form.focus = 0;
    }
    if !matches!(state.focus(), Focus::Composer | Focus::Completion) {
        return super::type_text(state, text);
    }
    let Some(chat) = state.open.as_ref().map(|open| open.chat.clone()) else { return Vec::new() };
    if let Some(files) = attach::dropped(text) {
        return attach::ask(state, chat, files, Some(text));
    }
    if text.trim_end().lines().count() > LINES_MAX || text.len() > PASTE_BYTES_MAX {
        return ask_about_text(state, chat, text);
    }
    super::type_text(state, text)
}

fn ask_about_text(state: &mut State, chat: ChatId, text: &str) -> Vec<Effect> {
    let lines = text.trim_end().lines().count();
    let words = format!("{lines} lines, {} characters.", text.chars().count());
    let kind = FormKind::LongPaste { chat, text: text.to_owned() };
    let buttons = vec![
        button("As text", Press::AsText),
        button("As code", Press::AsCode),
        button("As a file", Press::AsFile),
        button("Cancel", Press::Close),
    ];
    let form = Form::new(kind, "A long paste", Vec::new(), buttons);
    popups::show(state, form.intro([words]))
}

/// Asks what becomes of a message that fits no event.
pub(super) fn ask_about_long_message(state: &mut State, chat: ChatId, text: String) -> Vec<Effect> {
    let words = format!("{} characters are more than one message can hold.", text.chars().count());
    let buttons = vec![
        button("In parts", Press::Submit),
        button("As a file", Press::AsFile),
        button("Cancel", Press::Close),
    ];
    let kind = FormKind::TooLong { chat, text };
    popups::show(state, Form::new(kind, "Too long", Vec::new(), buttons).intro([words]))
}

/// What was answered to one of these questions; the form is closed already.
pub(super) fn answered(state: &mut State, press: Press, kind: FormKind) -> Vec<Effect> {
    match (kind, press) {
        (FormKind::LongPaste { text, .. }, Press::AsCode) => {
            // A fence longer than any in it.
            let fence = "`".repeat((3..).find(|n| !text.contains(&"`".repeat(*n))).unwrap_or(3));
            let text = text.trim_end_matches('\n');
            super::type_text(state, &format!("{fence}\n{text}\n{fence}\n"))
        }
        (FormKind::LongPaste { chat, text }, Press::AsFile) => {
            vec![Effect::Request(Request::SendSnippet { chat, text })]
        }
        (FormKind::LongPaste { text, .. }, Press::AsText) => super::type_text(state, &text),
        (
            FormKind::SendFile { text: Some(text), .. }
            | FormKind::SendFiles { text: Some(text), .. },
            Press::AsText,
        ) => super::type_text(state, &text),
        (FormKind::TooLong { chat, text }, Press::AsFile) => {
            composer::empty(state);
            vec![Effect::Request(Request::SendSnippet { chat, text })]
        }
        _ => Vec::new(),
    }
}

/// The parts of a long message: whole lines where they fit, whole words where they do.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    for line in text.split_inclusive('\n').flat_map(short_pieces) {
        if part.len() + line.len() > MESSAGE_BYTES_MAX && !part.trim().is_empty() {
            parts.push(std::mem::take(&mut part).trim_matches('\n').to_owned());
        }
        part.push_str(line);
    }
    parts.push(part.trim_matches('\n').to_owned());
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn short_pieces(mut line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while line.len() > MESSAGE_BYTES_MAX {
        let most = (0..=MESSAGE_BYTES_MAX).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        let (head, _) = line.split_at(most);
        let at = head.rfind(' ').filter(|at| *at > most / 2).map_or(most, |at| at + 1);
        let (head, rest) = line.split_at(at);
        pieces.push(head);
        line = rest;
    }
    pieces.push(line);
    pieces
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, parts};

    #[test]
    fn a_long_message_is_split_between_lines_and_words_and_loses_nothing() {
        let lines = "a line of words\n".repeat(3_000);
        let split = parts(&lines);
        assert!(split.len() > 2 && split.iter().all(|part| part.len() <= MESSAGE_BYTES_MAX));
        assert!(split.iter().all(|part| part.starts_with("a line") && part.ends_with("words")));
        assert_eq!(split.join("\n"), lines.trim_end());
        let words = "wörter ".repeat(9_000);
        let split = parts(&words);
        assert!(split.iter().all(|part| part.len() <= MESSAGE_BYTES_MAX));
        assert_eq!(split.concat(), words);
    }
}
