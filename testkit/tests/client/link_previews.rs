//! Links in a chat: the server fetches their pages, the client says what they are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use axum::{Router, response::Html, routing::get};
use serde_json::json;
use tern_testkit::{Loopback, Size, encode};

use crate::{
    garden::wait_in_chat,
    invitations::pair,
    keyboard::{leader, select},
    people,
};

/// Pages on loopback; gives their address and how often each was fetched.
async fn site() -> Result<(String, [Arc<AtomicUsize>; 2])> {
    let asked = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let page = |title: &'static str, count: &Arc<AtomicUsize>| {
        let count = count.clone();
        get(move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            Html(format!(
                "<title>no</title><meta property=og:title content='{title}\u{1b}[2J\u{9b}2J'>\
                 <meta property=og:site_name content=Films>\
                 <meta name=description content='A film about\na rock.'>"
            ))
        })
    };
    let [first, second] = &asked;
    let router = Router::new()
        .route("/rock", page("The Rock", first))
        .route("/secret", page("Secret", second));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, asked))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_says_what_it_leads_to_but_in_encrypted_chats_nobody_is_asked() -> Result<()> {
    let loopback = Loopback::new()?;
    let (url, [rock, secret]) = site().await?;
    let ternd = loopback
        .ternd("localhost")
        .setting("previews", "ports = []\nallow_networks = [\"127.0.0.0/8\"]")
        .start()
        .await?;
    let mut pair = pair(&loopback, &ternd, "Garden", "", Size::LARGE).await?;

    // In an encrypted chat first: had the server been asked, it would be by the time the next link has its preview.
    let body = json!({ "name": "Cellar", "preset": "private_chat",
        "invite": [ternd.user_id("alice")] });
    let cellar = pair.bob.create_room(body).await?;
    let link = format!("look: {url}/secret");
    pair.bob.send_text(&cellar, &link).await?;
    pair.alice.press("Esc")?;
    pair.alice.wait_for("+ react").await?;
    pair.alice.press("Esc")?;
    select(&mut pair.alice, "Cellar").await?;
    pair.alice.press("Enter")?;
    pair.alice.wait_for("Accept").await?;
    pair.alice.press("a")?;
    pair.alice.wait_for("new line").await?;
    wait_in_chat(&pair.alice, "/secret").await?;
    people::say(&mut pair.alice, &format!("and I: {url}/secret")).await?;

    // In the other one.
    pair.alice.press("Ctrl+N")?;
    pair.bob.send_text(&pair.room, &format!("seen? {url}/rock")).await?;
    wait_in_chat(&pair.alice, "seen?").await?;
    wait_in_chat(&pair.alice, "┃ The Rock").await?;
    wait_in_chat(&pair.alice, "┃ 127.0.0.1 · Films").await?;
    wait_in_chat(&pair.alice, "┃ A film about a rock.").await?;
    // The same page again is known.
    pair.bob.send_text(&pair.room, &format!("again {url}/rock")).await?;
    pair.alice
        .wait_until("two previews", |screen| screen.matches("┃ The Rock").count() == 2)
        .await?;
    assert_eq!(rock.load(Ordering::SeqCst), 1);
    assert_eq!(secret.load(Ordering::SeqCst), 0, "the server was told of a link it can't read");

    // On a slow line nothing is asked for, and what is here stays.
    pair.alice.press("Esc")?;
    pair.alice.wait_for("+ react").await?;
    leader(&mut pair.alice, "B", "⇅").await?;
    pair.bob.send_text(&pair.room, &format!("third {url}/secret")).await?;
    wait_in_chat(&pair.alice, "third").await?;
    pair.bob.send_text(&pair.room, "after it").await?;
    wait_in_chat(&pair.alice, "after it").await?;
    assert_eq!(secret.load(Ordering::SeqCst), 0);

    // Not in this chat: those that are here go, and of no other is asked; until they are wanted again.
    leader(&mut pair.alice, "H", "No more previews here.").await?;
    pair.alice.wait_gone("┃ The Rock").await?;
    leader(&mut pair.alice, "B", "As many bytes as it takes.").await?;
    pair.bob.send_text(&pair.room, &format!("fourth {url}/secret")).await?;
    wait_in_chat(&pair.alice, "fourth").await?;
    pair.bob.send_text(&pair.room, "after that").await?;
    wait_in_chat(&pair.alice, "after that").await?;
    assert_eq!(secret.load(Ordering::SeqCst), 0);
    let session = ternd.api().session(ternd.api().login("alice", people::PASSWORD).await?)?;
    let kept = format!(
        "/_matrix/client/v3/user/{}/rooms/{}/account_data/org.matrix.room.preview_urls",
        encode(&ternd.user_id("alice")),
        encode(&pair.room)
    );
    assert_eq!(session.get(&kept).await?.body, json!({ "disable": true }));
    leader(&mut pair.alice, "H", "Links have previews here again.").await?;
    wait_in_chat(&pair.alice, "┃ The Rock").await?;
    wait_in_chat(&pair.alice, "┃ Secret").await?;
    Ok(())
}
