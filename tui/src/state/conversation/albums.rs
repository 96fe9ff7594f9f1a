//! Albums of a conversation: what of them each message shows, and what of them is chosen.

use super::Conversation;
use crate::backend::{Body, Message, MessageKey};
use crate::pictures::{Mode, Slot};
use crate::state::album::{self, Grid, Place, albums};
use crate::state::layout::Surroundings;
use std::ops::Range;

/// What of a view is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// Its rows.
    pub rows: Range<usize>,
    /// The row and the columns of its number in a grid.
    pub number: Option<(usize, Range<usize>)>,
}

impl Conversation {
    /// Gives the messages of albums their places, and the first of each the pictures of all.
    pub(super) fn gather_albums(&self, around: &mut [Surroundings], width: usize) {
        let apart = |index: usize| {
            around.get(index).is_some_and(|around| around.day.is_some() || around.new.is_some())
        };
        for album in albums(&self.messages, apart) {
            let messages = || album.iter().filter_map(|index| self.messages.get(*index));
            let (of, sent) = (album.len(), album::sent(messages()));
            let room = width.saturating_sub(4);
            let pictures: Vec<_> =
                messages().filter_map(|message| self.tile(message, room)).collect();
            let mut grid = (!pictures.is_empty()).then(|| album::grid(pictures, room));
            for (number, index) in (1..).zip(&album) {
                let Some(around) = around.get_mut(*index) else { continue };
                around.slot = None;
                around.place = Some(Place { number, of, sent: sent.filter(|_| number == of) });
                around.grid = grid.take();
            }
        }
    }

    fn tile(&self, message: &Message, room: usize) -> Option<(MessageKey, Slot)> {
        let Body::File { pixels: Some(pixels), .. } = &message.body else { return None };
        if self.mode == Mode::Off {
            return None;
        }
        let slot = album::slot(*pixels, room, self.mode);
        Some((message.key.clone(), self.filled(&message.key, slot)))
    }

    /// The pictures of the album that a message is in; nothing when it is in none.
    pub fn album_of(&self, key: &str) -> Vec<MessageKey> {
        let place = |index: usize| self.laid.get(index).and_then(|laid| laid.around.place.as_ref());
        let Some(index) = self.index_of(key) else { return Vec::new() };
        let Some(own) = place(index) else { return Vec::new() };
        // What was deleted stands in between and has no place.
        let mut before: Vec<usize> =
            (0..index).rev().filter(|index| place(*index).is_some()).take(own.number - 1).collect();
        before.reverse();
        let rest = (index..self.messages.len()).filter(|index| place(*index).is_some());
        let all = before.into_iter().chain(rest.take(own.of - own.number + 1));
        all.filter_map(|index| Some(self.messages.get(index)?.key.clone())).collect()
    }

    /// The first row of all of a message, and what is laid for it.
    fn top_of(&self, index: usize) -> usize {
        self.heights().take(index).sum()
    }

    /// The message with the grid that shows the picture of `key`.
    fn grid_with(&self, key: &str) -> Option<(usize, &Grid)> {
        let index = self.index_of(key)?;
        self.laid.get(index)?.around.place.as_ref()?;
        let mut before = self.laid.get(..=index)?.iter().enumerate().rev();
        let (at, grid) = before.find_map(|(at, laid)| Some((at, laid.around.grid.as_ref()?)))?;
        grid.tiles.iter().any(|tile| tile.key == key).then_some((at, grid))
    }

    /// The size that the picture of `key` is drawn in.
    pub(super) fn size_of(&self, key: &str) -> Option<(usize, usize)> {
        let size = |slot: &Slot| (slot.columns, slot.rows);
        if let Some((_, grid)) = self.grid_with(key) {
            return grid.tiles.iter().find(|tile| tile.key == key).map(|tile| size(&tile.slot));
        }
        self.laid.get(self.index_of(key)?)?.around.slot.as_ref().map(size)
    }

    /// What of a view of `height` rows is chosen: of an album only the one picture, its row and its number.
    pub fn chosen_in_view(&self, height: usize) -> Chosen {
        let Some(index) = self.selected.as_ref().and_then(|key| self.index_of(key)) else {
            return Chosen::default();
        };
        let Some(laid) = self.laid.get(index) else { return Chosen::default() };
        let bottom = self.rows_above_edge();
        let top = bottom.saturating_sub(height);
        let seen = |row: usize| row.clamp(top, bottom) - top;
        let first = self.top_of(index);
        let own = laid.around.grid.as_ref().map_or(0, |grid| laid.pictures + grid.rows);
        let rows = seen(first + own)..seen(first + laid.rows.len());
        let number = self.selected.as_ref().and_then(|key| {
            let (at, grid) = self.grid_with(key)?;
            let tile = grid.tiles.iter().find(|tile| tile.key == *key)?;
            let row = self.top_of(at) + self.laid.get(at)?.pictures + tile.number_row;
            let columns = tile.column..tile.column + tile.slot.columns;
            (top..bottom).contains(&row).then(|| (row - top, columns))
        });
        Chosen { rows, number }
    }

    /// The picture of an album at a place in a view of `height` rows.
    pub fn picture_at(&self, (column, row): (usize, usize), height: usize) -> Option<&Message> {
        let bottom = self.rows_above_edge();
        let wanted = bottom.saturating_sub(height) + row;
        let mut first = 0;
        for laid in &self.laid {
            let below = first + laid.rows.len();
            if let Some(grid) = laid.around.grid.as_ref().filter(|_| wanted < below) {
                let row = wanted.checked_sub(first + laid.pictures)?;
                let tile = grid.tiles.iter().find(|tile| {
                    (tile.row..=tile.number_row).contains(&row)
                        && (tile.column..tile.column + tile.slot.columns).contains(&column)
                })?;
                return self.messages.get(self.index_of(&tile.key)?);
            }
            if wanted < below {
                return None;
            }
            first = below;
        }
        None
    }
}
