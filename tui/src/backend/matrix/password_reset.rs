//! A new password for someone logged out, by email (client-server API §5.7).

use serde_json::{Value, json};
use url::Url;

use super::{
    refused::Refused,
    registration::{CodeError, MailProof, proof_refused},
    wire::{self, WireError},
};
use crate::backend::{MailStep, Secret};

const PATH: &str = "/_matrix/client/v3/account/password";

/// A reset under way: a mail has gone out.
pub(super) struct PasswordReset {
    http: reqwest::Client,
    base: Url,
    mail: MailProof,
    /// The code has been taken already: a retry with another password must not send it again.
    confirmed: bool,
}

impl PasswordReset {
    /// Has the mail sent. The error is a reason with what to do next.
    pub(super) async fn start(
        http: reqwest::Client,
        base: Url,
        email: &str,
    ) -> Result<(Self, MailStep), Refused> {
        let path = "/_matrix/client/v3/account/password/email/requestToken";
        let email = email.trim();
        let mail = MailProof::request(&http, &base, path, email, 1)
            .await
            .map_err(|error| Refused::from(&error))?;
        let step = MailStep::MailSent { email: email.to_owned(), code: mail.submit_url.is_some() };
        Ok((Self { http, base, mail, confirmed: false }, step))
    }

    /// Confirms the address with the code, or by the opened link, and sets the password.
    pub(super) async fn finish(
        &mut self,
        code: Option<&Secret>,
        password: &Secret,
    ) -> Result<MailStep, Refused> {
        if let Some(code) = code
            && !self.confirmed
        {
            match self.mail.submit(&self.http, code).await {
                Ok(()) => self.confirmed = true,
                Err(CodeError::NoCode) => {}
                Err(CodeError::Wrong(reason)) => return Ok(MailStep::WrongCode { reason }),
                Err(CodeError::Failed(refused)) => return Err(refused),
            }
        }
        self.set(password).await
    }

    async fn set(&self, password: &Secret) -> Result<MailStep, Refused> {
        let mut auth = self.mail.auth(None);
        for _ in 0..2 {
            // Other sessions stay: whoever forgot a password should not lose the keys on their other devices.
            let body = json!({ "new_password": password.0, "logout_devices": false, "auth": auth });
            let refusal =
                match wire::post(&self.http, wire::endpoint(&self.base, PATH), &body).await {
                    Ok(_) => return Ok(MailStep::Done),
                    Err(WireError::Refused(refusal)) => refusal,
                    Err(error) => return Err(Refused::from(&error)),
                };
            if refusal.is("M_THREEPID_AUTH_FAILED") {
                return Ok(proof_refused(&refusal));
            }
            if refusal.status != 401 {
                return Err(Refused::from(&*refusal));
            }
            let session = refusal.body.get("session").and_then(Value::as_str);
            let known = auth.get("session").and_then(Value::as_str);
            if session.is_none() || session == known {
                break;
            }
            // Some servers accept a stage only inside a session they named.
            auth = self.mail.auth(session);
        }
        Ok(MailStep::StillWaiting { polled: false })
    }
}
