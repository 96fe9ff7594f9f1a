//! A server with people, rooms and clients, and what may happen to all of it: restarts, and a backup that is put back.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    clients::{Client, DOORS, Site},
    dice::Dice,
    dump::Dump,
    tally::{Happening, Tally},
};
use crate::common::{TestServer, User};

pub const USERS: usize = 6;
pub const ROOMS: usize = 5;
/// Clients of each user.
const CLIENTS: usize = 3;

/// What happened, step by step; it outlives a panic.
pub type Log = Arc<Mutex<Vec<String>>>;

/// A copy of the database, and when it was taken.
struct Backup {
    file: PathBuf,
    era: usize,
    position: i64,
}

/// Everything.
pub struct World {
    pub site: Site,
    pub dice: Dice,
    pub dump: Dump,
    pub users: Vec<User>,
    pub rooms: Vec<String>,
    /// `None` while one has its turn.
    pub clients: Vec<Option<Client>>,
    /// Counts what is sent, so that no transaction is repeated.
    pub sent: usize,
    pub log: Log,
    pub tally: Tally,
    listener: JoinHandle<()>,
    backup: Option<Backup>,
    /// By era, the one it came from and the last commit of that which it has.
    eras: Vec<(usize, i64)>,
}

impl World {
    /// People and rooms; nothing else has happened yet.
    pub async fn new(seed: u64, log: Log) -> Self {
        let server = TestServer::start().await;
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(server.register(&format!("guest{number}")).await);
        }
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            rooms.push(make_room(&server, &users[number % USERS], number).await);
        }
        let first_door = usize::try_from(seed).unwrap();
        let doors = DOORS.iter().cycle().skip(first_door % DOORS.len());
        let clients = users.iter().flat_map(|user| std::iter::repeat_n(user, CLIENTS)).zip(doors);
        let clients = clients.map(|(user, door)| Some(Client::new(user, *door))).collect();
        let (address, listener) = listen(&server).await;
        let mut dump = Dump::default();
        dump.read_on(&server).await;
        Self {
            site: Site { server, address, era: 0, boot: 0 },
            dice: Dice::new(seed),
            dump,
            users,
            rooms,
            clients,
            sent: 0,
            log,
            tally: Tally::default(),
            listener,
            backup: None,
            eras: vec![(0, 0)],
        }
    }

    /// Notes what happens.
    pub fn say(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    /// Stops the server and starts it again.
    pub async fn restart(mut self) -> Self {
        self.say("restart".to_owned());
        self.tally.count(Happening::Restart);
        self.open_again(|_| ()).await
    }

    /// Copies the database of the running server.
    pub async fn back_up(&mut self) {
        use sea_orm::ConnectionTrait as _;

        if self.site.server.app.config.database.url.starts_with("postgres") {
            return;
        }
        let file = self.site.server.folder().join(format!("backup{}.db", self.sent));
        self.sent += 1;
        let own = format!("sqlite:{}", self.site.server.folder().join("tern.db").display());
        let own = sea_orm::Database::connect(own).await.unwrap();
        own.execute_unprepared(&format!("VACUUM INTO '{}'", file.display())).await.unwrap();
        own.close().await.unwrap();
        self.backup = Some(Backup { file, era: self.site.era, position: self.dump.position });
        self.tally.count(Happening::Backup);
        self.say(format!("backup at {}", self.dump.position));
    }

    /// Puts the backup in the place of the database, if there is one.
    pub async fn restore(mut self) -> Self {
        let Some(Backup { file, era, position }) = self.backup.take() else { return self };
        self.say(format!("restore {position}"));
        self.tally.count(Happening::Restore);
        self.eras.push((era, position));
        self.site.era = self.eras.len() - 1;
        let mut world = self
            .open_again(|folder| {
                for left in ["tern.db-wal", "tern.db-shm"] {
                    std::fs::remove_file(folder.join(left)).ok();
                }
                std::fs::copy(&file, folder.join("tern.db")).unwrap();
            })
            .await;
        world.dump.read_again(&world.site.server).await;
        let lost: Vec<bool> =
            world.clients.iter().flatten().map(|one| world.is_lost(one)).collect();
        for (client, lost) in world.clients.iter_mut().flatten().zip(lost) {
            client.is_lost = lost;
        }
        world
    }

    /// Whether the database has lost what a client was told.
    fn is_lost(&self, client: &Client) -> bool {
        let (era, position) = client.stamp;
        let (mut at, mut kept) = (self.site.era, i64::MAX);
        while at != era {
            if at == 0 {
                return true;
            }
            let (from, upto) = self.eras[at];
            (at, kept) = (from, kept.min(upto));
        }
        position > kept || client.is_lost
    }

    /// Ends the server, has its folder changed, and opens it again.
    async fn open_again(mut self, change: impl FnOnce(&std::path::Path)) -> Self {
        self.listener.abort();
        for client in self.clients.iter_mut().flatten() {
            client.socket = None;
        }
        let Site { server, era, boot, .. } = self.site;
        server.app.db.close().await;
        change(server.folder());
        let server = server.restarted().await;
        let (address, listener) = listen(&server).await;
        self.listener = listener;
        self.site = Site { server, address, era, boot: boot + 1 };
        self
    }
}

async fn listen(server: &TestServer) -> (std::net::SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = server.router.clone();
    (address, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

/// A room of its own kind: who may come in, what newcomers see, an old version or a new one.
async fn make_room(server: &TestServer, creator: &User, number: usize) -> String {
    let setting = ["shared", "joined", "invited", "world_readable", "shared"][number];
    let rule = ["public", "public", "invite", "public", "invite"][number];
    let version = ["12", "10", "12", "11", "12"][number];
    let mut users = json!({ "@guest5:example.org": 80 });
    if version != "12" {
        users[&creator.user_id] = json!(100);
    }
    let body = json!({
        "preset": "public_chat", "room_version": version,
        "power_level_content_override": { "users": users, "users_default": 50 },
        "initial_state": [
            { "type": "m.room.history_visibility", "content": { "history_visibility": setting } },
            { "type": "m.room.join_rules", "content": { "join_rule": rule } },
        ],
    });
    let path = "/_matrix/client/v3/createRoom";
    let (status, answer) = server.post(path, &creator.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["room_id"].as_str().unwrap().to_owned()
}
