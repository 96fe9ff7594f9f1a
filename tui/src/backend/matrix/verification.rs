//! Verification by emoji (client-server API §11.12.2.2) or by a QR code that the other side scans (§11.12.2.4): one at a time, asked
//! for or asked of us.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::StreamExt;
use matrix_sdk::encryption::verification::{
    QrVerification, QrVerificationState, SasState, SasVerification, Verification as Flow,
    VerificationRequest, VerificationRequestState,
};
use matrix_sdk_base::crypto::matrix_sdk_qrcode::qrcode::{
    self, EcLevel, QrCode, Version, bits::Bits,
};
use ruma::{OwnedUserId, UserId, events::key::verification::VerificationMethod};
use tokio::task::AbortHandle;

use super::{
    errors::explain,
    session::Session,
    sync::{self, Retry},
};
use crate::backend::{Code, Report, Verification};

/// So long one waits for an answer (client-server API, `m.key.verification.request`).
const STILL_WAITS: Duration = Duration::from_mins(10);

/// The verification under way, if any.
#[derive(Default)]
pub(super) struct Flows(Mutex<Active>);

#[derive(Default, Clone)]
struct Active {
    request: Option<VerificationRequest>,
    sas: Option<SasVerification>,
    code: Option<QrVerification>,
}

/// What this side can do. It has no camera: it shows a code and scans none.
fn methods() -> Vec<VerificationMethod> {
    vec![
        VerificationMethod::SasV1,
        VerificationMethod::QrCodeShowV1,
        VerificationMethod::ReciprocateV1,
    ]
}

impl Flows {
    fn active(&self) -> MutexGuard<'_, Active> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Active {
        self.active().clone()
    }

    fn take_up(&self, request: VerificationRequest) {
        *self.active() = Active { request: Some(request), sas: None, code: None };
    }

    /// False when it was not, or no longer, the one under way.
    fn end(&self, flow: &str) -> bool {
        let mut active = self.active();
        let is_it = active.request.as_ref().is_some_and(|request| request.flow_id() == flow);
        if is_it {
            *active = Active::default();
        }
        is_it
    }
}

fn say(session: &Session, verification: Verification) {
    session.reports.send(Report::Verification(verification));
}

fn cancelled(session: &Session, reason: impl Into<String>) {
    say(session, Verification::Cancelled { reason: reason.into() });
}

/// Asks one's own other sessions, or somebody.
pub(super) async fn start(session: &Arc<Session>, user: Option<String>) {
    let user = match user {
        None => session.user.clone(),
        Some(user) => match UserId::parse(user.trim()) {
            Ok(user) => user,
            Err(_) => return cancelled(session, format!("{user} is not a user id.")),
        },
    };
    let own = user == session.user;
    give_up_the_one_before(session).await;
    let encryption = session.client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    let identity = match encryption.request_user_identity(&user).await {
        Ok(Some(identity)) => identity,
        Ok(None) if own => {
            return cancelled(
                session,
                "Encryption is not set up on your account yet. Set up recovery first.",
            );
        }
        Ok(None) => return cancelled(session, format!("{user} has not set up verification.")),
        Err(error) => return cancelled(session, explain(&error)),
    };
    match identity.request_verification_with_methods(methods()).await {
        Ok(request) => {
            say(session, Verification::Waiting);
            session.verification.take_up(request.clone());
            session.spawn(follow(session.clone(), request));
        }
        Err(error) => cancelled(session, format!("The verification could not be started: {error}")),
    }
}

/// The SDK cancels both of two that are under way with one person.
async fn give_up_the_one_before(session: &Session) {
    let Some(before) = session.verification.snapshot().request else { return };
    session.verification.end(before.flow_id());
    if let Err(error) = before.cancel().await {
        tracing::debug!(%error, "the verification before could not be cancelled");
    }
}

/// A request that came in, to-device (`asked` then) or in a room.
pub(super) async fn incoming(
    session: &Arc<Session>,
    sender: OwnedUserId,
    flow: &str,
    asked: Option<SystemTime>,
) {
    let encryption = session.client.encryption();
    let Some(request) = encryption.get_verification_request(&sender, flow).await else {
        let age = asked.and_then(|asked| asked.elapsed().ok());
        if sender == session.user && age.is_some_and(|age| age < STILL_WAITS) {
            too_early(session).await;
        }
        return;
    };
    if request.we_started() || request.is_done() || request.is_cancelled() || request.is_passive() {
        return;
    }
    let busy = session.verification.snapshot().request.is_some_and(|active| {
        active.flow_id() != flow && !active.is_done() && !active.is_cancelled()
    });
    if busy {
        return;
    }
    session.verification.take_up(request.clone());
    say(session, Verification::Requested { by: sender.to_string(), own: sender == session.user });
    session.spawn(follow(session.clone(), request));
}

/// The SDK lets go of what a device asks that it does not know yet, as when one sync brings both: that device has to ask again.
async fn too_early(session: &Session) {
    // Or the next time would be too early as well.
    if let Err(error) = session.client.encryption().request_user_identity(&session.user).await {
        tracing::warn!(%error, "the device that asks to verify is still not known");
    }
    session
        .reports
        .notice("A new session of yours asked to verify too early: ask there once more.");
}

pub(super) async fn accept(session: &Session) {
    let Some(request) = session.verification.snapshot().request else {
        return cancelled(session, "Nobody is asking to verify any more.");
    };
    // Before: what comes of it is told as soon as it is sent.
    say(session, Verification::Waiting);
    if let Err(error) = request.accept_with_methods(methods()).await {
        cancelled(session, explain(&error));
    }
}

/// Emoji, although a code is shown.
pub(super) async fn compare_emoji(session: &Session) {
    let Some(request) = session.verification.snapshot().request else {
        return cancelled(session, "Nobody is verifying any more.");
    };
    match request.start_sas().await {
        Ok(Some(_)) => {}
        Ok(None) => cancelled(session, "The other side can't compare emoji."),
        Err(error) => cancelled(session, explain(&error)),
    }
}

/// The emoji are the same, or the other side says that it has scanned the code.
pub(super) async fn confirm(session: &Session) {
    let confirmed = match session.verification.snapshot() {
        Active { sas: Some(sas), .. } => sas.confirm().await,
        Active { code: Some(code), .. } => code.confirm().await,
        _ => return cancelled(session, "There is nothing to confirm."),
    };
    if let Err(error) = confirmed {
        cancelled(session, explain(&error));
    }
}

/// With emoji on screen this says that they differ; before, that we no longer want to.
pub(super) async fn cancel(session: &Session) {
    let active = session.verification.snapshot();
    let done = match &active {
        Active { sas: Some(sas), .. } if sas.can_be_presented() => sas.mismatch().await,
        Active { sas: Some(sas), .. } => sas.cancel().await,
        Active { code: Some(code), .. } => code.cancel().await,
        Active { request: Some(request), .. } => request.cancel().await,
        Active { .. } => return,
    };
    if let Err(error) = done {
        cancelled(session, explain(&error));
    }
}

/// Follows a request until it becomes a SAS, ends or is cancelled.
async fn follow(session: Arc<Session>, request: VerificationRequest) {
    let mut changes = std::pin::pin!(request.changes());
    let mut state = Some(request.state());
    let mut started = false;
    let mut scanning = None;
    while let Some(now) = state {
        match now {
            VerificationRequestState::Ready { .. } if !started => {
                started = true;
                scanning = show_code(&session, &request).await;
                // Whoever asked starts; if both do, the protocol picks one.
                if scanning.is_none()
                    && request.we_started()
                    && let Err(error) = request.start_sas().await
                {
                    return cancelled(&session, explain(&error));
                }
            }
            VerificationRequestState::Transitioned { verification: Flow::SasV1(sas) } => {
                // The code was put away for emoji, here or there.
                scanning.inspect(AbortHandle::abort);
                {
                    let mut active = session.verification.active();
                    (active.sas, active.code) = (Some(sas.clone()), None);
                }
                compare(&session, &sas).await;
                session.verification.end(request.flow_id());
                return;
            }
            VerificationRequestState::Done => {
                session.verification.end(request.flow_id());
                return;
            }
            VerificationRequestState::Cancelled(info) => {
                scanning.inspect(AbortHandle::abort);
                if session.verification.end(request.flow_id()) {
                    cancelled(&session, info.reason());
                }
                return;
            }
            _ => {}
        }
        state = changes.next().await;
    }
}

/// Shows a code where the other side can scan one; the task that waits for that.
async fn show_code(session: &Arc<Session>, request: &VerificationRequest) -> Option<AbortHandle> {
    let made = request.generate_qr_code().await;
    let code =
        made.inspect_err(|error| tracing::warn!(%error, "there is no code to scan")).ok()??;
    let shown = squares(&code.to_bytes().ok()?)?;
    session.verification.active().code = Some(code.clone());
    say(session, Verification::Code(shown));
    Some(session.spawn(await_scan(session.clone(), request.clone(), code)))
}

/// The smallest code that holds the bytes, as bytes: some scanners take what begins with letters for text otherwise.
fn squares(bytes: &[u8]) -> Option<Code> {
    let code = (1..=40).find_map(|version| {
        let mut bits = Bits::new(Version::Normal(version));
        bits.push_byte_data(bytes).ok()?;
        bits.push_terminator(EcLevel::L).ok()?;
        QrCode::with_bits(bits, EcLevel::L).ok()
    })?;
    let dark: Vec<bool> =
        code.to_colors().into_iter().map(|color| color == qrcode::Color::Dark).collect();
    Some(Code { side: code.width(), dark: dark.into() })
}

/// Follows a code until it has been scanned and both sides are content.
async fn await_scan(session: Arc<Session>, request: VerificationRequest, code: QrVerification) {
    let mut changes = std::pin::pin!(code.changes());
    let mut state = Some(code.state());
    while let Some(now) = state {
        let client = session.client.clone();
        session.spawn(async move { sync::flush(&client).await });
        match now {
            QrVerificationState::Scanned => say(&session, Verification::Scanned),
            QrVerificationState::Confirmed => say(&session, Verification::Confirmed),
            QrVerificationState::Done { .. } => {
                session.verification.end(request.flow_id());
                learn(&session, code.other_user_id()).await;
                return say(&session, Verification::Done);
            }
            // Also for what the request itself hears nothing of, such as a code that was not this one.
            QrVerificationState::Cancelled(info) => {
                if session.verification.end(request.flow_id()) {
                    cancelled(&session, info.reason());
                }
                return;
            }
            QrVerificationState::Started | QrVerificationState::Reciprocated => {}
        }
        state = changes.next().await;
    }
}

/// The signature just made counts once the server has it and has handed it back.
async fn learn(session: &Session, user: &UserId) {
    let mut retry = Retry::default();
    for _ in 0..4 {
        sync::flush(&session.client).await;
        match session.client.encryption().request_user_identity(user).await {
            Ok(Some(identity)) if identity.is_verified() => return,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the verified identity could not be fetched"),
        }
        retry.wait().await;
    }
}

async fn compare(session: &Session, sas: &SasVerification) {
    if !sas.we_started()
        && let Err(error) = sas.accept().await
    {
        return cancelled(session, explain(&error));
    }
    let mut changes = std::pin::pin!(sas.changes());
    let mut state = Some(sas.state());
    while let Some(now) = state {
        let client = session.client.clone();
        session.spawn(async move { sync::flush(&client).await });
        match now {
            SasState::KeysExchanged { emojis: Some(emojis), .. } => {
                let emojis = emojis.emojis.iter();
                let pairs =
                    emojis.map(|emoji| (emoji.symbol.to_owned(), emoji.description.to_owned()));
                say(session, Verification::Emoji(pairs.collect()));
            }
            SasState::KeysExchanged { emojis: None, .. } => {
                cancelled(session, "The other side can't show emoji.");
                if let Err(error) = sas.cancel().await {
                    tracing::debug!(%error, "a verification could not be cancelled");
                }
                return;
            }
            SasState::Confirmed => say(session, Verification::Confirmed),
            SasState::Done { .. } => {
                learn(session, sas.other_user_id()).await;
                return say(session, Verification::Done);
            }
            SasState::Cancelled(info) => return cancelled(session, info.reason()),
            SasState::Created { .. } | SasState::Started { .. } | SasState::Accepted { .. } => {}
        }
        state = changes.next().await;
    }
}
