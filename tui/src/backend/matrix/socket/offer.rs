//! Whether the server has the socket. Asked beside the first sync, which waits for no answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use url::Url;

use crate::backend::matrix::{http::Http, wire};

/// How the server names it in `/versions`.
const FEATURE: &str = "chat.tern.socket";

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Known {
    #[default]
    Nothing,
    Asked,
    Has,
    HasNot,
}

#[derive(Clone, Default)]
pub(super) struct Offer(Arc<Mutex<Known>>);

impl Offer {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server is known to have it.
    pub(super) fn is_made(&self) -> bool {
        *self.known() == Known::Has
    }

    /// Whether it is this caller who has to ask.
    pub(super) fn is_to_be_asked(&self) -> bool {
        let mut known = self.known();
        let unasked = *known == Known::Nothing;
        if unasked {
            *known = Known::Asked;
        }
        unasked
    }

    /// Asks the server below `base`.
    pub(super) async fn ask(self, http: Http, base: Url) {
        let versions = wire::endpoint(&base, "/_matrix/client/versions");
        *self.known() = match wire::get(&http, versions).await {
            Ok(answer) => {
                let feature =
                    answer.get("unstable_features").and_then(|features| features.get(FEATURE));
                let has = feature.and_then(Value::as_bool) == Some(true);
                if has { Known::Has } else { Known::HasNot }
            }
            // The next sync asks again.
            Err(_) => Known::Nothing,
        };
    }
}
