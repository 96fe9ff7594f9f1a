//! Registration and password reset by email, step by step, so that a test can take a wrong step.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    http::{Answer, Api},
    ternd::Ternd,
};

/// What a server keeps about one mailed code.
#[derive(Debug, Clone)]
pub struct EmailSession {
    /// The server's name for it.
    pub sid: String,
    /// The client's secret.
    pub client_secret: String,
    /// Where the code is typed; none on servers that want the link opened.
    pub submit_url: Option<String>,
}

impl EmailSession {
    fn credentials(&self) -> Value {
        json!({ "sid": self.sid, "client_secret": self.client_secret })
    }
}

impl Ternd {
    /// Registers by email, all steps, as a client does. Gives the logged-in client.
    ///
    /// # Errors
    /// When a step fails.
    pub async fn register_by_email(
        &self,
        username: &str,
        email: &str,
        password: &str,
    ) -> Result<Api> {
        let before = self.mails()?.iter().filter(|mail| mail.is_for(email)).count();
        let auth_session = self.api().start_registration(username, password).await?;
        let session = self.api().email_session("register", email).await?;
        let code = self.wait_for_mail(email, before).await?.code()?;
        self.api().submit_code(&session, &code).await?.ok().context("typing the code")?;
        let answer =
            self.api().register_with_email(username, password, &auth_session, &session).await?;
        self.api().session(answer)
    }
}

impl Api {
    /// Asks for a mail with a code; `purpose` is `register` or `account/password`.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn request_email_token(
        &self,
        purpose: &str,
        email: &str,
        client_secret: &str,
        send_attempt: u32,
    ) -> Result<Answer> {
        let path = format!("/_matrix/client/v3/{purpose}/email/requestToken");
        let body =
            json!({ "client_secret": client_secret, "email": email, "send_attempt": send_attempt });
        self.post(&path, body).await
    }

    /// The same with a fresh secret, for when it should succeed.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn email_session(&self, purpose: &str, email: &str) -> Result<EmailSession> {
        let client_secret = format!("{:032x}", rand::random::<u128>());
        let answer = self.request_email_token(purpose, email, &client_secret, 1).await?;
        let submit_url = answer.body.get("submit_url").and_then(Value::as_str).map(str::to_owned);
        let body = answer.ok()?;
        let sid = body.get("sid").and_then(Value::as_str).context("no sid")?.to_owned();
        Ok(EmailSession { sid, client_secret, submit_url })
    }

    /// Types `code` where the server said.
    ///
    /// # Errors
    /// When the server named no such place or no answer comes.
    pub async fn submit_code(&self, session: &EmailSession, code: &str) -> Result<Answer> {
        let Some(url) = &session.submit_url else {
            bail!("the server takes no typed codes (no submit_url)");
        };
        let mut body = session.credentials();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("token".to_owned(), code.into());
        }
        // An absolute URL wins over the base it is joined to.
        self.logged_out().post(url, body).await
    }

    /// `POST /register`, first without `auth`. Gives the interactive-auth session of the 401.
    ///
    /// # Errors
    /// When the server does not ask for interactive auth.
    pub async fn start_registration(&self, username: &str, password: &str) -> Result<String> {
        let answer = self.register(username, password, None).await?;
        let session = answer.text("/session").to_owned();
        if answer.status != 401 || session.is_empty() {
            bail!("no interactive auth, but {}: {}", answer.status, answer.body);
        }
        Ok(session)
    }

    /// One `POST /register`, with `auth` as the spec's authentication object.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn register(
        &self,
        username: &str,
        password: &str,
        auth: Option<Value>,
    ) -> Result<Answer> {
        let mut body = json!({ "username": username, "password": password });
        if let (Some(fields), Some(auth)) = (body.as_object_mut(), auth) {
            fields.insert("auth".to_owned(), auth);
        }
        self.logged_out().post("/_matrix/client/v3/register", body).await
    }

    /// `POST /register` with the email stage of `session`.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn register_with_email(
        &self,
        username: &str,
        password: &str,
        auth_session: &str,
        email: &EmailSession,
    ) -> Result<Answer> {
        let auth = email_stage(auth_session, email);
        self.register(username, password, Some(auth)).await
    }

    /// Registers where anyone may (`m.login.dummy`).
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register_openly(&self, username: &str, password: &str) -> Result<Self> {
        let session = self.start_registration(username, password).await?;
        let auth = json!({ "type": "m.login.dummy", "session": session });
        self.session(self.register(username, password, Some(auth)).await?)
    }

    /// Sets a new password with the email stage.
    ///
    /// # Errors
    /// When no answer comes; a refusal is an [`Answer`].
    pub async fn reset_password(&self, new_password: &str, email: &EmailSession) -> Result<Answer> {
        let path = "/_matrix/client/v3/account/password";
        let asked = self.post(path, json!({ "new_password": new_password })).await?;
        let auth = email_stage(asked.text("/session"), email);
        self.post(path, json!({ "new_password": new_password, "auth": auth })).await
    }
}

fn email_stage(auth_session: &str, email: &EmailSession) -> Value {
    json!({
        "type": "m.login.email.identity",
        "session": auth_session,
        "threepid_creds": email.credentials(),
    })
}
