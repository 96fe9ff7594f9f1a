//! What sync tells of other people's devices: whose changed, whose are no longer of interest.

use super::Error;
use crate::{
    app::App,
    storage::{Id, Position, device_lists},
};

/// Interned users, in order of id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    pub changed: Vec<Id>,
    pub left: Vec<Id>,
}

/// Users of any server whose devices or cross-signing keys changed in `(from, to]`, in order of change.
pub async fn changed_users_between(
    app: &App,
    from: Position,
    to: Position,
) -> Result<Vec<Id>, Error> {
    Ok(device_lists::list_changed_users(app.db.read(), from, to).await?)
}

/// The device list part of `user`'s sync over `(from, to]`, and of `/keys/changes`. `changed`: who shares a room and has
/// changed, or shares one only since; `left`: who shares none any more.
pub async fn device_list_delta(
    app: &App,
    user: Id,
    from: Position,
    to: Position,
) -> Result<Delta, Error> {
    if from >= to {
        return Ok(Delta::default());
    }
    let changed = device_lists::list_changed_for(app.db.read(), user, from, to).await?;
    let left = device_lists::list_left_for(app.db.read(), user, from, to).await?;
    Ok(Delta { changed, left })
}
