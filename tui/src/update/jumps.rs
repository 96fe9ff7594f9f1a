//! Moving through a chat: to the message a reply answers and back, to a date, to what is unread, into threads.

use super::reports::clean_message;
use super::{complain, history, history_size, notice, picker};
use crate::backend::{EventId, Message, Report, Request, View};
use crate::effect::{Effect, Timer};
use crate::sanitize::line;
use crate::state::conversation::{Conversation, Edge};
use crate::state::layout::Sheet;
use crate::state::{Pane, State};

/// Looks at another part of the open chat, and asks for what is missing.
pub(super) fn switch(state: &mut State, view: View) -> Vec<Effect> {
    let (width, _) = history_size(state);
    let State { open, links, zone, .. } = state;
    let Some(open) = open.as_mut().filter(|open| open.viewing.view != view) else {
        return Vec::new();
    };
    let was_around = matches!(open.viewing.view, View::Around(_));
    let chat = open.chat.clone();
    open.switch(view.clone(), &mut Sheet { width, zone: *zone, links });
    match view {
        View::Around(event) => vec![Effect::Request(Request::OpenAround { chat, event })],
        // Only one part of a chat is reported at a time.
        _ if was_around => vec![Effect::Request(Request::OpenChat { chat })],
        _ => Vec::new(),
    }
}

/// Goes to a message of the open chat, wherever it is; Backspace comes back.
pub(super) fn to_event(state: &mut State, event: EventId) -> Vec<Effect> {
    let (_, height) = history_size(state);
    let Some(open) = &mut state.open else { return Vec::new() };
    open.leave_mark();
    open.viewing.target = Some(event.clone());
    state.pane = Pane::History;
    if open.reach_target(height) {
        return Vec::new();
    }
    let mut effects = match open.viewing.view {
        View::Thread(_) => switch(state, View::Newest),
        View::Newest | View::Around(_) => Vec::new(),
    };
    let found = state.open.as_mut().is_some_and(|open| {
        open.viewing.target = Some(event.clone());
        open.reach_target(height)
    });
    if !found {
        effects.extend(switch(state, View::Around(event.clone())));
        aim(state, Some(event));
    }
    effects
}

/// Chooses this message as soon as it is there.
fn aim(state: &mut State, event: Option<EventId>) {
    let (_, height) = history_size(state);
    if let Some(open) = &mut state.open {
        open.viewing.target = event;
        open.reach_target(height);
    }
}

/// To the message that this one answers.
pub(super) fn to_replied(state: &mut State, message: &Message) -> Vec<Effect> {
    match message.relations.reply_to.clone().or_else(|| message.relations.thread.clone()) {
        Some(event) => to_event(state, event),
        None => notice(state, "This message answers no other."),
    }
}

/// Back to where the last jump began; from anywhere else to the newest message.
pub(super) fn back(state: &mut State) -> Vec<Effect> {
    let place = state.open.as_mut().and_then(Conversation::take_mark);
    let Some(place) = place else { return to_newest(state) };
    let effects = switch(state, place.view);
    match place.event {
        Some(event) => {
            state.pane = Pane::History;
            aim(state, Some(event));
        }
        None => {
            if let Some(open) = &mut state.open {
                open.scroll_to_newest();
            }
            history::enter(state);
        }
    }
    effects
}

/// To the newest end, out of any other view.
pub(super) fn to_newest(state: &mut State) -> Vec<Effect> {
    let effects = switch(state, View::Newest);
    if let Some(open) = &mut state.open {
        open.forget_marks();
        open.viewing.target = None;
        open.scroll_to_newest();
    }
    effects
}

/// To the first message that was unread when the chat was opened.
pub(super) fn to_first_unread(state: &mut State) -> Vec<Effect> {
    let (_, height) = history_size(state);
    let mut effects = switch(state, View::Newest);
    let Some(open) = &mut state.open else { return complain(state, "Open a chat first.") };
    match open.first_unread.clone() {
        Some(key) => {
            open.leave_mark();
            open.choose(key, height);
            state.pane = Pane::History;
        }
        None => effects.extend(notice(state, "Nothing was unread here.")),
    }
    effects
}

/// Opens the thread that a message belongs to or would begin.
pub(super) fn to_thread(state: &mut State, message: &Message) -> Vec<Effect> {
    let root = message.relations.thread.clone().or_else(|| message.relations.event.clone());
    match root {
        Some(root) => open_thread(state, root),
        None => complain(state, "This message has not been sent yet; try again when it has."),
    }
}

/// Shows one thread, with the focus in the composer: what is written goes there.
pub(super) fn open_thread(state: &mut State, root: EventId) -> Vec<Effect> {
    if let Some(open) = &mut state.open {
        open.leave_mark();
    }
    let effects = switch(state, View::Thread(root));
    if let Some(open) = &mut state.open {
        open.edge = Edge::Newest;
    }
    state.pane = Pane::Composer;
    effects
}

/// What the backend says of the ways through a chat.
pub(super) fn take(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::View { chat, view, messages } => take_view(state, &chat, &view, messages),
        Report::ViewFailed { chat, reason } => {
            let mut effects = if state.is_open(&chat) { back(state) } else { Vec::new() };
            effects.extend(complain(state, line(&reason)));
            effects
        }
        Report::NewerLoaded { chat, end, failed } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.viewing.loading_newer = false;
                open.viewing.at_end = end || failed;
            }
            Vec::new()
        }
        Report::Hits { chat, listing, hits, done } => {
            picker::take_hits(state, &chat, &listing, &hits, done);
            Vec::new()
        }
        Report::JumpTo { chat, event } if state.is_open(&chat) => {
            let mut effects = vec![Effect::Stop(Timer::NoticeGoes)];
            state.notice = None;
            effects.extend(to_event(state, event));
            effects
        }
        _ => Vec::new(),
    }
}

/// The messages around one that was jumped to.
fn take_view(state: &mut State, chat: &str, view: &View, messages: Vec<Message>) -> Vec<Effect> {
    let (width, height) = history_size(state);
    let State { open, links, zone, .. } = state;
    if let Some(open) = open.as_mut().filter(|open| open.chat == chat) {
        let mut sheet = Sheet { width, zone: *zone, links };
        let messages = messages.into_iter().map(clean_message).collect();
        open.take_view(view, messages, &mut sheet, height);
    }
    Vec::new()
}
