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
use crate::{
    auth::Requester,
    messaging::{Engine, presence},
};

/// Answers a sliding sync: at once without a `pos`, otherwise when there is news or at the end of the timeout.
///
/// # Errors
/// [`Error::UnknownPos`] for a `pos` that this process cannot continue from, [`Error::InvalidParam`].
pub async fn sliding_sync(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: Box<Request>,
) -> Result<Box<Answer>, Error> {
    let viewer = Viewer { engine, state, requester };
    let timeout = request.timeout;
    let _connected = presence::connect(engine, requester, request.set_presence).await;
    // What looks stands on the heap, so that a waiting client does not hold the space of a working one.
    let mut session = Box::pin(Session::begin(viewer, *request)).await?;
    let timeout = if session.is_new() { Duration::ZERO } else { timeout };
    let poll = wait::Poll::new(&engine.app().bell, requester.user, timeout);
    loop {
        let turn = poll.turn();
        if let Some(answer) = Box::pin(look(&mut session, viewer, turn.is_last)).await? {
            return Ok(answer);
        }
        turn.wait().await;
    }
}

/// The answer, where there is reason for one.
async fn look(
    session: &mut Session,
    viewer: Viewer<'_>,
    is_last: bool,
) -> Result<Option<Box<Answer>>, Error> {
    let found = session.look(viewer).await?;
    if is_last || !found.answer.is_empty() {
        return Ok(Some(Box::new(session.answer(viewer.state, found))));
    }
    session.pass(&found);
    Ok(None)
}
