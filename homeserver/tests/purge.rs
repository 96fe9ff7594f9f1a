//! Rooms that nobody here is in, taken out of the database.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use common::{
    TestServer,
    rooms::{act, encoded, room, send},
};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::json;
use tern_homeserver::storage::{
    purge::{Purged, purge_room},
    rooms::find_room,
};

async fn count(server: &TestServer, table: &str, room: i64) -> i64 {
    let db = server.app.db.read();
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE room = {room}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// Whether the index of words holds this one, as SQLite's file of it says.
fn is_on_disk(server: &TestServer, word: &str) -> bool {
    ["tern.db.search", "tern.db.search-wal"].iter().any(|file| {
        let bytes = std::fs::read(server.folder().join(file)).unwrap_or_default();
        bytes.windows(word.len()).any(|found| found == word.as_bytes())
    })
}

#[tokio::test]
async fn a_room_that_everybody_left_is_purged_and_no_other() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let old = room(&server, &alice, &[&bob]).await;
    let kept = room(&server, &alice, &[&bob]).await;
    for room_id in [&old, &kept] {
        for number in 0..20 {
            send(&server, &alice, room_id, &format!("saffron number {number}")).await;
        }
    }
    send(&server, &alice, &old, "quartz").await;
    // Whoever searches has the index brought up to date.
    let body = json!({ "search_categories": { "room_events": { "search_term": "saffron" } } });
    let search = "/_matrix/client/v3/search";
    let (_, found) = server.post(search, &alice.token, body.clone()).await;
    assert_eq!(found["search_categories"]["room_events"]["count"], 40, "{found}");
    let db = &server.app.db;
    let is_sqlite = db.read().get_database_backend() == DbBackend::Sqlite;
    assert_eq!(is_on_disk(&server, "quartz"), is_sqlite);
    assert_eq!(purge_room(db, &old).await.unwrap(), Purged::InUse { users: 2 });
    for user in [&alice, &bob] {
        act(&server, user, &old, "leave", json!({})).await;
    }
    let (gone, other) = (find_room(db, &old).await.unwrap(), find_room(db, &kept).await.unwrap());
    let (gone, other) = (gone.unwrap().id, other.unwrap().id);
    let before = count(&server, "events", other).await;

    let Purged::Gone { events } = purge_room(db, &old).await.unwrap() else {
        panic!("the room stays")
    };

    assert!(events >= 20, "{events}");
    for table in ["events", "state_snapshots", "memberships", "receipts", "threads"] {
        assert_eq!(count(&server, table, gone).await, 0, "{table}");
    }
    assert_eq!(count(&server, "events", other).await, before);
    if is_sqlite {
        assert!(!is_on_disk(&server, "quartz"), "the words stay on the disk");
        let sql = "SELECT (SELECT COUNT(*) FROM event_ids), (SELECT COUNT(*) FROM events), \
             (SELECT COUNT(*) FROM event_ids_log)";
        let row = db.read().query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await;
        let row = row.unwrap().unwrap();
        let [ids, all, log] = [0, 1, 2].map(|at| row.try_get_by_index::<i64>(at).unwrap());
        assert!(
            (ids, log) == (all, 0) && all > 0,
            "{ids} ids and {log} in the log of {all} events"
        );
    } else {
        assert_eq!(count(&server, "search_index", gone).await, 0);
    }
    assert_eq!(purge_room(db, &old).await.unwrap(), Purged::Unknown);
    let server = server.restarted().await;
    let (_, found) = server.post(search, &alice.token, body).await;
    assert_eq!(found["search_categories"]["room_events"]["count"], 20, "{found}");
    send(&server, &bob, &kept, "it goes on").await;
    let path = format!("/_matrix/client/v3/rooms/{}/messages?dir=b", encoded(&old));
    assert_eq!(server.get(&path, &alice.token).await.0, 403);
}
