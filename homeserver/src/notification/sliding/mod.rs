//! Sliding sync: windows over the user's rooms, and per connection what was told of each.
//!
//! One engine for two wire forms ([`wire`]) and for the socket, which holds a [`Session`] open. Spec: MSC4186.

mod answer;
mod connection;
mod describe;
mod extensions;
mod filters;
mod lists;
mod look;
mod marks;
mod request;
mod required;
mod room;
mod session;
mod wanted;
pub mod wire;

use std::time::Duration;

pub use answer::Answer;
pub(super) use connection::Connections;
pub use request::Request;
pub(super) use session::{Session, Viewer};
pub(super) use wanted::SharedRules;

use super::{Error, Sync, wait};
use crate::{auth::Requester, messaging::Engine};

/// Answers a sliding sync: at once without a `pos`, otherwise when there is news or at the end of the timeout.
///
/// # Errors
/// [`Error::UnknownPos`] for a `pos` that this process cannot continue from, [`Error::InvalidParam`].
pub async fn sliding_sync(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: Request,
) -> Result<Answer, Error> {
    let viewer = Viewer { engine, state, requester };
    let timeout = request.timeout;
    let mut session = Session::begin(viewer, request).await?;
    let timeout = if session.is_new() { Duration::ZERO } else { timeout };
    let poll = wait::Poll::new(&engine.app().bell, requester.user, timeout);
    loop {
        let turn = poll.turn();
        let found = session.look(viewer).await?;
        if turn.is_last || !found.answer.is_empty() {
            return Ok(session.answer(state, found));
        }
        session.pass(&found);
        turn.wait().await;
    }
}
