//! Pasting what the terminal can't: a picture or copied files from the clipboard of the desktop, which is read aside.

use super::{attach, complain, notice};
use crate::backend::Attachment;
use crate::clipboard::{Clip, ClipboardError};
use crate::effect::{Effect, Timer};
use crate::state::{Popup, ReadingClipboard, State};

/// Has it read for the open chat.
pub(super) fn ask(state: &mut State) -> Vec<Effect> {
    let Some(open) = &state.open else { return complain(state, "Open a chat first.") };
    if state.reading_clipboard.is_some() {
        return notice(state, "The clipboard is still being read.");
    }
    let (chat, typed) = (open.chat.clone(), open.composer.field.text().to_owned());
    state.reading_clipboard = Some(ReadingClipboard { chat, typed });
    let name = format!("image_{}", state.zone.stamp(state.now_ms));
    let mut effects = notice(state, "Reading the clipboard…");
    effects.push(Effect::ReadClipboard { name });
    effects
}

/// What came of it.
pub(super) fn read(state: &mut State, read: Result<Clip, ClipboardError>) -> Vec<Effect> {
    let Some(ReadingClipboard { chat, typed }) = state.reading_clipboard.take() else {
        return Vec::new();
    };
    let files: Vec<Attachment> = match read {
        Ok(Clip::Picture(picture)) => vec![Attachment::Picture(picture)],
        Ok(Clip::Files(paths)) => paths.into_iter().map(Attachment::File).collect(),
        Err(error) => return complain(state, crate::sanitize::line(&error.to_string())),
    };
    // Whoever has gone on meanwhile must not answer a question that they have not seen.
    let same = state.popups.is_empty() && state.lock.is_none();
    let waits = same
        && state
            .open
            .as_ref()
            .is_some_and(|open| open.chat == chat && open.composer.field.text() == typed);
    state.notice = None;
    let mut effects = vec![Effect::Stop(Timer::NoticeGoes)];
    effects.extend(attach::ask(state, chat, files, None));
    if !waits && let Some(Popup::Form(form)) = state.popups.last_mut() {
        *form = form.clone().unasked();
    }
    effects
}
