//! What a room looks like between two positions: a slice of its timeline, and the state around it.
//!
//! The half of sync that knows rooms; `notification` puts it into responses.

use std::sync::Arc;

use super::{
    Engine, Error, Membership, Pdu, Room,
    build::standing,
    state::{Lineage, StateMap},
};
use crate::storage::{Id, Position, events};

/// Most events looked through for a slice whose filter takes few of them.
const SCANNED_MAX: usize = 2_000;
/// Events read from the database at a time.
const PAGE: u64 = 100;

/// Consecutive events of a timeline, except those a filter left out.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// Oldest first.
    pub events: Vec<Arc<Pdu>>,
    /// There are more between the start and these.
    pub limited: bool,
    /// The order of the first event of the slice, or where it would be: the end of what comes before.
    pub start: i64,
    /// The event that stands right before an unlimited slice, if there is one.
    pub before: Option<Arc<Pdu>>,
}

/// Which part of a timeline is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Events after this; `None`: from the beginning of what this server has.
    pub since: Option<Position>,
    /// Events up to and including this.
    pub upto: Position,
    /// Most events: the newest.
    pub limit: usize,
}

impl Span {
    /// Where an event stands to the span.
    fn place(&self, pdu: &Pdu) -> Standing {
        let position = pdu.place.position.unwrap_or_default();
        let is_live = pdu.place.is_live();
        // History that was fetched later has a new position and an old place: it is no news.
        match self.since {
            Some(since) if !is_live || position <= since => Standing::Before,
            _ if position > self.upto && is_live => Standing::After,
            _ => Standing::Inside,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Before,
    Inside,
    After,
}

/// A slice being read, newest event first.
struct Reading<'a, F> {
    span: Span,
    wanted: &'a F,
    events: Vec<Arc<Pdu>>,
    scanned: usize,
    slice: Slice,
}

impl<F: Fn(&Pdu) -> bool> Reading<'_, F> {
    /// Takes the next older event; `false` when no more are needed.
    fn take(&mut self, pdu: &Arc<Pdu>) -> bool {
        match self.span.place(pdu) {
            Standing::After => return true,
            Standing::Before => {
                self.slice.before = Some(pdu.clone());
                return false;
            }
            Standing::Inside => {}
        }
        self.scanned += 1;
        if !(self.wanted)(pdu) {
            let go_on = self.scanned < SCANNED_MAX && !pdu.place.is_after_gap();
            self.slice.limited |= !go_on;
            return go_on;
        }
        if self.events.len() >= self.span.limit {
            self.slice.limited = true;
            return false;
        }
        self.slice.start = pdu.place.order.unwrap_or_default();
        self.events.push(pdu.clone());
        // Below it something is missing that a client must ask for.
        self.slice.limited |= pdu.place.is_after_gap();
        !pdu.place.is_after_gap()
    }

    fn finish(mut self) -> Slice {
        self.events.reverse();
        self.slice.events = self.events;
        if self.slice.limited {
            self.slice.before = None;
        }
        self.slice
    }
}

/// The newest events of `span` that `wanted` takes.
pub async fn slice<F>(engine: &Engine, room: &Room, span: Span, wanted: &F) -> Result<Slice, Error>
where
    F: Fn(&Pdu) -> bool + Sync,
{
    let mut reading =
        Reading { span, wanted, events: Vec::new(), scanned: 0, slice: Slice::default() };
    let mut oldest = i64::MAX;
    {
        let seen = room.seen();
        reading.slice.start = seen.last_order + 1;
        for pdu in seen.recent.iter().rev() {
            oldest = pdu.place.order.unwrap_or(oldest);
            if !reading.take(pdu) {
                return Ok(reading.finish());
            }
        }
    }
    loop {
        let page = events::list_timeline_before(&engine.app().db, room.id, oldest, PAGE).await?;
        let is_last = (page.len() as u64) < PAGE;
        for stored in page {
            let pdu = engine.read(stored, room)?;
            oldest = pdu.place.order.unwrap_or(oldest);
            if !reading.take(&pdu) {
                return Ok(reading.finish());
            }
        }
        if is_last {
            return Ok(reading.finish());
        }
    }
}

/// The last live event at or before `position`, if this server has one.
pub async fn last_event_at(
    engine: &Engine,
    room: &Room,
    position: Position,
) -> Result<Option<Arc<Pdu>>, Error> {
    let span = Span { since: Some(position), upto: Position::MAX, limit: usize::MAX };
    let is_last = |pdu: &Pdu| span.place(pdu) == Standing::Before;
    let mut oldest = i64::MAX;
    {
        let seen = room.seen();
        for pdu in seen.recent.iter().rev() {
            oldest = pdu.place.order.unwrap_or(oldest);
            if is_last(pdu) {
                return Ok(pdu.place.is_live().then(|| pdu.clone()));
            }
        }
    }
    loop {
        let page = events::list_timeline_before(&engine.app().db, room.id, oldest, PAGE).await?;
        if page.is_empty() {
            return Ok(None);
        }
        for stored in page {
            let pdu = engine.read(stored, room)?;
            oldest = pdu.place.order.unwrap_or(oldest);
            if is_last(&pdu) {
                return Ok(pdu.place.is_live().then_some(pdu));
            }
        }
    }
}

/// The room's state after `event`; empty without one.
pub async fn state_after(engine: &Engine, event: Option<&Pdu>) -> Result<Lineage, Error> {
    engine.state_at(event.and_then(|event| event.place.state_after)).await
}

/// The room's state of today.
pub async fn state_now(engine: &Engine, room: &Room) -> Result<Lineage, Error> {
    let snapshot = room.seen().snapshot;
    engine.state_at(snapshot).await
}

/// What the member event in `slot` of `state` says.
pub async fn membership_in(
    engine: &Engine,
    room: &Room,
    state: &Lineage,
    slot: Id,
) -> Result<Option<Membership>, Error> {
    match state.get(slot) {
        Some(id) => Ok(standing(&*engine.pdu(room, id).await?)),
        None => Ok(None),
    }
}

/// The state that changed from `previous` to the slice's end and that the slice itself does not tell.
///
/// `now` is the state at the slice's end. Where branches of the room's graph were joined, it is more than what the
/// slice's events add up to.
pub fn state_before_slice(
    slice: &Slice,
    previous: &Lineage,
    start: &Lineage,
    now: &Lineage,
) -> StateMap {
    let mut changed = start.changes_since(previous);
    let told = |id: &Id| slice.events.iter().any(|pdu| pdu.id == *id);
    for (slot, id) in now.changes_since(previous) {
        if !told(&id) {
            changed.insert(slot, id);
        }
    }
    changed.retain(|_, id| !told(id));
    changed
}
