//! Whether somebody is here, in words.

use super::State;
use crate::backend::Presence;

impl State {
    /// "online", or when they were last here, and what they say of themselves.
    pub fn presence_words(&self, presence: &Presence) -> String {
        let here = match presence.active_ms {
            _ if presence.online => "online".to_owned(),
            Some(at) => format!("last seen {}", self.zone.short(at, self.now_ms)),
            None => "offline".to_owned(),
        };
        match presence.status.as_deref().filter(|status| !status.is_empty()) {
            Some(status) => format!("{here}: {status}"),
            None => here,
        }
    }
}
