//! Passwords: Argon2id on threads of their own, as many at once as there are processors.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::AuthError;
use crate::random::Random;

/// Fewest characters of a new password.
const PASSWORD_CHARS_MIN: usize = 8;
/// Most bytes of a password; more would only cost time.
const PASSWORD_BYTES_MAX: usize = 512;
/// Most requests that wait for a thread.
const WAITING_MAX: usize = 256;

/// The pool. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let threads = available_parallelism().map_or(1, NonZero::get);
        Self {
            running: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

/// Whether a password may be set.
///
/// # Errors
/// [`AuthError::WeakPassword`].
pub fn check_password(password: &str) -> Result<(), AuthError> {
    let long_enough = password.chars().count() >= PASSWORD_CHARS_MIN;
    if !long_enough || password.len() > PASSWORD_BYTES_MAX {
        return Err(AuthError::WeakPassword { min: PASSWORD_CHARS_MIN, max: PASSWORD_BYTES_MAX });
    }
    Ok(())
}

impl Passwords {
    /// The PHC string of a password.
    pub(super) async fn hash(&self, random: &Random, password: &str) -> Result<String, AuthError> {
        let password = Zeroizing::new(password.to_owned());
        let salt = random.bytes();
        self.run(move || argon2id(&password, &salt)).await?.ok_or(AuthError::Busy)
    }

    /// Whether `password` is the one behind `hash`. Without a hash it does the same work and says no.
    pub(super) async fn verify(
        &self,
        hash: Option<String>,
        password: &str,
    ) -> Result<bool, AuthError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let password = Zeroizing::new(password.to_owned());
        self.run(move || match hash {
            Some(hash) => PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            }),
            None => {
                argon2id(&password, &[0; 16]);
                false
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| AuthError::Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| AuthError::Busy)?;
        let work = move || {
            let outcome = work();
            drop(running);
            outcome
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| AuthError::Busy)
    }
}

/// Argon2id with 19 MiB, 2 passes, 1 lane: OWASP's first choice, and the crate's default.
fn argon2id(password: &str, salt: &[u8; 16]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}
