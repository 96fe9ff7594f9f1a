//! The pictures of a conversation: which are in view, which are here, and the room they take.

use super::{Conversation, Laid};
use crate::backend::{Body, Message, MessageKey};
use crate::pictures::{Mode, Shown, Slot, of_blurhash};
use crate::state::layout::Sheet;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl Conversation {
    /// Draws pictures in another way from now on.
    pub fn draw_pictures_as(&mut self, mode: Mode, sheet: &mut Sheet<'_>) {
        if self.mode != mode {
            self.mode = mode;
            self.pictures.clear();
            self.lay_out(HashMap::new(), sheet);
        }
    }

    /// The pictures in view that nobody has asked for. They count as asked for from now on, and are shown from afar until they come.
    pub fn pictures_wanted(&mut self, height: usize, sheet: &mut Sheet<'_>) -> Vec<MessageKey> {
        let wanted = self.unasked_in_view(height);
        let mut blurred = false;
        for key in &wanted {
            self.pictures.insert(key.clone(), None);
            let hash = self.index_of(key).and_then(|index| blurhash_of(self.messages.get(index)?));
            if let Some(blur) = hash.and_then(of_blurhash) {
                self.blurs.insert(key.clone(), Arc::new(blur));
                blurred = true;
            }
        }
        if blurred {
            self.refresh(sheet);
        }
        wanted
    }

    fn unasked_in_view(&self, height: usize) -> Vec<MessageKey> {
        let mut seen = HashSet::new();
        let view = self.view(height);
        let in_view = view.iter().map(|(message, _)| *message);
        let mut wanted = Vec::new();
        for message in in_view.filter(|message| seen.insert(message.key.as_str())) {
            if !matches!(message.body, Body::File { pixels: Some(_), .. }) {
                continue;
            }
            let grid = self.index_of(&message.key).and_then(|index| self.laid.get(index));
            let grid = grid.and_then(|laid| laid.around.grid.as_ref());
            // The first of an album shows them all.
            let keys = grid.map(|grid| grid.tiles.iter().map(|tile| &tile.key).collect());
            for key in keys.unwrap_or_else(|| vec![&message.key]) {
                if self.is_unasked(key) && !wanted.contains(key) {
                    wanted.push(key.clone());
                }
            }
        }
        wanted
    }

    /// Nobody has asked for it, or the terminal was told to draw it in another size than it has now.
    fn is_unasked(&self, key: &MessageKey) -> bool {
        match self.pictures.get(key) {
            None => true,
            Some(Some(_)) if self.mode == Mode::Kitty => {
                self.size_of(key).is_some_and(|size| self.told.get(key) != Some(&size))
            }
            Some(_) => false,
        }
    }

    /// A picture is here. Gives the room it has.
    pub fn show_picture(
        &mut self,
        key: &MessageKey,
        shown: Shown,
        sheet: &mut Sheet<'_>,
    ) -> Option<Slot> {
        self.pictures.insert(key.clone(), Some(shown.clone()));
        let (columns, rows) = self.size_of(key)?;
        self.told.insert(key.clone(), (columns, rows));
        self.refresh(sheet);
        Some(Slot { columns, rows, mode: self.mode, picture: Some(shown), blur: None })
    }

    /// The pictures that are whole in a view of `height` rows, with their first row and column in it.
    pub fn pictures_in_view(&self, height: usize) -> Vec<((usize, usize), &Slot)> {
        let bottom = self.rows_above_edge();
        let top = bottom.saturating_sub(height);
        let mut found = Vec::new();
        let mut first = 0;
        for laid in &self.laid {
            for ((row, column), slot) in slots(laid).filter(|(_, slot)| slot.picture.is_some()) {
                let row = first + laid.pictures + row;
                if row >= top && row + slot.rows <= bottom {
                    found.push(((row - top, column), slot));
                }
            }
            first += laid.rows.len();
        }
        found
    }

    pub(super) fn slot(&self, message: &Message, width: usize) -> Option<Slot> {
        let Body::File { pixels: Some(pixels), .. } = &message.body else { return None };
        if self.mode == Mode::Off {
            return None;
        }
        let slot = Slot::new(*pixels, width.saturating_sub(4), self.mode);
        Some(self.filled(&message.key, slot))
    }

    /// The slot with what is here of the picture of `key`.
    pub(super) fn filled(&self, key: &MessageKey, slot: Slot) -> Slot {
        let picture = self.pictures.get(key).cloned().flatten();
        let size = (slot.columns, slot.rows);
        let fits = self.mode != Mode::Kitty || self.told.get(key) == Some(&size);
        let blur = self.blurs.get(key).cloned();
        Slot { picture: picture.filter(|_| fits), blur, ..slot }
    }
}

/// The pictures of a message: where each stands from where they begin.
fn slots(laid: &Laid) -> impl Iterator<Item = ((usize, usize), &Slot)> {
    let single = laid.around.slot.iter().map(|slot| ((0, 0), slot));
    let tiles = laid.around.grid.iter().flat_map(|grid| &grid.tiles);
    single.chain(tiles.map(|tile| ((tile.row, tile.column), &tile.slot)))
}

fn blurhash_of(message: &Message) -> Option<&str> {
    match &message.body {
        Body::File { blurhash, .. } => blurhash.as_deref(),
        _ => None,
    }
}
