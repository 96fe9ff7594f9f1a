//! The words on offer, above the composer.

use super::{frame, put};
use crate::state::completion::Completion;
use crate::theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// Widest the list gets.
const COLUMNS_MAX: u16 = 56;

/// The list of what is on offer, at the bottom of the history.
pub struct Offers<'a> {
    pub completion: &'a Completion,
}

impl Widget for Offers<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let rows = u16::try_from(self.completion.offers.len()).unwrap_or(area.height);
        let height = (rows + 2).min(area.height);
        let columns = area.width.min(COLUMNS_MAX);
        let outer = Rect::new(area.x, area.bottom() - height, columns, height);
        let inner = frame(outer, "Tab takes it", buffer);
        let shown = usize::from(inner.height);
        let top = (self.completion.selected + 1).saturating_sub(shown);
        let offers = self.completion.offers.iter().enumerate().skip(top);
        for (y, (index, offer)) in (inner.top()..inner.bottom()).zip(offers) {
            if index == self.completion.selected {
                buffer.set_style(Rect::new(inner.x, y, inner.width, 1), theme::SELECTED);
            }
            let used = put(buffer, (inner.x, y), &offer.shown, inner.width, theme::PLAIN) + 2;
            let room = inner.width.saturating_sub(used);
            put(buffer, (inner.x + used, y), &offer.about, room, theme::QUIET);
        }
    }
}
