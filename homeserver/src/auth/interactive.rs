//! Interactive authentication ([spec]): a session collects stages until a flow is whole, then the operation goes ahead, once.
//!
//! ```text
//! prove(no session) ─▶ new session ─▶ Challenge
//! prove(session, proof) ─▶ stage checked ─▶ Challenge … ─▶ Proven, the session is gone
//! ```
//!
//! A session is bound to its operation (method, path, user), and from its first completed stage to the request's body. It holds no
//! secrets, lives in memory, 30 minutes from its last use, and there are at most 10,000.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};

use super::{
    Address, Auth, AuthError, Identifier, Requester,
    accounts::{check_open, registration_token_is_valid},
    email_sessions::{self, Proof, Purpose},
    guesses::Guess,
    login::find_by_identifier,
    secrets,
};
use crate::{
    app::App,
    config::RegistrationMode,
    storage::{self, Id},
};

const SESSIONS_MAX: usize = 10_000;
const LIFETIME_MS: i64 = 30 * 60 * 1_000;
/// Failed proofs after which a session ends.
const FAILURES_MAX: u32 = 10;

/// One step of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Password,
    EmailIdentity,
    RegistrationToken,
    Dummy,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "m.login.password",
            Self::EmailIdentity => "m.login.email.identity",
            Self::RegistrationToken => "m.login.registration_token",
            Self::Dummy => "m.login.dummy",
        }
    }
}

/// Stages that together are enough.
pub type Flow = &'static [Stage];

/// What is to be authorised. `body`: the hash of the request's body without `auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub method: String,
    pub path: String,
    pub user: Option<Id>,
    pub body: [u8; 32],
}

/// The `auth` of a request.
#[derive(Clone, Default)]
pub struct Submission(Option<Map<String, Value>>);

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission").finish_non_exhaustive()
    }
}

impl Submission {
    /// Wraps the `auth` of a request's body, if it has one.
    pub fn new(auth: Option<Map<String, Value>>) -> Self {
        Self(auth)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name)?.as_str()
    }
}

/// What is still asked for: the body of a 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub session: String,
    pub flows: Vec<Flow>,
    pub completed: Vec<Stage>,
    /// Why the proof at hand was refused: errcode and text.
    pub refused: Option<(&'static str, String)>,
    /// The client only asked whether its mail was confirmed by now, in a session that it was given earlier.
    pub waiting: bool,
}

impl Challenge {
    /// The JSON of the answer.
    pub fn to_json(&self) -> Map<String, Value> {
        let names = |stages: &[Stage]| stages.iter().map(|s| s.as_str()).collect::<Vec<_>>();
        let flows: Vec<_> =
            self.flows.iter().map(|flow| json!({ "stages": names(flow) })).collect();
        let mut body = Map::new();
        body.insert("session".to_owned(), json!(self.session));
        body.insert("flows".to_owned(), json!(flows));
        body.insert("params".to_owned(), json!({}));
        body.insert("completed".to_owned(), json!(names(&self.completed)));
        body
    }
}

/// What a whole flow proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    session: String,
    state: State,
}

impl Proven {
    /// The address proven by mail.
    pub fn email(&self) -> Option<&Address> {
        self.state.email.as_ref()
    }

    /// The registration token given.
    pub fn registration_token(&self) -> Option<&str> {
        self.state.registration_token.as_deref()
    }

    /// Whose account it is: the requester's, or that of the proven address.
    pub fn user(&self) -> Option<Id> {
        self.state.operation.user.or(self.state.email_user)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    operation: Operation,
    /// The body is fixed by the first completed stage.
    bound: bool,
    completed: Vec<Stage>,
    failures: u32,
    email: Option<Address>,
    email_user: Option<Id>,
    registration_token: Option<String>,
    expires_ms: i64,
}

/// The sessions.
#[derive(Debug, Clone, Default)]
pub(super) struct Interactive(Arc<Mutex<HashMap<String, State>>>);

impl Interactive {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, id: &str, state: State, now_ms: i64) {
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(id) {
            sessions.retain(|_, state| state.expires_ms > now_ms);
            if sessions.len() >= SESSIONS_MAX {
                let oldest = sessions.iter().min_by_key(|(_, state)| state.expires_ms);
                if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                    sessions.remove(&oldest);
                }
            }
        }
        sessions.insert(id.to_owned(), State { expires_ms: now_ms + LIFETIME_MS, ..state });
    }
}

/// The flows of registration, as configured.
///
/// # Errors
/// [`AuthError::RegistrationClosed`].
pub fn registration_flows(app: &App) -> Result<Vec<Flow>, AuthError> {
    check_open(app)?;
    Ok(match app.config.registration.mode {
        RegistrationMode::Email => vec![&[Stage::EmailIdentity]],
        // Ending in the empty stage, as every server's token flow does: there are clients that take it for granted.
        RegistrationMode::Token => {
            vec![
                &[Stage::RegistrationToken, Stage::Dummy],
                &[Stage::RegistrationToken, Stage::EmailIdentity],
            ]
        }
        RegistrationMode::Open | RegistrationMode::Closed => {
            vec![&[Stage::Dummy], &[Stage::EmailIdentity]]
        }
    })
}

/// The flows of a password change: by the old password, or by mail; by mail only for who is logged out.
pub fn password_change_flows(requester: Option<&Requester>) -> Vec<Flow> {
    match requester {
        Some(_) => vec![&[Stage::Password], &[Stage::EmailIdentity]],
        None => vec![&[Stage::EmailIdentity]],
    }
}

/// Asks a logged-in user to prove themselves once more: by password, or by mail when the account has no password.
pub async fn confirm_user(
    app: &App,
    auth: &Auth,
    operation: Operation,
    submission: &Submission,
) -> Result<Proven, AuthError> {
    let account = match operation.user {
        Some(user) => storage::accounts::find_account(app.db.read(), user).await?,
        None => None,
    };
    let has_password = account.is_some_and(|account| account.password_hash.is_some());
    let flows: Vec<Flow> =
        if has_password { vec![&[Stage::Password]] } else { vec![&[Stage::EmailIdentity]] };
    prove(app, auth, flows, operation, submission).await
}

/// Goes one step: checks the proof at hand, and says [`Proven`] once a flow is whole.
///
/// # Errors
/// [`AuthError::Challenge`] while something is missing, [`AuthError::UnknownInteractiveSession`], [`AuthError::OtherOperation`].
pub async fn prove(
    app: &App,
    auth: &Auth,
    flows: Vec<Flow>,
    operation: Operation,
    submission: &Submission,
) -> Result<Proven, AuthError> {
    let now = app.clock.now_ms();
    let (id, mut state) = resume(auth, &operation, submission, now)?;
    let mut refused = None;
    let mut taken = false;
    let mut waiting = false;
    if let Some(kind) = submission.text("type") {
        let stage = flows.iter().copied().flatten().find(|stage| stage.as_str() == kind).copied();
        let checked = match stage {
            Some(stage) if state.completed.contains(&stage) => Checked::Already,
            Some(stage) => check(app, auth, stage, &mut state, submission).await?,
            None => Checked::Refused("M_UNRECOGNIZED", format!("{kind} is no stage of this")),
        };
        match checked {
            Checked::Passed => {
                state.completed.extend(stage);
                state.bound = true;
                state.operation.body = operation.body;
                taken = true;
            }
            Checked::Already => {}
            Checked::NotYet => waiting = submission.text("session").is_some(),
            Checked::Refused(errcode, text) => {
                state.failures += 1;
                refused = Some((errcode, text));
            }
        }
    }
    let whole = flows.iter().any(|flow| flow.iter().all(|stage| state.completed.contains(stage)));
    if whole && (taken || submission.text("session").is_some()) {
        auth.interactive.lock().remove(&id);
        return Ok(Proven { session: id, state });
    }
    let completed = state.completed.clone();
    let challenge = Challenge { session: id.clone(), flows, completed, refused, waiting };
    if state.failures >= FAILURES_MAX {
        auth.interactive.lock().remove(&id);
    } else {
        auth.interactive.keep(&id, state, now);
    }
    Err(AuthError::Challenge(Box::new(challenge)))
}

/// Gives a proven session back when its operation failed for a reason that the user can mend, a taken name for instance. The
/// body may then change.
pub fn give_back(app: &App, auth: &Auth, proven: Proven) {
    let state = State { bound: false, ..proven.state };
    auth.interactive.keep(&proven.session, state, app.clock.now_ms());
}

/// The session that the request names, checked against its operation, or a new one.
fn resume(
    auth: &Auth,
    operation: &Operation,
    submission: &Submission,
    now_ms: i64,
) -> Result<(String, State), AuthError> {
    let Some(id) = submission.text("session") else {
        let state = State {
            operation: operation.clone(),
            bound: false,
            completed: Vec::new(),
            failures: 0,
            email: None,
            email_user: None,
            registration_token: None,
            expires_ms: 0,
        };
        return Ok((secrets::identifier(), state));
    };
    let state = auth.interactive.lock().get(id).cloned();
    let state = state
        .filter(|state| state.expires_ms > now_ms)
        .ok_or(AuthError::UnknownInteractiveSession)?;
    let begun = &state.operation;
    let same = begun.method == operation.method
        && begun.path == operation.path
        && begun.user == operation.user
        && (!state.bound || begun.body == operation.body);
    if same { Ok((id.to_owned(), state)) } else { Err(AuthError::OtherOperation) }
}

enum Checked {
    Passed,
    /// Passed earlier.
    Already,
    /// Nothing wrong, nothing proven: a mail that is not confirmed yet.
    NotYet,
    Refused(&'static str, String),
}

async fn check(
    app: &App,
    auth: &Auth,
    stage: Stage,
    state: &mut State,
    submission: &Submission,
) -> Result<Checked, AuthError> {
    match stage {
        Stage::Dummy => Ok(Checked::Passed),
        Stage::Password => check_password(app, auth, state, submission).await,
        Stage::EmailIdentity => check_email(app, state, submission).await,
        Stage::RegistrationToken => {
            let token = submission.text("token").unwrap_or_default();
            if !registration_token_is_valid(app, token).await? {
                let text = "this registration token is unknown, used up or expired";
                return Ok(Checked::Refused("M_UNAUTHORIZED", text.to_owned()));
            }
            state.registration_token = Some(token.to_owned());
            Ok(Checked::Passed)
        }
    }
}

async fn check_password(
    app: &App,
    auth: &Auth,
    state: &State,
    submission: &Submission,
) -> Result<Checked, AuthError> {
    let wrong = || Ok(Checked::Refused("M_FORBIDDEN", AuthError::WrongLogin.to_string()));
    let Some(user) = state.operation.user else { return wrong() };
    let Some(password) = submission.text("password") else {
        return Ok(Checked::Refused("M_MISSING_PARAM", "the password is missing".to_owned()));
    };
    let named = match submission.identifier() {
        Some(identifier) => find_by_identifier(app, &identifier).await?.map(|found| found.user),
        None => Some(user),
    };
    let Some(account) = storage::accounts::find_account(app.db.read(), user).await? else {
        return wrong();
    };
    let guess = Guess::begin(app, auth, &Identifier::User(account.localpart))?;
    let right = auth.passwords.verify(account.password_hash, password).await?;
    if right && named == Some(user) {
        guess.was_right();
        Ok(Checked::Passed)
    } else {
        wrong()
    }
}

async fn check_email(
    app: &App,
    state: &mut State,
    submission: &Submission,
) -> Result<Checked, AuthError> {
    let fields = submission.0.as_ref();
    let creds = fields.and_then(|f| f.get("threepid_creds").or_else(|| f.get("threepidCreds")));
    let text = |name| creds.and_then(|creds| creds.get(name)).and_then(Value::as_str);
    let (Some(sid), Some(secret)) = (text("sid"), text("client_secret")) else {
        let text = "threepid_creds with sid and client_secret are missing";
        return Ok(Checked::Refused("M_MISSING_PARAM", text.to_owned()));
    };
    let purpose = if state.operation.path.ends_with("/register") {
        Purpose::Register
    } else {
        Purpose::Reset
    };
    match email_sessions::redeem(app, sid, secret, purpose, state.operation.user).await {
        Ok(Proof::NotYet) => Ok(Checked::NotYet),
        Ok(Proof::Of { address, user }) => {
            state.email = Some(address);
            state.email_user = user;
            Ok(Checked::Passed)
        }
        Err(AuthError::EmailUnproven(text)) => {
            Ok(Checked::Refused("M_THREEPID_AUTH_FAILED", text.to_owned()))
        }
        Err(error) => Err(error),
    }
}

impl Submission {
    /// Who the password is said to be of, in the new form or the old.
    fn identifier(&self) -> Option<Identifier> {
        let fields = self.0.as_ref()?;
        let identifier = fields.get("identifier").and_then(Value::as_object).unwrap_or(fields);
        let text = |name: &str| identifier.get(name).and_then(Value::as_str);
        if text("medium") == Some("email") {
            return text("address").map(|address| Identifier::Email(address.to_owned()));
        }
        text("user").map(|user| Identifier::User(user.to_owned()))
    }
}
