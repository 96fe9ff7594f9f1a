//! What `ternd check` finds in a database.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

mod common;

use common::{
    TestServer,
    rooms::{room, send},
};
use sea_orm::ConnectionTrait as _;
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

#[tokio::test]
async fn a_state_that_something_stands_on_and_that_is_gone_is_a_fault() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let room_id = room(&server, &alice, &[]).await;
    send(&server, &alice, &room_id, "hello").await;
    assert_eq!(faults(&server).await, Vec::<String>::new());

    let gone = server.app.db.write(|txn| {
        Box::pin(async {
            const SQL: &str =
                "DELETE FROM state_snapshots WHERE id = (SELECT MAX(state_after) FROM events)";
            let deleted = txn.db().execute_unprepared(SQL).await.unwrap();
            Ok::<u64, storage::Error>(deleted.rows_affected())
        })
    });
    assert_eq!(gone.await.unwrap(), 1);

    let faults = faults(&server).await;
    let said = "1 states that something stands on are missing";
    assert!(faults.iter().any(|fault| fault == said), "{faults:?}");
}
