//! Administrators and the users they look after: who is one, whose sessions, locking, suspending.

use ruma::UserId;

use super::AdminError;
use crate::{
    app::App,
    auth::{self, Auth, Requester},
    storage::{
        self, Id,
        accounts::{Account, Mark},
        devices::Device,
    },
};

/// Whether a user is an administrator of this server.
pub async fn is_admin(app: &App, user: Id) -> Result<bool, AdminError> {
    let account = storage::accounts::find_account(app.db.read(), user).await?;
    Ok(account.is_some_and(|account| account.admin && !account.deactivated))
}

/// # Errors
/// [`AdminError::NotAdmin`].
pub async fn check_admin(app: &App, requester: &Requester) -> Result<(), AdminError> {
    if is_admin(app, requester.user).await? { Ok(()) } else { Err(AdminError::NotAdmin) }
}

/// A living account of this server.
pub(super) async fn find_ours(app: &App, user_id: &UserId) -> Result<Account, AdminError> {
    if !app.is_ours(user_id.server_name()) {
        return Err(AdminError::NotOurs);
    }
    let localpart = user_id.localpart();
    let found = storage::accounts::find_account_by_localpart(app.db.read(), localpart).await?;
    found.filter(|account| !account.deactivated).ok_or(AdminError::UserNotFound)
}

/// The account of `user_id`, for an administrator.
///
/// # Errors
/// [`AdminError::NotAdmin`], [`AdminError::NotOurs`], [`AdminError::UserNotFound`].
pub async fn account_of(
    app: &App,
    requester: &Requester,
    user_id: &UserId,
) -> Result<Account, AdminError> {
    check_admin(app, requester).await?;
    find_ours(app, user_id).await
}

/// The devices of `user_id`, for themselves and for administrators.
///
/// # Errors
/// As [`account_of`].
pub async fn sessions_of(
    app: &App,
    auth: &Auth,
    requester: &Requester,
    user_id: &UserId,
) -> Result<Vec<Device>, AdminError> {
    let user = if requester.user_id == *user_id {
        requester.user
    } else {
        account_of(app, requester, user_id).await?.user
    };
    Ok(auth::list_devices(app, auth, user).await?)
}

/// Locks an account or opens it again: a locked one can do nothing, and keeps its sessions.
///
/// # Errors
/// As [`account_of`], and [`AdminError::IsAdmin`].
pub async fn set_locked(
    app: &App,
    auth: &Auth,
    requester: &Requester,
    (user_id, locked): (&UserId, bool),
) -> Result<(), AdminError> {
    set_mark(app, auth, requester, (user_id, Mark::Locked, locked)).await
}

/// Suspends an account or lets it go on: a suspended one reads, leaves and logs out only.
///
/// # Errors
/// As [`account_of`], and [`AdminError::IsAdmin`].
pub async fn set_suspended(
    app: &App,
    auth: &Auth,
    requester: &Requester,
    (user_id, suspended): (&UserId, bool),
) -> Result<(), AdminError> {
    set_mark(app, auth, requester, (user_id, Mark::Suspended, suspended)).await
}

async fn set_mark(
    app: &App,
    auth: &Auth,
    requester: &Requester,
    (user_id, mark, set): (&UserId, Mark, bool),
) -> Result<(), AdminError> {
    let account = account_of(app, requester, user_id).await?;
    if account.admin {
        return Err(AdminError::IsAdmin);
    }
    let user = account.user;
    let write = app.db.write(move |txn| {
        Box::pin(async move { storage::accounts::update_mark(txn.db(), user, mark, set).await })
    });
    write.await.map_err(AdminError::Storage)?;
    auth.forget_user(app, user);
    Ok(())
}
