//! Connections: what each client's windows were told of which room, safe against repeated requests.
//!
//! A connection remembers what the client confirmed (it came back with that `pos`) and what the last answer added. A
//! client that repeats a `pos` did not get that answer: it is dropped and made anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::super::{Error, Sync};
use crate::{
    messaging::{Engine, Membership, tokens::SyncToken},
    storage::{Id, Position},
};

/// Most connections in memory, and most of one device; the longest unused go first.
const CONNECTIONS_MAX: usize = 50_000;
const DEVICE_CONNECTIONS_MAX: usize = 8;

/// A device and the name it gave the connection.
pub(super) type Key = (Id, String);
/// What was told, by room.
pub(super) type ToldRooms = HashMap<Id, Told>;

/// What a connection was told of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// Everything up to here.
    pub position: Position,
    /// The state, as of this snapshot.
    pub snapshot: Option<Id>,
    /// The user's membership then.
    pub membership: Membership,
    /// The most timeline events asked for so far.
    pub limit: usize,
    /// A digest of the state asked for.
    pub state_wanted: u64,
    /// The answer began the room anew.
    pub is_initial: bool,
}

/// What an answer builds on.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    pub rooms: Arc<ToldRooms>,
    /// `None`: the connection begins.
    pub token: Option<SyncToken>,
    number: u64,
}

/// All connections of this process.
#[derive(Debug, Default)]
pub(in crate::notification) struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    connections: HashMap<Key, Connection>,
    /// Counts uses and answers.
    count: u64,
}

#[derive(Debug, Default)]
struct Connection {
    confirmed: Base,
    sent: Option<Sent>,
    used: u64,
}

#[derive(Debug)]
struct Sent {
    number: u64,
    token: SyncToken,
    rooms: Vec<(Id, Told)>,
}

impl Connections {
    /// Begins a connection, or begins it again.
    pub(super) fn begin(&self, key: &Key) -> Base {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let used = state.count;
        state.make_room(key);
        let connection = Connection { used, ..Connection::default() };
        state.connections.insert(key.clone(), connection);
        Base::default()
    }

    /// What the client with this `pos` was told; `None` when that is not known any more.
    pub(super) fn resume(&self, key: &Key, pos: &str) -> Option<Base> {
        let (number, token) = parse(pos)?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let used = state.count;
        let connection = state.connections.get_mut(key)?;
        connection.used = used;
        if let Some(sent) = connection.sent.take_if(|sent| sent.number == number) {
            Arc::make_mut(&mut connection.confirmed.rooms).extend(sent.rooms);
            connection.confirmed.number = number;
            connection.confirmed.token = Some(sent.token);
        }
        let confirmed = &connection.confirmed;
        let is_known = confirmed.number == number
            && confirmed.token.as_ref().is_some_and(|known| *known == token);
        is_known.then(|| confirmed.clone())
    }

    /// Notes an answer and gives it its `pos`.
    pub(super) fn advance(
        &self,
        key: &Key,
        base: &Base,
        rooms: Vec<(Id, Told)>,
        token: SyncToken,
    ) -> String {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let number = state.count;
        let pos = format!("{number}.{token}");
        state.make_room(key);
        let connection = state.connections.entry(key.clone()).or_default();
        connection.used = number;
        // Another request of this connection may have gone on meanwhile; then this answer counts for nothing.
        if connection.confirmed.number == base.number || connection.confirmed.token.is_none() {
            connection.confirmed = base.clone();
            connection.sent = Some(Sent { number, token, rooms });
        }
        pos
    }
}

impl State {
    /// Makes room for one more connection.
    fn make_room(&mut self, key: &Key) {
        if self.connections.contains_key(key) {
            return;
        }
        let of_device = self.connections.iter().filter(|((device, _), _)| *device == key.0).count();
        let oldest = |state: &Self, of_device: bool| {
            state
                .connections
                .iter()
                .filter(|((device, _), _)| !of_device || *device == key.0)
                .min_by_key(|(_, connection)| connection.used)
                .map(|(key, _)| key.clone())
        };
        let idle = if of_device >= DEVICE_CONNECTIONS_MAX {
            oldest(self, true)
        } else if self.connections.len() >= CONNECTIONS_MAX {
            oldest(self, false)
        } else {
            None
        };
        idle.and_then(|key| self.connections.remove(&key));
    }
}

fn parse(pos: &str) -> Option<(u64, SyncToken)> {
    let (number, token) = pos.split_once('.')?;
    Some((number.parse().ok()?, SyncToken::parse(token)?))
}

/// The base of a connection without rooms, from its `pos` alone.
pub(super) fn roomless(
    state: &Sync,
    engine: &Engine,
    pos: &str,
    now: &SyncToken,
) -> Result<Base, Error> {
    let (number, token) = pos.split_once('.').ok_or(Error::UnknownPos)?;
    let token = state.known(engine, token, now).ok_or(Error::UnknownPos)?;
    let number = number.parse().map_err(|_| Error::UnknownPos)?;
    Ok(Base { rooms: Arc::default(), token: Some(token), number })
}

#[cfg(test)]
mod tests {
    use super::{Connections, Told};
    use crate::messaging::{Membership, tokens::SyncToken};

    fn token(position: i64) -> SyncToken {
        SyncToken { epoch: "e".to_owned(), position, to_device: 0, boot: 1, serial: 0 }
    }

    fn told(position: i64) -> Told {
        let (membership, is_initial) = (Membership::Join, true);
        Told { position, snapshot: None, membership, limit: 1, state_wanted: 0, is_initial }
    }

    #[test]
    fn an_answer_counts_once_the_client_comes_back_with_it() {
        let (connections, key) = (Connections::default(), (1, String::new()));
        let base = connections.begin(&key);
        let first = connections.advance(&key, &base, vec![(7, told(5))], token(5));
        let base = connections.resume(&key, &first).unwrap();
        assert_eq!(base.rooms.get(&7), Some(&told(5)));

        let lost = connections.advance(&key, &base, vec![(8, told(6))], token(6));
        let again = connections.resume(&key, &first).unwrap();
        assert!(!again.rooms.contains_key(&8), "the second answer was lost");
        let second = connections.advance(&key, &again, vec![(8, told(6))], token(6));
        assert!(connections.resume(&key, &lost).is_none());
        assert!(connections.resume(&key, &second).unwrap().rooms.contains_key(&8));
        assert!(connections.resume(&key, &first).is_none(), "left behind");
    }

    #[test]
    fn connections_of_a_device_do_not_mix_and_stay_few() {
        let connections = Connections::default();
        let keys: Vec<_> = (0..20).map(|name| (1, name.to_string())).collect();
        let pos: Vec<_> = keys
            .iter()
            .map(|key| connections.advance(key, &connections.begin(key), Vec::new(), token(1)))
            .collect();
        assert!(connections.resume(&keys[0], &pos[0]).is_none(), "the oldest had to go");
        assert!(connections.resume(&keys[19], &pos[18]).is_none(), "another's pos");
        assert!(connections.resume(&keys[19], &pos[19]).is_some());
    }
}
