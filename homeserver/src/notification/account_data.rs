//! A user's account data as sync tells it.

use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{Error, response::Event};
use crate::{
    app::App,
    storage::{Id, Position, account_data},
};

/// Most pieces in one answer.
const PIECES_MAX: u32 = 10_000;

pub(super) use crate::storage::account_data::AccountData as Piece;

/// The event that tells a piece; `None` when the stored content is damaged.
pub(super) fn event(piece: &Piece) -> Option<Event> {
    let content: &RawValue = serde_json::from_str(&piece.content).ok()?;
    to_raw_value(&json!({ "type": piece.data_type, "content": content })).ok()
}

/// What changed in `(since, upto]`, in order of change; global data has no room.
pub(super) async fn changed(
    app: &App,
    user: Id,
    span: (Position, Position),
) -> Result<Vec<Piece>, Error> {
    Ok(account_data::list_account_data(app.db.read(), user, span, PIECES_MAX).await?)
}

/// Everything of one room.
pub(super) async fn of_room(app: &App, user: Id, room_id: &str) -> Result<Vec<Piece>, Error> {
    let db = app.db.read();
    Ok(account_data::list_account_data_of_room(db, user, room_id, PIECES_MAX).await?)
}
