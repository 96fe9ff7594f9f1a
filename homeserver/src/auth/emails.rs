//! Addresses of accounts: their one form, whose they are, adding and removing them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Auth, AuthError, email_sessions, mails};
use crate::{
    app::App,
    storage::{self, Id, emails::Email},
};

/// Most bytes of an address (RFC 5321).
const ADDRESS_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
/// Searches by address that a user has in an hour.
const SEARCHES_MAX: usize = 20;
const HOUR_MS: i64 = 3_600_000;

/// When users searched by address, in the last hour.
#[derive(Debug, Clone, Default)]
pub(super) struct EmailSearches(Arc<Mutex<HashMap<Id, VecDeque<i64>>>>);

impl EmailSearches {
    fn count(&self, user: Id, now_ms: i64) -> Result<(), AuthError> {
        let mut searches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let past = |at_ms: &i64| *at_ms <= now_ms - HOUR_MS;
        searches.retain(|_, times| times.back().is_some_and(|newest| !past(newest)));
        let times = searches.entry(user).or_default();
        while times.front().is_some_and(past) {
            times.pop_front();
        }
        if let (true, Some(oldest)) = (times.len() >= SEARCHES_MAX, times.front()) {
            let millis = (oldest + HOUR_MS - now_ms).unsigned_abs();
            return Err(AuthError::SearchLimit { retry_after: Duration::from_millis(millis) });
        }
        times.push_back(now_ms);
        Ok(())
    }
}

/// A mail address in its one form: lower case, the domain as IDNA ASCII. Two spellings of one address are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Reads an address as people type it.
    ///
    /// # Errors
    /// [`AuthError::InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, AuthError> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(AuthError::InvalidEmail)?;
        let domain = idna::domain_to_ascii(domain).map_err(|_| AuthError::InvalidEmail)?;
        let address = format!("{}@{domain}", local.to_lowercase());
        let lengths = local.len() <= LOCAL_BYTES_MAX && address.len() <= ADDRESS_BYTES_MAX;
        let valid = !domain.is_empty() && address.parse::<lettre::Address>().is_ok();
        let clean = !local.contains(['"', '<', '>', ',', ';', ':', '@', '(', ')'])
            && !local.chars().any(|c| c.is_control() || c.is_whitespace());
        if lengths && valid && clean { Ok(Self(address)) } else { Err(AuthError::InvalidEmail) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// Whether the configuration allows addresses of this domain.
pub(super) fn check_domain(app: &App, address: &Address) -> Result<(), AuthError> {
    let domains = &app.config.registration.email_domains;
    let is_ours = |listed: &String| {
        idna::domain_to_ascii(listed).is_ok_and(|listed| listed == address.domain())
    };
    let allowed = domains.allow.is_empty() || domains.allow.iter().any(is_ours);
    if allowed && !domains.deny.iter().any(is_ours) { Ok(()) } else { Err(AuthError::EmailDenied) }
}

/// The addresses of `user`, oldest first.
pub async fn list_emails(app: &App, user: Id) -> Result<Vec<Email>, AuthError> {
    Ok(storage::emails::list_emails(app.db.read(), user).await?)
}

/// Whose address this is, only if that user wants to be found by it.
///
/// # Errors
/// [`AuthError::SearchLimit`] after 20 questions of `asker` in an hour.
pub async fn find_by_email(
    app: &App,
    auth: &Auth,
    asker: Id,
    address: &Address,
) -> Result<Option<Id>, AuthError> {
    auth.email_searches.count(asker, app.clock.now_ms())?;
    let Some(email) = storage::emails::find_email(app.db.read(), address.as_str()).await? else {
        return Ok(None);
    };
    let account = storage::accounts::find_account(app.db.read(), email.user).await?;
    let found = account.is_some_and(|account| account.found_by_email && !account.deactivated);
    Ok(found.then_some(email.user))
}

/// Whether `user` may be found by who knows an address of theirs.
pub async fn set_found_by_email(app: &App, user: Id, found: bool) -> Result<(), AuthError> {
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let mark = storage::accounts::Mark::FoundByEmail;
            storage::accounts::update_mark(txn.db(), user, mark, found).await?;
            Ok::<_, AuthError>(())
        })
    });
    write.await
}

/// Adds the address proven in session `sid` to `user`, and tells the older addresses.
///
/// # Errors
/// [`AuthError::EmailUnproven`], [`AuthError::EmailInUse`].
pub async fn add_email(
    app: &App,
    user: Id,
    sid: &str,
    client_secret: &str,
) -> Result<(), AuthError> {
    let proof =
        email_sessions::redeem(app, sid, client_secret, email_sessions::Purpose::Add, Some(user));
    let address = match proof.await? {
        email_sessions::Proof::Of { address, .. } => address,
        email_sessions::Proof::NotYet => {
            return Err(AuthError::EmailUnproven("the address is not confirmed yet"));
        }
    };
    let before = list_emails(app, user).await?;
    let now = app.clock.now_ms();
    let added = address.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let address = added.into_string();
            let email = Email { address, user, added_ms: now, validated_ms: now };
            if storage::emails::insert_email(txn.db(), &email).await? {
                return Ok(());
            }
            let owner = storage::emails::find_email(txn.db(), &email.address).await?;
            let mine = owner.is_some_and(|owner| owner.user == user);
            if mine { Ok(()) } else { Err(AuthError::EmailInUse) }
        })
    });
    write.await?;
    let warning = mails::Warning::AddressAdded { address };
    mails::warn_addresses(app, user, &before, warning).await
}

/// Removes an address of `user`, and tells it.
///
/// # Errors
/// [`AuthError::EmailNotFound`].
pub async fn remove_email(app: &App, user: Id, address: &Address) -> Result<(), AuthError> {
    let before = list_emails(app, user).await?;
    let removed = address.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            if storage::emails::delete_email(txn.db(), user, removed.as_str()).await? {
                Ok(())
            } else {
                Err(AuthError::EmailNotFound)
            }
        })
    });
    write.await?;
    let warning = mails::Warning::AddressRemoved { address: address.clone() };
    mails::warn_addresses(app, user, &before, warning).await
}
