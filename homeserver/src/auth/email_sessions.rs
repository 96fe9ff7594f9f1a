//! Proofs that somebody reads an address: a code and a link by mail, bound to (client secret, address, purpose, user).
//!
//! ```text
//! request_email ──mail──▶ code or link ──submit_token──▶ confirmed ──redeem──▶ used
//! ```
//!
//! A session is used once, expires after 15 minutes and dies after 5 wrong codes. Asking answers the same whether the address
//! is known or not: for an address that can't be used for the purpose a session is made whose code nobody gets.

use std::time::Duration;

use subtle::ConstantTimeEq as _;
use url::Url;

use super::{Address, AuthError, accounts::check_open, emails::check_domain, mails, secrets};
use crate::{
    app::App,
    mail,
    storage::{self, Id, emails::EmailSession},
};

/// How long a code can be used, in ms.
const LIFETIME_MS: i64 = 15 * 60 * 1_000;
/// How long a "this wasn't me" link can be used, in ms.
const ALARM_LIFETIME_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// Wrong codes after which a session is dead.
const TRIES_MAX: i64 = 5;
/// Mails to one address and hour, whoever asks.
const MAILS_PER_HOUR_MAX: i64 = 10;
const HOUR_MS: i64 = 3_600 * 1_000;
/// How long an expired session is kept, so that its end can be told from a session that never was.
const KEPT_MS: i64 = 24 * HOUR_MS;

/// What a proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new account.
    Register,
    /// A new password for the account of the address.
    Reset,
    /// A further address of an account.
    Add,
    /// "This wasn't me": ends all sessions. By link only.
    Alarm,
    /// A new password, typed into the page behind a link: for who tried to register with an address in use. By link only.
    Recover,
}

/// Every purpose.
const PURPOSES: [Purpose; 5] =
    [Purpose::Register, Purpose::Reset, Purpose::Add, Purpose::Alarm, Purpose::Recover];

impl Purpose {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Reset => "reset",
            Self::Add => "add",
            Self::Alarm => "alarm",
            Self::Recover => "recover",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        PURPOSES.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A client asks for a mail.
#[derive(Debug, Clone)]
pub struct EmailRequest {
    pub purpose: Purpose,
    pub client_secret: String,
    pub email: String,
    /// A mail is sent again only for a greater number than before.
    pub send_attempt: i64,
    /// Where the page behind the link leads to after success; http and https only.
    pub next_link: Option<String>,
    /// Who asks, for [`Purpose::Add`].
    pub user: Option<Id>,
}

/// What a confirmed token leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    pub purpose: Purpose,
    pub next_link: Option<String>,
    /// Whose sessions all end now, for [`Purpose::Alarm`]; the door ends them.
    pub alarmed: Option<Id>,
}

/// The state of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Sent, not confirmed.
    NotYet,
    /// Proven, and used up by this answer. `user`: whose password is to be reset.
    Of { address: Address, user: Option<Id> },
}

/// Mails a code and a link, and returns the session's id.
///
/// # Errors
/// [`AuthError::InvalidEmail`], [`AuthError::EmailDenied`], [`AuthError::MailLimit`], [`AuthError::RegistrationClosed`].
pub async fn request_email(app: &App, request: EmailRequest) -> Result<String, AuthError> {
    check_client_secret(&request.client_secret)?;
    let next_link = request.next_link.filter(|link| !link.is_empty());
    if let Some(link) = &next_link {
        check_next_link(link)?;
    }
    let address = Address::parse(&request.email)?;
    if request.purpose == Purpose::Register {
        check_open(app)?;
    }
    if request.purpose != Purpose::Reset {
        check_domain(app, &address)?;
    }
    let purpose = request.purpose.as_str();
    let db = app.db.read();
    let secret = request.client_secret;
    let found =
        storage::emails::find_session_by_secret(db, &secret, address.as_str(), purpose).await?;
    let now = app.clock.now_ms();
    let alive = found.filter(|session| {
        session.used_ms.is_none()
            && session.expires_ms > now
            && session.tries < TRIES_MAX
            && (request.purpose != Purpose::Add || session.user == request.user)
    });
    if let Some(session) = &alive
        && (request.send_attempt <= session.send_attempt || session.confirmed_ms.is_some())
    {
        return Ok(session.sid.clone());
    }
    let owner = storage::emails::find_email(db, address.as_str()).await?.map(|email| email.user);
    let (code, link) = (secrets::code(), secrets::token());
    let sid = alive.as_ref().map_or_else(secrets::identifier, |session| session.sid.clone());
    let session = EmailSession {
        client_secret: secret,
        purpose: purpose.to_owned(),
        user: if request.purpose == Purpose::Reset { owner } else { request.user },
        code_hash: secrets::hash_for(&sid, &code).to_vec(),
        link_hash: secrets::hash_for(&sid, &link).to_vec(),
        send_attempt: request.send_attempt,
        tries: alive.map_or(0, |session| session.tries),
        next_link,
        expires_ms: now + LIFETIME_MS,
        confirmed_ms: None,
        used_ms: None,
        address: address.as_str().to_owned(),
        sid: sid.clone(),
    };
    let mut sessions = vec![session];
    let mail = match (request.purpose, owner) {
        (Purpose::Reset, None) => None,
        (Purpose::Register | Purpose::Add, Some(owner)) => {
            let (recovery, url) =
                by_link(app, Purpose::Recover, owner, (address.as_str(), LIFETIME_MS));
            sessions.push(recovery);
            Some(mails::address_in_use(app, &address, url))
        }
        (purpose, _) => {
            let url = confirm_url(app, purpose, &sid, &link);
            Some(mails::proof(app, &address, purpose, &code, &url))
        }
    };
    write_sessions(app, address, sessions, mail).await?;
    Ok(sid)
}

/// Writes sessions, their count and their mail in one commit.
///
/// # Errors
/// [`AuthError::MailLimit`]; counted in the commit that adds one, so that many requests at once gain nothing.
async fn write_sessions(
    app: &App,
    address: Address,
    sessions: Vec<EmailSession>,
    mail: Option<mail::Mail>,
) -> Result<(), AuthError> {
    let (writing, now) = (app.clone(), app.clock.now_ms());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let id = writing.db.new_id();
            check_mail_limit(txn, &address, now).await?;
            storage::emails::delete_sessions_expired(db, now - KEPT_MS).await?;
            storage::emails::insert_send(db, id, address.as_str(), (now, now - HOUR_MS)).await?;
            for session in &sessions {
                storage::emails::insert_session(db, session).await?;
            }
            if let Some(mail) = mail {
                mail::queue(&writing, txn, &mail).await?;
            }
            Ok::<_, AuthError>(())
        })
    });
    write.await?;
    app.jobs.ring();
    Ok(())
}

/// A link that ends all sessions of `user`, for a warning to `address`: its session, to be written with the mail, and its URL.
pub(super) fn alarm(app: &App, user: Id, address: &str) -> (EmailSession, String) {
    by_link(app, Purpose::Alarm, user, (address, ALARM_LIFETIME_MS))
}

/// A session of `user` that only its link opens, and the link.
fn by_link(
    app: &App,
    purpose: Purpose,
    user: Id,
    (address, lifetime_ms): (&str, i64),
) -> (EmailSession, String) {
    let (sid, link) = (secrets::identifier(), secrets::token());
    let url = confirm_url(app, purpose, &sid, &link);
    let session = EmailSession {
        client_secret: secrets::token(),
        address: address.to_owned(),
        purpose: purpose.as_str().to_owned(),
        user: Some(user),
        code_hash: secrets::hash(&secrets::token()).to_vec(),
        link_hash: secrets::hash_for(&sid, &link).to_vec(),
        send_attempt: 1,
        tries: 0,
        next_link: None,
        expires_ms: app.clock.now_ms() + lifetime_ms,
        confirmed_ms: None,
        used_ms: None,
        sid,
    };
    (session, url)
}

/// Takes the code or the link's token of a session. `client_secret`: the client's; the page behind the link has none, and needs
/// the link's token.
///
/// # Errors
/// [`AuthError::EmailUnproven`].
pub async fn submit_token(
    app: &App,
    sid: &str,
    client_secret: Option<&str>,
    token: &str,
) -> Result<Submitted, AuthError> {
    let now = app.clock.now_ms();
    let (sid, token) = (sid.to_owned(), token.trim().to_owned());
    let client_secret = client_secret.map(ToOwned::to_owned);
    // Wrong codes are counted in a commit of their own outcome: an error would undo the count.
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let found = storage::emails::find_session(db, &sid).await?;
            let session = match check_usable(found, now) {
                Ok(session) => session,
                Err(refusal) => return Ok::<_, AuthError>(Err(refusal)),
            };
            if let Some(secret) = &client_secret
                && !same(secret.as_bytes(), session.client_secret.as_bytes())
            {
                return Ok(Err("this mail was asked for by another client"));
            }
            if session.purpose == Purpose::Recover.as_str() {
                return Ok(Err("this link asks for a new password: open it again"));
            }
            let link = is_link(&session, &token);
            let code = secrets::hash_for(&sid, &secrets::normalize_code(&token));
            let code = same(&code, &session.code_hash);
            if !(link || code && client_secret.is_some()) {
                storage::emails::update_tries(db, &sid).await?;
                return Ok(Err("the code is wrong"));
            }
            if session.confirmed_ms.is_none() {
                storage::emails::update_confirmed(db, &sid, now).await?;
            }
            if session.purpose == Purpose::Alarm.as_str() {
                storage::emails::update_used(db, &sid, now).await?;
            }
            Ok(Ok(session))
        })
    });
    let session = write.await?.map_err(AuthError::EmailUnproven)?;
    let purpose =
        Purpose::parse(&session.purpose).ok_or(storage::Error::Damaged { what: "mail session" })?;
    Ok(Submitted {
        purpose,
        next_link: session.next_link,
        alarmed: session.user.filter(|_| purpose == Purpose::Alarm),
    })
}

/// Uses a confirmed session up.
///
/// # Errors
/// [`AuthError::EmailUnproven`] unless it is this client's, for this purpose and user, alive and unused.
pub(super) async fn redeem(
    app: &App,
    sid: &str,
    client_secret: &str,
    purpose: Purpose,
    user: Option<Id>,
) -> Result<Proof, AuthError> {
    let now = app.clock.now_ms();
    let (sid, client_secret) = (sid.to_owned(), client_secret.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let found = storage::emails::find_session(db, &sid).await?;
            let session = check_usable(found, now).map_err(AuthError::EmailUnproven)?;
            let ours = same(client_secret.as_bytes(), session.client_secret.as_bytes())
                && session.purpose == purpose.as_str()
                && (user.is_none() || session.user == user);
            if !ours {
                return Err(AuthError::EmailUnproven("this mail was for something else"));
            }
            if session.confirmed_ms.is_none() {
                return Ok(Proof::NotYet);
            }
            if !storage::emails::update_used(db, &sid, now).await? {
                return Err(AuthError::EmailUnproven("this mail was used already"));
            }
            let owner = storage::emails::find_email(db, &session.address).await?;
            if purpose == Purpose::Reset && owner.map(|email| email.user) != session.user {
                return Err(AuthError::EmailUnproven("the address has changed hands"));
            }
            let address = Address::parse(&session.address)?;
            Ok(Proof::Of { address, user: session.user })
        })
    });
    write.await
}

/// Uses up the link of [`Purpose::Recover`], and returns whose password it may set.
///
/// # Errors
/// [`AuthError::EmailUnproven`].
pub(super) async fn redeem_recovery(app: &App, sid: &str, token: &str) -> Result<Id, AuthError> {
    let now = app.clock.now_ms();
    let (sid, token) = (sid.to_owned(), token.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let found = storage::emails::find_session(db, &sid).await?;
            let session = check_usable(found, now).map_err(AuthError::EmailUnproven)?;
            let ours = session.purpose == Purpose::Recover.as_str() && is_link(&session, &token);
            let owner = storage::emails::find_email(db, &session.address).await?;
            let user = session.user.filter(|user| owner.is_some_and(|owner| owner.user == *user));
            match user {
                Some(user) if ours => {
                    storage::emails::update_used(db, &sid, now).await?;
                    Ok(user)
                }
                _ => Err(AuthError::EmailUnproven("this link is wrong, ask for another mail")),
            }
        })
    });
    write.await
}

fn is_link(session: &EmailSession, token: &str) -> bool {
    same(&secrets::hash_for(&session.sid, token), &session.link_hash)
}

fn check_usable(session: Option<EmailSession>, now_ms: i64) -> Result<EmailSession, &'static str> {
    let session = session.ok_or("this mail session is unknown")?;
    if session.used_ms.is_some() {
        return Err("this mail was used already");
    }
    if session.expires_ms <= now_ms {
        return Err("this mail has expired, ask for another");
    }
    if session.tries >= TRIES_MAX {
        return Err("too many wrong codes, ask for another mail");
    }
    Ok(session)
}

async fn check_mail_limit(
    txn: &storage::Txn,
    address: &Address,
    now_ms: i64,
) -> Result<(), AuthError> {
    let since = now_ms - HOUR_MS;
    let (count, oldest) = storage::emails::count_sends(txn.db(), address.as_str(), since).await?;
    if count < MAILS_PER_HOUR_MAX {
        return Ok(());
    }
    let millis = oldest.map_or(HOUR_MS, |oldest| oldest - since).max(1_000);
    Err(AuthError::MailLimit { retry_after: Duration::from_millis(millis.unsigned_abs()) })
}

/// `[0-9a-zA-Z.=_-]{1,255}`, as the specification has it.
fn check_client_secret(secret: &str) -> Result<(), AuthError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".=_-".contains(&byte);
    if (1..=255).contains(&secret.len()) && secret.bytes().all(allowed) {
        Ok(())
    } else {
        Err(AuthError::InvalidParam("client_secret must match [0-9a-zA-Z.=_-]{1,255}"))
    }
}

fn check_next_link(link: &str) -> Result<(), AuthError> {
    let web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if web { Ok(()) } else { Err(AuthError::InvalidParam("next_link must be an http(s) URL")) }
}

/// Where clients and browsers reach this server, without a slash at the end.
pub fn base_url(app: &App) -> String {
    match app.config.client.base_url.trim_end_matches('/') {
        "" => format!("https://{}", app.server_name),
        base_url => base_url.to_owned(),
    }
}

fn confirm_url(app: &App, purpose: Purpose, sid: &str, token: &str) -> String {
    let base = base_url(app);
    let purpose = purpose.as_str();
    format!(
        "{base}/_matrix/client/unstable/chat.tern/confirm_email?purpose={purpose}&sid={sid}&token={token}"
    )
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
