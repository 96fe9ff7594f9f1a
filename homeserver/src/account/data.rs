//! Account data, global and per room, and room tags, which are account data of type `m.tag`.
//!
//! Every change takes a position and rings the user's bell.

use serde_json::{Map, Value, json};

use super::{AccountError, push_rules, wishes::IGNORED_USERS};
use crate::{
    app::App,
    storage::{self, Id, Position, Topic, account_data::AccountData, accounts::Mark},
};

const CONTENT_BYTES_MAX: usize = 512 * 1024;
const TYPE_BYTES_MAX: usize = 255;
/// Most tags of a room.
const TAGS_MAX: usize = 100;
/// Pieces that one answer lists.
pub const LIST_MAX: u32 = 10_000;
/// Types that have endpoints of their own.
const SERVER_MANAGED: &[&str] = &["m.fully_read", "m.push_rules"];
/// Opting in to be found by address: `{"enabled": true}`.
const FOUND_BY_EMAIL: &str = "chat.tern.found_by_email";

/// Sets a piece of account data. `room_id`: empty for global data.
///
/// # Errors
/// [`AccountError::ServerManaged`], [`AccountError::TooLarge`].
pub async fn set_account_data(
    app: &App,
    user: Id,
    room_id: &str,
    data_type: &str,
    content: &Map<String, Value>,
) -> Result<(), AccountError> {
    if SERVER_MANAGED.contains(&data_type) {
        return Err(AccountError::ServerManaged(data_type.to_owned()));
    }
    if data_type.len() > TYPE_BYTES_MAX {
        let max_bytes = TYPE_BYTES_MAX;
        return Err(AccountError::TooLarge { what: "the type of account data", max_bytes });
    }
    let is_ignored_users = data_type == IGNORED_USERS && room_id.is_empty();
    let found_by_email = (data_type == FOUND_BY_EMAIL && room_id.is_empty())
        .then(|| content.get("enabled").and_then(Value::as_bool).unwrap_or_default());
    let content = Value::Object(content.clone()).to_string();
    if content.len() > CONTENT_BYTES_MAX {
        let max_bytes = CONTENT_BYTES_MAX;
        return Err(AccountError::TooLarge { what: "account data", max_bytes });
    }
    let (room_id, data_type) = (room_id.to_owned(), data_type.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let position = txn.next_position_of(Topic::AccountData(user));
            let data = AccountData { room_id, data_type, content, position };
            storage::account_data::insert_account_data(txn.db(), user, &data).await?;
            if let Some(found) = found_by_email {
                let mark = Mark::FoundByEmail;
                storage::accounts::update_mark(txn.db(), user, mark, found).await?;
            }
            Ok::<_, AccountError>(())
        })
    });
    write.await?;
    if is_ignored_users {
        app.stale.mark(user);
    }
    app.bell.ring_users([user]);
    Ok(())
}

/// Sets a piece of a room's account data that the server writes itself, `m.fully_read` for instance.
pub async fn set_room_account_data(
    app: &App,
    user: Id,
    room_id: &str,
    data_type: &str,
    content: &Value,
) -> Result<(), storage::Error> {
    let (room_id, data_type) = (room_id.to_owned(), data_type.to_owned());
    let content = content.to_string();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let position = txn.next_position_of(Topic::AccountData(user));
            let data = AccountData { room_id, data_type, content, position };
            storage::account_data::insert_account_data(txn.db(), user, &data).await
        })
    });
    write.await?;
    app.bell.ring_users([user]);
    Ok(())
}

/// One piece of account data. Push rules are there from the start.
///
/// # Errors
/// [`AccountError::NotFound`].
pub async fn account_data(
    app: &App,
    user: Id,
    room_id: &str,
    data_type: &str,
) -> Result<Value, AccountError> {
    let db = app.db.read();
    let content = storage::account_data::find_account_data(db, user, room_id, data_type).await?;
    match content {
        Some(content) => parse(&content),
        None if room_id.is_empty() && data_type == "m.push_rules" => {
            Ok(json!({ "global": push_rules(app, user).await? }))
        }
        None => Err(AccountError::NotFound("this account data")),
    }
}

/// Account data, global and of all rooms, that changed after `since` up to and including `upto`, in order of change. Without
/// `since` it is all there is, the push rules of a user who never changed them included.
pub async fn list_account_data_since(
    app: &App,
    user: Id,
    since: Option<Position>,
    upto: Position,
) -> Result<Vec<AccountData>, AccountError> {
    if since.is_some_and(|since| !app.db.changes().any_since(Topic::AccountData(user), since)) {
        return Ok(Vec::new());
    }
    let db = app.db.read();
    let span = (since.unwrap_or_default(), upto);
    let mut data = storage::account_data::list_account_data(db, user, span, LIST_MAX).await?;
    let has_rules =
        |data: &AccountData| data.room_id.is_empty() && data.data_type == "m.push_rules";
    if since.is_none() && !data.iter().any(has_rules) {
        let rules = json!({ "global": push_rules(app, user).await? });
        let piece = AccountData {
            room_id: String::new(),
            data_type: "m.push_rules".to_owned(),
            content: rules.to_string(),
            position: 0,
        };
        data.insert(0, piece);
    }
    Ok(data)
}

/// All account data of one room, in order of change: for a room that a client sees for the first time.
pub async fn list_room_account_data(
    app: &App,
    user: Id,
    room_id: &str,
) -> Result<Vec<AccountData>, AccountError> {
    let db = app.db.read();
    Ok(storage::account_data::list_account_data_of_room(db, user, room_id, LIST_MAX).await?)
}

/// The tags that `user` gave a room: name → content.
pub async fn room_tags(
    app: &App,
    user: Id,
    room_id: &str,
) -> Result<Map<String, Value>, AccountError> {
    let db = app.db.read();
    let content = storage::account_data::find_account_data(db, user, room_id, "m.tag").await?;
    content.map_or_else(|| Ok(Map::new()), |content| tags_of(&content))
}

/// Gives a room a tag, or with `None` takes it away.
///
/// # Errors
/// [`AccountError::InvalidParam`] for a bad or a hundred-and-first tag.
pub async fn set_tag(
    app: &App,
    user: Id,
    room_id: &str,
    tag: &str,
    content: Option<Map<String, Value>>,
) -> Result<(), AccountError> {
    if tag.is_empty() || tag.len() > TYPE_BYTES_MAX {
        return Err(AccountError::InvalidParam("a tag has 1 to 255 bytes".to_owned()));
    }
    let (room_id, tag) = (room_id.to_owned(), tag.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let before =
                storage::account_data::find_account_data(db, user, &room_id, "m.tag").await?;
            let mut tags = before.map_or_else(|| Ok(Map::new()), |content| tags_of(&content))?;
            match content {
                Some(content) => drop(tags.insert(tag, Value::Object(content))),
                None => drop(tags.remove(&tag)),
            }
            if tags.len() > TAGS_MAX {
                return Err(AccountError::InvalidParam("a room has at most 100 tags".to_owned()));
            }
            let data = AccountData {
                room_id,
                data_type: "m.tag".to_owned(),
                content: json!({ "tags": tags }).to_string(),
                position: txn.next_position_of(Topic::AccountData(user)),
            };
            Ok(storage::account_data::insert_account_data(db, user, &data).await?)
        })
    });
    write.await?;
    app.bell.ring_users([user]);
    Ok(())
}

fn tags_of(content: &str) -> Result<Map<String, Value>, AccountError> {
    Ok(parse(content)?.get("tags").and_then(Value::as_object).cloned().unwrap_or_default())
}

fn parse(content: &str) -> Result<Value, AccountError> {
    let damaged = storage::Error::Damaged { what: "account data" };
    serde_json::from_str(content).map_err(|_| damaged.into())
}
