//! Whether people are here.

use crate::backend::Presence;
use crate::effect::Effect;
use crate::sanitize::line;
use crate::state::State;

pub(super) fn clean(presence: Presence) -> Presence {
    Presence { status: presence.status.map(|status| line(&status)), ..presence }
}

/// Kept for the person of the open chat.
pub(super) fn take(state: &mut State, user: &str, presence: Presence) -> Vec<Effect> {
    state.presence = Some((line(user), clean(presence)));
    Vec::new()
}
