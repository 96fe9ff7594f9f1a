//! The events' commit: what a batch holds, as data, and the few rows it becomes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::{ConnectionTrait, Value};

use super::{
    Changes, Error, Id, Position, Topic, events, execute,
    insert::{in_chunks, insert},
    values,
    writer::{Positions, Written},
};

/// Events of one room that enter the database together, already authorised in memory.
#[derive(Debug, Clone, Default)]
pub struct EventBatch {
    /// The room all of it belongs to.
    pub room: Id,
    /// Set when the room is new to this server.
    pub new_room: Option<NewRoom>,
    /// The events, in the order of their positions.
    pub events: Vec<NewEvent>,
    /// State snapshots the events refer to.
    pub snapshots: Vec<NewSnapshot>,
    /// Snapshots that nothing refers to any more.
    pub dropped_snapshots: Vec<Id>,
    /// The room's head after the batch; absent when only outliers or history were added.
    pub head: Option<RoomUpdate>,
    /// Memberships that changed.
    pub memberships: Vec<Membership>,
    /// Relations of the events to their parents.
    pub relations: Vec<Relation>,
    /// Threads that are new or went on.
    pub threads: Vec<Thread>,
    /// Events taken back, each with its redaction.
    pub redactions: Vec<Redaction>,
    /// Who asked, for answering a repeated request alike.
    pub transaction: Option<TransactionKey>,
    /// Highlights and other rows of single users (see [`UserAction`]).
    pub actions: Vec<UserAction>,
    /// History missing below an event: the missing event, and the order of the event that follows it.
    pub gaps: Vec<(String, i64)>,
    /// Missing events that are no longer missing.
    pub filled_gaps: Vec<String>,
    /// Other servers that have a user in the room from now on; new ones read our log from before this batch.
    pub destinations: Vec<String>,
    /// Raised when a batch of this room failed: what was built on it must fail too.
    pub broken: Arc<AtomicBool>,
}

/// A room new to this server.
#[derive(Debug, Clone)]
pub struct NewRoom {
    pub room_id: String,
    pub version: String,
}

/// One event. Times in milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: Id,
    pub event_id: String,
    pub event_type: String,
    pub sender: Id,
    pub state_key: Option<Id>,
    pub depth: i64,
    pub at_ms: i64,
    /// Place in the room's timeline; `None` for outliers and rejected events.
    pub timeline_order: Option<i64>,
    /// Snapshots of the room's state before and after this event; `None` for outliers.
    pub state_before: Option<Id>,
    pub state_after: Option<Id>,
    /// The running total of countable events of the room's main timeline, this one included.
    pub countable: i64,
    /// The thread it is in; `None`: the main timeline.
    pub thread: Option<Id>,
    /// The thread's running total, this one included; `None` for what was fetched later.
    pub thread_countable: Option<i64>,
    /// A combination of [`super::events::REJECTED`] and its like.
    pub flags: i64,
    /// The event as canonical JSON.
    pub json: Vec<u8>,
    /// What authorises a state event, if all of it is known.
    pub auth: Option<NewAuth>,
}

/// What authorises a state event: see `messaging::resolve`.
#[derive(Debug, Clone)]
pub struct NewAuth {
    pub rank: i64,
    /// Interned ids, packed as 8-byte big-endian.
    pub auth: Vec<u8>,
}

/// A snapshot as a delta: see `messaging::state`.
#[derive(Debug, Clone)]
pub struct NewSnapshot {
    pub id: Id,
    /// Snapshots of one lineage are counted from 1.
    pub version: i64,
    /// The snapshot the delta builds on.
    pub parent: Option<Id>,
    pub delta: Vec<u8>,
}

/// The head of a room after a batch.
#[derive(Debug, Clone)]
pub struct RoomUpdate {
    pub snapshot: Id,
    /// What `snapshot` was made from, where no event stands on that yet.
    pub standing_snapshot: Option<Id>,
    /// Forward extremities, packed as 8-byte big-endian ids.
    pub extremities: Vec<u8>,
    pub last_order: i64,
    pub countable: i64,
}

/// Where a user stands in a room.
#[derive(Debug, Clone)]
pub struct Membership {
    pub user: Id,
    /// `join`, `invite`, `leave`, `ban` or `knock`.
    pub membership: String,
    pub event: Id,
    /// The room's state as the inviting server described it, for invites from rooms we are not in.
    pub stripped_state: Option<Vec<u8>>,
}

/// A child event's relation to its parent.
#[derive(Debug, Clone)]
pub struct Relation {
    pub child: Id,
    pub parent_event_id: String,
    pub rel_type: String,
}

/// A thread: its row is made, or moved on; neither number ever falls.
#[derive(Debug, Clone)]
pub struct Thread {
    pub id: Id,
    /// The root's event id.
    pub root: String,
    /// The thread's running total.
    pub countable: i64,
    /// Its newest event's place in the timeline.
    pub last_order: i64,
}

/// An event taken back: what is left of it, as canonical JSON.
#[derive(Debug, Clone)]
pub struct Redaction {
    pub event: Id,
    pub redaction: Id,
    pub json: Vec<u8>,
}

/// The client request that a batch answers.
#[derive(Debug, Clone)]
pub struct TransactionKey {
    pub device: Id,
    /// The changing parts of the request's path, up to the transaction id.
    pub endpoint: String,
    pub txn_id: String,
    pub event: Id,
    pub at_ms: i64,
}

/// One user's exception to the derived unread counts: a highlight, or a count that push rules took away or added.
#[derive(Debug, Clone)]
pub struct UserAction {
    pub user: Id,
    pub event: Id,
    pub timeline_order: i64,
    /// The thread of the event; `None`: the main timeline.
    pub thread: Option<Id>,
    /// What the event counts for the user more than for others: -1, 0 or 1.
    pub delta: i64,
    pub notify: bool,
    pub highlight: bool,
}

const EVENT_COLUMNS: &str = "id, event_id, room, event_type, sender, state_key, depth, at_ms, position, timeline_order, \
     state_before, state_after, countable, thread, thread_countable, flags, json, auth_rank, auth";
/// A row that stood in for an event known by name only becomes the event, also in the room that it proves to be of; of every other
/// only the place changes.
const EVENT_REPLACE: &str = "ON CONFLICT (id) DO UPDATE SET position = excluded.position, \
     timeline_order = excluded.timeline_order, state_before = excluded.state_before, state_after = excluded.state_after, \
     countable = excluded.countable, thread = excluded.thread, thread_countable = excluded.thread_countable, \
     flags = excluded.flags, \
     auth_rank = COALESCE(excluded.auth_rank, events.auth_rank), auth = COALESCE(excluded.auth, events.auth), \
     room = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.room ELSE events.room END, \
     sender = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.sender ELSE events.sender END, \
     state_key = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.state_key ELSE events.state_key END, \
     depth = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.depth ELSE events.depth END, \
     at_ms = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.at_ms ELSE events.at_ms END, \
     json = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.json ELSE events.json END, \
     event_type = CASE WHEN events.event_type = 'chat.tern.missing' THEN excluded.event_type ELSE events.event_type END";

/// Writes the rows of `batches` into the open transaction. Positions are taken in order.
pub(super) async fn write_batches(
    db: &impl ConnectionTrait,
    batches: &[EventBatch],
    positions: &Positions,
    changes: &Changes,
) -> Result<Vec<Written>, Error> {
    let mut rows = Rows::default();
    let mut written = Vec::with_capacity(batches.len());
    for batch in batches {
        if batch.broken.load(Ordering::Acquire) {
            return Err(Error::Undone);
        }
        let collected = rows.collect(batch, positions);
        note(batch, collected.upto, positions, changes);
        written.push(collected);
    }
    rows.write(db).await?;
    Ok(written)
}

/// Notes what the batch changes. Before its commit, so that nobody reads the change without knowing of it.
fn note(batch: &EventBatch, upto: Position, positions: &Positions, changes: &Changes) {
    let EventBatch { room, .. } = *batch;
    let is_mute = batch.memberships.is_empty()
        && batch.actions.is_empty()
        && batch.redactions.is_empty()
        && batch.gaps.is_empty()
        && batch.filled_gaps.is_empty()
        && batch.events.is_empty();
    if is_mute {
        return;
    }
    let upto = if upto == 0 { positions.take() } else { upto };
    changes.note(Topic::Room(room), upto);
    for event in &batch.events {
        if event.flags & events::LOCAL != 0 && event.state_key.is_none() {
            changes.note(Topic::Reading(room, event.sender), upto);
        }
    }
    for action in &batch.actions {
        changes.note(Topic::Reading(room, action.user), upto);
    }
    for Membership { user, .. } in &batch.memberships {
        changes.note(Topic::Memberships(*user), upto);
        changes.note(Topic::Reading(room, *user), upto);
    }
    if !batch.memberships.is_empty() {
        changes.note(Topic::Members(room), upto);
    }
    if !(batch.gaps.is_empty() && batch.filled_gaps.is_empty()) {
        changes.note(Topic::Gaps(room), upto);
    }
    if !batch.redactions.is_empty() {
        changes.note(Topic::Redactions(room), upto);
    }
}

/// The rows of a group, table by table.
#[derive(Default)]
struct Rows {
    rooms: Vec<Vec<Value>>,
    events: Vec<Vec<Value>>,
    snapshots: BTreeMap<Id, Vec<Value>>,
    dropped_snapshots: Vec<(Id, Id)>,
    heads: BTreeMap<Id, RoomUpdate>,
    memberships: BTreeMap<(Id, Id), Vec<Value>>,
    relations: Vec<Vec<Value>>,
    threads: Vec<Vec<Value>>,
    redactions: Vec<Redaction>,
    transactions: Vec<Vec<Value>>,
    actions: Vec<Vec<Value>>,
    destinations: BTreeMap<String, Position>,
    gaps: Vec<Vec<Value>>,
    filled_gaps: Vec<(Id, String)>,
}

impl Rows {
    fn collect(&mut self, batch: &EventBatch, positions: &Positions) -> Written {
        if let Some(room) = &batch.new_room {
            self.rooms.push(values![batch.room, room.room_id.as_str(), room.version.as_str()]);
        }
        for server in &batch.destinations {
            self.destinations.entry(server.clone()).or_insert_with(|| positions.taken());
        }
        for event_id in &batch.filled_gaps {
            self.filled_gaps.push((batch.room, event_id.clone()));
        }
        for (event_id, order) in &batch.gaps {
            self.gaps.push(values![batch.room, event_id.as_str(), *order]);
        }
        let mut taken = Vec::with_capacity(batch.events.len());
        let mut upto = 0;
        for event in &batch.events {
            let position = event.timeline_order.map(|_| positions.take());
            upto = position.unwrap_or(upto);
            taken.push(position);
            self.events.push(event_row(batch.room, event, position));
        }
        self.collect_snapshots(batch);
        if let Some(head) = &batch.head {
            self.heads.insert(batch.room, head.clone());
        }
        for change in &batch.memberships {
            if upto == 0 {
                upto = positions.take();
            }
            let Membership { user, membership, event, stripped_state } = change;
            let row = values![
                *user,
                batch.room,
                membership.as_str(),
                *event,
                upto,
                upto,
                stripped_state.clone()
            ];
            self.memberships.insert((*user, batch.room), row);
        }
        for Relation { child, parent_event_id, rel_type } in &batch.relations {
            self.relations.push(values![
                *child,
                batch.room,
                parent_event_id.as_str(),
                rel_type.as_str()
            ]);
        }
        for Thread { id, root, countable, last_order } in &batch.threads {
            let row = values![*id, batch.room, root.as_str(), *countable, *last_order];
            self.threads.push(row);
        }
        self.redactions.extend(batch.redactions.iter().cloned());
        if let Some(TransactionKey { device, endpoint, txn_id, event, at_ms }) = &batch.transaction
        {
            let key = values![*device, endpoint.as_str(), txn_id.as_str(), *event, *at_ms];
            self.transactions.push(key);
        }
        for action in &batch.actions {
            self.actions.push(action_row(batch.room, action));
        }
        Written { positions: taken, upto }
    }

    fn collect_snapshots(&mut self, batch: &EventBatch) {
        for NewSnapshot { id, version, parent, delta } in &batch.snapshots {
            let row = values![*id, batch.room, *version, *parent, delta.clone()];
            self.snapshots.insert(*id, row);
        }
        for dropped in &batch.dropped_snapshots {
            // It may not have been written yet.
            if self.snapshots.remove(dropped).is_none() {
                self.dropped_snapshots.push((*dropped, batch.room));
            }
        }
    }

    async fn write(self, db: &impl ConnectionTrait) -> Result<(), Error> {
        insert(db, "rooms (id, room_id, version)", "ON CONFLICT (id) DO NOTHING", self.rooms)
            .await?;
        const SNAPSHOTS: &str = "state_snapshots (id, room, version, parent, delta)";
        insert(db, SNAPSHOTS, "", self.snapshots.into_values().collect()).await?;
        for (snapshot, room) in self.dropped_snapshots {
            execute(db, DROP_SNAPSHOT, values![snapshot, room]).await?;
        }
        insert(db, &format!("events ({EVENT_COLUMNS})"), EVENT_REPLACE, self.events).await?;
        move_heads(db, self.heads).await?;
        const MEMBERSHIP_REPLACE: &str = "ON CONFLICT (user_id, room) DO UPDATE SET membership = excluded.membership, \
             event = excluded.event, position = excluded.position, \
             since = CASE WHEN memberships.membership = excluded.membership THEN memberships.since ELSE excluded.since END, \
             stripped_state = excluded.stripped_state, forgotten = 0";
        let memberships = self.memberships.into_values().collect();
        insert(
            db,
            "memberships (user_id, room, membership, event, position, since, stripped_state)",
            MEMBERSHIP_REPLACE,
            memberships,
        )
        .await?;
        insert(
            db,
            "relations (child, room, parent, rel_type)",
            "ON CONFLICT (child) DO NOTHING",
            self.relations,
        )
        .await?;
        // One by one: several events of a group may be in the same thread.
        for thread in self.threads {
            execute(db, THREAD_MOVES, thread).await?;
        }
        prune(db, &self.redactions).await?;
        for (room, event_id) in self.filled_gaps {
            const FILLED: &str =
                "DELETE FROM backward_extremities WHERE room = $1 AND event_id = $2";
            execute(db, FILLED, values![room, event_id]).await?;
        }
        insert(
            db,
            "backward_extremities (room, event_id, timeline_order)",
            "ON CONFLICT DO NOTHING",
            self.gaps,
        )
        .await?;
        let destinations =
            self.destinations.into_iter().map(|(server, cursor)| values![server, cursor]).collect();
        insert(
            db,
            "destinations (server_name, cursor)",
            "ON CONFLICT (server_name) DO NOTHING",
            destinations,
        )
        .await?;
        const TRANSACTIONS: &str = "sent_transactions (device, endpoint, txn_id, event, at_ms)";
        insert(db, TRANSACTIONS, "", self.transactions).await?;
        const ACTIONS: &str =
            "push_actions (user_id, room, event, timeline_order, thread, delta, notify, highlight)";
        insert(db, ACTIONS, "", self.actions).await?;
        for Redaction { event, .. } in self.redactions {
            execute(db, "DELETE FROM push_actions WHERE event = $1", values![event]).await?;
        }
        Ok(())
    }
}

/// Only where the room's row, which is not moved on yet, says too that nothing stands on it.
const DROP_SNAPSHOT: &str = "DELETE FROM state_snapshots WHERE id = $1 AND EXISTS \
     (SELECT 1 FROM rooms WHERE rooms.id = $2 AND snapshot = $1 AND standing_snapshot IS NOT NULL)";

async fn move_heads(
    db: &impl ConnectionTrait,
    heads: BTreeMap<Id, RoomUpdate>,
) -> Result<(), Error> {
    const MOVE: &str = "UPDATE rooms SET snapshot = v.column2, extremities = v.column3, last_order = v.column4, \
         countable = v.column5, standing_snapshot = v.column6 FROM (";
    let rows = heads.into_iter().map(|(room, head)| {
        let RoomUpdate { snapshot, standing_snapshot, extremities, last_order, countable } = head;
        values![room, snapshot, extremities, last_order, countable, standing_snapshot]
    });
    in_chunks(db, (MOVE, ") AS v WHERE rooms.id = v.column1"), rows.collect()).await
}

async fn prune(db: &impl ConnectionTrait, redactions: &[Redaction]) -> Result<(), Error> {
    const PRUNE: &str =
        "UPDATE events SET redacted_by = $1, json = $2 WHERE id = $3 AND redacted_by IS NULL";
    for Redaction { event, redaction, json } in redactions {
        execute(db, PRUNE, values![*redaction, json.clone(), *event]).await?;
    }
    Ok(())
}

const THREAD_MOVES: &str = "INSERT INTO threads (id, room, root, countable, last_order) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (room, root) DO UPDATE SET \
     countable = CASE WHEN excluded.countable > threads.countable THEN excluded.countable ELSE threads.countable END, \
     last_order = CASE WHEN excluded.last_order > threads.last_order THEN excluded.last_order ELSE threads.last_order END";

fn action_row(room: Id, action: &UserAction) -> Vec<Value> {
    let UserAction { user, event, timeline_order, thread, delta, notify, highlight } = action;
    values![
        *user,
        room,
        *event,
        *timeline_order,
        thread.unwrap_or_default(),
        *delta,
        i64::from(*notify),
        i64::from(*highlight)
    ]
}

fn event_row(room: Id, event: &NewEvent, position: Option<Position>) -> Vec<Value> {
    values![
        event.id,
        event.event_id.as_str(),
        room,
        event.event_type.as_str(),
        event.sender,
        event.state_key,
        event.depth,
        event.at_ms,
        position,
        event.timeline_order,
        event.state_before,
        event.state_after,
        event.countable,
        event.thread,
        event.thread_countable,
        event.flags,
        event.json.clone(),
        event.auth.as_ref().map(|auth| auth.rank),
        event.auth.as_ref().map(|auth| auth.auth.clone()),
    ]
}
