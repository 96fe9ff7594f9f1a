//! The user's own sessions: listing, renaming, ending them.

use ruma::{
    OwnedDeviceId,
    api::client::uiaa::{self, AuthType, UiaaInfo},
};

use super::{errors::explain_http, session::Session};
use crate::backend::{DeviceInfo, Item, Secret};

/// All sessions, this one first, then those used last.
pub(super) async fn list(session: &Session) -> Option<Vec<Item>> {
    let answer = match session.client.devices().await {
        Ok(answer) => answer,
        Err(error) => {
            session.reports.failed(format!("Your sessions did not come. {}", explain_http(&error)));
            return None;
        }
    };
    let known = session.client.encryption().get_user_devices(&session.user).await.ok();
    let mut all: Vec<DeviceInfo> = answer
        .devices
        .into_iter()
        .map(|device| {
            let keys = known.as_ref().and_then(|known| known.get(&device.device_id));
            let own = session.client.device_id() == Some(&device.device_id);
            DeviceInfo {
                name: device.display_name.unwrap_or_else(|| "without a name".to_owned()),
                seen_ms: device.last_seen_ts.map(|at| at.get().into()),
                ip: device.last_seen_ip,
                verified: keys.is_some_and(|keys| keys.is_cross_signed_by_owner()),
                own,
                id: device.device_id.to_string(),
            }
        })
        .collect();
    all.sort_by_key(|device| (!device.own, std::cmp::Reverse(device.seen_ms)));
    Some(all.into_iter().map(Item::Session).collect())
}

pub(super) async fn rename(session: &Session, device: &str, name: &str) -> Result<(), String> {
    let renamed = session.client.rename_device(device.into(), name).await;
    renamed.map(drop).map_err(|error| explain_http(&error))
}

/// Ends another session; where the server wants the password for it, it gets it.
pub(super) async fn end(session: &Session, device: &str, password: &Secret) -> Result<(), String> {
    delete(session, &[OwnedDeviceId::from(device)], password).await
}

/// Whether this is the user's password. Asked for by the removal of no session at all: the server wants the same proof for it as
/// for others, and nothing is changed by it.
pub(super) async fn check_password(session: &Session, password: &Secret) -> Result<(), String> {
    delete(session, &[], password).await
}

async fn delete(
    session: &Session,
    devices: &[OwnedDeviceId],
    password: &Secret,
) -> Result<(), String> {
    let Err(error) = session.client.delete_devices(devices, None).await else { return Ok(()) };
    let Some(info) = error.as_uiaa_response() else { return Err(explain_http(&error)) };
    if !takes_password(info) {
        return Err(IN_A_BROWSER.to_owned());
    }
    let proof = password_proof(session, password, info.session.clone());
    match session.client.delete_devices(devices, Some(proof)).await {
        Ok(_) => Ok(()),
        Err(error) if error.as_uiaa_response().is_some() => {
            Err("That is not your password. Try again.".to_owned())
        }
        Err(error) => Err(explain_http(&error)),
    }
}

/// What is said where an account has no password to prove itself with.
pub(super) const IN_A_BROWSER: &str = "Your server wants this confirmed in a browser. Log in to your account there and do it from there.";

/// Whether the password proves anything to the server.
fn takes_password(info: &UiaaInfo) -> bool {
    info.flows.iter().any(|flow| flow.stages.contains(&AuthType::Password))
}

/// The password as the answer to a server that asks who it is.
pub(super) fn password_proof(
    session: &Session,
    password: &Secret,
    uiaa_session: Option<String>,
) -> uiaa::AuthData {
    let user = uiaa::MatrixUserIdentifier::new(session.user.to_string());
    let mut proof = uiaa::Password::new(uiaa::UserIdentifier::Matrix(user), password.0.clone());
    proof.session = uiaa_session;
    uiaa::AuthData::Password(proof)
}
