//! Why a message could not be decrypted, and what the user can do about it.

use matrix_sdk_base::crypto::types::events::UtdCause;
use matrix_sdk_ui::timeline::EncryptedMessage;

/// One or two sentences: the cause, then the action.
pub(super) fn reason(message: &EncryptedMessage) -> String {
    let cause = match message {
        EncryptedMessage::MegolmV1AesSha2 { cause, .. } => *cause,
        EncryptedMessage::OlmV1Curve25519AesSha2 { .. } | EncryptedMessage::Unknown => {
            return "Encrypted in a way this version does not know. Ask the sender to send it again.".to_owned();
        }
    };
    match cause {
        UtdCause::Unknown => "The key has not arrived yet. It usually comes by itself; if not, ask the sender to send it again.",
        UtdCause::SentBeforeWeJoined => "Sent before you joined, so you have no key for it.",
        UtdCause::VerificationViolation => "The sender's identity has changed since you verified them. Verify them again to read it.",
        UtdCause::UnsignedDevice => "Sent from a session its owner has not verified. Ask them to verify that session.",
        UtdCause::UnknownDevice => "Sent from a session that is unknown or was removed, so it is not trusted.",
        UtdCause::HistoricalMessageAndBackupIsDisabled => {
            "Sent before this session existed, and there is no key backup. It can be read on your older sessions."
        }
        UtdCause::HistoricalMessageAndDeviceIsUnverified => {
            "Sent before this session existed. Verify this session or enter your recovery key to read it."
        }
        UtdCause::WithheldForUnverifiedOrInsecureDevice => {
            "The sender shares keys with verified sessions only. Verify this session, then ask them to send it again."
        }
        UtdCause::WithheldBySender => "The sender did not share the key with this session. Ask them to send it again.",
    }
    .to_owned()
}
