//! Unread counts through the doors: threads, push rules, ignored users, redactions, restarts, and a naive count beside them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

mod common;

use std::collections::BTreeMap;

use common::{
    TestServer, User,
    rooms::{act, encoded, room, send, sync},
};
use serde_json::{Value, json};

/// Notifications and highlights.
type Counts = (u64, u64);

fn read(counts: &Value) -> Counts {
    let number = |name: &str| counts[name].as_u64().unwrap();
    (number("notification_count"), number("highlight_count"))
}

/// The counts of a room for who tells threads apart: the main timeline's, and each thread's.
async fn threaded(
    server: &TestServer,
    user: &User,
    room_id: &str,
) -> (Counts, BTreeMap<String, Counts>) {
    let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:1,%22unread_thread_notifications%22:true%7D%7D%7D";
    let answer = sync(server, user, &format!("filter={filter}")).await;
    let room = &answer["rooms"]["join"][room_id];
    let threads = room["unread_thread_notifications"].as_object().unwrap();
    let threads = threads.iter().map(|(root, counts)| (root.clone(), read(counts)));
    (read(&room["unread_notifications"]), threads.collect())
}

/// The counts of a room for who does not.
async fn whole(server: &TestServer, user: &User, room_id: &str) -> Counts {
    let answer = sync(server, user, "").await;
    let room = &answer["rooms"]["join"][room_id];
    assert!(room["unread_thread_notifications"].is_null(), "{room}");
    read(&room["unread_notifications"])
}

/// Sends any event; `number` makes the request one of its own.
async fn send_event(
    server: &TestServer,
    user: &User,
    room_id: &str,
    (event_type, number): (&str, usize),
    content: Value,
) -> String {
    let path = format!("/_matrix/client/v3/rooms/{}/send/{event_type}/n{number}", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, content).await;
    assert_eq!(status, 200, "{answer}");
    answer["event_id"].as_str().unwrap().to_owned()
}

fn in_thread(root: &str, text: &str) -> Value {
    json!({
        "msgtype": "m.text", "body": text,
        "m.relates_to": { "rel_type": "m.thread", "event_id": root },
    })
}

async fn read_to(server: &TestServer, user: &User, room_id: &str, event: &str, thread: &str) {
    let body = if thread.is_empty() { json!({}) } else { json!({ "thread_id": thread }) };
    // Which of the two it is makes no difference to the reader.
    let kind = if event.as_bytes()[1].is_multiple_of(2) { "m.read" } else { "m.read.private" };
    act(server, user, room_id, &format!("receipt/{kind}/{}", encoded(event)), body).await;
}

async fn set_rule(server: &TestServer, user: &User, rule: &str, body: Value) {
    let path = format!("/_matrix/client/v3/pushrules/global/{rule}");
    let (status, answer) = server.put(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
}

/// Silences a room for a user, or ends that.
async fn mute(server: &TestServer, user: &User, room_id: &str, muted: bool) {
    let rule = format!("room/{}", encoded(room_id));
    if muted {
        return set_rule(server, user, &rule, json!({ "actions": [] })).await;
    }
    let path = format!("/_matrix/client/v3/pushrules/global/{rule}");
    assert_eq!(server.delete(&path, &user.token).await.0, 200);
}

async fn redact(server: &TestServer, user: &User, room_id: &str, event: &str, number: usize) {
    let path = format!("redact/{}/r{number}", encoded(event));
    let path = format!("/_matrix/client/v3/rooms/{}/{path}", encoded(room_id));
    let (status, answer) = server.put(&path, &user.token, json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

async fn pair() -> (TestServer, User, User, String) {
    let server = TestServer::start().await;
    let (alice, bob) = (server.register("alice").await, server.register("bob").await);
    let room_id = room(&server, &alice, &[&bob]).await;
    (server, alice, bob, room_id)
}

#[tokio::test]
async fn a_thread_is_counted_apart_and_read_by_its_own_receipt() {
    let (server, alice, bob, room_id) = pair().await;
    let root = send(&server, &alice, &room_id, "root").await;
    let plain = ("m.room.message", 1);
    let first = send_event(&server, &alice, &room_id, plain, in_thread(&root, "one")).await;
    let plain = ("m.room.message", 2);
    let second = send_event(&server, &alice, &room_id, plain, in_thread(&root, "two")).await;
    // An encrypted reference to an event of the thread is in it; a reaction counts nowhere.
    let refers = |event: &str, kind: &str| json!({ "m.relates_to": { "rel_type": kind, "event_id": event } });
    let encrypted = ("m.room.encrypted", 3);
    send_event(&server, &alice, &room_id, encrypted, refers(&second, "m.reference")).await;
    let reaction = ("m.reaction", 4);
    send_event(&server, &alice, &room_id, reaction, refers(&second, "m.annotation")).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (4, 0));
    let unread = threaded(&server, &bob, &room_id).await;
    assert_eq!(unread, ((1, 0), BTreeMap::from([(root.clone(), (3, 0))])));

    read_to(&server, &bob, &room_id, &first, &root).await;
    let unread = threaded(&server, &bob, &room_id).await;
    assert_eq!(unread, ((1, 0), BTreeMap::from([(root.clone(), (2, 0))])));
    read_to(&server, &bob, &room_id, &root, "main").await;
    let unread = threaded(&server, &bob, &room_id).await;
    assert_eq!(unread, ((0, 0), BTreeMap::from([(root.clone(), (2, 0))])));
    read_to(&server, &bob, &room_id, &second, "").await;
    assert_eq!(threaded(&server, &bob, &room_id).await.1, BTreeMap::from([(root, (1, 0))]));
}

#[tokio::test]
async fn what_a_user_sends_reads_its_own_part_of_the_room() {
    let (server, alice, bob, room_id) = pair().await;
    let root = send(&server, &alice, &room_id, "root").await;
    send_event(&server, &alice, &room_id, ("m.room.message", 1), in_thread(&root, "one")).await;
    send_event(&server, &bob, &room_id, ("m.room.message", 2), in_thread(&root, "two")).await;
    assert_eq!(threaded(&server, &bob, &room_id).await, ((1, 0), BTreeMap::new()));
    send(&server, &bob, &room_id, "and here").await;
    assert_eq!(whole(&server, &bob, &room_id).await, (0, 0));
    // A new name is nothing the user has said in the room.
    send(&server, &alice, &room_id, "more").await;
    let path = format!("/_matrix/client/v3/profile/{}/displayname", encoded(&bob.user_id));
    let (status, answer) = server.put(&path, &bob.token, json!({ "displayname": "B" })).await;
    assert_eq!(status, 200, "{answer}");
    server.run_jobs().await;
    assert_eq!(whole(&server, &bob, &room_id).await, (1, 0));
}

#[tokio::test]
async fn counts_outlive_a_restart_and_fall_with_what_is_taken_back() {
    let (server, alice, bob, room_id) = pair().await;
    let root = send(&server, &alice, &room_id, "root").await;
    let mention = json!({
        "msgtype": "m.text", "body": "bob!", "m.mentions": { "user_ids": [bob.user_id] },
    });
    let mention = send_event(&server, &alice, &room_id, ("m.room.message", 1), mention).await;
    let reply = ("m.room.message", 2);
    let reply = send_event(&server, &alice, &room_id, reply, in_thread(&root, "one")).await;
    let before = threaded(&server, &bob, &room_id).await;
    assert_eq!(before, ((2, 1), BTreeMap::from([(root.clone(), (1, 0))])));

    let server = server.restarted().await;
    assert_eq!(threaded(&server, &bob, &room_id).await, before);
    let again = ("m.room.message", 3);
    send_event(&server, &alice, &room_id, again, in_thread(&root, "two")).await;
    assert_eq!(threaded(&server, &bob, &room_id).await.1[&root], (2, 0));
    for (number, event) in [mention, reply].iter().enumerate() {
        redact(&server, &alice, &room_id, event, number).await;
    }
    let after = threaded(&server, &bob, &room_id).await;
    assert_eq!(after, ((1, 0), BTreeMap::from([(root, (1, 0))])));
}

#[tokio::test]
async fn push_rules_decide_what_counts() {
    let (server, alice, bob, room_id) = pair().await;
    let say = |number: usize, content: Value| {
        let (server, alice, room_id) = (&server, &alice, &room_id);
        async move { send_event(server, alice, room_id, ("m.room.message", number), content).await }
    };
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let notice = |body: &str| json!({ "msgtype": "m.notice", "body": body });
    say(1, notice("a notice")).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (0, 0), "bots disturb nobody");
    set_rule(
        &server,
        &bob,
        "override/.m.rule.suppress_notices/enabled",
        json!({ "enabled": false }),
    )
    .await;
    say(2, notice("a notice")).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (1, 0), "unless one wants them");

    let actions = json!(["notify", { "set_tweak": "highlight" }]);
    let keyword = json!({ "pattern": "tea", "actions": actions });
    set_rule(&server, &bob, "content/tea", keyword).await;
    say(3, text("who wants tea?")).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (2, 1), "a keyword");

    let rule = format!("room/{}", encoded(&room_id));
    set_rule(&server, &bob, &rule, json!({ "actions": [] })).await;
    say(4, text("nobody hears this")).await;
    say(5, json!({ "msgtype": "m.text", "body": "", "m.mentions": { "user_ids": [bob.user_id] } }))
        .await;
    assert_eq!(whole(&server, &bob, &room_id).await, (3, 2), "mentions only");

    let mute = json!({ "actions": [], "conditions":
        [{ "kind": "event_match", "key": "room_id", "pattern": room_id }] });
    set_rule(&server, &bob, "override/mute", mute).await;
    say(6, json!({ "msgtype": "m.text", "body": "", "m.mentions": { "user_ids": [bob.user_id] } }))
        .await;
    assert_eq!(whole(&server, &bob, &room_id).await, (3, 2), "muted; what counted stays counted");
    for rule in ["override/mute".to_owned(), rule] {
        let path = format!("/_matrix/client/v3/pushrules/global/{rule}");
        assert_eq!(server.delete(&path, &bob.token).await.0, 200);
    }
    assert_eq!(whole(&server, &bob, &room_id).await, (3, 2), "what was silent stays so");
    let rule = format!("sender/{}", encoded(&alice.user_id));
    set_rule(&server, &bob, &rule, json!({ "actions": [] })).await;
    let last = say(7, text("not from her")).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (3, 2), "a sender");
    read_to(&server, &bob, &room_id, &last, "").await;
    assert_eq!(whole(&server, &bob, &room_id).await, (0, 0));
}

#[tokio::test]
async fn everybody_is_called_by_those_who_may_only() {
    let (server, alice, bob, room_id) = pair().await;
    let carol = server.register("carol").await;
    common::rooms::join(&server, &carol, &room_id).await;
    let all = json!({ "msgtype": "m.text", "body": "@room", "m.mentions": { "room": true } });
    send_event(&server, &alice, &room_id, ("m.room.message", 1), all.clone()).await;
    assert_eq!(whole(&server, &bob, &room_id).await, (1, 1));
    assert_eq!(whole(&server, &carol, &room_id).await, (1, 1));
    send_event(&server, &bob, &room_id, ("m.room.message", 2), all).await;
    assert_eq!(whole(&server, &carol, &room_id).await, (2, 1), "bob has not the power");
    // A user's own rules are asked with the same power.
    set_rule(&server, &carol, "content/x", json!({ "pattern": "x", "actions": [] })).await;
    let all = json!({ "msgtype": "m.text", "body": "@room", "m.mentions": { "room": true } });
    send_event(&server, &alice, &room_id, ("m.room.message", 3), all).await;
    assert_eq!(whole(&server, &carol, &room_id).await, (3, 2));
}

#[tokio::test]
async fn who_is_ignored_is_neither_counted_nor_heard_nor_invites() {
    let (server, alice, bob, room_id) = pair().await;
    let ignore = json!({ "ignored_users": { alice.user_id.clone(): {} } });
    let path = format!(
        "/_matrix/client/v3/user/{}/account_data/m.ignored_user_list",
        encoded(&bob.user_id)
    );
    assert_eq!(server.put(&path, &bob.token, ignore).await.0, 200);
    let first = sync(&server, &bob, "").await;
    send(&server, &alice, &room_id, "unheard").await;
    let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.topic/", encoded(&room_id));
    assert_eq!(server.put(&path, &alice.token, json!({ "topic": "Ducks" })).await.0, 200);
    let invite = json!({ "preset": "private_chat", "invite": [bob.user_id] });
    assert_eq!(server.post("/_matrix/client/v3/createRoom", &alice.token, invite).await.0, 200);

    let since = first["next_batch"].as_str().unwrap();
    let next = sync(&server, &bob, &format!("since={since}")).await;
    let joined = &next["rooms"]["join"][&room_id];
    let types: Vec<_> = joined["timeline"]["events"].as_array().unwrap().iter().collect();
    assert_eq!(types.len(), 1, "{joined}");
    assert_eq!(types[0]["type"], "m.room.topic", "what changes the room is told");
    assert_eq!(read(&joined["unread_notifications"]), (0, 0));
    assert!(next["rooms"]["invite"].is_null(), "{next}");
    let first = sync(&server, &bob, "").await;
    assert!(first["rooms"]["invite"].is_null(), "{first}");

    let lists =
        json!({ "all": { "ranges": [[0, 9]], "timeline_limit": 20, "required_state": [] } });
    let path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";
    let (status, sliding) = server.post(path, &bob.token, json!({ "lists": lists })).await;
    assert_eq!(status, 200, "{sliding}");
    assert_eq!(sliding["lists"]["all"]["count"], 1, "{sliding}");
    let events = sliding["rooms"][&room_id]["timeline"].as_array().unwrap();
    assert!(events.iter().all(|event| event["content"]["body"] != "unheard"), "{sliding}");
}

/// What a naive reader counts.
#[derive(Default)]
struct Naive {
    /// Event, its thread ("main": none), and whether bob is to be told.
    events: Vec<(String, String, bool)>,
    /// By thread, "": all: events read, from the first on.
    read: BTreeMap<String, usize>,
}

impl Naive {
    fn add(&mut self, event: String, thread: &str, counts: bool) {
        self.events.push((event, thread.to_owned(), counts));
    }

    fn read(&mut self, thread: &str, upto: usize) {
        let read = self.read.entry(thread.to_owned()).or_default();
        *read = upto.max(*read);
    }

    fn unread(&self) -> (Counts, BTreeMap<String, Counts>) {
        let mut unread: BTreeMap<String, Counts> = BTreeMap::new();
        for (index, (_, thread, counts)) in self.events.iter().enumerate() {
            let read = |name: &str| self.read.get(name).copied().unwrap_or_default();
            if *counts && index >= read(thread).max(read("")) {
                unread.entry(thread.clone()).or_default().0 += 1;
            }
        }
        (unread.remove("main").unwrap_or_default(), unread)
    }
}

#[tokio::test]
async fn counts_are_what_a_naive_reader_counts() {
    let (server, alice, bob, room_id) = pair().await;
    let (mut naive, mut muted, mut seed) = (Naive::default(), false, 0x2545_f491_4f6c_dd1d_u64);
    let mut roll = |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % sides
    };
    let root = send(&server, &alice, &room_id, "the first root").await;
    naive.add(root.clone(), "main", true);
    let mut roots = vec![root];
    for step in 0..150 {
        let root = roots[roll(roots.len())].clone();
        let content = in_thread(&root, "in a thread");
        let text = json!({ "msgtype": "m.text", "body": "in the room" });
        let at = roll(naive.events.len());
        let (event, thread, _) = naive.events[at].clone();
        match roll(12) {
            0..=2 => {
                let sent = send_event(&server, &alice, &room_id, ("m.room.message", step), text);
                naive.add(sent.await, "main", !muted);
            }
            3..=5 => {
                let sent = send_event(&server, &alice, &room_id, ("m.room.message", step), content);
                naive.add(sent.await, &root, !muted);
            }
            6 => {
                let content = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": step.to_string() } });
                let (who, is_own) = if roll(2) == 0 { (&alice, false) } else { (&bob, true) };
                let sent = send_event(&server, who, &room_id, ("m.reaction", step), content).await;
                naive.add(sent, &thread, false);
                if is_own {
                    naive.read(&thread, naive.events.len());
                }
            }
            7 => {
                let (content, thread) =
                    if roll(2) == 0 { (content, root.as_str()) } else { (text, "main") };
                let sent = send_event(&server, &bob, &room_id, ("m.room.message", step), content);
                naive.add(sent.await, thread, false);
                naive.read(thread, naive.events.len());
            }
            8 => {
                read_to(&server, &bob, &room_id, &event, "").await;
                naive.read("", at + 1);
            }
            9 => {
                read_to(&server, &bob, &room_id, &event, &thread).await;
                naive.read(&thread, at + 1);
            }
            10 => {
                redact(&server, &alice, &room_id, &event, step).await;
                naive.events[at].2 = false;
            }
            _ => {
                if roll(3) == 0 {
                    let sent =
                        send_event(&server, &alice, &room_id, ("m.room.message", step), text).await;
                    naive.add(sent.clone(), "main", !muted);
                    roots.push(sent);
                } else {
                    muted = !muted;
                    mute(&server, &bob, &room_id, muted).await;
                }
            }
        }
        assert_eq!(threaded(&server, &bob, &room_id).await, naive.unread(), "after step {step}");
    }
    let last = send(&server, &alice, &room_id, "the last").await;
    read_to(&server, &bob, &room_id, &last, "").await;
    assert_eq!(threaded(&server, &bob, &room_id).await, ((0, 0), BTreeMap::new()));
    assert_eq!(whole(&server, &bob, &room_id).await, (0, 0));
}
