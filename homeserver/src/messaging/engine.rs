//! `Engine`: the rooms in memory, one owner each; loading them, caching their events, applying what was committed.
//!
//! ```text
//! a writer, holding the room's turn ─▶ Database::append (enqueues) ─▶ Engine::applying (enqueues, same order)
//!                                             │ commit                        │
//!                                             └──────────── Written ─────────▶ applier: memory, bell, answer
//! ```
//!
//! The applier is one task, so a room's committed memory changes in the order of commits, and a caller that goes away
//! does not leave a commit unapplied.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use ruma::RoomId;
use tokio::sync::{Notify, OwnedMutexGuard, mpsc, oneshot};

use super::{
    Error,
    applied::{self, Applying},
    load::Ahead,
    loaded::Loaded,
    pdu::{Pdu, Place},
    presence::Presence,
    resolve::Node,
    room::{Extremity, Room},
    sent::Sent,
    serial::Serial,
    shares::Shares,
    spaces::Walks,
    state_at::Snapshot,
    typing::Typing,
    wishes::Known,
};
use crate::{
    app::App,
    generations::Generations,
    storage::{
        self, Id, Kept, Position, Topic,
        events::{self, StoredEvent},
        gaps, loading,
        rooms::{self, StoredMembership},
    },
};

/// Rooms of which it is kept whether history is missing.
const ROOMS_MAX: usize = 10_000;

/// Where a user stands in rooms. Cheap to clone.
pub(crate) type Standings = Arc<[Arc<StoredMembership>]>;

/// The state of this floor. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    rooms: Loaded,
    loading: tokio::sync::Mutex<()>,
    pdus: Generations<Arc<Pdu>>,
    /// The ids of events that were read, by a number made from their names.
    names: Generations<Id>,
    hasher: RandomState,
    applying: mpsc::UnboundedSender<Applying>,
    applied: AtomicI64,
    appending: AtomicI64,
    changed: Notify,
    serial: Arc<Serial>,
    typing: Typing,
    presence: Presence,
    snapshots: Generations<Snapshot>,
    auth_nodes: Generations<Arc<Node>>,
    wishes: Known,
    walks: Walks,
    indexing: tokio::sync::Mutex<()>,
    created_ms: AtomicI64,
    sent: Sent,
    standings: Kept<Standings>,
    gaps: Kept<bool>,
}

impl Engine {
    /// An engine with no room loaded, and its applier.
    pub fn start(app: App) -> Self {
        let shares = Shares::of(app.config.database.cache_mib);
        Self::with(app, shares)
    }

    /// The same with another bound on what the rooms in memory weigh.
    pub fn with_room_bytes(app: App, room_bytes: usize) -> Self {
        let shares = Shares { room_bytes, ..Shares::of(app.config.database.cache_mib) };
        Self::with(app, shares)
    }

    fn with(app: App, shares: Shares) -> Self {
        let (applying, queue) = mpsc::unbounded_channel();
        let serial = Arc::<Serial>::default();
        let engine = Self(Arc::new(Inner {
            app,
            rooms: Loaded::new(shares.room_bytes),
            loading: tokio::sync::Mutex::default(),
            pdus: Generations::new(shares.event_bytes),
            names: Generations::new(shares.names),
            hasher: RandomState::new(),
            applying,
            applied: AtomicI64::new(0),
            appending: AtomicI64::new(0),
            changed: Notify::new(),
            typing: Typing::new(serial.clone()),
            presence: Presence::new(serial.clone()),
            serial,
            snapshots: Generations::new(shares.snapshot_entries),
            auth_nodes: Generations::new(shares.auth_nodes),
            wishes: Known::default(),
            walks: Walks::default(),
            indexing: tokio::sync::Mutex::default(),
            created_ms: AtomicI64::default(),
            sent: Sent::default(),
            standings: Kept::new(shares.standings),
            gaps: Kept::new(ROOMS_MAX),
        }));
        // It ends when the last engine handle goes: it holds the queue's receiver and only a weak engine.
        tokio::spawn(applied::run(queue));
        engine
    }

    pub fn app(&self) -> &App {
        &self.0.app
    }

    pub(super) fn snapshots(&self) -> &Generations<Snapshot> {
        &self.0.snapshots
    }

    pub(super) fn auth_nodes(&self) -> &Generations<Arc<Node>> {
        &self.0.auth_nodes
    }

    /// A time for a create event, in milliseconds since the epoch, later than any before: since version 12 two rooms that their
    /// creator makes in one millisecond would otherwise be one, for the room's id is its create event's.
    pub(super) fn next_creation_ms(&self) -> i64 {
        let now = self.0.app.clock.now_ms();
        let later = |last: i64| Some(now.max(last + 1));
        let last = self.0.created_ms.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
        last.map_or(now, |last| now.max(last + 1))
    }

    /// Which transaction ids were used.
    pub(super) fn sent(&self) -> &Sent {
        &self.0.sent
    }

    /// Whether history of a room is missing.
    pub(super) async fn has_gaps(&self, room: &Room) -> Result<bool, Error> {
        let db = &self.0.app.db;
        let topic = Topic::Gaps(room.id);
        Ok(self.0.gaps.get(db, (room.id, topic), gaps::has_gaps(db, room.id), |_| 1).await?)
    }

    /// A user's standing in all rooms, forgotten ones too, in order of position.
    pub async fn standings(&self, user: Id) -> Result<Standings, Error> {
        let db = &self.0.app.db;
        let read = async {
            let stored = rooms::list_memberships(db, user).await?;
            Ok::<_, storage::Error>(stored.into_iter().map(Arc::new).collect())
        };
        let topic = Topic::Memberships(user);
        Ok(self.0.standings.get(db, (user, topic), read, |standings| standings.len() + 4).await?)
    }

    /// What users of this server want to be told of.
    pub(super) fn wishes(&self) -> &Known {
        &self.0.wishes
    }

    /// Who is there.
    pub fn presence(&self) -> &Presence {
        &self.0.presence
    }

    /// The count of what passed by so far: every change up to it can be seen.
    pub fn serial(&self) -> u64 {
        let _finished = (self.0.typing.hold(), self.0.presence.hold());
        self.0.serial.read()
    }

    pub(super) fn walks(&self) -> &Walks {
        &self.0.walks
    }

    /// Held while the search index is brought up to date.
    pub(super) fn indexing(&self) -> &tokio::sync::Mutex<()> {
        &self.0.indexing
    }

    /// Who is typing where.
    pub fn typing(&self) -> &Typing {
        &self.0.typing
    }

    /// The newest position that sync may hand out: every event up to it is in the rooms' memory.
    pub async fn settled_position(&self) -> Position {
        let position = self.0.app.db.position();
        loop {
            let changed = self.0.changed.notified();
            if self.0.appending.load(Ordering::Acquire) == 0
                || self.0.applied.load(Ordering::Acquire) >= position
            {
                return position;
            }
            changed.await;
        }
    }

    pub(super) fn set_applied(&self, position: Position) {
        self.0.applied.fetch_max(position, Ordering::AcqRel);
        self.0.appending.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    /// Hands a batch to the writer and its memory change to the applier; must be called holding the room's turn.
    /// The future answers after both.
    pub(super) fn commit(
        &self,
        mut change: applied::Change,
        batch: storage::EventBatch,
    ) -> oneshot::Receiver<applied::Outcome> {
        let (answer, answered) = oneshot::channel();
        self.0.appending.fetch_add(1, Ordering::AcqRel);
        let written = Box::pin(self.0.app.db.append(batch));
        change.engine = Some(self.clone());
        // The receiver lives as long as any engine; if it is gone, so is the process.
        self.0.applying.send(Applying { change, written, answer }).ok();
        answered
    }

    /// The room if this server knows its state: loaded, or in the database.
    pub async fn find_room(&self, room_id: &RoomId) -> Result<Option<Arc<Room>>, Error> {
        if let Some(room) = self.loaded(room_id) {
            return Ok(Some(room));
        }
        let _turn = self.0.loading.lock().await;
        if let Some(room) = self.loaded(room_id) {
            return Ok(Some(room));
        }
        let stored = rooms::find_room(&self.0.app.db, room_id.as_str()).await?;
        let Some(stored) = stored.filter(|stored| stored.snapshot.is_some()) else {
            return Ok(None);
        };
        let room = self.load(vec![stored], Ahead::Ends).await?.pop().transpose()?;
        room.map(Some).ok_or(Error::Storage(storage::Error::Damaged { what: "room" }))
    }

    /// The room if a user of this server is in it.
    pub async fn find_resident(&self, room_id: &RoomId) -> Result<Option<Arc<Room>>, Error> {
        Ok(self.find_room(room_id).await?.filter(|room| room.is_resident()))
    }

    /// Loads those of `rooms` that are not in memory, in few statements. One that is damaged is left to who asks for it.
    pub async fn load_rooms(&self, rooms: &[(Id, &RoomId)], ahead: Ahead) -> Result<(), Error> {
        let is_missing = |(_, room_id): &&(Id, &RoomId)| self.loaded(room_id).is_none();
        if rooms.iter().all(|room| !is_missing(&room)) {
            return Ok(());
        }
        let _turn = self.0.loading.lock().await;
        let ids: Vec<Id> = rooms.iter().filter(is_missing).map(|(id, _)| *id).collect();
        let mut stored = loading::list_rooms(&self.0.app.db, &ids).await?;
        stored.retain(|stored| stored.snapshot.is_some());
        self.load(stored, ahead).await?;
        Ok(())
    }

    /// The room, or [`Error::RoomNotFound`].
    pub async fn room(&self, room_id: &RoomId) -> Result<Arc<Room>, Error> {
        self.find_room(room_id).await?.ok_or(Error::RoomNotFound)
    }

    /// The room if it is in memory.
    pub(super) fn loaded(&self, room_id: &RoomId) -> Option<Arc<Room>> {
        self.0.rooms.find(room_id)
    }

    /// Puts a room into memory.
    pub(super) fn keep(&self, room: Arc<Room>) {
        self.0.rooms.keep(room);
    }

    /// Notes that a room takes more or less memory than before.
    pub(super) fn reweigh(&self, room: &Room) {
        self.0.rooms.reweigh(room);
    }

    /// How many rooms are in memory, and about how many bytes they take.
    pub fn rooms_in_memory(&self) -> (usize, usize) {
        self.0.rooms.size()
    }

    /// Lets go of what nobody used for a while.
    pub(super) fn age(&self) {
        self.0.rooms.age();
        self.0.pdus.age();
        self.0.names.age();
        self.0.snapshots.age();
        self.0.auth_nodes.age();
        self.0.standings.age();
    }

    /// The turn of who joins a room by way of another server; users of ours who do at once wait for each other.
    pub(super) async fn joining(&self, room_id: &RoomId) -> OwnedMutexGuard<()> {
        self.0.rooms.joining.take(room_id).await
    }

    /// The turn of who stores what another server told of a room: that it is here now, or how somebody stands outside of it.
    pub(super) async fn storing(&self, room_id: &RoomId) -> OwnedMutexGuard<()> {
        self.0.rooms.storing.take(room_id).await
    }

    /// Drops a room whose commit failed; the next use loads what is committed.
    pub(super) fn drop_room(&self, room: &Room) {
        room.broken.store(true, Ordering::Release);
        self.0.rooms.remove(room);
    }

    /// Makes the next use of a room load it from the database, also where somebody is loading it just now.
    pub(super) async fn forget_loaded(&self, room_id: &RoomId) {
        let _turn = self.0.loading.lock().await;
        if let Some(room) = self.loaded(room_id) {
            self.drop_room(&room);
        }
    }

    /// One event of `room` by its interned id; cached.
    pub async fn pdu(&self, room: &Room, id: Id) -> Result<Arc<Pdu>, Error> {
        let found = self.pdus(room, &[id]).await?.pop();
        found.ok_or(Error::Storage(storage::Error::Damaged { what: "event" }))
    }

    /// Events of `room` by interned id, in the order asked; unknown ones are left out.
    pub async fn pdus(&self, room: &Room, ids: &[Id]) -> Result<Vec<Arc<Pdu>>, Error> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        {
            let in_flight = room.in_flight();
            for id in ids {
                match in_flight.get(id).cloned().or_else(|| self.0.pdus.find(*id)) {
                    Some(pdu) => drop(found.insert(*id, pdu)),
                    None => missing.push(*id),
                }
            }
        }
        for stored in events::list_events(&self.0.app.db, &missing).await? {
            if stored.room == room.id {
                found.insert(stored.id, self.read(stored, room)?);
            }
        }
        Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
    }

    /// An event of `room` by its id as text; another room's event is as unknown as none.
    pub async fn find_pdu(
        &self,
        room: &Room,
        event_id: &ruma::EventId,
    ) -> Result<Option<Arc<Pdu>>, Error> {
        if let Some(pdu) = self.cached(room, event_id) {
            return Ok(Some(pdu));
        }
        match events::find_event(&self.0.app.db, event_id.as_str()).await? {
            Some(stored) if stored.room == room.id => self.read(stored, room).map(Some),
            _ => Ok(None),
        }
    }

    /// Events of `room` by their ids as text, in no particular order; unknown ones and other rooms' are left out.
    pub async fn find_pdus(
        &self,
        room: &Room,
        event_ids: &[ruma::OwnedEventId],
    ) -> Result<Vec<Arc<Pdu>>, Error> {
        let (mut found, mut names) = (Vec::with_capacity(event_ids.len()), Vec::new());
        for event_id in event_ids {
            match self.cached(room, event_id) {
                Some(pdu) => found.push(pdu),
                None => names.push(event_id.to_string()),
            }
        }
        for stored in events::list_events_by_name(&self.0.app.db, &names).await? {
            if stored.room == room.id {
                found.push(self.read(stored, room)?);
            }
        }
        Ok(found)
    }

    /// The committed event of this name, if it is at hand.
    fn cached(&self, room: &Room, event_id: &ruma::EventId) -> Option<Arc<Pdu>> {
        let id = self.0.names.find(self.name_key(event_id))?;
        let pdu = self.0.pdus.find(id)?;
        // Two names may have one key, and a name is known whatever its room.
        (pdu.event_id == event_id && pdu.room_id == room.room_id).then_some(pdu)
    }

    fn name_key(&self, event_id: &ruma::EventId) -> Id {
        self.0.hasher.hash_one(event_id.as_str()).cast_signed()
    }

    /// Whether an event is at hand.
    pub(super) fn is_cached(&self, id: Id) -> bool {
        self.0.pdus.find(id).is_some()
    }

    /// Turns a row into a [`Pdu`] and keeps it.
    pub(super) fn read(&self, stored: StoredEvent, room: &Room) -> Result<Arc<Pdu>, Error> {
        if let Some(pdu) = self.0.pdus.find(stored.id) {
            return Ok(pdu);
        }
        let damaged = || Error::Storage(storage::Error::Damaged { what: "event" });
        let event_id = stored.event_id.as_str().try_into().map_err(|_| damaged())?;
        let mut pdu =
            Pdu::parse(event_id, stored.json.into(), &room.rules).map_err(|_| damaged())?;
        pdu.id = stored.id;
        pdu.sender_id = stored.sender;
        pdu.place = Place {
            position: stored.position,
            order: stored.timeline_order,
            state_before: stored.state_before,
            state_after: stored.state_after,
            countable: stored.countable,
            thread: stored.thread,
            thread_countable: stored.thread_countable,
            flags: stored.flags,
            redacted_by: stored.redacted_by,
        };
        let pdu = Arc::new(pdu);
        self.cache(pdu.clone());
        Ok(pdu)
    }

    /// Appends a batch that gives events already here another place, and forgets how they stood.
    pub(super) async fn append_aside(&self, batch: storage::EventBatch) -> Result<(), Error> {
        let ids: Vec<Id> = batch.events.iter().map(|event| event.id).collect();
        let engine = self.clone();
        // To its end, also when who asked has gone.
        let appending = tokio::spawn(async move {
            let outcome = engine.app().db.append(batch).await;
            engine.0.pdus.forget(&ids);
            outcome
        });
        appending.await.map_err(|_| Error::Storage(storage::Error::Stopping))??;
        Ok(())
    }

    /// Shows events as they read since they were taken back.
    pub(super) fn show_pruned(&self, room: &Room, pruned: Vec<Arc<Pdu>>) {
        for pdu in pruned {
            room.seen_mut().replace_recent(&pdu);
            // It is read again with the place it has by now.
            self.0.pdus.forget(&[pdu.id]);
        }
    }

    pub(super) fn cache(&self, pdu: Arc<Pdu>) {
        let weight = pdu.json.len() * 2 + 512;
        self.0.names.keep(self.name_key(&pdu.event_id), pdu.id, 1);
        self.0.pdus.keep(pdu.id, pdu, weight);
    }

    /// The event in one slot of a room's committed state.
    pub async fn state_event(
        &self,
        room: &Room,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Arc<Pdu>>, Error> {
        let slot = self.0.app.db.state_key(event_type, state_key).await?;
        let Some(id) = room.seen().state.get(&slot).copied() else { return Ok(None) };
        self.pdu(room, id).await.map(Some)
    }
}

impl From<&Pdu> for Extremity {
    fn from(pdu: &Pdu) -> Self {
        Self {
            id: pdu.id,
            event_id: pdu.event_id.clone(),
            depth: pdu.depth,
            state_after: pdu.place.state_after,
        }
    }
}
