//! Databases that earlier schemas left, small and filled: this version opens them and goes on where they stopped.
//!
//! Each is alice's server after `cargo demo` at that schema: she registered by mail, set up recovery and talked with bob of
//! another server in an encrypted room. Made by the demo without a terminal, with `TERN_TEST_KEEP` set and, for the second,
//! `TERN_TEST_DATABASE=postgres`, then `sqlite3 tern.db .dump` and `pg_dump --inserts --no-owner --no-privileges` without its settings.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use common::{
    TestServer, User, assert_refused,
    rooms::{encoded, send, sync},
};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use tern_homeserver::storage::Database;

const PASSWORD: &str = "a password for the demo";
/// Schema; as SQLite dumped it; as PostgreSQL dumped it.
const DUMPS: [(&str, &str, &str); 6] = [
    ("m0006", include_str!("schemas/m0006.sqlite.sql"), include_str!("schemas/m0006.postgres.sql")),
    ("m0007", include_str!("schemas/m0007.sqlite.sql"), include_str!("schemas/m0007.postgres.sql")),
    ("m0012", include_str!("schemas/m0012.sqlite.sql"), include_str!("schemas/m0012.postgres.sql")),
    ("m0013", include_str!("schemas/m0013.sqlite.sql"), include_str!("schemas/m0013.postgres.sql")),
    ("m0014", include_str!("schemas/m0014.sqlite.sql"), include_str!("schemas/m0014.postgres.sql")),
    ("m0015", include_str!("schemas/m0015.sqlite.sql"), include_str!("schemas/m0015.postgres.sql")),
];

fn server_name(dump: &str) -> &str {
    let start = dump.find("'alpha.localhost:").unwrap() + 1;
    dump[start..].split('\'').next().unwrap()
}

#[tokio::test]
async fn a_database_of_an_earlier_schema_opens_and_goes_on() {
    let on_postgres = std::env::var("TERN_TEST_DATABASE").is_ok();
    for (schema, sqlite, postgres) in DUMPS {
        let dump = if on_postgres { postgres } else { sqlite };
        let name = server_name(dump);
        let server = TestServer::from_dump(name, dump, |_| {}).await;
        let login = server.try_login("alice", PASSWORD).await;
        assert_eq!(login.0, 200, "{schema}: {}", login.1);
        let alice = User::from_answer(&login);

        let synced = sync(&server, &alice, "").await;
        let rooms = synced["rooms"]["join"].as_object().unwrap();
        assert_eq!(rooms.len(), 1, "{schema}: {synced}");
        let (room_id, room) = rooms.iter().next().unwrap();
        let events = room["timeline"]["events"].as_array().unwrap();
        let said = |sender: &str| {
            let of_sender = events.iter().filter(|event| {
                event["type"] == "m.room.encrypted"
                    && event["sender"].as_str().unwrap().starts_with(sender)
            });
            of_sender.count()
        };
        assert_eq!((said("@alice:"), said("@bob:")), (1, 2), "{schema}: {room}");

        send(&server, &alice, room_id, "and the bread").await;
        let path = format!("/_matrix/client/v3/rooms/{}/members", encoded(room_id));
        let (_, members) = server.get(&path, &alice.token).await;
        assert_eq!(members["chunk"].as_array().unwrap().len(), 2, "{schema}: {members}");
        let body = json!({ "device_keys": { &alice.user_id: [] } });
        let (_, keys) = server.post("/_matrix/client/v3/keys/query", &alice.token, body).await;
        let devices = keys["device_keys"][&alice.user_id].as_object().unwrap();
        assert_eq!(devices.len(), 1, "{schema}: {keys}");
        assert!(keys["master_keys"][&alice.user_id].is_object(), "{schema}: {keys}");
        assert_refused(&server.try_login("alice", "wrong").await, 403, "M_FORBIDDEN");
    }
}

#[test]
fn the_newest_schema_has_left_a_database() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage/migration");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let newest =
        names.filter(|name| name.starts_with('m') && name.ends_with(".sql")).max().unwrap();
    let (last, ..) = DUMPS[DUMPS.len() - 1];
    assert_eq!(newest.split('_').next(), Some(last), "dump a filled database of {newest}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let server = TestServer::start().await;
    server.register("alice").await;
    let config = &server.app.config;
    let url = match config.database.url.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", config.data_dir.join(file).display()),
        None => config.database.url.clone(),
    };
    let db = sea_orm::Database::connect(&url).await.unwrap();
    let future = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)";
    db.execute_unprepared(future).await.unwrap();

    let opened = Database::open(&config.database.url, &config.data_dir, "example.org").await;

    let error = opened.err().unwrap().to_string();
    assert!(error.starts_with("the database was written by a newer ternd"), "{error}");
    let undo = "DELETE FROM seaql_migrations WHERE version = 'm9999_future'";
    assert_eq!(db.execute_unprepared(undo).await.unwrap().rows_affected(), 1);
    db.close().await.unwrap();
    let again = Database::open(&config.database.url, &config.data_dir, "example.org").await;
    again.unwrap().close().await;
    assert_eq!(server.try_login("alice", common::PASSWORD).await.0, 200);
}
