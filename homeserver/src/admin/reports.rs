//! Reports: kept for `ternd reports`, and a line in the log.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

use super::{AdminError, users::find_ours};
use crate::{
    app::App,
    auth::Requester,
    storage::{self, reports::Report},
};

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 4_096;
/// How long a report is kept.
const KEPT_MS: i64 = 180 * 24 * 3_600 * 1_000;

/// What somebody complains about. That a room or event is theirs to know of, the door has asked `messaging`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Room(OwnedRoomId),
    Event(OwnedRoomId, OwnedEventId),
    User(OwnedUserId),
}

/// Keeps a report and says in the log that there is one. The log does not say of whom: `ternd reports` does.
///
/// # Errors
/// [`AdminError::ReasonTooLong`], [`AdminError::UserNotFound`] for a user of ours that does not exist.
pub async fn report(
    app: &App,
    reporter: &Requester,
    about: About,
    reason: String,
) -> Result<(), AdminError> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(AdminError::ReasonTooLong { max: REASON_BYTES_MAX });
    }
    let (room_id, event_id, user_id) = match about {
        About::Room(room) => (Some(room.to_string()), None, None),
        About::Event(room, event) => (Some(room.to_string()), Some(event.to_string()), None),
        About::User(user) => {
            if app.is_ours(user.server_name()) {
                find_ours(app, &user).await?;
            }
            (None, None, Some(user.to_string()))
        }
    };
    let at_ms = app.clock.now_ms();
    let id = app.db.new_id();
    let report = Report { id, at_ms, reporter: reporter.user, room_id, event_id, user_id, reason };
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::reports::insert_report(txn.db(), &report, at_ms - KEPT_MS).await
        })
    });
    write.await.map_err(AdminError::Storage)?;
    tracing::warn!(report.id = id, "somebody reported something: `ternd reports` shows it");
    Ok(())
}
