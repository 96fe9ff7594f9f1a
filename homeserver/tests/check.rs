//! What `ternd check` finds in a database.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use common::{
    TestServer,
    rooms::{room, send},
};
use sea_orm::{ConnectionTrait as _, DbBackend};
use tern_homeserver::{
    messaging::{Engine, check},
    storage,
};

/// The faults in the database as it stands.
async fn faults(server: &TestServer) -> Vec<String> {
    let mut faults = Vec::new();
    let engine = Engine::start(server.app.clone());
    check::check(&engine, &mut |text| faults.push(text)).await.unwrap();
    faults
}

async fn write(server: &TestServer, sql: &'static str) -> u64 {
    let written = server.app.db.write(move |txn| {
        Box::pin(async move {
            let written = txn.db().execute_unprepared(sql).await.unwrap();
            Ok::<u64, storage::Error>(written.rows_affected())
        })
    });
    written.await.unwrap()
}

#[tokio::test]
async fn a_state_that_something_stands_on_and_that_is_gone_is_a_fault() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    send(&server, &alice, &room_id, "hello").await;
    assert_eq!(faults(&server).await, Vec::<String>::new());
    const GONE: &str =
        "DELETE FROM state_snapshots WHERE id = (SELECT MAX(state_after) FROM events)";
    assert_eq!(write(&server, GONE).await, 1);
    let faults = faults(&server).await;
    let said = "1 states that something stands on are missing";
    assert!(faults.iter().any(|fault| fault == said), "{faults:?}");
}

#[tokio::test]
async fn an_event_that_is_not_found_by_its_id_is_a_fault() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    let event_id = send(&server, &alice, &room_id, "hello").await;
    const RENAMED: &str =
        "UPDATE events SET event_id = '$other' WHERE id = (SELECT MAX(id) FROM events)";
    assert_eq!(write(&server, RENAMED).await, 1);
    let is_sqlite = server.app.db.read().get_database_backend() == DbBackend::Sqlite;
    let faults = faults(&server).await;
    // PostgreSQL's index follows the row; that its content is another event's is told there too.
    let lost = faults.iter().any(|fault| fault.contains("by its id [] are found"));
    assert_eq!(lost, is_sqlite, "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains(&event_id)), "{faults:?}");
}
