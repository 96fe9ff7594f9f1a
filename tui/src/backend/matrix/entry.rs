//! The way in: finding the server, registering, logging in, resetting a password, and taking up the stored session.

use matrix_sdk::{Client, store::RoomLoadSettings};
use ruma::UserId;
use tokio::sync::mpsc;

use super::{
    accounts::Here,
    client,
    discovery::{self, FoundServer},
    http::Http,
    login,
    password_reset::PasswordReset,
    refused::Refused,
    registration::{self, Registration, Step},
    reports::Reports,
    sso::{Arrived, SsoLogin},
    store::Store,
    worker,
};
use crate::backend::{About, MailStep, Report, Request, Secret};

pub(super) struct Entry {
    http: Http,
    store: Store,
    /// The server of the command line or the config, used until another is found.
    default_server: Option<String>,
    found: Option<FoundServer>,
    registration: Option<Registration>,
    reset: Option<PasswordReset>,
    sso: Option<SsoLogin>,
    /// Where browsers bring what they bring.
    arrivals: mpsc::UnboundedSender<Arrived>,
    reports: Reports,
    here: Here,
}

/// Why a stored session does not begin.
pub(super) enum Unrestored {
    /// It is there; its server wants a login.
    LogInAgain(String),
    /// It is there, and can't be opened now.
    CantOpen(String),
}

impl Entry {
    pub(super) fn new(about: worker::About, arrivals: mpsc::UnboundedSender<Arrived>) -> Self {
        let worker::About { http, store, default_server, reports, here } = about;
        let (found, registration, reset, sso) = (None, None, None, None);
        Self {
            http,
            store,
            default_server,
            found,
            registration,
            reset,
            sso,
            arrivals,
            reports,
            here,
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether `request` belongs here rather than to the session.
    pub(super) fn takes(request: &Request) -> bool {
        matches!(
            request,
            Request::FindServer { .. }
                | Request::CheckUsername { .. }
                | Request::Register { .. }
                | Request::SubmitMailCode { .. }
                | Request::ContinueRegistration { .. }
                | Request::AcceptTerms
                | Request::LogIn { .. }
                | Request::StartSso { .. }
                | Request::FinishSso { .. }
                | Request::StopSso
                | Request::StartPasswordReset { .. }
                | Request::FinishPasswordReset { .. }
        )
    }

    /// The client of the session on disk, without asking the network.
    pub(super) async fn restore(&mut self) -> Result<Option<Client>, Unrestored> {
        let stored = self.store.load().map_err(|error| {
            Unrestored::CantOpen(format!(
                "The stored session can't be read: {error}. Check the data folder's permissions."
            ))
        })?;
        let Some(stored) = stored else { return Ok(None) };
        self.here.note(self.reports.account(), stored.session.meta.user_id.clone());
        if stored.soft_logged_out {
            self.remember_server().await;
            return Err(Unrestored::LogInAgain(format!(
                "The server wants you to log in again as {}.",
                stored.session.meta.user_id
            )));
        }
        let client = client::build(&self.http, &self.store, &stored.homeserver)
            .await
            .map_err(|error| Unrestored::CantOpen(error.to_string()))?;
        client
            .matrix_auth()
            .restore_session(stored.session, RoomLoadSettings::default())
            .await
            .map_err(|error| {
                Unrestored::CantOpen(format!(
                    "The stored session can't be opened: {error}. Close other programs that use it."
                ))
            })?;
        Ok(Some(client))
    }

    /// After a soft logout, the login goes to the server the session was on.
    pub(super) async fn remember_server(&mut self) {
        if let Ok(Some(stored)) = self.store.load() {
            self.find(stored.homeserver.as_str()).await;
        }
    }

    /// Carries out an entry request; a client comes back when someone is logged in.
    pub(super) async fn handle(&mut self, request: Request) -> Option<Client> {
        match request {
            Request::FindServer { input } => {
                self.find(&input).await;
                None
            }
            Request::CheckUsername { username } => {
                self.check_username(username).await;
                None
            }
            Request::Register { username, password, email, token } => {
                let server = self.server(None).await?;
                let username = username.trim().to_owned();
                let registration = Registration::new(
                    reqwest::Client::clone(&self.http),
                    server.base,
                    username,
                    password,
                    email,
                    token,
                );
                self.registration = Some(registration);
                self.advance(None, false).await
            }
            Request::SubmitMailCode { code } => self.advance(Some(code), false).await,
            Request::ContinueRegistration { polled } => self.advance(None, polled).await,
            Request::AcceptTerms => {
                if let Some(registration) = &mut self.registration {
                    registration.terms_accepted = true;
                }
                self.advance(None, false).await
            }
            Request::LogIn { user, password } => self.log_in(&user, &password).await,
            Request::StartSso { provider } => {
                self.start_sso(provider.as_deref()).await;
                None
            }
            Request::FinishSso { pasted } => self.finish_sso(&pasted).await,
            Request::StopSso => {
                self.sso = None;
                None
            }
            Request::StartPasswordReset { email } => {
                self.start_reset(&email).await;
                None
            }
            Request::FinishPasswordReset { code, new_password, polled } => {
                self.finish_reset(code.as_ref(), &new_password, polled).await;
                None
            }
            _ => None,
        }
    }

    fn refuse(&self, refused: impl Into<Refused>) {
        let Refused { reason, about, .. } = refused.into();
        self.reports.send(Report::AuthFailed { reason, about });
    }

    async fn find(&mut self, input: &str) {
        match discovery::find(&self.http, input).await {
            Ok(found) => {
                self.reports.send(Report::ServerFound(found.info.clone()));
                self.found = Some(found);
            }
            Err(reason) => self.reports.send(Report::ServerNotFound { reason }),
        }
    }

    /// The found server, or the one a user id, an address or the config leads to.
    async fn server(&mut self, user: Option<&str>) -> Option<FoundServer> {
        if self.found.is_none() {
            let hint = user
                .filter(|user| user.contains('@'))
                .map(str::to_owned)
                .or_else(|| self.default_server.clone());
            let Some(hint) = hint else {
                self.refuse("Choose a server first.");
                return None;
            };
            match discovery::find(&self.http, &hint).await {
                Ok(found) => self.found = Some(found),
                Err(reason) => {
                    self.refuse(Refused::about(About::Server, reason));
                    return None;
                }
            }
        }
        self.found.clone()
    }

    async fn check_username(&mut self, username: String) {
        let Some(server) = self.server(None).await else { return };
        let problem =
            registration::username_problem(&self.http, &server.base, username.trim()).await;
        self.reports.send(Report::UsernameChecked { username, problem });
    }

    /// `polled`: nobody pressed anything, so that a server that can't be asked just now is asked again later, without a word.
    async fn advance(&mut self, code: Option<Secret>, polled: bool) -> Option<Client> {
        let Some(registration) = &mut self.registration else {
            self.refuse("There is no registration under way. Start again.");
            return None;
        };
        let step = match code {
            Some(code) => registration.submit_code(&code).await,
            None => registration.advance().await,
        };
        match step {
            Step::Registered { user } => {
                let password = registration.password.clone();
                self.registration = None;
                self.log_in_to_new_account(user, &password).await
            }
            Step::Terms(links) => {
                self.reports.send(Report::RegistrationTerms { links });
                None
            }
            Step::Mail(step) => {
                self.reports.send(Report::RegistrationStep(told(step, polled)));
                None
            }
            Step::Refused(refused) if polled && refused.passes => {
                self.reports.send(Report::RegistrationStep(MailStep::StillWaiting { polled }));
                None
            }
            Step::Refused(refused) => {
                self.refuse(refused);
                None
            }
        }
    }

    async fn log_in_to_new_account(&mut self, user: String, password: &Secret) -> Option<Client> {
        let server = self.server(Some(&user)).await?;
        match self.log_in_on(&server, &user, password).await {
            Ok(client) => Some(client),
            Err(Refused { reason, .. }) => {
                self.reports.send(Report::AccountMade { user, reason });
                None
            }
        }
    }

    async fn log_in(&mut self, user: &str, password: &Secret) -> Option<Client> {
        let server = self.server(Some(user)).await?;
        match self.log_in_on(&server, user, password).await {
            Ok(client) => Some(client),
            Err(refused) => {
                self.refuse(refused);
                None
            }
        }
    }

    /// A logged-in client of somebody who is not in this client yet.
    async fn log_in_on(
        &self,
        server: &FoundServer,
        user: &str,
        password: &Secret,
    ) -> Result<Client, Refused> {
        let account = self.reports.account();
        let typed = user.trim();
        let id = if typed.starts_with('@') {
            UserId::parse(typed)
        } else {
            UserId::parse(format!("@{typed}:{}", server.info.name))
        };
        if let Ok(id) = id
            && self.here.elsewhere(account, &id)
        {
            return Err(already_here());
        }
        let client = login::log_in(&self.http, &self.store, &server.base, user, password).await?;
        // Whose an email address is shows only now.
        self.unless_here(client).await
    }

    /// Ends a login of somebody who is in this client already.
    async fn unless_here(&self, client: Client) -> Result<Client, Refused> {
        let account = self.reports.account();
        let id = client.user_id().map(ToOwned::to_owned);
        if id.is_none_or(|id| !self.here.elsewhere(account, &id)) {
            return Ok(client);
        }
        if let Err(error) = client.logout().await {
            tracing::warn!(%error, "a session too many could not be ended");
        }
        drop(client);
        self.store.wipe().map_err(|error| login::folder(&error))?;
        Err(already_here())
    }

    async fn start_sso(&mut self, provider: Option<&str>) {
        let Some(server) = self.server(None).await else { return };
        let login = SsoLogin::start(&server.base, provider, self.arrivals.clone()).await;
        self.reports.send(Report::SsoStarted { url: login.url.to_string() });
        self.sso = Some(login);
    }

    async fn finish_sso(&mut self, pasted: &Secret) -> Option<Client> {
        let token = match &self.sso {
            Some(login) => login.token(&pasted.0),
            None => Err("There is no login under way. Start again.".into()),
        };
        match token {
            Ok(token) => self.log_in_by_token(&token).await,
            Err(refused) => {
                self.refuse(refused);
                None
            }
        }
    }

    /// A browser on this machine has come back.
    pub(super) async fn arrived(&mut self, arrived: &Arrived) -> Option<Client> {
        let awaited = self.sso.as_ref().is_some_and(|login| login.is_of(arrived));
        if awaited { self.log_in_by_token(&arrived.token).await } else { None }
    }

    async fn log_in_by_token(&mut self, token: &Secret) -> Option<Client> {
        let server = self.server(None).await?;
        let client = login::log_in_by_token(&self.http, &self.store, &server.base, token).await;
        let client = match client {
            Ok(client) => self.unless_here(client).await,
            Err(refused) => Err(refused),
        };
        match client {
            Ok(client) => {
                self.sso = None;
                Some(client)
            }
            // It is waited on: the address may be opened once more.
            Err(refused) => {
                self.refuse(refused);
                None
            }
        }
    }

    async fn start_reset(&mut self, email: &str) {
        let Some(server) = self.server(Some(email)).await else { return };
        match PasswordReset::start(reqwest::Client::clone(&self.http), server.base, email).await {
            Ok((reset, step)) => {
                self.reset = Some(reset);
                self.reports.send(Report::PasswordResetStep(step));
            }
            Err(refused) => self.refuse(refused),
        }
    }

    async fn finish_reset(&mut self, code: Option<&Secret>, password: &Secret, polled: bool) {
        let Some(reset) = &mut self.reset else {
            return self.refuse("There is no password reset under way. Start again.");
        };
        match reset.finish(code, password).await {
            Ok(step) => {
                if step == MailStep::Done {
                    self.reset = None;
                }
                self.reports.send(Report::PasswordResetStep(told(step, polled)));
            }
            Err(refused) if polled && refused.passes => {
                let step = MailStep::StillWaiting { polled };
                self.reports.send(Report::PasswordResetStep(step));
            }
            Err(refused) => self.refuse(refused),
        }
    }
}

fn already_here() -> Refused {
    Refused::about(About::User, "That account is here already: Space A shows it.")
}

/// The step as it is reported: whether anybody waits for the word that there is nothing new.
fn told(step: MailStep, polled: bool) -> MailStep {
    match step {
        MailStep::StillWaiting { .. } => MailStep::StillWaiting { polled },
        step => step,
    }
}
