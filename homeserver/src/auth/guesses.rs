//! Wrong passwords per account, wherever they come from: the limit per address does not hold against many addresses.
//!
//! Counted by the name that was given, known or not, so that the limit does not tell which names exist.

use super::{Address, Auth, AuthError, Identifier, login::local_part, secrets};
use crate::{
    app::App,
    buckets::{Buckets, Rate},
    config::RateLimits,
    storage::tokens::TokenHash,
};

/// Twenty at once, then one a minute: nobody mistypes more, and a list of passwords takes years.
const RATE: Rate = Rate { burst: 20, per_second: 1.0 / 60.0 };

/// How often each name was guessed at, by the name's hash: a name may be as long as a request.
pub(super) type Guesses = Buckets<TokenHash>;

/// One guess, charged when it begins so that many at once gain nothing.
#[must_use]
pub(super) struct Guess {
    counted: Option<(Guesses, TokenHash)>,
}

impl Guess {
    /// Charges a guess at the password of `identifier`.
    ///
    /// # Errors
    /// [`AuthError::GuessLimit`].
    pub(super) fn begin(
        app: &App,
        auth: &Auth,
        identifier: &Identifier,
    ) -> Result<Self, AuthError> {
        if app.config.limits.rate == RateLimits::Off {
            return Ok(Self { counted: None });
        }
        let key = secrets::hash(&name(app, identifier));
        auth.guesses
            .take(key, RATE, app.clock.now_ms())
            .map_err(|retry_after| AuthError::GuessLimit { retry_after })?;
        Ok(Self { counted: Some((auth.guesses.clone(), key)) })
    }

    /// It was no guess: the password is theirs.
    pub(super) fn was_right(self) {
        if let Some((guesses, key)) = self.counted {
            guesses.give_back(&key, RATE);
        }
    }
}

/// One form for all spellings of a name.
fn name(app: &App, identifier: &Identifier) -> String {
    match identifier {
        Identifier::User(user) if user.starts_with('@') || !user.contains('@') => {
            local_part(app, user).unwrap_or_else(|| user.clone())
        }
        Identifier::User(address) | Identifier::Email(address) => match Address::parse(address) {
            Ok(address) => address.into_string(),
            Err(_) => address.clone(),
        },
        Identifier::Phone => String::new(),
    }
}
