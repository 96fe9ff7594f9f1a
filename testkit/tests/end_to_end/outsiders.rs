//! What a server may read of rooms it is not in, and what it learns by asking in a clever way: nothing.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use tern_testkit::{Answer, HostedRoom, Loopback, Peer};

use crate::people::PASSWORD;

fn encode(id: &str) -> String {
    id.replace('!', "%21").replace('$', "%24").replace(':', "%3A").replace('@', "%40")
}

#[tokio::test]
async fn an_outsider_reads_no_route_of_a_room_and_no_event_through_a_room_it_is_in() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let secret = alice.create_room(json!({ "preset": "private_chat" })).await?;
    let said = alice.send_text(&secret, "not for you").await?;
    let open = alice.create_room(json!({ "preset": "public_chat" })).await?;
    peer.join(ternd.name(), &open, "bob").await?;
    let ask = async |path: String| peer.request(ternd.name(), Method::GET, &path, None).await;
    let missing = async |room: &str| {
        let path = format!("/_matrix/federation/v1/get_missing_events/{}", encode(room));
        let body = json!({ "earliest_events": [], "latest_events": [said], "limit": 10 });
        peer.request(ternd.name(), Method::POST, &path, Some(body)).await
    };
    let (event, user) = (encode(&said), encode(&peer.user_id("bob")));

    // By the room itself …
    let room = encode(&secret);
    let routes = [
        format!("event/{event}"),
        format!("state/{room}?event_id={event}"),
        format!("state_ids/{room}?event_id={event}"),
        format!("event_auth/{room}/{event}"),
        format!("backfill/{room}?v={event}&limit=10"),
        format!("timestamp_to_event/{room}?ts=0&dir=f"),
        format!("make_join/{room}/{user}?ver=12"),
        format!("make_leave/{room}/{user}"),
        format!("make_knock/{room}/{user}?ver=12"),
        format!("hierarchy/{room}"),
    ];
    for route in &routes {
        let answer = ask(format!("/_matrix/federation/v1/{route}")).await?;
        assert_refused(route, &answer);
    }
    assert_refused("get_missing_events", &missing(&secret).await?);

    // … and by a room that the outsider is in: the same as for an event that there is not.
    let room = encode(&open);
    let nothing = encode("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for route in ["state", "state_ids", "event_auth"] {
        let path = |event: &str| match route {
            "event_auth" => format!("/_matrix/federation/v1/event_auth/{room}/{event}"),
            _ => format!("/_matrix/federation/v1/{route}/{room}?event_id={event}"),
        };
        let foreign = ask(path(&event)).await?;
        assert_refused(route, &foreign);
        assert_eq!(foreign, ask(path(&nothing)).await?, "{route}");
    }
    let path = format!("/_matrix/federation/v1/backfill/{room}?v={event}&limit=10");
    assert_eq!(ask(path).await?.ok()?["pdus"], json!([]));
    assert_eq!(missing(&open).await?.ok()?["events"], json!([]));
    Ok(())
}

fn assert_refused(route: &str, answer: &Answer) {
    assert!(matches!(answer.status, 403 | 404), "{route}: {} {}", answer.status, answer.body);
    assert!(answer.errcode().starts_with("M_"), "{route}: {}", answer.body);
    assert!(!answer.body.to_string().contains("not for you"), "{route}: {}", answer.body);
}

#[tokio::test]
async fn missing_events_are_asked_for_and_stand_before_what_follows_them() -> Result<()> {
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let alice = ternd.api().register_openly("alice", PASSWORD).await?;
    let peer = Peer::start(&loopback, "gamma.localhost").await?;
    let mut room = HostedRoom::make(&peer, "hosted", "11")?;
    let id = room.room_id.clone();
    let join = async { alice.join(&id, &[peer.name()]).await?.ok().map(drop) };
    room.joined_by(&peer, alice.user_id(), join).await?;
    let mut said = Vec::new();
    for text in ["one", "two", "three"] {
        let content = json!({ "msgtype": "m.text", "body": text });
        said.push(room.event(&peer, "m.room.message", None, content)?);
    }
    let last = said.pop().into_iter().collect::<Vec<_>>();
    // Out of order, and with one that nobody signed.
    let mut forged = said[0].clone();
    forged.insert("depth".to_owned(), ruma::CanonicalJsonValue::Integer(ruma::int!(7)));
    let missing = json!({ "events": [said[1], forged, said[0]] });
    peer.answer("/_matrix/federation/v1/get_missing_events/", 200, missing);
    peer.send(ternd.name(), &last).await?.ok()?;
    alice.wait_for_event(&id, &room.event_id(&last[0])?).await?;
    let seen = alice.messages(&id).await?;
    let texts: Vec<_> =
        seen.iter().filter_map(|event| event.pointer("/content/body")?.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(!seen.iter().any(|event| event["event_id"] == json!(room.event_id(&forged).ok())));
    Ok(())
}
