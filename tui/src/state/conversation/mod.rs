//! The open chat: its messages, their rows, and which part of them is on the screen.
//!
//! The view hangs on its bottom edge: either it is the newest message's end, or a named row of a named message. So nothing
//! that is added above or below moves what is being read.

mod albums;
mod pages;
mod pictures;

pub use albums::Chosen;

use super::composer::Composer;
use super::layout::{Rows, Sheet, Surroundings, lay};
use super::link_previews::{Shown as Page, first_link};
use super::view::Viewing;
use crate::backend::{Body, ChatId, Message, MessageKey, View};
use crate::pictures::{Mode, Picture, Shown};
use crate::zone::Zone;
use ratatui::text::Line;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Messages of one sender this close stand under one name.
const GROUP_MS: u64 = 10 * 60 * 1000;
/// This many service lines in a row are folded into one.
const FOLD_MIN: usize = 3;

/// The open chat.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    pub chat: ChatId,
    pub messages: Vec<Message>,
    laid: Vec<Laid>,
    /// The backend has reported this chat's messages since it was opened (before, they are the snapshot's).
    pub live: bool,
    pub at_start: bool,
    pub loading_older: bool,
    /// The last try failed: nothing older is asked for until a key is pressed or the server is back.
    pub older_failed: bool,
    pub typing: Vec<String>,
    /// Names of those whose keys are not the ones that the user knew.
    pub changed_keys: Vec<String>,
    pub edge: Edge,
    pub selected: Option<MessageKey>,
    pub viewing: Viewing,
    /// Those that are about to be deleted.
    pub deleting: HashSet<MessageKey>,
    /// Those that the next command acts on together.
    pub chosen: HashSet<MessageKey>,
    /// Those whose hidden parts are shown.
    pub revealed: HashSet<MessageKey>,
    /// Messages that arrived below what is being read.
    pub new_below: usize,
    /// Unread messages when the chat was opened; the "new" line counts them.
    pub unread_at_open: u64,
    pub first_unread: Option<MessageKey>,
    /// The newest message that a `MarkRead` went out for.
    pub marked: Option<MessageKey>,
    pub composer: Composer,
    /// How pictures are drawn.
    mode: Mode,
    /// Those that are here or were asked for.
    pictures: HashMap<MessageKey, Option<Shown>>,
    /// The size in which the terminal was told to draw each, where it draws them itself.
    told: HashMap<MessageKey, (usize, usize)>,
    /// What those that were asked for look like from afar.
    blurs: HashMap<MessageKey, Arc<Picture>>,
    /// What is known of the pages that messages link to; nothing while they are not to be shown.
    pages: HashMap<String, Arc<Page>>,
}

/// The bottom edge of the view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Edge {
    /// After the newest message.
    #[default]
    Newest,
    /// After the first `rows` rows of this message.
    Within { key: MessageKey, rows: usize },
}

#[derive(Debug, Clone, Default)]
struct Laid {
    around: Surroundings,
    rows: Vec<Line<'static>>,
    /// The row with which its pictures begin.
    pictures: usize,
    /// The page whose preview belongs below it.
    link: Option<String>,
}

impl Conversation {
    pub fn new(chat: ChatId, composer: Composer, unread: u64) -> Conversation {
        Conversation { chat, composer, unread_at_open: unread, ..Conversation::default() }
    }

    /// Takes the messages as the backend has them now.
    pub fn replace(&mut self, messages: Vec<Message>, sheet: &mut Sheet<'_>) {
        let newest = self.messages.last().map(|message| message.key.clone());
        let added = newest
            .and_then(|key| messages.iter().rposition(|message| message.key == key))
            .map_or(0, |at| messages.len() - at - 1);
        self.new_below = if self.edge == Edge::Newest { 0 } else { self.new_below + added };
        let old = std::mem::replace(&mut self.messages, messages);
        let laid = std::mem::take(&mut self.laid);
        let kept: HashMap<MessageKey, (Message, Laid)> = old
            .into_iter()
            .zip(laid)
            .map(|(message, laid)| (message.key.clone(), (message, laid)))
            .collect();
        self.mark_first_unread();
        self.lay_out(kept, sheet);
        if self.index_of_edge().is_none() {
            self.edge = Edge::Newest;
        }
        if self.selected.as_ref().is_some_and(|key| self.index_of(key).is_none()) {
            self.selected = None;
        }
    }

    /// Lays the rows out for another width.
    pub fn resize(&mut self, sheet: &mut Sheet<'_>) {
        if self.laid.iter().any(|laid| laid.around.width != sheet.width) {
            if self.mode == Mode::Kitty {
                // The terminal was told of grids of another size.
                self.pictures.clear();
            }
            self.lay_out(HashMap::new(), sheet);
        }
    }

    /// Lays the rows out again after something around the messages changed.
    pub fn refresh(&mut self, sheet: &mut Sheet<'_>) {
        let laid = std::mem::take(&mut self.laid);
        let kept = self.messages.iter().cloned().zip(laid);
        let kept = kept.map(|(message, laid)| (message.key.clone(), (message, laid))).collect();
        self.lay_out(kept, sheet);
    }

    fn mark_first_unread(&mut self) {
        if self.first_unread.is_some() || self.unread_at_open == 0 || !self.live {
            return;
        }
        let countable =
            |message: &&Message| !message.own && !matches!(message.body, Body::Service(_));
        let mut unread = self.messages.iter().rev().filter(countable);
        let index = usize::try_from(self.unread_at_open).unwrap_or(usize::MAX) - 1;
        self.first_unread = unread.nth(index).map(|message| message.key.clone());
    }

    fn lay_out(&mut self, mut kept: HashMap<MessageKey, (Message, Laid)>, sheet: &mut Sheet<'_>) {
        let around = self.surroundings(sheet.width, sheet.zone);
        self.laid = self
            .messages
            .iter()
            .zip(around)
            .map(|(message, mut around)| {
                let kept = kept.remove(&message.key).filter(|(old, _)| old == message);
                let link = match &kept {
                    Some((_, laid)) => laid.link.clone(),
                    None => first_link(message),
                };
                around.preview = link.as_ref().and_then(|link| self.pages.get(link).cloned());
                match kept {
                    Some((_, laid)) if laid.around == around => laid,
                    _ => {
                        let Rows { lines: rows, pictures } = lay(message, &around, sheet);
                        Laid { rows, pictures, around, link }
                    }
                }
            })
            .collect();
    }

    fn surroundings(&self, width: usize, zone: Zone) -> Vec<Surroundings> {
        let mut around = Vec::with_capacity(self.messages.len());
        let mut before: Option<&Message> = None;
        let mut run = 0;
        let answers = self.answers();
        for (index, message) in self.messages.iter().enumerate() {
            let new_day =
                before.is_none_or(|before| zone.day(before.at_ms) != zone.day(message.at_ms));
            let new =
                (self.first_unread.as_ref() == Some(&message.key)).then_some(self.unread_at_open);
            let apart = new_day || new.is_some();
            let grouped = before.is_some_and(|before| {
                before.sender == message.sender
                    && before.sender_name == message.sender_name
                    && message.at_ms.saturating_sub(before.at_ms) < GROUP_MS
                    && !matches!(before.body, Body::Service(_))
            });
            run = if apart || !is_service(message) { 0 } else { run };
            let folded = if !is_service(message) { 1 } else { self.fold(index, &mut run, zone) };
            around.push(Surroundings {
                day: new_day.then(|| zone.day_name(message.at_ms)),
                new,
                named: apart || !grouped,
                folded,
                width,
                habits: crate::width::habits(),
                revealed: self.revealed.contains(&message.key),
                chosen: self.chosen.contains(&message.key),
                aside: message.relations.thread.is_some()
                    && !matches!(self.viewing.view, View::Thread(_)),
                leaving: self.deleting.contains(&message.key),
                answers: message
                    .relations
                    .event
                    .as_ref()
                    .and_then(|event| answers.get(event.as_str()).copied())
                    .unwrap_or_default(),
                slot: self.slot(message, width),
                place: None,
                grid: None,
                preview: None,
            });
            before = Some(message);
        }
        self.gather_albums(&mut around, width);
        around
    }

    /// How many answers each thread has, as far as they are loaded, by what it began with.
    fn answers(&self) -> HashMap<&str, usize> {
        let mut answers = HashMap::new();
        for root in self.messages.iter().filter_map(|message| message.relations.thread.as_deref()) {
            *answers.entry(root).or_default() += 1;
        }
        answers
    }

    /// How many service lines the one at `index` stands for; `run` counts those still standing behind an earlier one.
    fn fold(&self, index: usize, run: &mut usize, zone: Zone) -> usize {
        if *run > 0 {
            *run -= 1;
            return 0;
        }
        let Some(first) = self.messages.get(index) else { return 1 };
        let following = self.messages.iter().skip(index).take_while(|message| {
            is_service(message)
                && zone.day(message.at_ms) == zone.day(first.at_ms)
                && (message.key == first.key || self.first_unread.as_ref() != Some(&message.key))
        });
        let length = following.count();
        if length < FOLD_MIN {
            return 1;
        }
        *run = length - 1;
        length
    }

    pub fn index_of(&self, key: &str) -> Option<usize> {
        self.messages.iter().rposition(|message| message.key == key)
    }

    fn index_of_edge(&self) -> Option<usize> {
        match &self.edge {
            Edge::Newest => Some(self.messages.len()),
            Edge::Within { key, .. } => self.index_of(key),
        }
    }

    pub fn selected_message(&self) -> Option<&Message> {
        self.selected
            .as_ref()
            .and_then(|key| self.index_of(key))
            .and_then(|index| self.messages.get(index))
    }

    fn heights(&self) -> impl Iterator<Item = usize> + '_ {
        self.laid.iter().map(|laid| laid.rows.len())
    }

    /// All rows of what is loaded.
    pub fn total_rows(&self) -> usize {
        self.heights().sum()
    }

    /// The rows above the view's bottom edge.
    fn rows_above_edge(&self) -> usize {
        match (&self.edge, self.index_of_edge()) {
            (Edge::Within { rows, .. }, Some(index)) => {
                let height = self.laid.get(index).map_or(0, |laid| laid.rows.len());
                self.heights().take(index).sum::<usize>() + (*rows).min(height)
            }
            _ => self.total_rows(),
        }
    }

    fn set_edge(&mut self, rows_above: usize) {
        if rows_above >= self.total_rows() {
            self.edge = Edge::Newest;
            self.new_below = 0;
            return;
        }
        let mut above = 0;
        for (message, laid) in self.messages.iter().zip(&self.laid) {
            let height = laid.rows.len();
            if rows_above <= above + height && height > 0 {
                self.edge = Edge::Within { key: message.key.clone(), rows: rows_above - above };
                return;
            }
            above += height;
        }
    }

    /// Moves the view up by `rows` (never above the oldest message), `height` being what is seen at once.
    pub fn scroll_up(&mut self, rows: usize, height: usize) {
        let edge = self.rows_above_edge().saturating_sub(rows).max(height.min(self.total_rows()));
        self.set_edge(edge);
    }

    /// Moves the view down by `rows`.
    pub fn scroll_down(&mut self, rows: usize) {
        self.set_edge(self.rows_above_edge() + rows);
    }

    pub fn scroll_to_newest(&mut self) {
        self.edge = Edge::Newest;
        self.new_below = 0;
    }

    /// Brings the selected message into a view of `height` rows.
    pub fn show_selected(&mut self, height: usize) {
        let Some(index) = self.selected.as_ref().and_then(|key| self.index_of(key)) else { return };
        let top: usize = self.heights().take(index).sum();
        let bottom = top + self.laid.get(index).map_or(0, |laid| laid.rows.len());
        let edge = self.rows_above_edge();
        if bottom > edge {
            self.set_edge(bottom.min(top + height));
        } else if top < edge.saturating_sub(height) {
            self.set_edge((top + height).min(self.total_rows()));
        }
    }

    /// Brings the selected message to the middle of a view of `height` rows.
    pub(super) fn center_selected(&mut self, height: usize) {
        let Some(index) = self.selected.as_ref().and_then(|key| self.index_of(key)) else { return };
        let middle = self.heights().take(index).sum::<usize>()
            + self.laid.get(index).map_or(0, |laid| laid.rows.len() / 2);
        self.set_edge((middle + height / 2).max(height));
        self.show_selected(height);
    }

    /// The rows in a view of `height` rows from top to bottom, each with the message it belongs to.
    pub fn view(&self, height: usize) -> Vec<(&Message, &Line<'static>)> {
        let edge = self.rows_above_edge();
        let mut below = self.total_rows() - edge;
        let mut view = Vec::with_capacity(height);
        for (message, laid) in self.messages.iter().zip(&self.laid).rev() {
            for row in laid.rows.iter().rev() {
                if below > 0 {
                    below -= 1;
                } else if view.len() < height {
                    view.push((message, row));
                } else {
                    view.reverse();
                    return view;
                }
            }
        }
        view.reverse();
        view
    }

    /// The oldest loaded message is in the view, or nearly.
    pub fn near_start(&self, height: usize) -> bool {
        self.rows_above_edge() <= height * 2
    }
}

fn is_service(message: &Message) -> bool {
    matches!(message.body, Body::Service(_))
}

#[cfg(test)]
mod tests {
    use super::{Conversation, Edge};
    use crate::backend::{Body, Message, Relations};
    use crate::links::Links;
    use crate::state::layout::Sheet;
    use crate::zone::Zone;

    fn message(n: u64, text: &str) -> Message {
        let body = Body::Text { text: text.to_owned(), html: None };
        Message {
            key: n.to_string(),
            at_ms: n * 1000,
            sender: "@alice:example.org".to_owned(),
            sender_name: "alice".to_owned(),
            own: false,
            body,
            edited: false,
            reply: None,
            reactions: Vec::new(),
            ticks: None,
            read_by: Vec::new(),
            warning: None,
            relations: Relations::default(),
        }
    }

    fn sheet(width: usize, links: &mut Links) -> Sheet<'_> {
        Sheet { width, zone: Zone::Utc, links }
    }

    fn filled(range: std::ops::Range<u64>) -> Conversation {
        let mut conversation = Conversation { live: true, ..Conversation::default() };
        conversation.replace(
            range.map(|n| message(n, &format!("number {n}"))).collect(),
            &mut sheet(40, &mut Links::default()),
        );
        conversation
    }

    fn shown(conversation: &Conversation, height: usize) -> Vec<String> {
        conversation.view(height).iter().map(|(_, row)| row.to_string()).collect()
    }

    #[test]
    fn history_loaded_above_and_messages_below_move_nothing_that_is_read() {
        let mut conversation = filled(100..150);
        conversation.scroll_up(20, 10);
        let before = shown(&conversation, 10);
        conversation.replace(
            (50..160).map(|n| message(n, &format!("number {n}"))).collect(),
            &mut sheet(40, &mut Links::default()),
        );
        assert_eq!(shown(&conversation, 10), before);
        assert_eq!(conversation.new_below, 10);
        conversation.scroll_down(1000);
        assert_eq!((conversation.edge.clone(), conversation.new_below), (Edge::Newest, 0));
    }

    #[test]
    fn at_the_bottom_new_messages_are_followed() {
        let mut conversation = filled(0..50);
        conversation.replace(
            (0..51).map(|n| message(n, &format!("number {n}"))).collect(),
            &mut sheet(40, &mut Links::default()),
        );
        assert!(shown(&conversation, 5).last().unwrap().contains("number 50"));
    }

    #[test]
    fn the_view_stops_at_the_oldest_message() {
        let mut conversation = filled(0..30);
        conversation.scroll_up(10_000, 10);
        assert_eq!(shown(&conversation, 10).len(), 10);
        assert!(shown(&conversation, 10)[0].contains("January 1970"));
    }

    #[test]
    fn the_selected_message_is_brought_into_view() {
        let mut conversation = filled(0..30);
        for key in ["3", "29", "0"] {
            conversation.selected = Some(key.to_owned());
            conversation.show_selected(8);
            assert!(
                shown(&conversation, 8).iter().any(|row| row.contains(&format!("number {key}"))),
                "{key}"
            );
        }
    }

    #[test]
    fn many_service_lines_become_one() {
        let mut conversation = Conversation::default();
        let mut messages: Vec<Message> = (0..5)
            .map(|n| Message {
                body: Body::Service(format!("person {n} joined")),
                ..message(n, "")
            })
            .collect();
        messages.push(message(9, "hi"));
        conversation.replace(messages, &mut sheet(60, &mut Links::default()));
        let rows = shown(&conversation, 10);
        assert_eq!(rows.iter().filter(|row| row.contains("joined")).count(), 1);
        assert!(rows.iter().any(|row| row.contains("and 4 more changes")), "{rows:?}");
    }
}
