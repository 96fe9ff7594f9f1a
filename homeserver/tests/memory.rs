//! What rooms may take in memory, and that a room which had to go works as before.

mod common;

use common::{
    TestServer,
    rooms::{room, send, sync},
};
use ruma::{CanonicalJsonObject, RoomId, UserId};
use serde_json::json;
use tern_homeserver::messaging::{Ahead, Draft, Engine, Room, send::send_event};

#[tokio::test]
async fn rooms_go_by_their_bytes_and_work_when_they_are_loaded_again() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let mut ids = Vec::new();
    for number in 0..12 {
        let id = room(&server, &alice, &[&bob]).await;
        send(&server, &alice, &id, &format!("message {number}")).await;
        ids.push(id);
    }
    let since = sync(&server, &bob, "").await["next_batch"].as_str().unwrap().to_owned();

    // Another engine over the same database, with room for a few of them.
    let (count, bytes) = server.engine.rooms_in_memory();
    assert_eq!(count, 12);
    let bound = bytes / 3;
    let engine = Engine::with_room_bytes(server.app.clone(), bound);
    let first = <&RoomId>::try_from(ids[0].as_str()).unwrap();
    let held = engine.room(first).await.unwrap();
    for id in &ids {
        let loaded = engine.room(<&RoomId>::try_from(id.as_str()).unwrap()).await.unwrap();
        assert_eq!(loaded.seen().joined_count, 2);
    }
    let (count, bytes) = engine.rooms_in_memory();
    assert!(count < 12 && bytes <= bound, "{count} rooms of {bytes} bytes in {bound}");
    let again = engine.room(first).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&held, &again), "a room that is held stays the only one");

    // The second was let go: it is loaded, written to, and the rest of the house sees it.
    drop((held, again));
    let second = <&RoomId>::try_from(ids[1].as_str()).unwrap();
    let content: CanonicalJsonObject =
        serde_json::from_value(json!({ "msgtype": "m.text", "body": "after a rest" })).unwrap();
    let sender = <&UserId>::try_from(alice.user_id.as_str()).unwrap().to_owned();
    let draft = Draft::message(sender, "m.room.message".into(), content);
    let event_id = send_event(&engine, second, draft).await.unwrap();
    let stored = engine.find_pdu(&engine.room(second).await.unwrap(), &event_id).await.unwrap();
    assert!(stored.is_some_and(|pdu| pdu.place.order.is_some()));
    let after = sync(&server, &bob, &format!("since={since}")).await;
    assert!(after["next_batch"].is_string(), "{after}");
}

/// A room as those who read it find it.
fn seen(room: &Room) -> String {
    let seen = room.seen();
    let recent: Vec<_> = seen.recent.iter().map(|pdu| (&pdu.event_id, pdu.place)).collect();
    let counts = (seen.position, seen.last_order, seen.last_thread_order, seen.countable);
    format!("{:?} {:?} {:?} {counts:?} {recent:?}", seen.state, seen.snapshot, seen.members)
}

#[tokio::test]
async fn rooms_loaded_together_are_the_rooms_that_were_in_memory() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let mut ids = Vec::new();
    // Unlike in size, with a thread, and more than the statements of one chunk take.
    for number in 0..70 {
        let others = [&bob];
        let id = room(&server, &alice, others.get(..number % 2).unwrap_or_default()).await;
        for _ in 0..number % 4 {
            send(&server, &alice, &id, "hello").await;
        }
        ids.push(id);
    }
    let root = send(&server, &alice, &ids[0], "root").await;
    let content = json!({ "msgtype": "m.text", "body": "in the thread",
        "m.relates_to": { "rel_type": "m.thread", "event_id": root } });
    let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/thread", ids[0]);
    assert_eq!(server.put(&path, &alice.token, content).await.0, 200);

    let (mut wanted, mut named) = (Vec::new(), Vec::new());
    for id in &ids {
        let room_id = <&RoomId>::try_from(id.as_str()).unwrap();
        let loaded = server.engine.room(room_id).await.unwrap();
        wanted.push((seen(&loaded), loaded.head.lock().await.extremities.clone()));
        named.push((loaded.id, room_id));
    }
    for ahead in [Ahead::Ends, Ahead::State] {
        let together = Engine::start(server.app.clone());
        together.load_rooms(&named, ahead).await.unwrap();
        assert_eq!(together.rooms_in_memory().0, ids.len());
        for ((_, room_id), (wanted, ends)) in named.iter().zip(&wanted) {
            let loaded = together.room(room_id).await.unwrap();
            assert_eq!(seen(&loaded), *wanted);
            assert_eq!(loaded.head.lock().await.extremities, *ends);
        }
    }
}
