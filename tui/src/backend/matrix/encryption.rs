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
    let mut sent = None;
    loop {
        let state = state(encryption.recovery().state(), verification.get());
        if sent.as_ref() != Some(&state) {
            session.reports.send(Report::Encryption(state.clone()));
            sent = Some(state);
        }
        tokio::select! {
            next = recovery.next() => if next.is_none() { return },
            next = verification.next() => if next.is_none() { return },
        }
    }
}

fn state(recovery: RecoveryState, verification: VerificationState) -> Encryption {
    Encryption {
        verified: verification == VerificationState::Verified,
        recovery: match recovery {
            RecoveryState::Unknown => Recovery::Unknown,
            RecoveryState::Enabled => Recovery::Enabled,
            RecoveryState::Disabled => Recovery::Disabled,
            RecoveryState::Incomplete => Recovery::Incomplete,
        },
    }
}

fn report(session: &Session) {
    let encryption = session.client.encryption();
    let now = state(encryption.recovery().state(), encryption.verification_state().get());
    session.reports.send(Report::Encryption(now));
}

/// Makes a recovery key; cross-signing is there before its secrets are stored.
pub(super) async fn enable_recovery(session: &Session) {
    let encryption = session.client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
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
            report(session);
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
        Ok(()) => report(session),
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
