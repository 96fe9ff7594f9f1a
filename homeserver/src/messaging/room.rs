//! A room in memory: what is committed, for readers, and what is on its way, for the next writer.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomVersionId,
    room_version_rules::RoomVersionRules,
};

use super::{
    pdu::Pdu,
    readings::Readings,
    resolve::{Closure, Merges},
    state::{Lineage, StateMap},
};
use crate::storage::{Id, Position, threads::StoredThread};

/// Timeline events a room keeps ready in memory.
pub const RECENT_MAX: usize = 100;
/// Those it begins with when it is loaded: a sync shows ten and must know whether there are more.
pub const RECENT_FIRST: usize = 12;

/// What an empty room takes, a member with their name, a server with its name, a slot of state (in `head`, in `seen` and in the
/// snapshots both come from), and an event beside its JSON. Measured roughly, rounded up.
const ROOM_BYTES: usize = 4_096;
const MEMBER_BYTES: usize = 192;
const SERVER_BYTES: usize = 128;
const SLOT_BYTES: usize = 96;
const EVENT_BYTES: usize = 512;

/// A loaded room. Its turn (`head`) is taken to write; readers see only what is committed (`seen`).
#[derive(Debug)]
pub struct Room {
    pub id: Id,
    pub room_id: OwnedRoomId,
    pub version: RoomVersionId,
    pub rules: RoomVersionRules,
    /// What the next event builds on: the committed room and the events in flight. One writer at a time.
    pub head: tokio::sync::Mutex<Head>,
    /// Held while events of other servers are worked off, one after the other.
    pub(super) receiving: tokio::sync::Mutex<()>,
    /// Held while a gap of history is filled.
    pub(super) backfilling: tokio::sync::Mutex<()>,
    seen: RwLock<Seen>,
    /// Events that are enqueued and not committed yet: later ones build on them.
    in_flight: Mutex<HashMap<Id, Arc<Pdu>>>,
    /// What the room's state is built on, once the room had a fork to resolve.
    pub(super) closure: tokio::sync::Mutex<Option<Closure>>,
    /// States that its newest events on forks stand on.
    pub(super) merges: Merges,
    /// Up to where users of this server have read all threads.
    threads_read: Mutex<HashMap<Id, i64>>,
    /// How far users of this server have read.
    pub(super) readings: Readings,
    /// A commit of this room failed: everything in flight fails, and the room is loaded afresh.
    pub broken: Arc<AtomicBool>,
}

/// The end of the room's graph, events in flight included.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub state: StateMap,
    pub lineage: Lineage,
    /// The snapshot of a resolution that no event stands on yet, and what it was made from: the next one takes its place.
    pub provisional: Option<(Id, Lineage)>,
    pub extremities: Vec<Extremity>,
    pub last_order: i64,
    pub first_order: i64,
    /// Of the main timeline.
    pub countable: i64,
    /// Threads that are known, by their roots: all that are on their way to the database are among them.
    pub threads: HashMap<String, StoredThread>,
}

/// An event no other event of ours follows yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extremity {
    pub id: Id,
    pub event_id: OwnedEventId,
    pub depth: i64,
    /// The snapshot after it.
    pub state_after: Option<Id>,
}

/// The committed room.
#[derive(Debug, Default)]
pub struct Seen {
    pub state: StateMap,
    /// The snapshot of `state`.
    pub snapshot: Option<Id>,
    /// Everybody who ever had a standing here, by interned user.
    pub members: BTreeMap<Id, Member>,
    /// Joined users of this server: whom a new event concerns.
    pub local_joined: BTreeSet<Id>,
    /// How many joined users each server has.
    pub servers: BTreeMap<OwnedServerName, usize>,
    /// The newest timeline events, oldest first.
    pub recent: VecDeque<Arc<Pdu>>,
    /// About what they take in memory.
    pub(super) recent_bytes: usize,
    /// The position of the newest change of the room.
    pub position: Position,
    pub last_order: i64,
    /// Where a thread last went on.
    pub last_thread_order: Option<i64>,
    /// Of the main timeline.
    pub countable: i64,
    pub joined_count: u64,
    pub invited_count: u64,
}

/// A user's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user_id: OwnedUserId,
    pub membership: Membership,
    /// The event that says so.
    pub event: Id,
    pub position: Position,
}

/// The five memberships of the specification ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#room-membership
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Membership {
    Join,
    Invite,
    Knock,
    Leave,
    Ban,
}

impl Membership {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "join" => Self::Join,
            "invite" => Self::Invite,
            "knock" => Self::Knock,
            "leave" => Self::Leave,
            "ban" => Self::Ban,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }
}

impl Room {
    pub fn new(
        id: Id,
        room_id: OwnedRoomId,
        version: RoomVersionId,
        rules: RoomVersionRules,
        head: Head,
        seen: Seen,
    ) -> Self {
        let (head, seen) = (tokio::sync::Mutex::new(head), RwLock::new(seen));
        Self {
            id,
            room_id,
            version,
            rules,
            head,
            seen,
            receiving: tokio::sync::Mutex::default(),
            backfilling: tokio::sync::Mutex::default(),
            in_flight: Mutex::default(),
            threads_read: Mutex::default(),
            readings: Readings::default(),
            closure: tokio::sync::Mutex::default(),
            merges: Merges::default(),
            broken: Arc::default(),
        }
    }

    pub(super) fn in_flight(&self) -> MutexGuard<'_, HashMap<Id, Arc<Pdu>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An order up to which a user has read every thread, as far as is known.
    pub(super) fn threads_read_to(&self, user: Id) -> i64 {
        let read = self.threads_read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(&user).copied().unwrap_or(-1)
    }

    /// Remembers what [`Self::threads_read_to`] answers.
    pub(super) fn set_threads_read_to(&self, user: Id, order: i64) {
        let mut read = self.threads_read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read.entry(user).or_insert(order);
        *known = order.max(*known);
    }

    /// About how many bytes of memory it takes: what grows with its members, its state and its newest events.
    pub fn weight(&self) -> usize {
        let seen = self.seen();
        seen.members.len() * MEMBER_BYTES
            + seen.servers.len() * SERVER_BYTES
            + seen.state.len() * SLOT_BYTES
            + seen.recent_bytes
            + ROOM_BYTES
    }

    /// Whether a user of this server is in it, so that it is told of what happens there.
    pub fn is_resident(&self) -> bool {
        !self.seen().local_joined.is_empty()
    }

    /// The committed room, for reading.
    pub fn seen(&self) -> RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen_mut(&self) -> RwLockWriteGuard<'_, Seen> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the room must be loaded afresh.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

impl Head {
    /// A copy that leaves what is (possibly) large behind: state and threads.
    pub(super) fn without_state(&self) -> Self {
        Self {
            state: StateMap::new(),
            lineage: self.lineage.clone(),
            provisional: self.provisional.clone(),
            extremities: self.extremities.clone(),
            threads: HashMap::new(),
            ..*self
        }
    }
}

impl Seen {
    /// A user's standing; never heard of is [`Membership::Leave`] to the rules and `None` here.
    pub fn membership(&self, user: Id) -> Option<Membership> {
        self.members.get(&user).map(|member| member.membership)
    }

    /// Whether a user is joined.
    pub fn is_joined(&self, user: Id) -> bool {
        self.membership(user) == Some(Membership::Join)
    }

    /// Sets a user's standing and keeps the counts and lists with it.
    pub fn set_member(&mut self, user: Id, member: Member, is_ours: bool) {
        let server = member.user_id.server_name().to_owned();
        let now = member.membership;
        let before = self.members.insert(user, member).map(|member| member.membership);
        if before == Some(now) {
            return;
        }
        match before {
            Some(Membership::Join) => {
                self.joined_count -= 1;
                self.local_joined.remove(&user);
                if let Some(count) = self.servers.get_mut(&server) {
                    *count -= 1;
                    if *count == 0 {
                        self.servers.remove(&server);
                    }
                }
            }
            Some(Membership::Invite) => self.invited_count -= 1,
            _ => {}
        }
        match now {
            Membership::Join => {
                self.joined_count += 1;
                *self.servers.entry(server).or_default() += 1;
                if is_ours {
                    self.local_joined.insert(user);
                }
            }
            Membership::Invite => self.invited_count += 1,
            _ => {}
        }
    }

    /// Adds a committed timeline event.
    pub fn push_recent(&mut self, pdu: Arc<Pdu>) {
        self.recent_bytes += bytes_of(&pdu);
        self.recent.push_back(pdu);
        if self.recent.len() > RECENT_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes = self.recent_bytes.saturating_sub(bytes_of(&oldest));
        }
    }

    /// Puts what is left of an event that was taken back in its place.
    pub(super) fn replace_recent(&mut self, pruned: &Arc<Pdu>) {
        if let Some(place) = self.recent.iter_mut().find(|pdu| pdu.id == pruned.id) {
            let before = bytes_of(place);
            *place = pruned.clone();
            self.recent_bytes = self.recent_bytes.saturating_sub(before) + bytes_of(pruned);
        }
    }
}

/// About what an event takes in memory: its JSON, its content once more, and its fields.
fn bytes_of(pdu: &Pdu) -> usize {
    pdu.json.len() * 2 + EVENT_BYTES
}
