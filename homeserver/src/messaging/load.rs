//! Rooms from the database into memory, several in the statements of one.

use std::{collections::HashMap, sync::Arc};

use ruma::{OwnedRoomId, RoomVersionId, UserId};

use super::{
    Engine, Error,
    room::{Extremity, Head, Member, Membership, RECENT_FIRST, Room, Seen},
    state::{self, Link},
};
use crate::storage::{
    self, Id,
    events::{self, StoredEvent},
    loading,
    rooms::{StoredMembership, StoredRoom},
};

/// A room with a larger state is not read whole before somebody asks for it.
const STATE_AHEAD_MAX: usize = 200;

/// Which events are read with the rooms, beside the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Those that the next event follows.
    Ends,
    /// The state too, where it is not large: all of it will be told.
    State,
}

/// A room with what else is read of it.
struct Loading {
    room: Arc<Room>,
    extremities: Vec<Id>,
}

impl Engine {
    /// Loads these rooms and keeps them in memory. Must be called holding the turn of who loads, for rooms that are not here.
    pub(super) async fn load(
        &self,
        stored: Vec<StoredRoom>,
        ahead: Ahead,
    ) -> Result<Vec<Result<Arc<Room>, Error>>, Error> {
        let db = &self.app().db;
        let ids: Vec<Id> = stored.iter().map(|stored| stored.id).collect();
        let snapshots: Vec<Id> = stored
            .iter()
            .flat_map(|room| [room.snapshot, room.standing_snapshot])
            .flatten()
            .collect();
        self.read_snapshots(&snapshots).await?;
        let threads: HashMap<Id, i64> =
            loading::list_last_thread_orders(db, &ids).await?.into_iter().collect();
        let mut members: HashMap<Id, Vec<StoredMembership>> = HashMap::new();
        for member in loading::list_members(db, &ids).await? {
            members.entry(member.room).or_default().push(member);
        }
        let mut newest: HashMap<Id, Vec<StoredEvent>> = HashMap::new();
        for event in loading::list_newest(db, &ids, RECENT_FIRST).await? {
            newest.entry(event.room).or_default().push(event);
        }
        let mut loaded = Vec::with_capacity(stored.len());
        for stored in stored {
            let id = stored.id;
            let room = self.assemble(stored, threads.get(&id).copied());
            let newest = newest.remove(&id).unwrap_or_default();
            let filled = room.await.and_then(|loading| {
                self.fill(&loading.room, members.remove(&id).unwrap_or_default(), newest)?;
                Ok(loading)
            });
            loaded.push(filled);
        }
        self.read_ahead(loaded.iter().filter_map(|loading| loading.as_ref().ok()), ahead).await?;
        let mut rooms = Vec::with_capacity(loaded.len());
        for loading in loaded {
            rooms.push(match loading {
                Ok(loading) => self.finish(loading).await,
                Err(error) => Err(error),
            });
        }
        Ok(rooms)
    }

    /// Puts a room into memory with its ends.
    async fn finish(&self, loading: Loading) -> Result<Arc<Room>, Error> {
        let Loading { room, extremities } = loading;
        let ends = self.pdus(&room, &extremities).await?;
        room.head.lock().await.extremities =
            ends.iter().map(|pdu| Extremity::from(pdu.as_ref())).collect();
        self.keep(room.clone());
        Ok(room)
    }

    /// Reads what these snapshots are made of.
    async fn read_snapshots(&self, ids: &[Id]) -> Result<(), Error> {
        let unknown = |id: &&Id| self.snapshots().find(**id).is_none();
        let ids: Vec<Id> = ids.iter().filter(unknown).copied().collect();
        for stored in loading::list_snapshots(&self.app().db, &ids).await? {
            // What does not read, the room that needs it will say.
            let Some(delta) = state::unpack(&stored.delta) else { continue };
            let link = Arc::new(Link { id: stored.id, version: stored.version, delta });
            self.keep_snapshot((link, stored.parent));
        }
        Ok(())
    }

    /// A room as its row has it.
    async fn assemble(
        &self,
        stored: StoredRoom,
        last_thread_order: Option<i64>,
    ) -> Result<Loading, Error> {
        let damaged = |what| Error::Storage(storage::Error::Damaged { what });
        let version = RoomVersionId::try_from(stored.version.as_str())
            .map_err(|_| damaged("room version"))?;
        let rules = version.rules().ok_or_else(|| damaged("room version"))?;
        let room_id = OwnedRoomId::try_from(stored.room_id).map_err(|_| damaged("room id"))?;
        let lineage = self.state_at(stored.snapshot).await?;
        let provisional = match (stored.snapshot, stored.standing_snapshot) {
            // Only tidiness asks for it: a room is not refused for that.
            (Some(snapshot), Some(standing)) => {
                self.state_at(Some(standing)).await.ok().map(|standing| (snapshot, standing))
            }
            _ => None,
        };
        let extremities =
            state::unpack_ids(&stored.extremities).ok_or_else(|| damaged("extremities"))?;
        let head = Head {
            state: lineage.state(),
            lineage,
            provisional,
            extremities: Vec::new(),
            last_order: stored.last_order,
            first_order: stored.first_order,
            countable: stored.countable,
            threads: HashMap::new(),
        };
        let seen = Seen {
            state: head.state.clone(),
            snapshot: stored.snapshot,
            last_order: stored.last_order,
            countable: stored.countable,
            last_thread_order,
            ..Seen::default()
        };
        let room = Arc::new(Room::new(stored.id, room_id, version, rules, head, seen));
        Ok(Loading { room, extremities })
    }

    /// Puts a room's members and its newest events, newest first, where readers see them.
    fn fill(
        &self,
        room: &Room,
        members: Vec<StoredMembership>,
        newest: Vec<StoredEvent>,
    ) -> Result<(), Error> {
        let damaged = |what| Error::Storage(storage::Error::Damaged { what });
        let mut seen = room.seen_mut();
        for member in members {
            let user_id = UserId::parse(&member.user_id).map_err(|_| damaged("user id"))?;
            let membership =
                Membership::parse(&member.membership).ok_or_else(|| damaged("membership"))?;
            let is_ours = self.app().is_ours(user_id.server_name());
            let (event, position) = (member.event, member.position);
            seen.position = seen.position.max(position);
            seen.set_member(member.user, Member { user_id, membership, event, position }, is_ours);
        }
        for event in newest.into_iter().rev() {
            let pdu = self.read(event, room)?;
            seen.position = seen.position.max(pdu.place.position.unwrap_or_default());
            seen.push_recent(pdu);
        }
        Ok(())
    }

    /// Reads the events that will be asked for, of all rooms at once; what does not read is left to who asks for it.
    async fn read_ahead(
        &self,
        loaded: impl Iterator<Item = &Loading>,
        ahead: Ahead,
    ) -> Result<(), Error> {
        let (mut rooms, mut ids) = (HashMap::new(), Vec::new());
        for Loading { room, extremities } in loaded {
            ids.extend(extremities);
            let seen = room.seen();
            if ahead == Ahead::State && seen.state.len() <= STATE_AHEAD_MAX {
                ids.extend(seen.state.values());
            }
            rooms.insert(room.id, room);
        }
        ids.retain(|id| !self.is_cached(*id));
        for stored in events::list_events(&self.app().db, &ids).await? {
            if let Some(room) = rooms.get(&stored.room) {
                self.read(stored, room).ok();
            }
        }
        Ok(())
    }
}
