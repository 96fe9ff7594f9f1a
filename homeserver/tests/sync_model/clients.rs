//! Clients of every door, each with what it was told, and how they catch up, lose answers and come back.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::{Value, json};

use super::{
    classic,
    dice::Dice,
    dump::Dump,
    sliding,
    tally::{Happening, Tally},
    view::{RoomView, Section},
};
use crate::common::{TestServer, User, socket::Socket};

/// A way to hear of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// `GET /_matrix/client/v3/sync`
    Classic(classic::Flavor),
    /// Sliding sync as it was deployed.
    Deployed,
    /// `POST /_matrix/client/v4/sync`
    Stable,
    /// The notification socket.
    Socket,
}

/// All doors, so that three that follow each other are three different ones.
pub const DOORS: [Door; 7] = [
    Door::Classic(classic::Flavor::Few),
    Door::Deployed,
    Door::Socket,
    Door::Classic(classic::Flavor::Lazy),
    Door::Stable,
    Door::Classic(classic::Flavor::StateAfter),
    Door::Classic(classic::Flavor::Many),
];

/// The server as clients find it.
pub struct Site {
    pub server: TestServer,
    /// Where sockets are opened.
    pub address: SocketAddr,
    /// How often it went on with another database than it had.
    pub era: usize,
    /// Counts starts.
    pub boot: usize,
}

/// A client of one user through one door.
pub struct Client {
    pub name: String,
    pub user: User,
    pub door: Door,
    pub view: BTreeMap<String, RoomView>,
    /// Account data of no room, by type.
    pub own_data: BTreeMap<String, Value>,
    /// Where it goes on: `next_batch` or `pos`.
    pub token: Option<String>,
    /// The era and the newest commit when it got the token.
    pub stamp: (usize, i64),
    /// The start of the server that the token is of.
    pub boot: usize,
    /// The token is of a future that the database has lost.
    pub is_lost: bool,
    pub socket: Option<Socket>,
    /// Counts the requests on the socket.
    pub request: u64,
    /// Everything that it was told since the last check, by room.
    pub told: Vec<(String, Value)>,
    pub tally: Tally,
}

impl Client {
    pub fn new(user: &User, door: Door) -> Self {
        Self {
            name: format!("{} by {door:?}", user.user_id),
            user: user.clone(),
            door,
            view: BTreeMap::new(),
            own_data: BTreeMap::new(),
            token: None,
            stamp: (0, 0),
            boot: 0,
            is_lost: false,
            socket: None,
            request: 0,
            told: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Forgets everything, as after a new installation.
    pub fn forget(&mut self) {
        self.view.clear();
        self.own_data.clear();
        (self.token, self.socket, self.is_lost) = (None, None, false);
    }

    /// What comes now is told from the beginning: what is not in it is no more.
    pub fn begin_again(&mut self) {
        self.own_data.clear();
        for room in self.view.values_mut() {
            let timeline = std::mem::take(&mut room.timeline);
            *room = RoomView { timeline, ..RoomView::default() };
        }
    }

    /// Drops what was not told since [`Client::begin_again`].
    pub fn drop_untold(&mut self) {
        self.view.retain(|_, room| room.section.is_some());
    }

    /// Asks for what is new, once.
    pub async fn ask(&mut self, site: &Site, timeout_ms: u64) -> Value {
        let pos = self.token.as_deref();
        match self.door {
            Door::Classic(flavor) => {
                classic::ask(site, &self.user, flavor, (pos, timeout_ms)).await
            }
            Door::Deployed | Door::Stable => {
                match sliding::ask(site, &self.user, self.door, (pos, timeout_ms)).await {
                    Some(answer) => answer,
                    None => {
                        self.starts_over(site);
                        sliding::ask(site, &self.user, self.door, (None, 0)).await.unwrap()
                    }
                }
            }
            Door::Socket => self.ask_socket(site).await,
        }
    }

    /// The server cannot go on from the `pos`: it may say so after a restart only.
    fn starts_over(&mut self, site: &Site) {
        assert_ne!(self.boot, site.boot, "the pos is not known, with no restart since");
        self.tally.count(Happening::NewBeginning);
        self.token = None;
        self.begin_again();
    }

    /// Says the request on the socket, opened if there is none, and hears its first delta.
    async fn ask_socket(&mut self, site: &Site) -> Value {
        let mut is_new = false;
        loop {
            self.request += 1;
            let (id, request) = (self.request.to_string(), self.socket_request());
            match &mut self.socket {
                None => {
                    let mut socket = Socket::connect(site.address, "").await;
                    let token = &self.user.token;
                    socket.say(json!({ "type": "open", "access_token": token, "id": id, "request": request })).await;
                    assert_eq!(socket.hear().await["type"], "opened");
                    is_new = true;
                    self.socket = Some(socket);
                }
                Some(socket) => {
                    socket.say(json!({ "type": "request", "id": id, "request": request })).await;
                }
            }
            let socket = self.socket.as_mut().unwrap();
            let mut frame = socket.hear().await;
            while frame["id"] != id.as_str() {
                assert_eq!(frame["type"], "delta", "{frame}");
                frame = socket.hear().await;
            }
            if frame["type"] == "delta" {
                if is_new && self.token.is_some() {
                    self.tally.count(Happening::Reconnect);
                }
                return frame["response"].take();
            }
            assert_eq!(frame["errcode"], "M_UNKNOWN_POS", "{frame}");
            self.starts_over(site);
        }
    }

    fn socket_request(&self) -> Value {
        let mut request = sliding::stable_request(true);
        if let Some(pos) = &self.token {
            request["pos"] = json!(pos);
        }
        request
    }

    /// Takes an answer in, and goes on behind it.
    pub async fn take(&mut self, site: &Site, dump: &Dump, dice: &mut Dice, answer: &Value) {
        let limit = 1 + dice.roll(12);
        match self.door {
            Door::Classic(flavor) => {
                if self.is_lost {
                    self.tally.count(Happening::LostFuture);
                    self.begin_again();
                }
                classic::apply(self, &site.server, (flavor, limit), answer).await;
                if self.is_lost {
                    self.drop_untold();
                }
            }
            Door::Deployed | Door::Stable | Door::Socket => {
                let is_first = self.token.is_none();
                sliding::apply(self, (&site.server, dump), limit, answer).await;
                if is_first {
                    self.drop_untold();
                }
            }
        }
        let token = if matches!(self.door, Door::Classic(_)) { "next_batch" } else { "pos" };
        self.token = Some(answer[token].as_str().unwrap().to_owned());
        (self.stamp, self.boot, self.is_lost) = ((site.era, dump.position), site.boot, false);
        if let Some(socket) = &mut self.socket {
            socket.say(json!({ "type": "ack", "pos": answer["pos"] })).await;
        }
    }

    /// Asks, and loses the answer; asked at once again the server must say the same.
    pub async fn lose(&mut self, site: &Site, dump: &Dump, dice: &mut Dice) {
        let lost = self.ask(site, 0).await;
        self.tally.count(Happening::LostAnswer);
        for (room_id, told) in timelines(&lost) {
            let visible = dump.visible(&room_id, &self.user.user_id);
            let may_see = |id: &String| visible.iter().any(|event| event.event_id == *id);
            assert!(told.iter().all(may_see), "{}: more than they may see: {lost}", self.name);
        }
        if dice.chance(50) {
            let again = self.ask(site, 0).await;
            assert_eq!(timelines(&again), timelines(&lost), "asked again for what was lost");
            self.tally.count(Happening::Repeat);
        }
        self.socket = None;
    }

    /// Hears what the socket has to say by itself, as long as something is missing; it must come.
    pub async fn listen(&mut self, site: &Site, dump: &Dump, dice: &mut Dice) {
        while self.socket.is_some() && self.lacks(dump) {
            let mut frame = self.socket.as_mut().unwrap().hear().await;
            assert_eq!(frame["type"], "delta", "{frame}");
            if frame["id"] == self.request.to_string().as_str() {
                let answer = frame["response"].take();
                self.tally.count(Happening::Push);
                self.take(site, dump, dice, &answer).await;
            }
        }
    }

    /// Whether something is missing in a room that the user is in.
    fn lacks(&self, dump: &Dump) -> bool {
        let user = &self.user.user_id;
        let mut rooms = dump.rooms.keys().filter(|room| dump.membership(room, user) == "join");
        rooms.any(|room| {
            let known = self.view.get(room).filter(|known| known.section == Some(Section::Join));
            known.map_or(0, |known| known.timeline.len()) != dump.visible(room, user).len()
        })
    }
}

/// The ids of an answer's timelines, whichever door it is of.
fn timelines(answer: &Value) -> BTreeMap<String, Vec<String>> {
    let rooms = &answer["rooms"];
    let parts = [rooms, &rooms["join"], &rooms["leave"]];
    let rooms = parts.into_iter().filter_map(Value::as_object).flatten();
    rooms
        .filter_map(|(room_id, room)| {
            let events = room["timeline"]["events"].as_array().or(room["timeline"].as_array())?;
            Some((room_id.clone(), events.iter().map(super::view::id).collect()))
        })
        .collect()
}
