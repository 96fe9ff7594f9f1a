//! The pages that the messages of a conversation link to.

use super::{Conversation, Page};
use crate::state::layout::Sheet;
use std::collections::HashSet;
use std::sync::Arc;

impl Conversation {
    /// The pages linked to in a view of `height` rows of which nothing is shown.
    pub fn pages_in_view(&self, height: usize) -> Vec<String> {
        let open = |link: &&String| !self.pages.contains_key(*link);
        // Most chats have no links, and the view need not be gone through.
        if !self.laid.iter().filter_map(|laid| laid.link.as_ref()).any(|link| open(&link)) {
            return Vec::new();
        }
        let view = self.view(height);
        let in_view: HashSet<&str> = view.iter().map(|(message, _)| message.key.as_str()).collect();
        let laid = self.messages.iter().zip(&self.laid);
        laid.filter(|(message, _)| in_view.contains(message.key.as_str()))
            .filter_map(|(_, laid)| laid.link.as_ref())
            .filter(open)
            .cloned()
            .collect()
    }

    /// Shows what these pages say. The view keeps its bottom edge, and a chosen message stays in a view of `height` rows.
    pub fn show_pages(
        &mut self,
        pages: Vec<(String, Arc<Page>)>,
        sheet: &mut Sheet<'_>,
        height: usize,
    ) {
        if pages.is_empty() {
            return;
        }
        self.pages.extend(pages);
        self.refresh(sheet);
        self.show_selected(height);
    }

    /// Shows of no page any more what it says.
    pub fn hide_pages(&mut self, sheet: &mut Sheet<'_>, height: usize) {
        if !self.pages.is_empty() {
            self.pages.clear();
            self.refresh(sheet);
            self.show_selected(height);
        }
    }
}
