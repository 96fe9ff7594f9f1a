//! What tests do in rooms, through the doors.

use serde_json::{Value, json};

use super::{TestServer, User};

/// Makes a room and joins the others to it.
pub async fn room(server: &TestServer, creator: &User, others: &[&User]) -> String {
    let body = json!({ "preset": "public_chat", "visibility": "private" });
    let (status, answer) = server.post("/_matrix/client/v3/createRoom", &creator.token, body).await;
    assert_eq!(status, 200, "{answer}");
    let room_id = answer["room_id"].as_str().unwrap().to_owned();
    for other in others {
        join(server, other, &room_id).await;
    }
    room_id
}

pub async fn join(server: &TestServer, user: &User, room_id: &str) {
    let path = format!("/_matrix/client/v3/join/{}", encoded(room_id));
    let (status, answer) = server.post(&path, &user.token, json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

pub fn encoded(text: &str) -> String {
    text.replace('!', "%21").replace(':', "%3A").replace('$', "%24").replace('@', "%40")
}

pub async fn send(server: &TestServer, user: &User, room_id: &str, text: &str) -> String {
    let txn_id = format!("{}-{}", encoded(room_id), text.replace(' ', "-"));
    let path =
        format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{txn_id}", encoded(room_id));
    let body = json!({ "msgtype": "m.text", "body": text });
    let (status, answer) = server.put(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["event_id"].as_str().unwrap().to_owned()
}

pub async fn act(server: &TestServer, user: &User, room_id: &str, action: &str, body: Value) {
    let path = format!("/_matrix/client/v3/rooms/{}/{action}", encoded(room_id));
    let (status, answer) = server.post(&path, &user.token, body).await;
    assert_eq!(status, 200, "{answer}");
}

/// One sync; `query` as it stands in the URL.
pub async fn sync(server: &TestServer, user: &User, query: &str) -> Value {
    let path = format!("/_matrix/client/v3/sync?{query}");
    let (status, answer) = server.get(&path, &user.token).await;
    assert_eq!(status, 200, "{answer}");
    answer
}
