//! A piece of account data as sync tells it.

use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::response::Event;

pub(super) use crate::storage::account_data::AccountData as Piece;

/// The event that tells a piece; `None` when the stored content is damaged.
pub(super) fn event(piece: &Piece) -> Option<Event> {
    let content: &RawValue = serde_json::from_str(&piece.content).ok()?;
    to_raw_value(&json!({ "type": piece.data_type, "content": content })).ok()
}
