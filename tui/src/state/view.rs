//! Looking at a chat elsewhere than at its newest end: around a message far back, or at one thread; and the way back.

use super::conversation::{Conversation, Edge};
use super::layout::Sheet;
use crate::backend::{EventId, Message, MessageKey, View};

/// More places than this are not kept to go back to.
const TRAIL_MAX: usize = 50;

/// A place in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub view: View,
    /// The message that was chosen; `None` is the newest end.
    pub event: Option<EventId>,
}

/// What of a chat is looked at, and where one came from.
#[derive(Debug, Clone, Default)]
pub struct Viewing {
    pub view: View,
    /// The newest messages, while something else is looked at.
    newest: Option<Vec<Message>>,
    newest_at_start: bool,
    trail: Vec<Place>,
    /// The message to be chosen as soon as it is there.
    pub target: Option<EventId>,
    /// Below what is shown around a message there is nothing, or it could not be loaded.
    pub at_end: bool,
    /// More of it is on its way.
    pub loading_newer: bool,
}

impl Viewing {
    /// Whether this is the newest end, where what is sent appears.
    pub fn is_newest(&self) -> bool {
        self.view == View::Newest
    }
}

impl Conversation {
    /// The newest messages, whatever is looked at.
    pub fn newest(&self) -> &[Message] {
        self.viewing.newest.as_ref().unwrap_or(&self.messages)
    }

    /// The message with this id among those shown.
    pub fn with_event(&self, event: &str) -> Option<&Message> {
        self.messages.iter().rfind(|message| message.relations.event.as_deref() == Some(event))
    }

    /// Takes the newest messages, whatever is looked at.
    pub fn take_newest(&mut self, messages: Vec<Message>, sheet: &mut Sheet<'_>, height: usize) {
        // What came after a gap in the sync takes the place of everything before it, which is then to be loaded again.
        let oldest = self.newest().first().map(|message| &message.key);
        if oldest.is_some_and(|oldest| !messages.iter().any(|message| message.key == *oldest)) {
            self.viewing.newest_at_start = false;
            self.at_start = false;
        }
        match self.viewing.view.clone() {
            View::Newest => self.replace(messages, sheet),
            View::Thread(root) => {
                self.replace(of_thread(&messages, &root), sheet);
                self.viewing.newest = Some(messages);
            }
            View::Around(_) => self.viewing.newest = Some(messages),
        }
        self.reach_target(height);
    }

    /// Takes the messages of another view, if it is the one looked at.
    pub fn take_view(
        &mut self,
        view: &View,
        messages: Vec<Message>,
        sheet: &mut Sheet<'_>,
        height: usize,
    ) {
        if self.viewing.view == *view {
            self.replace(messages, sheet);
            self.reach_target(height);
        }
    }

    /// Looks at another part of the chat. What is shown until messages come is what is known of it.
    pub fn switch(&mut self, view: View, sheet: &mut Sheet<'_>) {
        if self.viewing.view == view {
            return;
        }
        let was_newest = self.viewing.is_newest();
        let newest = match self.viewing.newest.take() {
            Some(newest) => newest,
            None if was_newest => self.messages.clone(),
            None => Vec::new(),
        };
        // Around a message another part of the history is loaded, everywhere else the same.
        let around = |view: &View| matches!(view, View::Around(_));
        if !around(&self.viewing.view) {
            self.viewing.newest_at_start = self.at_start;
        }
        self.at_start = self.viewing.newest_at_start && !around(&view);
        self.loading_older = false;
        self.older_failed = false;
        self.viewing.at_end = false;
        self.viewing.loading_newer = false;
        self.selected = None;
        self.edge = Edge::Newest;
        let shown = match &view {
            View::Newest => newest.clone(),
            View::Thread(root) => of_thread(&newest, root),
            View::Around(_) => Vec::new(),
        };
        self.viewing.newest = (view != View::Newest).then_some(newest);
        self.viewing.view = view;
        self.replace(shown, sheet);
        self.edge = Edge::Newest;
        self.new_below = 0;
    }

    /// Remembers where one is, to come back.
    pub fn leave_mark(&mut self) {
        let event = self.selected_message().and_then(|message| message.relations.event.clone());
        let place = Place { view: self.viewing.view.clone(), event };
        if self.viewing.trail.last() != Some(&place) {
            self.viewing.trail.push(place);
        }
        if self.viewing.trail.len() > TRAIL_MAX {
            self.viewing.trail.remove(0);
        }
    }

    /// Where one came from; it is forgotten.
    pub fn take_mark(&mut self) -> Option<Place> {
        self.viewing.trail.pop()
    }

    /// Forgets where one came from.
    pub fn forget_marks(&mut self) {
        self.viewing.trail.clear();
    }

    /// Chooses the message that was jumped to, if it is there.
    pub fn reach_target(&mut self, height: usize) -> bool {
        let Some(event) = self.viewing.target.clone() else { return false };
        let Some(key) = self.with_event(&event).map(|message| message.key.clone()) else {
            return false;
        };
        self.viewing.target = None;
        self.choose(key, height);
        true
    }

    /// Chooses a message and brings it to the middle of a view of `height` rows.
    pub fn choose(&mut self, key: MessageKey, height: usize) {
        self.selected = Some(key);
        self.center_selected(height);
    }

    /// More is to be loaded above: the view nears its start, and in a thread that has not been seen yet.
    pub fn wants_older(&self, height: usize) -> bool {
        let whole = match &self.viewing.view {
            View::Thread(root) => self.with_event(root).is_some(),
            View::Around(_) => self.messages.is_empty(),
            View::Newest => false,
        };
        !whole && self.near_start(height)
    }

    /// More is to be loaded below what is shown around a message.
    pub fn wants_newer(&self) -> bool {
        matches!(self.viewing.view, View::Around(_))
            && !self.messages.is_empty()
            && self.edge == Edge::Newest
            && !self.viewing.at_end
            && !self.viewing.loading_newer
    }
}

/// The messages of one thread, its first included.
fn of_thread(messages: &[Message], root: &str) -> Vec<Message> {
    let belongs = |message: &&Message| {
        message.relations.event.as_deref() == Some(root)
            || message.relations.thread.as_deref() == Some(root)
    };
    messages.iter().filter(belongs).cloned().collect()
}
