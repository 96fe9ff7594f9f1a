//! Recovery (secret storage and key backup) and whether this session is verified.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use matrix_sdk::encryption::{
    VerificationState,
    identities::Device,
    recovery::{RecoveryError, RecoveryState},
};

use super::{errors::explain, session::Session};
use crate::backend::{Encryption, Recovery, Report, Secret};

/// How often, and how many times, is looked for the secrets that another device sends: they come within a sync or two.
const SECRETS_LOOK: Duration = Duration::from_millis(200);
const SECRETS_LOOKS: usize = 150;

/// Reports the state of this session's encryption whenever it changed.
pub(super) async fn watch(session: Arc<Session>) {
    let encryption = session.client.encryption();
    let mut recovery = std::pin::pin!(encryption.recovery().state_stream());
    let mut verification = encryption.verification_state();
    let mut ready = std::pin::pin!(encryption.wait_for_e2ee_initialization_tasks());
    let mut is_ready = false;
    let mut sent = None;
    loop {
        let mut now = state(&session).await;
        // A first device makes its keys while it logs in: until then nothing can be told from their absence.
        if !is_ready && matches!(now.recovery, Recovery::Disabled | Recovery::Elsewhere) {
            now.recovery = Recovery::Unknown;
        }
        if sent.as_ref() != Some(&now) {
            session.reports.send(Report::Encryption(now.clone()));
            sent = Some(now);
        }
        tokio::select! {
            () = &mut ready, if !is_ready => is_ready = true,
            next = recovery.next() => if next.is_none() { return },
            next = verification.next() => if next.is_none() { return },
        }
    }
}

async fn state(session: &Session) -> Encryption {
    let encryption = session.client.encryption();
    let verified = encryption.verification_state().get() == VerificationState::Verified;
    let recovery = match encryption.recovery().state() {
        RecoveryState::Unknown => Recovery::Unknown,
        RecoveryState::Enabled => Recovery::Enabled,
        RecoveryState::Disabled if !verified && keys_are_elsewhere(session).await => {
            Recovery::Elsewhere
        }
        RecoveryState::Disabled => Recovery::Disabled,
        RecoveryState::Incomplete => Recovery::Incomplete,
    };
    Encryption { verified, recovery }
}

/// The account has signing keys, and this device is not the one that has them.
async fn keys_are_elsewhere(session: &Session) -> bool {
    let encryption = session.client.encryption();
    let here = encryption.cross_signing_status().await.is_some_and(|status| status.is_complete());
    let identity = encryption.get_user_identity(&session.user).await;
    !here && matches!(identity, Ok(Some(_)))
}

async fn report(session: &Session) {
    session.reports.send(Report::Encryption(state(session).await));
}

/// Makes a recovery key; cross-signing is there before its secrets are stored.
pub(super) async fn enable_recovery(session: &Session) {
    let encryption = session.client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    if state(session).await.recovery == Recovery::Elsewhere {
        // It would replace the backup that the other device writes to.
        return session.reports.failed(
            "Another device of yours has the keys. Verify this one with it by emoji, then set up the recovery key.",
        );
    }
    if !secrets_came(session).await {
        return session.reports.failed(
            "Your other device has not sent the keys yet. Open it, leave it open, and try again.",
        );
    }
    make_recovery(session).await;
}

/// Makes a recovery key for the keys that are here, whatever another device has.
pub(super) async fn make_recovery(session: &Session) {
    let encryption = session.client.encryption();
    let made = match encryption.recovery().enable().await {
        // There is a backup this session has no key for, no secret storage to get it from and nobody who sends it: start over.
        Err(RecoveryError::BackupExistsOnServer)
            if encryption.recovery().state() == RecoveryState::Disabled =>
        {
            match encryption.backups().disable_and_delete().await {
                Ok(()) => encryption.recovery().enable().await,
                Err(error) => Err(error.into()),
            }
        }
        made => made,
    };
    match made {
        Ok(key) => {
            session.reports.send(Report::RecoveryKey(Secret(key)));
            report(session).await;
        }
        Err(RecoveryError::BackupExistsOnServer) => session.reports.failed(
            "Recovery is set up already. Enter the recovery key you have, or verify with another session.",
        ),
        Err(error) => session.reports.failed(format!("Recovery could not be set up. {}", words(&error))),
    }
}

/// A new recovery key; the old one no longer opens anything.
pub(super) async fn rotate(session: &Session) {
    match session.client.encryption().recovery().reset_key().await {
        Ok(key) => session.reports.send(Report::RecoveryKey(Secret(key))),
        Err(error) => {
            session.reports.failed(format!("There is no new key. {}", words(&error)));
        }
    }
}

/// Waits for what another device sends after it has verified this one. A recovery key made before would replace the backup
/// whose key is on its way, and leave out the signing keys.
async fn secrets_came(session: &Session) -> bool {
    let encryption = session.client.encryption();
    let devices = encryption.get_user_devices(&session.user).await;
    let own = session.client.device_id();
    let is_other =
        |device: &Device| own != Some(device.device_id()) && device.is_cross_signed_by_owner();
    if !devices.is_ok_and(|devices| devices.devices().any(|device| is_other(&device))) {
        return true;
    }
    let backups = encryption.backups();
    let has_backup = backups.fetch_exists_on_server().await.unwrap_or(true);
    let mut looks = tokio::time::interval(SECRETS_LOOK);
    let mut can_sign = false;
    for _ in 0..SECRETS_LOOKS {
        looks.tick().await;
        let signing = encryption.cross_signing_status().await;
        can_sign = signing.is_some_and(|status| status.is_complete());
        if can_sign && (!has_backup || backups.are_enabled().await) {
            return true;
        }
    }
    // Only the backup's key did not come: the other device has none, and a new backup harms nobody.
    can_sign
}

/// Opens secret storage with the key: cross-signing keys and the backup come with it.
pub(super) async fn recover(session: &Session, key: &Secret) {
    let encryption = session.client.encryption();
    match encryption.recovery().recover(key.0.trim()).await {
        Ok(()) => report(session).await,
        Err(error) => {
            let reason = match &error {
                RecoveryError::SecretStorage(_) => {
                    "That is not the recovery key or passphrase of this account. Check it and try again.".to_owned()
                }
                other => words(other),
            };
            session.reports.send(Report::RecoveryFailed { reason });
        }
    }
}

pub(super) fn words(error: &RecoveryError) -> String {
    match error {
        RecoveryError::Sdk(error) => explain(error),
        other => format!("That did not work: {other}"),
    }
}
