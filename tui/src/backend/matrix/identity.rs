//! Other people's identities that have changed, and starting over with one's own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt;
use matrix_sdk::{
    Room,
    encryption::{CrossSigningResetAuthType, recovery::IdentityResetHandle},
};
use matrix_sdk_base::crypto::{IdentityState, IdentityStatusChange};
use ruma::{OwnedUserId, UserId};

use super::{devices, encryption, items::member_name, profile, session::Session};
use crate::backend::{Report, Secret};

/// Those whose keys are not the ones that the user knew, as far as their chats were opened.
#[derive(Default)]
pub(super) struct Changed(Mutex<BTreeSet<OwnedUserId>>);

impl Changed {
    fn users(&self) -> MutexGuard<'_, BTreeSet<OwnedUserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports who of an encrypted room has other keys than before, until the user has accepted or verified them.
pub(super) async fn watch(session: Arc<Session>, room: Room) {
    let Ok(changes) = room.subscribe_to_identity_status_changes().await else { return };
    let mut changes = std::pin::pin!(changes);
    let mut here = BTreeSet::new();
    while let Some(batch) = changes.next().await {
        for IdentityStatusChange { user_id, changed_to } in batch {
            match changed_to {
                IdentityState::PinViolation | IdentityState::VerificationViolation => {
                    session.changed.users().insert(user_id.clone());
                    here.insert(user_id);
                }
                IdentityState::Verified | IdentityState::Pinned => {
                    session.changed.users().remove(&user_id);
                    here.remove(&user_id);
                }
            }
        }
        let mut names = Vec::new();
        for user in &here {
            names.push(member_name(&room, user).await);
        }
        let chat = room.room_id().to_string();
        session.reports.send(Report::KeysChanged { chat, names });
    }
}

/// Takes somebody's new keys as theirs, without verifying them.
pub(super) async fn accept(session: &Session, user: &str) -> Result<(), String> {
    let id = UserId::parse(user).map_err(|_| format!("{user} is not a user id. Check it."))?;
    let identity = session.client.encryption().get_user_identity(&id).await;
    if let Ok(Some(identity)) = identity {
        let accepted = if identity.was_previously_verified() {
            identity.withdraw_verification().await
        } else {
            identity.pin().await
        };
        if let Err(error) = accepted {
            tracing::debug!(%error, "an identity could not be accepted");
            return Err("That did not work. Try again in a moment.".to_owned());
        }
    }
    session.changed.users().remove(&id);
    profile::fetch(session, Some(user.to_owned())).await;
    Ok(())
}

/// New signing keys and a new backup; then a new recovery key.
pub(super) async fn reset(session: &Session, password: &Secret) {
    // The SDK takes the old backup and recovery key away before it asks the server to believe who this is.
    if let Err(reason) = devices::check_password(session, password).await {
        return session.reports.failed(format!("Nothing was changed. {reason}"));
    }
    // The sync asks for one's own keys as well. An answer of before that comes now would put the old ones in the place of the new,
    // and the SDK lets go of secret keys that belong to none.
    session.sync.pause().await;
    let renewed = renew(session, password).await;
    session.sync.resume().await;
    match renewed {
        // Nobody else has the new keys. To ask would be to wait in vain: other devices may look for a while as if they had them.
        Ok(()) => encryption::make_recovery(session).await,
        Err(reason) => session.reports.failed(reason),
    }
}

async fn renew(session: &Session, password: &Secret) -> Result<(), String> {
    let encryption_of = session.client.encryption();
    let reset = encryption_of.recovery().reset_identity().await;
    let handle: Option<IdentityResetHandle> = reset.map_err(|error| encryption::words(&error))?;
    if let Some(handle) = handle {
        let proof = match handle.auth_type() {
            CrossSigningResetAuthType::Uiaa(info) => {
                Some(devices::password_proof(session, password, info.session.clone()))
            }
            CrossSigningResetAuthType::OAuth(_) => return Err(devices::IN_A_BROWSER.to_owned()),
        };
        let reset = handle.reset(proof).await;
        reset.map_err(|error| format!("{} Start over again.", encryption::words(&error)))?;
    }
    let keys = encryption_of.cross_signing_status().await;
    if keys.is_some_and(|keys| keys.is_complete()) {
        Ok(())
    } else {
        Err("The new keys got lost on the way. Start over again.".to_owned())
    }
}

/// Whether somebody's keys are not the ones that the user knew.
pub(super) async fn has_changed(session: &Session, user: &UserId) -> bool {
    if session.changed.users().contains(user) {
        return true;
    }
    let identity = session.client.encryption().get_user_identity(user).await;
    identity.ok().flatten().is_some_and(|identity| identity.has_verification_violation())
}
