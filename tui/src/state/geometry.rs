//! Where the parts of the chat screen stand. Updates ask it for widths and heights, screens for places.

use super::{Pane, State, composer::Aim};
use crate::wrap::wrap;
use ratatui::layout::Rect;

/// Narrower than this, list and conversation take turns.
const TWO_PANES_COLUMNS_MIN: u16 = 60;
/// The composer grows up to this many rows.
const COMPOSER_ROWS_MAX: usize = 6;
/// Columns of the composer's prompt.
pub const PROMPT_COLUMNS: u16 = 2;

/// The parts of the chat screen; `None` where there is no room for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub list: Option<Rect>,
    pub rule: Option<Rect>,
    pub conversation: Option<Conversation>,
    pub status: Rect,
}

/// The parts of the conversation pane, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversation {
    pub head: Rect,
    pub history: Rect,
    pub typing: Rect,
    /// What is replied to or edited.
    pub aim: Option<Rect>,
    pub composer: Rect,
}

/// The parts of the chat screen as `state` is now.
pub fn parts(state: &State) -> Parts {
    let (columns, rows) = state.size;
    let body = rows.saturating_sub(1);
    let status = Rect::new(0, body, columns, rows.min(1));
    if columns < TWO_PANES_COLUMNS_MIN {
        let whole = Rect::new(0, 0, columns, body);
        let list_shown = state.pane == Pane::List || state.open.is_none();
        let conversation = (!list_shown).then(|| conversation(state, whole));
        return Parts { list: list_shown.then_some(whole), rule: None, conversation, status };
    }
    let list_columns = (columns * 32 / 100).clamp(24, 44);
    let right = Rect::new(list_columns + 1, 0, columns - list_columns - 1, body);
    Parts {
        list: Some(Rect::new(0, 0, list_columns, body)),
        rule: Some(Rect::new(list_columns, 0, 1, body)),
        conversation: state.open.is_some().then(|| conversation(state, right)),
        status,
    }
}

fn conversation(state: &State, area: Rect) -> Conversation {
    let composer_rows = state.open.as_ref().map_or(1, |open| {
        let width = area.width.saturating_sub(PROMPT_COLUMNS + 1);
        let rows = wrap(open.composer.field.text(), usize::from(width)).len();
        u16::try_from(rows.clamp(1, COMPOSER_ROWS_MAX)).unwrap_or(1)
    });
    let has_aim = state.open.as_ref().is_some_and(|open| open.composer.aim != Aim::New);
    let aim_rows = u16::from(has_aim);
    let below = 1 + aim_rows + composer_rows;
    let history_rows = area.height.saturating_sub(1 + below);
    let row =
        |y: u16, height: u16| Rect::new(area.x, area.y + y, area.width, height).intersection(area);
    Conversation {
        head: row(0, 1),
        history: row(1, history_rows),
        typing: row(1 + history_rows, 1),
        aim: has_aim.then(|| row(2 + history_rows, 1)),
        composer: row(2 + history_rows + aim_rows, composer_rows),
    }
}
