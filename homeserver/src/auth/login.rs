//! Logging in: by password under any name of a user, or by a login token. Who may, is said in one place.

use std::time::Duration;

use super::{
    Address, Auth, AuthError, NewSession, SessionRequest, guesses::Guess, mails, secrets,
    sessions::open_session,
};
use crate::{
    app::App,
    storage::{self, Id, accounts::Account},
};

/// How long a login token lives.
const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(120);

/// The name under which somebody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// A localpart, a whole user ID, or an address typed where the user goes.
    User(String),
    Email(String),
    Phone,
}

/// Whether sessions may be opened for an account. The only place that says so.
pub(super) fn can_log_in(account: &Account) -> Result<(), AuthError> {
    if account.deactivated {
        return Err(AuthError::Deactivated);
    }
    if account.locked {
        return Err(AuthError::Locked);
    }
    Ok(())
}

/// The account behind an identifier, if there is one here.
pub(super) async fn find_by_identifier(
    app: &App,
    identifier: &Identifier,
) -> Result<Option<Account>, AuthError> {
    let db = app.db.read();
    let address = match identifier {
        Identifier::User(user) if user.starts_with('@') || !user.contains('@') => {
            let Some(localpart) = local_part(app, user) else { return Ok(None) };
            return Ok(storage::accounts::find_account_by_localpart(db, &localpart).await?);
        }
        Identifier::User(address) | Identifier::Email(address) => address,
        Identifier::Phone => return Ok(None),
    };
    let Ok(address) = Address::parse(address) else { return Ok(None) };
    let Some(email) = storage::emails::find_email(db, address.as_str()).await? else {
        return Ok(None);
    };
    Ok(storage::accounts::find_account(db, email.user).await?)
}

/// The localpart of a user of this server, given as localpart or whole ID.
pub(super) fn local_part(app: &App, user: &str) -> Option<String> {
    let localpart = match user.strip_prefix('@') {
        Some(rest) => {
            let (localpart, server_name) = rest.split_once(':')?;
            (server_name == app.server_name.as_str()).then_some(localpart)?
        }
        None => user,
    };
    Some(localpart.to_lowercase())
}

/// Logs in by password. An unknown user costs the same time and gets the same answer as a wrong password.
///
/// # Errors
/// [`AuthError::WrongLogin`], [`AuthError::GuessLimit`], [`AuthError::Deactivated`], [`AuthError::Locked`], [`AuthError::Busy`].
pub async fn log_in_with_password(
    app: &App,
    auth: &Auth,
    identifier: &Identifier,
    password: &str,
    request: SessionRequest,
) -> Result<NewSession, AuthError> {
    let guess = Guess::begin(app, auth, identifier)?;
    let account = find_by_identifier(app, identifier).await?;
    let hash = account.as_ref().and_then(|account| account.password_hash.clone());
    let right = auth.passwords.verify(hash, password).await?;
    let account = account.ok_or(AuthError::WrongLogin)?;
    // A deactivated account has no password left to be right about.
    if !right && !account.deactivated {
        return Err(AuthError::WrongLogin);
    }
    if right {
        guess.was_right();
    }
    can_log_in(&account)?;
    log_in(app, auth, account.user, request).await
}

/// Logs in by a token from [`login_token`], once.
pub async fn log_in_with_token(
    app: &App,
    auth: &Auth,
    token: &str,
    request: SessionRequest,
) -> Result<NewSession, AuthError> {
    let (hash, now) = (secrets::hash(token), app.clock.now_ms());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            Ok::<_, AuthError>(storage::tokens::delete_login_token(txn.db(), &hash, now).await?)
        })
    });
    let user = write.await?.ok_or(AuthError::WrongLoginToken)?;
    let account = storage::accounts::find_account(app.db.read(), user).await?;
    can_log_in(&account.ok_or(AuthError::WrongLoginToken)?)?;
    log_in(app, auth, user, request).await
}

async fn log_in(
    app: &App,
    auth: &Auth,
    user: Id,
    request: SessionRequest,
) -> Result<NewSession, AuthError> {
    let session = open_session(app, auth, user, request.clone()).await?;
    if session.new_device {
        let name = request.display_name.unwrap_or_else(|| session.device_id.to_string());
        mails::warn(app, user, mails::Warning::NewDevice { name }).await?;
    }
    Ok(session)
}

/// A token by which another device of `user` can log in within two minutes, once.
pub async fn login_token(app: &App, user: Id) -> Result<(String, Duration), AuthError> {
    let token = secrets::token();
    let (hash, now) = (secrets::hash(&token), app.clock.now_ms());
    let lifetime = i64::try_from(LOGIN_TOKEN_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let times = (now, now.saturating_add(lifetime));
            Ok::<_, AuthError>(
                storage::tokens::insert_login_token(txn.db(), &hash, user, times).await?,
            )
        })
    });
    write.await?;
    Ok((token, LOGIN_TOKEN_LIFETIME))
}
