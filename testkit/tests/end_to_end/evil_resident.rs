//! Servers that a user of ours joins by, or is invited by, and that lie: nothing is signed that we did not build ourselves.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tern_testkit::{HostedRoom, Loopback, Peer};

use crate::people::PASSWORD;

/// What is forged, and how.
type Forgery = (&'static str, fn(&mut Value));

#[tokio::test]
async fn a_forged_join_template_gets_no_signature_for_anything_but_our_own_join() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let forgeries: [Forgery; 5] = [
        ("type", |event| {
            event["type"] = json!("m.room.power_levels");
            event["state_key"] = json!("");
            event["content"] = json!({ "users": { "@mallory:example.org": 100 } });
        }),
        ("room", |event| event["room_id"] = json!("!other:example.org")),
        ("sender", |event| {
            event["sender"] = json!("@bob:example.org");
            event["state_key"] = json!("@bob:example.org");
        }),
        ("content", |event| {
            event["content"] = json!({ "membership": "ban", "reason": "forged", "third": "field" });
        }),
        ("depth", |event| event["depth"] = json!(-1)),
    ];
    for (what, forge) in forgeries {
        let room = HostedRoom::make(&peer, what, "11")?;
        let mut template = room.template(alice.user_id())?;
        forge(&mut template);
        room.let_in(&peer, template)?;
        alice.join(&room.room_id, &[peer.name()]).await?;
        for join in room.joins(&peer) {
            assert_eq!(join["type"], "m.room.member", "{what}: {join}");
            assert_eq!(join["room_id"], room.room_id, "{what}: {join}");
            assert_eq!(join["sender"], alice.user_id(), "{what}: {join}");
            assert_eq!(join["state_key"], alice.user_id(), "{what}: {join}");
            assert_eq!(join["content"]["membership"], "join", "{what}: {join}");
            assert!(join["content"].get("reason").is_none(), "{what}: {join}");
            assert!(join["content"].get("third").is_none(), "{what}: {join}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_an_invitation_for_a_user_here_is_signed_on_demand() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let room = HostedRoom::make(&peer, "hosted", "11")?;
    let invite = json!({ "membership": "invite" });
    let me = alice.user_id();
    let cases = [
        ("m.room.member", me, invite.clone(), "11", true),
        ("m.room.power_levels", me, invite.clone(), "11", false),
        ("m.room.member", me, json!({ "membership": "join" }), "11", false),
        ("m.room.member", me, json!({ "membership": "ban" }), "11", false),
        ("m.room.member", "@bob:example.org", invite.clone(), "11", false),
        ("m.room.member", me, invite, "org.example.unknown", false),
    ];
    for (kind, state_key, content, version, signed) in cases {
        let event = room.clone().event(&peer, kind, Some(state_key), content)?;
        let id = room.event_id(&event)?;
        let path = format!(
            "/_matrix/federation/v2/invite/{}/{}",
            room.room_id.replace('!', "%21").replace(':', "%3A"),
            id.replace('$', "%24")
        );
        let body = json!({ "room_version": version, "event": event, "invite_room_state": [] });
        let answer = peer.request(ternd.name(), Method::PUT, &path, Some(body)).await?;
        let signatures = answer.body.pointer("/event/signatures");
        let ours = signatures.is_some_and(|all| all.get(ternd.name()).is_some());
        assert_eq!(ours, signed, "{kind} for {state_key} in {version}: {}", answer.body);
        if version != "11" {
            assert_eq!(answer.errcode(), "M_INCOMPATIBLE_ROOM_VERSION", "{}", answer.body);
        }
    }
    assert_eq!(alice.wait_for_invite().await?, room.room_id);
    Ok(())
}

#[tokio::test]
async fn rooms_of_versions_3_to_5_are_joined_and_spoken_in() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    for version in ["3", "4", "5"] {
        let mut room = HostedRoom::make(&peer, &format!("v{version}"), version)?;
        let id = room.room_id.clone();
        let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
        room.joined_by(&peer, alice.user_id(), join).await?;
        let text = json!({ "msgtype": "m.text", "body": "hello" });
        let heard = room.event(&peer, "m.room.message", None, text)?;
        let answer = peer.send(ternd.name(), std::slice::from_ref(&heard)).await?.ok()?;
        assert_eq!(answer["pdus"][room.event_id(&heard)?], json!({}), "{version}: {answer}");
        alice.wait_for_event(&id, &room.event_id(&heard)?).await?;
        let said = alice.send_text(&id, "and hello").await?;
        alice.wait_for_event(&id, &said).await?;
    }
    let own = json!({ "room_version": "5" });
    let made = alice.post("/_matrix/client/v3/createRoom", own).await?;
    assert_eq!(made.errcode(), "M_UNSUPPORTED_ROOM_VERSION", "{}", made.body);
    Ok(())
}
