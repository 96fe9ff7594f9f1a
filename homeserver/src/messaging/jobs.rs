//! What rooms are told after an account has changed, as persisted background work: a user may be in very many.

use std::sync::Arc;

use ruma::{OwnedUserId, RoomId, UserId};

use super::{Engine, Error, Room, membership};
use crate::{
    auth::Requester,
    jobs::{JobError, LEAVE_ROOMS, REFRESH_PROFILE, Runner},
    storage::rooms::{self, StoredMembership},
};

/// Runs the jobs of this floor.
pub fn register_jobs(runner: Runner, engine: &Engine) -> Runner {
    let (refreshing, leaving) = (engine.clone(), engine.clone());
    runner
        .with(REFRESH_PROFILE, move |_, user_id| {
            let engine = refreshing.clone();
            async move { refresh_profile(&engine, &known(user_id)?).await.map_err(later) }
        })
        .with(LEAVE_ROOMS, move |_, user_id| {
            let engine = leaving.clone();
            async move { leave_rooms(&engine, known(user_id)?).await.map_err(later) }
        })
}

fn known(user_id: String) -> Result<OwnedUserId, JobError> {
    OwnedUserId::try_from(user_id).map_err(|error| JobError::Never(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn later(error: Error) -> JobError {
    JobError::Later(error.to_string())
}

/// Writes today's profile into the user's membership of every room they are in.
async fn refresh_profile(engine: &Engine, user_id: &UserId) -> Result<(), Error> {
    for standing in standings(engine, user_id).await? {
        let Some(room) = room_of(engine, &standing).await? else { continue };
        if standing.membership != "join" {
            continue;
        }
        if let Err(error) = membership::refresh(engine, &room, user_id).await {
            tracing::warn!(room.id = %room.room_id, %error, "a profile change did not reach a room");
        }
    }
    Ok(())
}

/// Takes the user out of every room, and declines every invitation.
async fn leave_rooms(engine: &Engine, user_id: OwnedUserId) -> Result<(), Error> {
    let standings = standings(engine, &user_id).await?;
    let user = engine.app().db.user(user_id.as_str()).await?;
    let requester = Requester { user_id, user, device_id: "".into(), device: 0 };
    for standing in standings {
        let in_or_asked = matches!(standing.membership.as_str(), "join" | "invite" | "knock");
        let Ok(room_id) = RoomId::parse(&standing.room_id) else { continue };
        if !in_or_asked {
            continue;
        }
        if let Err(error) = membership::leave(engine, &requester, &room_id, None).await {
            tracing::warn!(room.id = %room_id, %error, "a deactivated user did not leave a room");
        }
    }
    Ok(())
}

async fn standings(engine: &Engine, user_id: &UserId) -> Result<Vec<StoredMembership>, Error> {
    let app = engine.app();
    let user = app.db.user(user_id.as_str()).await?;
    Ok(rooms::list_memberships(&app.db, user).await?)
}

async fn room_of(engine: &Engine, standing: &StoredMembership) -> Result<Option<Arc<Room>>, Error> {
    let Ok(room_id) = RoomId::parse(&standing.room_id) else { return Ok(None) };
    engine.find_room(&room_id).await
}
