//! History that is missing here: asked from servers in the room when somebody scrolls up to the gap.
//!
//! ```text
//! gap ─▶ fetch: ask a server · what the gap leads to · judged, kept without a place ─▶ states ─▶ store: below the gap, in one commit
//! ```

mod fetch;
mod states;
mod store;

use std::{sync::Arc, time::Duration};

use ruma::{OwnedEventId, OwnedServerName};
use tokio::time::timeout;

pub(super) use self::states::Past;
use self::{fetch::fetch, store::store};
use super::{Engine, Error, Pdu, Room, state::Lineage};
use crate::storage::{self, events, gaps};

/// Most events asked for at once.
const BACKFILL_MAX: u64 = 100;
/// Answers to backfill that one page forwards waits for.
const ROUNDS_MAX: usize = 10;
/// Servers asked, one after the other.
const SERVERS_MAX: usize = 3;
/// How long one of them is waited for with all that it is asked; whoever sends something that belongs into the gap waits too.
const PATIENCE: Duration = Duration::from_secs(45);

/// What became of a gap.
enum Filled {
    /// Something came, or it is known that nothing can.
    Yes,
    /// Nobody gave anything; it stands below the event with this order.
    No(i64),
    /// There is none.
    NoGap,
}

/// Fills the gaps that a page backwards from `before` would touch. Best effort: a page can always be shown without.
pub(super) async fn fill_before(engine: &Engine, room: &Arc<Room>, before: i64, limit: u64) {
    let mut before = before;
    for _ in 0..limit.div_ceil(BACKFILL_MAX) + 1 {
        match fill_nearest(engine, room, before, limit).await {
            Ok(Filled::Yes) => {}
            Ok(Filled::No(order)) => before = order.saturating_sub(1),
            Ok(Filled::NoGap) => return,
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "history could not be fetched");
                return;
            }
        }
    }
}

/// Fills the gaps that a page forwards from `from` would step over, as far as [`ROUNDS_MAX`] answers reach. Best effort too.
pub(super) async fn fill_after(engine: &Engine, room: &Arc<Room>, from: i64, limit: u64) {
    let mut from = from;
    for _ in 0..ROUNDS_MAX {
        match fill_first(engine, room, from, limit).await {
            Ok(Filled::Yes) => {}
            Ok(Filled::No(order)) => from = order,
            Ok(Filled::NoGap) => return,
            Err(error) => {
                tracing::info!(room.id = %room.room_id, %error, "history could not be fetched");
                return;
            }
        }
    }
}

/// Fills the first gap after `from`, from its upper end down.
async fn fill_first(
    engine: &Engine,
    room: &Arc<Room>,
    from: i64,
    limit: u64,
) -> Result<Filled, Error> {
    if !engine.has_gaps(room).await? {
        return Ok(Filled::NoGap);
    }
    let gaps = gaps::list_first_gaps_after(&engine.app().db, room.id, from, limit).await?;
    fill(engine, room, gaps, BACKFILL_MAX).await
}

/// Fills the gap next to `before`.
async fn fill_nearest(
    engine: &Engine,
    room: &Arc<Room>,
    before: i64,
    limit: u64,
) -> Result<Filled, Error> {
    if !engine.has_gaps(room).await? {
        return Ok(Filled::NoGap);
    }
    let mut gaps = gaps::list_gaps_before(&engine.app().db, room.id, before, limit).await?;
    let nearest = gaps.first().map(|gap| gap.timeline_order);
    gaps.retain(|gap| Some(gap.timeline_order) == nearest);
    fill(engine, room, gaps, limit).await
}

/// Fills the gaps below one event.
async fn fill(
    engine: &Engine,
    room: &Arc<Room>,
    gaps: Vec<gaps::Gap>,
    limit: u64,
) -> Result<Filled, Error> {
    let app = engine.app();
    let Some(order) = gaps.first().map(|gap| gap.timeline_order) else { return Ok(Filled::NoGap) };
    // One at a time a room: two readers at one gap would give its events two places.
    let _turn = room.backfilling.lock().await;
    let missing: Vec<OwnedEventId> =
        gaps.iter().filter_map(|gap| gap.event_id.as_str().try_into().ok()).collect();
    let servers: Vec<OwnedServerName> = {
        let seen = room.seen();
        let others = seen.servers.keys().filter(|server| !app.is_ours(server));
        others.take(SERVERS_MAX).cloned().collect()
    };
    let gap = Gap::above(engine, room, gaps, order).await?;
    for server in servers {
        let from_server = async {
            let Some(found) = fetch(engine, room, &server, (&missing, limit)).await? else {
                return Ok(None);
            };
            let (past, snapshots) = states::find(engine, room, &server, &gap, found.pdus).await?;
            Ok::<_, Error>(Some((past, snapshots, found.passed)))
        };
        let Ok(found) = timeout(PATIENCE, from_server).await else {
            tracing::info!(%server, room.id = %room.room_id, "history took too long");
            continue;
        };
        let Some((past, snapshots, passed)) = found? else { continue };
        let (engine, room) = (engine.clone(), room.clone());
        // To its end, also when who asked has gone.
        let storing =
            tokio::spawn(
                async move { store(&engine, &room, &gap, past, (snapshots, passed)).await },
            );
        storing.await.map_err(|_| Error::Storage(storage::Error::Stopping))??;
        return Ok(Filled::Yes);
    }
    Ok(Filled::No(order))
}

/// The gaps below one event, and what stands there.
struct Gap {
    gaps: Vec<gaps::Gap>,
    /// The event's place in the timeline.
    order: i64,
    above: Option<Arc<Pdu>>,
    /// The state before it.
    state: Lineage,
}

impl Gap {
    async fn above(
        engine: &Engine,
        room: &Room,
        gaps: Vec<gaps::Gap>,
        order: i64,
    ) -> Result<Self, Error> {
        let next =
            events::list_timeline_after(&engine.app().db, room.id, order.saturating_sub(1), 1);
        let above = match next.await?.pop() {
            Some(stored) => Some(engine.read(stored, room)?),
            None => None,
        };
        let state_before = above.as_ref().and_then(|above| above.place.state_before);
        Ok(Self { gaps, order, above, state: engine.state_at(state_before).await? })
    }
}
