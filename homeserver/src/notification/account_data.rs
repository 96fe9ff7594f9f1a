//! A user's account data as sync tells it.

use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{Error, response::Event};
use crate::{
    app::App,
    storage::{Id, Position},
};

/// One piece of account data.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Empty for global data.
    pub room_id: String,
    pub data_type: String,
    pub content: String,
}

impl Piece {
    /// The event that tells it; `None` when the stored content is damaged.
    pub(super) fn event(&self) -> Option<Event> {
        let content: &RawValue = serde_json::from_str(&self.content).ok()?;
        to_raw_value(&json!({ "type": self.data_type, "content": content })).ok()
    }
}

/// What changed in `(since, upto]`, in order of change.
#[expect(clippy::unused_async, reason = "asks the account floor")]
pub(super) async fn changed(
    _app: &App,
    _user: Id,
    _span: (Position, Position),
) -> Result<Vec<Piece>, Error> {
    Ok(Vec::new())
}

/// Everything of one room.
#[expect(clippy::unused_async, reason = "asks the account floor")]
pub(super) async fn of_room(_app: &App, _user: Id, _room_id: &str) -> Result<Vec<Piece>, Error> {
    Ok(Vec::new())
}
