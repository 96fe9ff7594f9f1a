//! Recovery (secret storage and key backup) and whether this session is verified.

use std::sync::Arc;

use futures_util::StreamExt;
use matrix_sdk::encryption::{
    VerificationState,
    recovery::{RecoveryError, RecoveryState},
};

use super::{errors::explain, session::Session};
use crate::backend::{Encryption, Recovery, Report, Secret};

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
    let made = match encryption.recovery().enable().await {
        // There is a backup this session has no key for, and no secret storage to get it from: start over.
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

fn words(error: &RecoveryError) -> String {
    match error {
        RecoveryError::Sdk(error) => explain(error),
        other => format!("That did not work: {other}"),
    }
}
