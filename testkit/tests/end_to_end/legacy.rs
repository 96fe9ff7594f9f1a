//! The first versions of `send_join` and `send_leave`, which old servers still speak.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{Loopback, Peer, event_id};

use crate::people::PASSWORD;

fn encode(id: &str) -> String {
    id.replace('!', "%21").replace('$', "%24").replace(':', "%3A").replace('@', "%40")
}

#[tokio::test]
async fn the_first_versions_of_send_join_and_send_leave_answer_in_a_pair_and_refuse_other_events()
-> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let body = json!({ "preset": "public_chat", "room_version": "11" });
    let room_id = alice.create_room(body).await?;
    let user_id = peer.user_id("bob");
    let version = ruma::RoomVersionId::V11;
    let made = async |kind: &str| -> Result<Value> {
        let (room, user) = (encode(&room_id), encode(&user_id));
        let path = format!("/_matrix/federation/v1/make_{kind}/{room}/{user}?ver=11");
        let answer = peer.request(ternd.name(), Method::GET, &path, None).await?.ok()?;
        answer.get("event").cloned().context("no event")
    };
    let send = async |kind: &str, event: Value| {
        let event = peer.sign_event(&version, event)?;
        let id = event_id(&version, &event)?;
        let path =
            format!("/_matrix/federation/v1/send_{kind}/{}/{}", encode(&room_id), encode(&id));
        let body = serde_json::to_value(&event)?;
        peer.request(ternd.name(), Method::PUT, &path, Some(body)).await
    };

    let template = made("join").await?;
    let mut topic = template.clone();
    topic["type"] = json!("m.room.topic");
    topic["state_key"] = json!("");
    topic["content"] = json!({ "topic": "not a join" });
    for kind in ["join", "leave"] {
        let refused = send(kind, topic.clone()).await?;
        assert_eq!(refused.status, 400, "{kind}: {}", refused.body);
    }
    let joined = send("join", template).await?.ok()?;
    assert_eq!(joined[0], 200, "{joined}");
    assert!(joined[1]["state"].as_array().is_some_and(|state| !state.is_empty()), "{joined}");
    assert!(joined[1]["auth_chain"].is_array(), "{joined}");
    let left = send("leave", made("leave").await?).await?.ok()?;
    assert_eq!(left, json!([200, {}]));
    Ok(())
}
