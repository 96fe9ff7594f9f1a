//! The other client: the SDK with everything in memory.

use anyhow::{Context, Result};
use futures_util::{Stream, StreamExt};
use matrix_sdk::{
    Client,
    config::SyncSettings,
    encryption::{
        VerificationState,
        verification::{
            QrVerification, QrVerificationData, QrVerificationState, VerificationRequest,
            VerificationRequestState,
        },
    },
    ruma::{
        api::client::uiaa,
        events::key::verification::{
            VerificationMethod, request::ToDeviceKeyVerificationRequestEvent,
        },
    },
};
use tern_testkit::{Loopback, PATIENCE, Ternd, until};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::people;

/// A running session. Its sync ends with it.
pub(crate) struct Phone {
    client: Client,
    syncing: JoinHandle<()>,
    requests: mpsc::UnboundedReceiver<VerificationRequest>,
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.syncing.abort();
    }
}

/// It can scan, and compare emoji.
fn methods() -> Vec<VerificationMethod> {
    vec![
        VerificationMethod::SasV1,
        VerificationMethod::QrCodeScanV1,
        VerificationMethod::ReciprocateV1,
    ]
}

impl Phone {
    /// Logs in and goes on syncing.
    pub(crate) async fn log_in(loopback: &Loopback, ternd: &Ternd, user: &str) -> Result<Phone> {
        let http = loopback.http_client()?;
        let client = Client::builder().homeserver_url(ternd.url()).http_client(http);
        let client = client.build().await?;
        client.matrix_auth().login_username(user, people::PASSWORD).send().await?;
        let (sender, requests) = mpsc::unbounded_channel();
        client.add_event_handler(
            move |event: ToDeviceKeyVerificationRequestEvent, client: Client| {
                let sender = sender.clone();
                async move {
                    let flow = event.content.transaction_id.as_str();
                    let request =
                        client.encryption().get_verification_request(&event.sender, flow).await;
                    if let Some(request) = request {
                        drop(sender.send(request));
                    }
                }
            },
        );
        // What has come by now is known when this returns.
        client.sync_once(SyncSettings::default()).await?;
        let running = client.clone();
        let syncing = tokio::spawn(async move {
            if let Err(error) = running.sync(SyncSettings::default()).await {
                eprintln!("the phone syncs no longer: {error}");
            }
        });
        Ok(Phone { client, syncing, requests })
    }

    /// Becomes the device with the account's signing keys.
    pub(crate) async fn make_signing_keys(&self) -> Result<()> {
        let user = self.client.user_id().context("nobody is logged in")?;
        let user = uiaa::MatrixUserIdentifier::new(user.to_string());
        let user = uiaa::UserIdentifier::Matrix(user);
        let mut password = uiaa::Password::new(user, people::PASSWORD.to_owned());
        let encryption = self.client.encryption();
        if let Err(error) = encryption.bootstrap_cross_signing(None).await {
            let info = error.as_uiaa_response().context("no question for the password")?;
            password.session = info.session.clone();
            let proof = uiaa::AuthData::Password(password);
            encryption.bootstrap_cross_signing(Some(proof)).await?;
        }
        Ok(())
    }

    /// Asks the account's other devices to verify this one; waits until one agrees.
    pub(crate) async fn ask(&self) -> Result<VerificationRequest> {
        let user = self.client.user_id().context("nobody is logged in")?;
        let own = self.client.encryption().request_user_identity(user).await?;
        let own = own.context("the account has no signing keys")?;
        Ok(own.request_verification_with_methods(methods()).await?)
    }

    /// Waits until another device of the account is known: the SDK lets go of what others ask.
    pub(crate) async fn knows_another(&self) -> Result<()> {
        let user = self.client.user_id().context("nobody is logged in")?;
        let encryption = self.client.encryption();
        until("the phone to know the other device", PATIENCE, async || {
            let devices = encryption.get_user_devices(user).await?;
            Ok((devices.devices().count() > 1).then_some(()))
        })
        .await
    }

    /// Agrees when another device asks.
    pub(crate) async fn agree(&mut self) -> Result<VerificationRequest> {
        let asked = timeout(PATIENCE, self.requests.recv()).await?;
        let request = asked.context("the phone syncs no longer")?;
        request.accept_with_methods(methods()).await?;
        Ok(request)
    }

    /// Whether its own signing keys say that it is its user's.
    pub(crate) async fn is_verified(&self) -> Result<()> {
        let mut states = self.client.encryption().verification_state();
        wait(&mut states, |state| *state == VerificationState::Verified).await
    }
}

/// Points the camera at a code.
pub(crate) async fn scan(request: &VerificationRequest, code: &[u8]) -> Result<QrVerification> {
    ready(request).await?;
    let data = QrVerificationData::from_bytes(code)?;
    request.scan_qr_code(data).await?.context("it is not the time to scan")
}

/// Waits until both sides have said what they can do.
pub(crate) async fn ready(request: &VerificationRequest) -> Result<()> {
    let mut changes = std::pin::pin!(request.changes());
    if request.is_ready() {
        return Ok(());
    }
    wait(&mut changes, |state| matches!(state, VerificationRequestState::Ready { .. })).await
}

/// Waits until the other side has said that the code was scanned.
pub(crate) async fn done(code: &QrVerification) -> Result<()> {
    let mut changes = std::pin::pin!(code.changes());
    if code.is_done() {
        return Ok(());
    }
    wait(&mut changes, |state| matches!(state, QrVerificationState::Done { .. })).await
}

/// Waits until a request has become something that `wanted` takes.
pub(crate) async fn becomes(
    request: &VerificationRequest,
    wanted: impl Fn(&VerificationRequestState) -> bool,
) -> Result<()> {
    let mut changes = std::pin::pin!(request.changes());
    if wanted(&request.state()) {
        return Ok(());
    }
    wait(&mut changes, wanted).await
}

async fn wait<T>(
    changes: &mut (impl Stream<Item = T> + Unpin),
    wanted: impl Fn(&T) -> bool,
) -> Result<()> {
    let waiting = async {
        while let Some(state) = changes.next().await {
            if wanted(&state) {
                return Ok(());
            }
        }
        anyhow::bail!("it ended")
    };
    timeout(PATIENCE, waiting).await?
}
