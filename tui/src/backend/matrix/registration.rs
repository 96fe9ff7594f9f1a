//! Registering: the interactive-auth dance of `POST /register` (client-server API §5.5, §5.6), with the mail step in the middle.
//!
//! `inhibit_login` is set: the session comes from a login right after, so that the SDK sees the password and can set up
//! cross-signing with it.

use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Value, json};
use url::Url;

use super::{
    refused::Refused,
    wire::{self, Refusal, WireError},
};
use crate::backend::{About, MailStep, Secret};

const EMAIL: &str = "m.login.email.identity";
const TOKEN: &str = "m.login.registration_token";
const TERMS: &str = "m.login.terms";
const DUMMY: &str = "m.login.dummy";
/// More rounds than any flow has stages.
const MAX_ROUNDS: usize = 8;
pub(super) const WANTS_EMAIL: &str = "This server wants an email address. Fill it in.";
pub(super) const WANTS_TOKEN: &str =
    "This server wants a registration token. Ask its owner for one.";

/// What a server's flows ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Ways {
    pub(super) open: bool,
    pub(super) wants_email: bool,
    pub(super) wants_token: bool,
    pub(super) takes_email: bool,
}

impl Ways {
    pub(super) fn of(flows: &[Vec<String>]) -> Self {
        let usable: Vec<_> = flows.iter().filter(|flow| supported(flow)).collect();
        let all_have =
            |stage: &str| !usable.is_empty() && usable.iter().all(|flow| has(flow, stage));
        Self {
            open: !usable.is_empty(),
            wants_email: all_have(EMAIL),
            wants_token: all_have(TOKEN),
            takes_email: usable.iter().any(|flow| has(flow, EMAIL)),
        }
    }
}

/// The flows of a 401, each a list of stages.
pub(super) fn flows(body: &Value) -> Vec<Vec<String>> {
    let flows = body.get("flows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    flows.iter().map(|flow| strings(flow.get("stages"))).collect()
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn supported(flow: &[String]) -> bool {
    flow.iter().all(|stage| [EMAIL, TOKEN, TERMS, DUMMY].contains(&stage.as_str()))
}

fn has(flow: &[String], stage: &str) -> bool {
    flow.iter().any(|have| have == stage)
}

/// A mail conversation: what proves to the server that the address is ours.
pub(super) struct MailProof {
    pub(super) sid: String,
    pub(super) client_secret: String,
    pub(super) submit_url: Option<Url>,
}

impl MailProof {
    /// Asks the server to send a mail; `path` is the `requestToken` endpoint.
    pub(super) async fn request(
        http: &reqwest::Client,
        base: &Url,
        path: &str,
        email: &str,
        attempt: u32,
    ) -> Result<Self, WireError> {
        let client_secret = Alphanumeric.sample_string(&mut rand::rng(), 32);
        let body =
            json!({ "client_secret": client_secret, "email": email, "send_attempt": attempt });
        let answer = wire::post(http, wire::endpoint(base, path), &body).await?;
        let sid = answer.get("sid").and_then(Value::as_str).ok_or(WireError::NotMatrix)?.to_owned();
        let submit_url =
            answer.get("submit_url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        // The code is as good as the mailbox: it goes nowhere less safe than the server itself.
        let submit_url =
            submit_url.filter(|url| url.scheme() == "https" || url.scheme() == base.scheme());
        Ok(Self { sid, client_secret, submit_url })
    }

    /// Sends the typed code to the server's `submit_url`. `Ok(false)`: the code was wrong.
    pub(super) async fn submit(
        &self,
        http: &reqwest::Client,
        code: &Secret,
    ) -> Result<(), CodeError> {
        let Some(url) = &self.submit_url else { return Err(CodeError::NoCode) };
        let body =
            json!({ "sid": self.sid, "client_secret": self.client_secret, "token": code.0.trim() });
        match wire::post(http, url.clone(), &body).await {
            Ok(answer) if answer.get("success") == Some(&Value::Bool(false)) => {
                Err(CodeError::Wrong(wrong_code(&Refusal::default())))
            }
            Ok(_) => Ok(()),
            Err(WireError::Refused(refusal)) if refusal.status < 500 => {
                Err(CodeError::Wrong(wrong_code(&refusal)))
            }
            Err(error) => Err(CodeError::Failed(Refused::from(&error))),
        }
    }

    /// The `auth` object of the email stage.
    pub(super) fn auth(&self, session: Option<&str>) -> Value {
        let proof = json!({ "sid": self.sid, "client_secret": self.client_secret });
        let mut auth = json!({ "type": EMAIL, "threepid_creds": proof, "threepidCreds": proof });
        if let (Some(session), Some(fields)) = (session, auth.as_object_mut()) {
            fields.insert("session".to_owned(), session.into());
        }
        auth
    }
}

/// Why a typed code did not do.
pub(super) enum CodeError {
    /// The server has no place to send a code to: the link must be opened.
    NoCode,
    Wrong(String),
    Failed(Refused),
}

pub(super) fn wrong_code(refusal: &Refusal) -> String {
    if refusal.is("M_LIMIT_EXCEEDED") || refusal.is("M_TOKEN_EXPIRED") {
        return refusal.explain();
    }
    const NEXT: &str = "Compare it with the newest mail, or ask for a new one below.";
    match refusal.error.as_deref().map(|error| error.trim_end_matches('.')) {
        Some(error) if !error.is_empty() => format!("That code is not right: {error}. {NEXT}"),
        _ => format!("That code is not right. {NEXT}"),
    }
}

/// The server no longer takes the mail as proof: too late, too many tries, or used already.
pub(super) fn proof_refused(refusal: &Refusal) -> MailStep {
    const NEXT: &str = "Ask for a new mail below.";
    let reason = match refusal.error.as_deref().map(|error| error.trim_end_matches('.')) {
        Some(error) if !error.is_empty() => format!("That mail is no longer good: {error}. {NEXT}"),
        _ => format!("That mail is no longer good. {NEXT}"),
    };
    MailStep::WrongCode { reason }
}

/// Where a registration got to.
pub(super) enum Step {
    /// The account exists now.
    Registered {
        user: String,
    },
    Mail(MailStep),
    /// Links to what must be accepted first.
    Terms(Vec<String>),
    Refused(Refused),
}

/// A registration under way.
pub(super) struct Registration {
    http: reqwest::Client,
    base: Url,
    username: String,
    pub(super) password: Secret,
    email: Option<String>,
    token: Option<Secret>,
    session: Option<String>,
    /// Stages the server has told to be done.
    completed: Vec<String>,
    mail: Option<MailProof>,
    attempt: u32,
    /// The user has read the server's terms and accepts them.
    pub(super) terms_accepted: bool,
}

impl Registration {
    pub(super) fn new(
        http: reqwest::Client,
        base: Url,
        username: String,
        password: Secret,
        email: Option<String>,
        token: Option<Secret>,
    ) -> Self {
        let email = email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
        Self {
            http,
            base,
            username,
            password,
            email,
            token,
            session: None,
            completed: Vec::new(),
            mail: None,
            attempt: 0,
            terms_accepted: false,
        }
    }

    /// The typed code, then on.
    pub(super) async fn submit_code(&mut self, code: &Secret) -> Step {
        let Some(mail) = &self.mail else {
            return Step::Refused("No mail has been sent yet. Start again.".into());
        };
        match mail.submit(&self.http, code).await {
            Ok(()) => self.advance().await,
            Err(CodeError::NoCode) => self.advance().await,
            Err(CodeError::Wrong(reason)) => Step::Mail(MailStep::WrongCode { reason }),
            Err(CodeError::Failed(refused)) => Step::Refused(refused),
        }
    }

    /// Goes through the stages until the account is there or the mailbox is needed.
    pub(super) async fn advance(&mut self) -> Step {
        let session = self.session.as_deref();
        let mut auth = match &self.mail {
            // The proof is good once: whoever was stopped after it goes on behind it.
            Some(_) if has(&self.completed, EMAIL) => Some(json!({ "session": session })),
            Some(mail) => Some(mail.auth(session)),
            None => session.map(|session| json!({ "session": session })),
        };
        for _ in 0..MAX_ROUNDS {
            let tried =
                auth.as_ref().and_then(|auth| auth.get("type")?.as_str()).map(str::to_owned);
            let refusal = match self.post(auth.take()).await {
                Ok(user) => return Step::Registered { user },
                Err(WireError::Refused(refusal)) => refusal,
                Err(error) => return Step::Refused(Refused::from(&error)),
            };
            if tried.as_deref() == Some(EMAIL) && refusal.is("M_THREEPID_AUTH_FAILED") {
                return Step::Mail(proof_refused(&refusal));
            }
            if refusal.status != 401 || flows(&refusal.body).is_empty() {
                return Step::Refused(Refused::from(&*refusal));
            }
            if let Some(session) = refusal.body.get("session").and_then(Value::as_str) {
                self.session = Some(session.to_owned());
            }
            let completed = strings(refusal.body.get("completed"));
            self.completed.clone_from(&completed);
            if let Some(tried) = &tried
                && !has(&completed, tried)
            {
                return self.stage_refused(tried, &refusal);
            }
            match self.next(&refusal.body, &completed).await {
                Ok(next) => auth = Some(next),
                Err(step) => return step,
            }
        }
        Step::Refused("The server keeps asking for the same. Try another server.".into())
    }

    fn stage_refused(&self, stage: &str, refusal: &Refusal) -> Step {
        match stage {
            EMAIL => Step::Mail(MailStep::StillWaiting { polled: false }),
            TOKEN => Step::Refused(Refused::about(
                About::Token,
                "The registration token was not accepted. Check it, or ask who gave it to you.",
            )),
            _ => Step::Refused(Refused::from(refusal)),
        }
    }

    /// The `auth` of the next open stage, or the step the user must take first.
    async fn next(&mut self, body: &Value, completed: &[String]) -> Result<Value, Step> {
        let flows = flows(body);
        let Some(flow) = self.choose(&flows) else {
            return Err(Step::Refused(self.unusable(&flows)));
        };
        let Some(stage) = flow.iter().find(|stage| !has(completed, stage)) else {
            return Err(Step::Refused("The server forgot how far we were. Start again.".into()));
        };
        let session = self.session.clone();
        match stage.as_str() {
            EMAIL => match &self.mail {
                Some(mail) => Ok(mail.auth(session.as_deref())),
                None => Err(self.send_mail().await),
            },
            TOKEN => match &self.token {
                Some(token) => {
                    Ok(json!({ "type": TOKEN, "token": token.0.trim(), "session": session }))
                }
                None => Err(Step::Refused(Refused::about(About::Token, WANTS_TOKEN))),
            },
            TERMS if !self.terms_accepted => Err(Step::Terms(terms(body))),
            stage => Ok(json!({ "type": stage, "session": session })),
        }
    }

    /// The flow to walk: one that uses the given address if there is one, otherwise the shortest that can be walked.
    fn choose(&self, flows: &[Vec<String>]) -> Option<Vec<String>> {
        let usable = flows.iter().filter(|flow| {
            supported(flow)
                && (self.email.is_some() || !has(flow, EMAIL))
                && (self.token.is_some() || !has(flow, TOKEN))
        });
        usable.min_by_key(|flow| (self.email.is_some() != has(flow, EMAIL), flow.len())).cloned()
    }

    fn unusable(&self, flows: &[Vec<String>]) -> Refused {
        let ways = Ways::of(flows);
        if ways.wants_email && self.email.is_none() {
            Refused::about(About::Email, WANTS_EMAIL)
        } else if ways.wants_token && self.token.is_none() {
            Refused::about(About::Token, WANTS_TOKEN)
        } else if ways.open {
            Refused::from(
                "This server wants an email address or a registration token. Fill one in.",
            )
        } else {
            Refused::from(
                "This server registers people only on its web page. Register there, then log in here.",
            )
        }
    }

    async fn send_mail(&mut self) -> Step {
        let Some(email) = self.email.clone() else {
            return Step::Refused(Refused::about(About::Email, WANTS_EMAIL));
        };
        self.attempt += 1;
        let path = "/_matrix/client/v3/register/email/requestToken";
        match MailProof::request(&self.http, &self.base, path, &email, self.attempt).await {
            Ok(mail) => {
                let code = mail.submit_url.is_some();
                self.mail = Some(mail);
                Step::Mail(MailStep::MailSent { email, code })
            }
            Err(error) => Step::Refused(Refused::from(&error)),
        }
    }

    async fn post(&self, auth: Option<Value>) -> Result<String, WireError> {
        let mut body = json!({
            "username": self.username,
            "password": self.password.0,
            "inhibit_login": true,
        });
        if let (Some(auth), Some(fields)) = (auth, body.as_object_mut()) {
            fields.insert("auth".to_owned(), auth);
        }
        let answer = wire::post(
            &self.http,
            wire::endpoint(&self.base, "/_matrix/client/v3/register"),
            &body,
        )
        .await?;
        answer.get("user_id").and_then(Value::as_str).map(str::to_owned).ok_or(WireError::NotMatrix)
    }
}

/// Links to the terms in a 401's `params`.
fn terms(body: &Value) -> Vec<String> {
    let policies =
        body.get("params").and_then(|params| params.get(TERMS)?.get("policies")?.as_object());
    let documents = policies.into_iter().flat_map(|policies| policies.values());
    documents
        .filter_map(|policy| {
            let language = policy
                .get("en")
                .or_else(|| policy.as_object()?.values().find(|value| value.is_object()))?;
            language.get("url")?.as_str().map(str::to_owned)
        })
        .collect()
}

/// Whether `username` is free: `None`, or what is wrong with it.
pub(super) async fn username_problem(
    http: &reqwest::Client,
    base: &Url,
    username: &str,
) -> Option<String> {
    let mut url = wire::endpoint(base, "/_matrix/client/v3/register/available");
    url.query_pairs_mut().append_pair("username", username);
    match wire::get(http, url).await {
        Ok(_) => None,
        Err(WireError::Refused(refusal))
            if refusal.status == 404 || refusal.is("M_UNRECOGNIZED") =>
        {
            None
        }
        Err(error) => Some(error.explain()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Ways, flows};

    #[test]
    fn flows_say_what_registration_asks_for() {
        let email_only =
            json!({ "flows": [{ "stages": ["m.login.email.identity", "m.login.dummy"] }] });
        assert_eq!(
            Ways::of(&flows(&email_only)),
            Ways { open: true, wants_email: true, wants_token: false, takes_email: true }
        );
        let either = json!({ "flows": [{ "stages": ["m.login.dummy"] }, { "stages": ["m.login.email.identity"] }] });
        assert_eq!(
            Ways::of(&flows(&either)),
            Ways { open: true, wants_email: false, wants_token: false, takes_email: true }
        );
        let captcha = json!({ "flows": [{ "stages": ["m.login.recaptcha"] }] });
        assert_eq!(Ways::of(&flows(&captcha)), Ways::default());
    }
}
