//! Profiles, account data, tags, filters, push rules, pushers, OpenID tokens, finding people.

mod common;

use common::{TestServer, assert_refused};
use serde_json::{Value, json};
use tern_homeserver::account;

const ALICE: &str = "@alice:example.org";
const ROOM: &str = "!room:example.org";

fn user_path(rest: &str) -> String {
    format!("/_matrix/client/v3/user/{ALICE}/{rest}")
}

fn profile_path(name: &str) -> String {
    format!("/_matrix/client/v3/profile/{ALICE}/{name}")
}

#[tokio::test]
async fn a_profile_holds_name_avatar_and_a_bio() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bio = json!({ "m.text": [{ "body": "climbs things" }] });
    let fields = [
        ("displayname", json!("Alice")),
        ("avatar_url", json!("mxc://example.org/abc")),
        ("gay.fomx.biography", bio.clone()),
    ];
    for (name, value) in fields {
        let (status, body) =
            server.put(&profile_path(name), &alice.token, json!({ name: value })).await;
        assert_eq!(status, 200, "{body}");
    }

    let (status, profile) = server.get(&format!("/_matrix/client/v3/profile/{ALICE}"), "").await;

    assert_eq!(status, 200);
    let expected = json!({
        "displayname": "Alice", "avatar_url": "mxc://example.org/abc", "gay.fomx.biography": bio,
    });
    assert_eq!(profile, expected);
    let name = server.get(&profile_path("displayname"), "").await;
    assert_eq!(name.1, json!({ "displayname": "Alice" }));
    server.delete(&profile_path("gay.fomx.biography"), &alice.token).await;
    let gone = server.get(&profile_path("gay.fomx.biography"), "").await;
    assert_refused(&gone, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn a_profile_refuses_what_it_can_not_hold() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let put = async |name: &str, value: Value| {
        server.put(&profile_path(name), &alice.token, json!({ name: value })).await
    };

    assert_refused(
        &put("avatar_url", json!("https://example.org/a.png")).await,
        400,
        "M_INVALID_PARAM",
    );
    assert_refused(&put("displayname", json!(7)).await, 400, "M_INVALID_PARAM");
    assert_refused(&put("Bad%20Key", json!(7)).await, 400, "M_MISSING_PARAM");
    assert_refused(&put(&"k".repeat(256), json!(7)).await, 400, "M_KEY_TOO_LARGE");
    let large = put("org.example.large", json!("x".repeat(65 * 1024))).await;
    assert_refused(&large, 400, "M_PROFILE_TOO_LARGE");
    let name = profile_path("displayname");
    let other = server.put(&name, &bob.token, json!({ "displayname": "Eve" })).await;
    assert_refused(&other, 403, "M_FORBIDDEN");
    let nobody = server.get("/_matrix/client/v3/profile/@nobody:example.org", "").await;
    assert_refused(&nobody, 404, "M_NOT_FOUND");
    let malformed = server.get("/_matrix/client/v3/profile/nobody", "").await;
    assert_refused(&malformed, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn account_data_is_kept_per_user_and_room_and_listed_in_order_of_change() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let global = user_path("account_data/org.example.colour");
    let room = user_path(&format!("rooms/{ROOM}/account_data/org.example.colour"));
    assert_refused(&server.get(&global, &alice.token).await, 404, "M_NOT_FOUND");

    server.put(&global, &alice.token, json!({ "is": "red" })).await;
    let between = server.app.db.position();
    server.put(&room, &alice.token, json!({ "is": "blue" })).await;

    assert_eq!(server.get(&global, &alice.token).await.1, json!({ "is": "red" }));
    assert_eq!(server.get(&room, &alice.token).await.1, json!({ "is": "blue" }));
    assert_refused(&server.get(&global, &bob.token).await, 403, "M_FORBIDDEN");
    let user = server.app.db.user(ALICE).await.unwrap();
    let upto = server.app.db.position();
    let all = account::list_account_data_since(&server.app, user, None, upto).await.unwrap();
    let types: Vec<_> = all.iter().map(|d| (d.room_id.as_str(), d.data_type.as_str())).collect();
    let expected = [("", "m.push_rules"), ("", "org.example.colour"), (ROOM, "org.example.colour")];
    assert_eq!(types, expected);
    let new =
        account::list_account_data_since(&server.app, user, Some(between), upto).await.unwrap();
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].content, r#"{"is":"blue"}"#);
    let in_room = account::list_room_account_data(&server.app, user, ROOM).await.unwrap();
    assert_eq!(in_room, new);
}

#[tokio::test]
async fn the_server_keeps_some_account_data_to_itself() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    for data_type in ["m.fully_read", "m.push_rules"] {
        let path = user_path(&format!("account_data/{data_type}"));
        assert_refused(&server.put(&path, &alice.token, json!({})).await, 405, "M_BAD_JSON");
    }
    let path = user_path("account_data/org.example.colour");
    assert_refused(&server.put(&path, &alice.token, json!("red")).await, 400, "M_BAD_JSON");
    assert_refused(&server.call("PUT", &path, "", None).await, 401, "M_MISSING_TOKEN");
}

#[tokio::test]
async fn tags_come_and_go_and_are_account_data() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let tag = |name: &str| user_path(&format!("rooms/{ROOM}/tags/{name}"));

    server.put(&tag("m.favourite"), &alice.token, json!({ "order": 0.5 })).await;
    server.put(&tag("u.work"), &alice.token, json!({})).await;
    server.delete(&tag("u.work"), &alice.token).await;

    let expected = json!({ "tags": { "m.favourite": { "order": 0.5 } } });
    let tags = server.get(&user_path(&format!("rooms/{ROOM}/tags")), &alice.token).await;
    assert_eq!(tags.1, expected);
    let data = user_path(&format!("rooms/{ROOM}/account_data/m.tag"));
    assert_eq!(server.get(&data, &alice.token).await.1, expected);
}

#[tokio::test]
async fn a_filter_comes_back_as_it_was_written() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let filter = json!({ "room": { "timeline": { "limit": 7 } }, "org.example.own": [1] });

    let (_, first) = server.post(&user_path("filter"), &alice.token, filter.clone()).await;
    let (_, again) = server.post(&user_path("filter"), &alice.token, filter.clone()).await;

    assert_eq!(first, again);
    let path = user_path(&format!("filter/{}", first["filter_id"].as_str().unwrap()));
    assert_eq!(server.get(&path, &alice.token).await.1, filter);
    let unknown = server.get(&user_path("filter/999999"), &alice.token).await;
    assert_refused(&unknown, 404, "M_NOT_FOUND");
    let wrong = json!({ "room": { "timeline": { "limit": "many" } } });
    let wrong = server.post(&user_path("filter"), &alice.token, wrong).await;
    assert_refused(&wrong, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn push_rules_are_added_changed_moved_and_removed() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let path = |rest: &str| format!("/_matrix/client/v3/pushrules/global/{rest}");
    let rule = json!({ "actions": ["notify"], "pattern": "tea" });

    for name in ["one", "two", "three"] {
        let (status, body) =
            server.put(&path(&format!("content/{name}")), &alice.token, rule.clone()).await;
        assert_eq!(status, 200, "{body}");
    }
    let behind_last =
        server.put(&path("content/three?after=one"), &alice.token, rule.clone()).await;
    assert_eq!(behind_last.0, 200, "{}", behind_last.1);
    server.put(&path("content/two/enabled"), &alice.token, json!({ "enabled": false })).await;
    server.put(&path("content/two/actions"), &alice.token, json!({ "actions": [] })).await;

    let (_, two) = server.get(&path("content/two"), &alice.token).await;
    assert_eq!((&two["enabled"], &two["actions"]), (&json!(false), &json!([])));
    let (_, all) = server.get("/_matrix/client/v3/pushrules/", &alice.token).await;
    let rules = all["global"]["content"].as_array().unwrap();
    let names = rules.iter().map(|rule| rule["rule_id"].as_str().unwrap());
    let own: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    assert_eq!(own, ["two", "one", "three"]);
    assert_eq!(server.delete(&path("content/one"), &alice.token).await.0, 200);
    let gone = server.get(&path("content/one"), &alice.token).await;
    assert_refused(&gone, 404, "M_NOT_FOUND");
    let servers_own = server.delete(&path("override/.m.rule.master"), &alice.token).await;
    assert_refused(&servers_own, 400, "M_INVALID_PARAM");
    let neighbour = server.put(&path("content/one?after=nothing"), &alice.token, rule).await;
    assert_refused(&neighbour, 404, "M_NOT_FOUND");
}

#[tokio::test]
async fn a_pusher_is_set_listed_and_goes_with_its_device() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let second = server.login("alice").await;
    let pusher = json!({
        "app_id": "org.example.app", "pushkey": "key", "kind": "http", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en",
        "data": { "url": "https://push.example.org/_matrix/push/v1/notify" },
    });
    let set = "/_matrix/client/v3/pushers/set";
    let get = "/_matrix/client/v3/pushers";

    let (status, body) = server.post(set, &second.token, pusher.clone()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(server.get(get, &alice.token).await.1, json!({ "pushers": [pusher] }));
    server.post("/_matrix/client/v3/logout", &second.token, json!({})).await;

    assert_eq!(server.get(get, &alice.token).await.1, json!({ "pushers": [] }));
    let mut wrong = pusher;
    wrong["data"]["url"] = json!("https://push.example.org/elsewhere");
    assert_refused(&server.post(set, &alice.token, wrong).await, 400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn an_openid_token_tells_who_its_user_is_for_an_hour() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let path = user_path("openid/request_token");

    let (status, body) = server.post(&path, &alice.token, json!({})).await;

    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let user = account::openid_user(&server.app, token).await.unwrap();
    assert_eq!(user.unwrap(), ALICE);
    server.app.clock.turn(std::time::Duration::from_secs(3_600));
    assert!(account::openid_user(&server.app, token).await.unwrap().is_none());
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_their_names() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    server
        .put(&profile_path("displayname"), &alice.token, json!({ "displayname": "Zoë Adler" }))
        .await;
    let search = async |term: &str| {
        let body = json!({ "search_term": term });
        server.post("/_matrix/client/v3/user_directory/search", &bob.token, body).await.1
    };

    for term in ["ali", "@alice:example.org", "zoË", "adl"] {
        let found = search(term).await;
        assert_eq!(found["results"][0]["user_id"], ALICE, "{term}: {found}");
    }
    assert_eq!(search("%").await["results"], json!([]));
    assert_eq!(search("nobody").await["results"], json!([]));
}

#[tokio::test]
async fn capabilities_say_what_the_server_can_do() {
    let server = TestServer::start().await;
    let alice = server.register("alice").await;

    let (_, body) = server.get("/_matrix/client/v3/capabilities", &alice.token).await;

    let capabilities = &body["capabilities"];
    assert_eq!(capabilities["m.room_versions"]["default"], "12");
    assert_eq!(capabilities["m.room_versions"]["available"].as_object().unwrap().len(), 7);
    assert_eq!(capabilities["m.3pid_changes"]["enabled"], true);
    assert_eq!(capabilities["m.profile_fields"]["enabled"], true);
}
