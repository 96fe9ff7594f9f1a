//! Makes the pictures in `docs/screens/`: the real client in a terminal, on a real server, with people of its own.
//!
//! `cargo run -p tern-examples --bin screens [FOLDER]`, after a build of `ternd` and `tern`.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use anyhow::Result;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;
use tern_testkit::{Api, Loopback, Screen, Size, Ternd, binary, encode};

const PASSWORD: &str = "a password for the pictures";
const SIZE: Size = Size { columns: 104, rows: 30 };

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map_or_else(|| "docs/screens".into(), PathBuf::from);
    fs::create_dir_all(&folder)?;
    tern_tui::backend::matrix::http::install_crypto_provider();
    let loopback = Loopback::new()?;
    let ternd = loopback.ternd("localhost").registration("open").start().await?;
    let people = People::register(&ternd).await?;
    let town = Town::build(&people).await?;
    let mut tern = open(&loopback)?;

    wizard(&mut tern, &ternd, &folder).await?;
    chat(&mut tern, &people, &town, &folder).await?;
    thread_and_profile(&mut tern, &folder).await?;
    slow_link(&mut tern, &folder).await
}

/// Alice sits at the client; the others are clients of their own.
struct People {
    alice: Api,
    bob: Api,
    carol: Api,
}

impl People {
    async fn register(ternd: &Ternd) -> Result<Self> {
        let mut people = Vec::new();
        for (user, name) in [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol")] {
            let api = ternd.api().register_openly(user, PASSWORD).await?;
            let path = format!("/_matrix/client/v3/profile/{}", encode(api.user_id()));
            let content = json!({ "displayname": name });
            api.put(&format!("{path}/displayname"), content).await?.ok()?;
            people.push(api);
        }
        let [alice, bob, carol] = people.try_into().map_err(|_| anyhow::anyhow!("three people"))?;
        let path =
            format!("/_matrix/client/v3/profile/{}/gay.fomx.biography", encode(bob.user_id()));
        let bio = json!({ "gay.fomx.biography": {
            "m.text": [{ "body": "Beans, bees and a wooden boat.\nAsk me about compost." }] } });
        bob.put(&path, bio).await?.ok()?;
        Ok(Self { alice, bob, carol })
    }
}

/// The rooms.
struct Town {
    garden: String,
    first: String,
}

impl Town {
    async fn build(people: &People) -> Result<Self> {
        let People { alice, bob, carol } = people;
        for (name, topic, text) in [
            ("Boat club", "Sundays at nine", "The slipway is free again from Monday."),
            ("Town library", "What is new", "New: three atlases and a pile of seed catalogues."),
            ("Choir", "Tenors wanted", "Rehearsal is at seven, not at eight."),
        ] {
            let room = room(bob, &[alice, carol], name, topic).await?;
            carol.send_text(&room, text).await?;
        }
        let garden = room(bob, &[alice, carol], "Garden", "What grows, and who waters it").await?;
        let first =
            bob.send_text(&garden, "Who has time on Saturday? The beans want poles.").await?;
        let direct = json!({ "preset": "trusted_private_chat", "is_direct": true,
            "invite": [alice.user_id()], "creation_content": { "chat.tern.encryption": false } });
        let direct = bob.create_room(direct).await?;
        alice.join(&direct, &[]).await?.ok()?;
        let content = json!({ bob.user_id(): [direct] });
        let path =
            format!("/_matrix/client/v3/user/{}/account_data/m.direct", encode(alice.user_id()));
        alice.put(&path, content).await?.ok()?;
        bob.send_text(&direct, "I left the key under the pot.").await?;
        Ok(Self { garden, first })
    }
}

async fn room(owner: &Api, others: &[&Api], name: &str, topic: &str) -> Result<String> {
    let room = owner
        .create_room(json!({ "name": name, "topic": topic, "preset": "public_chat",
            "creation_content": { "chat.tern.encryption": false } }))
        .await?;
    for other in others {
        other.join(&room, &[]).await?.ok()?;
    }
    Ok(room)
}

fn open(loopback: &Loopback) -> Result<Screen> {
    let data = loopback.subfolder("alice")?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (home, authority) = (text(&data), text(loopback.authority().file()));
    let args = ["--data", &home, "--ca", &authority];
    let envs =
        [("HOME", home.as_str()), ("LANG", "C.UTF-8"), ("TZ", "UTC"), ("COLORTERM", "truecolor")];
    Screen::open(&binary("tern")?, &args, &envs, &data, SIZE)
}

fn keep(tern: &Screen, folder: &Path, name: &str) -> Result<()> {
    Ok(fs::write(folder.join(format!("{name}.svg")), tern.svg())?)
}

/// Logging in, and the question that follows.
async fn wizard(tern: &mut Screen, ternd: &Ternd, folder: &Path) -> Result<()> {
    tern.wait_for("Welcome to Tern").await?;
    tern.type_text(ternd.name())?;
    tern.press("Enter")?;
    tern.wait_for("answers.").await?;
    tern.press("l")?;
    tern.wait_for("Log in on").await?;
    tern.type_text("alice")?;
    tern.press("Tab")?;
    tern.type_text(PASSWORD)?;
    tern.press("Enter")?;
    tern.wait_for("Set it up").await?;
    tern.wait_for("Choir").await?;
    keep(tern, folder, "wizard")?;
    tern.press("Esc")?;
    tern.wait_gone("Set it up").await
}

/// A chat with formatted text, a picture and reactions; the finder.
async fn chat(tern: &mut Screen, people: &People, town: &Town, folder: &Path) -> Result<()> {
    let People { alice: _, bob, carol } = people;
    find(tern, "garden").await?;
    tern.wait_for("beans want poles").await?;
    say(tern, "I can, after **ten**. What do we need?").await?;
    let list = json!({ "msgtype": "m.text", "body": "- 12 poles\n- twine",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>From the shed:</p><ul><li>12 poles</li><li>twine, the <em>green</em> one</li></ul><pre><code class=\"language-rust\">let rows = poles / 2; // two by two</code></pre>" });
    let list = bob.send(&town.garden, "m.room.message", list).await?;
    let annotation = json!({ "m.relates_to": {
        "rel_type": "m.annotation", "event_id": list, "key": "👍" } });
    carol.send(&town.garden, "m.reaction", annotation).await?;
    let answer = json!({ "msgtype": "m.text", "body": "Twine is at my place.",
        "m.relates_to": { "m.in_reply_to": { "event_id": list } } });
    carol.send(&town.garden, "m.room.message", answer).await?;
    let thread = |text: &str| {
        json!({ "msgtype": "m.text", "body": text,
        "m.relates_to": { "rel_type": "m.thread", "event_id": town.first, "is_falling_back": true,
            "m.in_reply_to": { "event_id": town.first } } })
    };
    carol.send(&town.garden, "m.room.message", thread("Saturday is fine with me.")).await?;
    bob.send(&town.garden, "m.room.message", thread("Then we are three. I bring coffee.")).await?;
    tern.wait_for("Twine is at my place.").await?;
    tern.wait_for("👍 1").await?;
    tern.wait_for("2 answers").await?;
    tern.type_text("Wonderful. See you the")?;
    tern.wait_for("See you the").await?;
    keep(tern, folder, "chat")?;
    tern.press("Ctrl+U")?;

    let picture = sunset()?;
    let uri = bob.upload("image/png", picture.clone()).await?;
    let content = json!({ "msgtype": "m.image", "body": "the beans last August.png", "url": uri,
        "info": { "w": 480, "h": 300, "size": picture.len(), "mimetype": "image/png" } });
    bob.send(&town.garden, "m.room.message", content).await?;
    tern.wait_for("▀▀▀▀").await?;
    keep(tern, folder, "image")?;

    tern.press("Ctrl+K")?;
    tern.wait_for("Find a chat").await?;
    tern.type_text(">chat")?;
    tern.wait_for("leave this chat").await?;
    keep(tern, folder, "palette")?;
    tern.press("Esc")?;
    tern.wait_gone("Find a chat").await
}

async fn thread_and_profile(tern: &mut Screen, folder: &Path) -> Result<()> {
    tern.press("Ctrl+Space")?;
    tern.wait_for("╭ Space ").await?;
    tern.press("t")?;
    tern.wait_for("2 answers").await?;
    tern.press("Enter")?;
    tern.wait_for("I bring coffee").await?;
    tern.wait_for("Thread: ").await?;
    keep(tern, folder, "thread")?;
    tern.press("Ctrl+Space")?;
    tern.wait_for("╭ Space ").await?;
    tern.press("b")?;
    tern.wait_gone("Thread: ").await?;
    find(tern, "bob").await?;
    tern.wait_for("under the pot").await?;
    tern.press("Ctrl+Space")?;
    tern.wait_for("╭ Space ").await?;
    tern.press("i")?;
    tern.wait_for("About this chat").await?;
    tern.press("p")?;
    tern.wait_for("compost").await?;
    keep(tern, folder, "profile")?;
    tern.press("Esc")?;
    tern.wait_gone("compost").await
}

async fn slow_link(tern: &mut Screen, folder: &Path) -> Result<()> {
    find(tern, "garden").await?;
    tern.press("Ctrl+Space")?;
    tern.wait_for("╭ Space ").await?;
    tern.press("B")?;
    tern.wait_for("⇅").await?;
    tern.wait_for("the beans last August").await?;
    keep(tern, folder, "slow-link")
}

async fn find(tern: &mut Screen, name: &str) -> Result<()> {
    tern.press("Ctrl+K")?;
    tern.wait_for("Find a chat").await?;
    tern.type_text(name)?;
    tern.wait_for(name).await?;
    tern.press("Enter")?;
    tern.wait_gone("Find a chat").await
}

async fn say(tern: &mut Screen, text: &str) -> Result<()> {
    tern.type_text(text)?;
    tern.press("Enter")?;
    tern.wait_for("✓").await
}

/// A picture that half blocks do well.
fn sunset() -> Result<Vec<u8>> {
    let (width, height) = (480_u32, 300_u32);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x.abs_diff(330), y.abs_diff(150));
        if dx * dx + dy * dy < 52 * 52 {
            return Rgb([255, 226, 150]);
        }
        let hill = 215 + x / 12 % 9 + x / 40;
        if y > hill {
            return Rgb([20, 60 + u8::try_from(y - hill).unwrap_or(90).min(90) / 2, 46]);
        }
        let part = u8::try_from(y * 200 / height).unwrap_or(200);
        Rgb([60 + part / 2 + part / 3, 50 + part / 3, 120 - part / 4])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}
