//! Sessions: access token → user and device.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};

use super::{AuthError, Requester};
use crate::app::App;

/// The state of this floor: recently used tokens, by hash.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    tokens: Arc<RwLock<HashMap<[u8; 32], Requester>>>,
}

/// Who `token` belongs to.
///
/// # Errors
/// [`AuthError::UnknownToken`] when nobody.
pub async fn authenticate(_app: &App, auth: &Auth, token: &str) -> Result<Requester, AuthError> {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let known = auth.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
    known.ok_or(AuthError::UnknownToken { soft_logout: false })
}
