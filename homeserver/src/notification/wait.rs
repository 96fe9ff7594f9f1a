//! The long poll: look, and look again each time the user's bell rings, until there is something or time is up.

use std::time::Duration;

use tokio::time::Instant;

use super::Error;
use crate::{bell::Bell, storage::Id};

/// The longest a client may wait, whatever it asks for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Calls `look` until it finds something, at most for `timeout`; the last look's answer counts whatever it is.
///
/// `look(last)` answers `Ok(Some(_))` when there is something to tell, or when `last` is true.
pub(super) async fn until_found<T, L>(
    bell: &Bell,
    user: Id,
    timeout: Duration,
    mut look: L,
) -> Result<T, Error>
where
    L: AsyncFnMut(bool) -> Result<Option<T>, Error>,
{
    let deadline = Instant::now() + timeout.min(WAIT_MAX);
    let waiter = bell.wait_for(user);
    loop {
        let rung = waiter.rung();
        let is_last = Instant::now() >= deadline;
        if let Some(found) = look(is_last).await? {
            return Ok(found);
        }
        if is_last {
            return Err(Error::InvalidParam("nothing was found".to_owned()));
        }
        // Time running out and the bell mean the same: look again.
        drop(tokio::time::timeout_at(deadline, rung).await);
    }
}
