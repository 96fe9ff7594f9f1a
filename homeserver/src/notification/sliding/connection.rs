//! Connections: what each client's windows were told of which room, safe against repeated requests.
//!
//! A connection remembers what the client confirmed (it came back with that `pos`) and what the last answer added. A
//! client that repeats a `pos` did not get that answer: it is dropped and made anew.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    super::{Error, Sync},
    marks::Marks,
    wanted::Rules,
};
use crate::{
    messaging::{
        Engine, Membership,
        tokens::{ConnectionPos, SyncToken},
    },
    storage::{Id, Position},
};

/// Most connections in memory, and most of one device; the longest unused go first.
const CONNECTIONS_MAX: usize = 50_000;
const DEVICE_CONNECTIONS_MAX: usize = 8;
/// Member events a connection remembers to have loaded lazily; what is forgotten is told again.
const MEMBERS_MAX: usize = 1_000;

/// A device and the name it gave the connection.
pub(super) type Key = (Id, String);
/// What was told, by room.
pub(super) type ToldRooms = HashMap<Id, Told>;

/// What a connection was told of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Everything up to here.
    pub position: Position,
    /// The state, as of this snapshot.
    pub snapshot: Option<Id>,
    /// The user's membership then.
    pub membership: Membership,
    pub is_dm: bool,
    /// The most timeline events asked for so far.
    pub limit: usize,
    /// The state asked for last.
    pub rules: Arc<Rules>,
    /// What was told beside events.
    pub marks: Marks,
}

/// What an answer builds on.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    pub rooms: Arc<ToldRooms>,
    /// Member events that were loaded lazily.
    pub members: Arc<HashSet<Id>>,
    /// All global account data was told once.
    pub global_data: bool,
    /// `None`: the connection begins.
    pub token: Option<SyncToken>,
    number: u64,
}

/// What an answer tells, to be remembered once the client has it.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub rooms: Vec<(Id, Told)>,
    pub members: Vec<Id>,
    pub global_data: bool,
    pub token: SyncToken,
}

/// All connections of this process.
#[derive(Debug, Default)]
pub(in crate::notification) struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    devices: HashMap<Id, HashMap<String, Connection>>,
    /// How many there are.
    len: usize,
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
    news: News,
}

impl Connections {
    /// Begins a connection, or begins it again.
    pub(super) fn begin(&self, key: &Key) -> Base {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = state.next_count();
        *state.entry(key) = Connection { used, ..Connection::default() };
        Base::default()
    }

    /// What the client with this `pos` was told; `None` when that is not known any more.
    pub(super) fn resume(&self, key: &Key, pos: &str) -> Option<Base> {
        let pos = ConnectionPos::parse(pos).filter(|pos| pos.device == key.0)?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = state.next_count();
        let connection = state.devices.get_mut(&key.0)?.get_mut(&key.1)?;
        connection.used = used;
        if let Some(sent) = connection.sent.take_if(|sent| sent.number == pos.number) {
            connection.confirmed.confirm(sent);
        }
        let confirmed = &connection.confirmed;
        let is_known = confirmed.number == pos.number
            && confirmed.token.as_ref().is_some_and(|known| *known == pos.token);
        is_known.then(|| confirmed.clone())
    }

    /// Notes an answer and gives it its `pos`.
    pub(super) fn advance(&self, key: &Key, base: &Base, news: News) -> String {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next_count();
        let pos = ConnectionPos { number, device: key.0, token: news.token.clone() };
        let connection = state.entry(key);
        connection.used = number;
        // Another request of this connection may have gone on meanwhile; then this answer counts for nothing.
        if connection.confirmed.number == base.number || connection.confirmed.token.is_none() {
            connection.confirmed = base.clone();
            connection.sent = Some(Sent { number, news });
        }
        pos.to_string()
    }
}

impl Base {
    /// The client has this answer.
    fn confirm(&mut self, Sent { number, news }: Sent) {
        Arc::make_mut(&mut self.rooms).extend(news.rooms);
        if !news.members.is_empty() {
            let members = Arc::make_mut(&mut self.members);
            if members.len() >= MEMBERS_MAX {
                members.clear();
            }
            members.extend(news.members);
        }
        self.global_data |= news.global_data;
        self.number = number;
        self.token = Some(news.token);
    }
}

impl State {
    fn next_count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The connection, made if there is none; the longest unused one goes where there are too many.
    fn entry(&mut self, key: &Key) -> &mut Connection {
        let known = self.devices.get(&key.0);
        if known.is_none_or(|of_device| !of_device.contains_key(&key.1)) {
            let of_device = known.map_or(0, HashMap::len);
            if of_device >= DEVICE_CONNECTIONS_MAX {
                self.remove_oldest(Some(key.0));
            } else if self.len >= CONNECTIONS_MAX {
                self.remove_oldest(None);
            }
            self.len += 1;
        }
        self.devices.entry(key.0).or_default().entry(key.1.clone()).or_default()
    }

    /// Removes the longest unused connection, of one device or of all.
    fn remove_oldest(&mut self, device: Option<Id>) {
        let among: Vec<_> = match device {
            Some(device) => self.devices.get_key_value(&device).into_iter().collect(),
            None => self.devices.iter().collect(),
        };
        let oldest = among
            .into_iter()
            .flat_map(|(id, names)| names.iter().map(move |(name, it)| (it.used, *id, name)))
            .min()
            .map(|(_, id, name)| (id, name.clone()));
        let Some((id, name)) = oldest else { return };
        if let Some(names) = self.devices.get_mut(&id) {
            names.remove(&name);
            self.len -= 1;
            if names.is_empty() {
                self.devices.remove(&id);
            }
        }
    }
}

/// The base of a connection without rooms, from its `pos` alone.
pub(super) fn roomless(
    state: &Sync,
    engine: &Engine,
    (key, pos): (&Key, &str),
    now: &SyncToken,
) -> Result<Base, Error> {
    let pos = ConnectionPos::parse(pos).filter(|pos| pos.device == key.0);
    let pos = pos.ok_or(Error::UnknownPos)?;
    let token = state.known(engine, &pos.token.to_string(), now).ok_or(Error::UnknownPos)?;
    Ok(Base { global_data: true, token: Some(token), number: pos.number, ..Base::default() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Connections, Marks, News, Rules, Told};
    use crate::messaging::{Membership, tokens::SyncToken};

    fn token(position: i64) -> SyncToken {
        SyncToken { epoch: "e".to_owned(), position, to_device: 0, boot: 1, serial: 0 }
    }

    fn told(position: i64) -> Told {
        let (rules, marks) = (Arc::new(Rules::default()), Marks::default());
        let membership = Membership::Join;
        Told { position, snapshot: None, membership, is_dm: false, limit: 1, rules, marks }
    }

    fn news(room: i64, position: i64) -> News {
        let rooms = vec![(room, told(position))];
        News { rooms, members: vec![room], global_data: false, token: token(position) }
    }

    #[test]
    fn an_answer_counts_once_the_client_comes_back_with_it() {
        let (connections, key) = (Connections::default(), (1, String::new()));
        let base = connections.begin(&key);
        let first = connections.advance(&key, &base, news(7, 5));
        let base = connections.resume(&key, &first).unwrap();
        assert_eq!(base.rooms.get(&7), Some(&told(5)));
        assert!(base.members.contains(&7));

        let lost = connections.advance(&key, &base, news(8, 6));
        let again = connections.resume(&key, &first).unwrap();
        assert!(!again.rooms.contains_key(&8), "the second answer was lost");
        assert!(!again.members.contains(&8), "and with it the member");
        let second = connections.advance(&key, &again, news(8, 6));
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
            .map(|key| connections.advance(key, &connections.begin(key), news(1, 1)))
            .collect();
        assert!(connections.resume(&keys[0], &pos[0]).is_none(), "the oldest had to go");
        assert!(connections.resume(&keys[19], &pos[18]).is_none(), "another's pos");
        assert!(connections.resume(&keys[19], &pos[19]).is_some());
    }

    #[test]
    fn a_pos_belongs_to_its_device() {
        let connections = Connections::default();
        let (one, other) = ((1, String::new()), (2, String::new()));
        let pos = connections.advance(&one, &connections.begin(&one), news(1, 1));
        connections.advance(&other, &connections.begin(&other), news(1, 1));
        assert!(connections.resume(&other, &pos).is_none());
        assert!(connections.resume(&one, &pos).is_some());
    }
}
