//! Accounts: their names, creation, passwords and end.

use ruma::OwnedUserId;

use super::{
    Address, Auth, AuthError, Identifier, email_sessions, login::find_by_identifier, mails,
    passwords::check_password, sessions::log_out_everywhere,
};
use crate::{
    app::App,
    config::RegistrationMode,
    jobs,
    storage::{self, Id, accounts::Account, devices::Device, emails::Email},
};

/// Names that look like the server itself speaks.
const RESERVED: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "daemon",
    "hostmaster",
    "mailer-daemon",
    "moderator",
    "no-reply",
    "noreply",
    "postmaster",
    "root",
    "security",
    "server",
    "staff",
    "support",
    "system",
    "tern",
    "ternd",
    "webmaster",
];
/// Most bytes of a user ID ([spec](https://spec.matrix.org/v1.19/appendices/#user-identifiers)).
const USER_ID_BYTES_MAX: usize = 255;

/// An account to be made.
#[derive(Clone, Default)]
pub struct NewAccount {
    /// As the user chose it; `None`: the server picks one.
    pub username: Option<String>,
    pub password: Option<String>,
    /// An address that was proven.
    pub email: Option<Address>,
    /// A registration token to count a use of.
    pub registration_token: Option<String>,
    /// Made by an administrator: reserved names are allowed.
    pub by_admin: bool,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccount").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An account just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub user: Id,
    pub user_id: OwnedUserId,
}

/// The localpart that a chosen username becomes, if it may be chosen and is free.
///
/// # Errors
/// [`AuthError::InvalidUsername`], [`AuthError::UsernameReserved`], [`AuthError::UsernameTaken`].
pub async fn check_username(
    app: &App,
    username: &str,
    by_admin: bool,
) -> Result<String, AuthError> {
    let localpart = username.to_ascii_lowercase();
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    let length = localpart.len() + app.server_name.as_str().len() + 2;
    if localpart.is_empty() || !localpart.bytes().all(allowed) || length > USER_ID_BYTES_MAX {
        return Err(AuthError::InvalidUsername);
    }
    if !by_admin && RESERVED.contains(&localpart.as_str()) {
        return Err(AuthError::UsernameReserved);
    }
    let taken = storage::accounts::find_account_by_localpart(app.db.read(), &localpart).await?;
    if taken.is_some() { Err(AuthError::UsernameTaken) } else { Ok(localpart) }
}

/// Whether a registration token could be used now.
pub async fn registration_token_is_valid(app: &App, token: &str) -> Result<bool, AuthError> {
    let token = storage::tokens::find_registration_token(app.db.read(), token).await?;
    let now = app.clock.now_ms();
    Ok(token.is_some_and(|token| {
        token.uses_allowed.is_none_or(|allowed| token.uses < allowed)
            && token.expires_ms.is_none_or(|expires| expires > now)
    }))
}

/// Whether somebody who asks may register at all.
pub(super) fn check_open(app: &App) -> Result<(), AuthError> {
    match app.config.registration.mode {
        RegistrationMode::Closed => Err(AuthError::RegistrationClosed),
        RegistrationMode::Email | RegistrationMode::Token | RegistrationMode::Open => Ok(()),
    }
}

/// Makes an account, with its address, in one commit.
pub async fn create_account(app: &App, auth: &Auth, new: NewAccount) -> Result<Created, AuthError> {
    let localpart = match &new.username {
        Some(username) => check_username(app, username, new.by_admin).await?,
        None => super::secrets::device_id().to_ascii_lowercase(),
    };
    let hash = match &new.password {
        Some(password) => {
            check_password(password)?;
            Some(auth.passwords.hash(password).await?)
        }
        None => None,
    };
    let user_id = OwnedUserId::try_from(format!("@{localpart}:{}", app.server_name))
        .map_err(|_| AuthError::InvalidUsername)?;
    let user = app.db.user(user_id.as_str()).await?;
    let now = app.clock.now_ms();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            if let Some(token) = &new.registration_token
                && !storage::tokens::update_registration_token_used(db, token, now).await?
            {
                return Err(AuthError::WrongLoginToken);
            }
            let hash = hash.as_deref();
            if !storage::accounts::insert_account(db, user, &localpart, hash, now).await? {
                return Err(AuthError::UsernameTaken);
            }
            if let Some(address) = new.email {
                let address = address.into_string();
                let email = Email { address, user, added_ms: now, validated_ms: now };
                if !storage::emails::insert_email(db, &email).await? {
                    return Err(AuthError::EmailInUse);
                }
            }
            Ok(())
        })
    });
    write.await?;
    Ok(Created { user, user_id })
}

/// The account behind a user ID, localpart or address, for administrators. Deactivated ones too.
pub async fn find_account(app: &App, name: &str) -> Result<Option<Account>, AuthError> {
    find_by_identifier(app, &Identifier::User(name.to_owned())).await
}

/// Sets a password without asking for the old one: an administrator's, or the end of a proven reset.
pub async fn set_password(
    app: &App,
    auth: &Auth,
    user: Id,
    password: &str,
) -> Result<(), AuthError> {
    check_password(password)?;
    let hash = auth.passwords.hash(password).await?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            storage::accounts::update_password(txn.db(), user, Some(&hash)).await?;
            Ok::<_, AuthError>(())
        })
    });
    write.await
}

/// Changes the password of `user`, who has proven themselves, tells their addresses, and on `log_out` ends all sessions but
/// `keep`'s. Returns the deleted devices, so that the door can forget their keys.
pub async fn change_password(
    app: &App,
    auth: &Auth,
    user: Id,
    password: &str,
    (log_out, keep): (bool, Option<Id>),
) -> Result<Vec<Device>, AuthError> {
    set_password(app, auth, user, password).await?;
    mails::warn(app, user, mails::Warning::PasswordChanged).await?;
    if !log_out {
        return Ok(Vec::new());
    }
    if let Some(keep) = keep {
        let write = app.db.write(move |txn| {
            Box::pin(async move {
                let db = txn.db();
                storage::account_data::delete_pushers_of_others(db, user, Some(keep)).await?;
                Ok::<_, AuthError>(())
            })
        });
        write.await?;
    }
    log_out_everywhere(app, auth, user, keep).await
}

/// Sets the password of the account that a mailed link of [`super::Purpose::Recover`] is for, and ends all its sessions. Returns
/// the user and the deleted devices, so that the door can forget their keys.
///
/// # Errors
/// [`AuthError::WeakPassword`], which leaves the link usable, and [`AuthError::EmailUnproven`].
pub async fn recover(
    app: &App,
    auth: &Auth,
    (sid, token): (&str, &str),
    password: &str,
) -> Result<(Id, Vec<Device>), AuthError> {
    check_password(password)?;
    let user = email_sessions::redeem_recovery(app, sid, token).await?;
    let devices = change_password(app, auth, user, password, (true, None)).await?;
    Ok((user, devices))
}

/// Ends an account for good: sessions, addresses, password, profile and everything kept for the user. Its name is never given
/// again. A job takes the user out of their rooms. Returns the deleted devices.
pub async fn deactivate(app: &App, auth: &Auth, user: Id) -> Result<Vec<Device>, AuthError> {
    let devices = log_out_everywhere(app, auth, user, None).await?;
    let user_id = app.db.user_name(user).await?;
    let (job, at_ms) = (app.db.new_id(), app.clock.now_ms());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            storage::jobs::insert_job(db, job, jobs::LEAVE_ROOMS, &user_id, at_ms).await?;
            storage::accounts::update_deactivated(db, user).await?;
            storage::emails::delete_emails(db, user).await?;
            storage::profiles::delete_profile(db, user).await?;
            storage::account_data::delete_all_of_user(db, user).await?;
            Ok::<_, AuthError>(())
        })
    });
    write.await?;
    app.jobs.ring();
    auth.forget_user(app, user);
    Ok(devices)
}
