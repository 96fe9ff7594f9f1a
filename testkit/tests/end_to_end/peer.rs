//! The test peer against Synapse, which is known to be right: what `bad_input` says of `ternd` is said of Synapse too, so that a
//! fault of the peer cannot pass for a refusal.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{Loopback, Peer, Synapse, TestKey};

#[tokio::test]
async fn a_peer_joins_a_room_of_synapse_and_is_heard_and_held_to_the_rules_there() -> Result<()> {
    if !Synapse::available() {
        eprintln!("matrix-synapse is not installed here: nothing shown");
        return Ok(());
    }
    let loopback = Loopback::new()?;
    let synapse = loopback.synapse().await?;
    let alice = synapse.register("alice", "a password for a test").await?;
    let peer = Peer::start(&loopback, "localhost").await?;
    for version in ["11", "12"] {
        let room = json!({ "preset": "public_chat", "room_version": version });
        let room_id = alice.create_room(room).await?;
        let mut room = peer.join(synapse.name(), &room_id, "bob").await?;

        // Synapse counts the `unsigned` it adds itself, so that an event of exactly 65,536 bytes, which the spec allows, fails there.
        let fits = peer.message_of_bytes(&room, 65_400)?;
        let answer = peer.send(synapse.name(), std::slice::from_ref(&fits)).await?.ok()?;
        assert_eq!(answer["pdus"][room.event_id(&fits)?], json!({}), "{answer}");
        alice.wait_for_event(&room_id, &room.event_id(&fits)?).await?;

        room.advance(&fits)?;
        let bursts = peer.message_of_bytes(&room, 65_537)?;
        let mut forged = peer.message(&room, json!({ "msgtype": "m.text", "body": "forged" }))?;
        forged.insert("depth".to_owned(), ruma::CanonicalJsonValue::Integer(ruma::int!(7)));
        let answer = peer.send(synapse.name(), &[bursts.clone(), forged.clone()]).await?;
        let last = peer.message(&room, json!({ "msgtype": "m.text", "body": "the last" }))?;
        peer.send(synapse.name(), std::slice::from_ref(&last)).await?.ok()?;
        alice.wait_for_event(&room_id, &room.event_id(&last)?).await?;

        let seen = alice.messages(&room_id).await?;
        for bad in [bursts, forged] {
            let id = Value::from(room.event_id(&bad)?);
            assert!(!seen.iter().any(|event| event["event_id"] == id), "{answer:?}");
        }
    }

    let path = "/_matrix/federation/v1/query/profile?user_id=%40alice%3Alocalhost";
    let wrong = TestKey::new()?;
    let refused = peer.request_with(&wrong, synapse.name(), Method::GET, path, None).await?;
    assert_eq!((refused.status, refused.errcode()), (401, "M_UNAUTHORIZED"));
    Ok(())
}
