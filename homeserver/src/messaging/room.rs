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
    resolve::Closure,
    state::{Lineage, StateMap},
};
use crate::storage::{Id, Position};

/// Timeline events a room keeps ready in memory.
pub const RECENT_MAX: usize = 100;

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
    pub countable: i64,
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
    /// The position of the newest change of the room.
    pub position: Position,
    pub last_order: i64,
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
            closure: tokio::sync::Mutex::default(),
            broken: Arc::default(),
        }
    }

    pub(super) fn in_flight(&self) -> MutexGuard<'_, HashMap<Id, Arc<Pdu>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// A copy that leaves the (possibly large) state behind.
    pub(super) fn without_state(&self) -> Self {
        Self {
            state: StateMap::new(),
            lineage: self.lineage.clone(),
            provisional: self.provisional.clone(),
            extremities: self.extremities.clone(),
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
        self.recent.push_back(pdu);
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }
}
