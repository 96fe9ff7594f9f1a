//! The backend against real servers: two people from registration to the second tick, on both kinds of sync.

use crate::{
    on_every_server,
    person::{PASSWORD, Person},
    server::{Kind, Server},
};
use tern_tui::backend::{Body, Chat, ChatKind, Message, Report, Request, Secret, Ticks};

fn says(message: &Message, text: &str) -> bool {
    matches!(&message.body, Body::Text { text: body, .. } if body == text)
}

on_every_server! {
    two_people_talk_encrypted => super::conversation;
    wrong_passwords_taken_names_and_missing_servers_are_explained => super::refusals;
    a_session_that_can_not_be_read_is_kept_until_somebody_logs_in_and_then_moved_aside => super::kept;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_talk_encrypted_over_classic_sync() {
    let Some(server) = Server::start(Kind::SynapseWithoutSlidingSync).await else { return };
    conversation(server).await;
}

async fn conversation(server: Server) {
    let mut alice = Person::register("alice", &server.url, server.folder("alice")).await;
    let mut bob = Person::register("bob", &server.url, server.folder("bob")).await;
    let chat = meet(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, &chat).await;
    change(&mut alice, &mut bob, &chat).await;
    groups(&mut alice, &mut bob).await;
    profiles(&mut alice, &mut bob).await;
}

/// Alice starts an encrypted chat; bob sees the invitation and accepts it.
async fn meet(alice: &mut Person, bob: &mut Person) -> String {
    alice.ask(Request::NewDirectChat { user: "@bob:example.org".to_owned(), encrypted: true });
    let chat = alice.chat_ready().await;
    let complete =
        |known: &Chat| known.id == chat && known.encrypted && known.kind == ChatKind::Direct;
    let mine = alice.chat("the new chat", complete).await;
    assert_eq!(mine.peer.as_deref(), Some("@bob:example.org"));
    bob.chat("the invitation", |known| {
        known.id == chat && known.invited_by.as_deref() == Some("alice")
    })
    .await;
    bob.ask(Request::Join { chat: chat.clone() });
    assert_eq!(bob.chat_ready().await, chat);
    bob.chat("the joined chat", |known| {
        known.id == chat && known.invited_by.is_none() && known.encrypted
    })
    .await;
    alice.ask(Request::OpenChat { chat: chat.clone() });
    bob.ask(Request::OpenChat { chat: chat.clone() });
    let joined = |message: &Message| matches!(&message.body, Body::Service(line) if line.contains("bob joined"));
    alice.message(&chat, "bob's joining", joined).await;
    chat
}

/// A message is read decrypted on the other side, counted, previewed, and its ticks advance.
async fn talk(alice: &mut Person, bob: &mut Person, chat: &str) {
    alice.say(chat, "hello **bob**");
    let sent = alice
        .message(chat, "her message sent", |message| {
            says(message, "hello **bob**") && message.ticks == Some(Ticks::Sent)
        })
        .await;
    let got = bob.message(chat, "alice's message", |message| says(message, "hello **bob**")).await;
    assert_eq!((got.sender.as_str(), got.own, got.ticks), ("@alice:example.org", false, None));
    assert!(
        matches!(&got.body, Body::Text { html: Some(html), .. } if html.contains("<strong>bob</strong>"))
    );
    bob.chat("one unread message", |known| known.id == chat && known.unread == 1).await;
    let previewed = |known: &Chat| {
        known.id == chat && known.last.as_ref().is_some_and(|last| last.text == "hello **bob**")
    };
    let row = bob.chat("the preview", previewed).await;
    assert_eq!(row.last.map(|last| (last.sender, last.own)), Some(("alice".to_owned(), false)));
    bob.ask(Request::Typing { chat: chat.to_owned(), typing: true });
    alice
        .until("bob typing", |report| match report {
            Report::Typing { names, .. } => (names == &["bob"]).then_some(()),
            _ => None,
        })
        .await;
    bob.ask(Request::MarkRead { chat: chat.to_owned() });
    let read =
        alice.message(chat, "the second tick", |message| message.ticks == Some(Ticks::Read)).await;
    assert_eq!(read.key, sent.key, "the key survives the way from local echo to read");
    assert_eq!(read.read_by, ["bob"]);
    bob.chat("nothing unread", |known| known.id == chat && known.unread == 0).await;
}

/// Reply, edit, reaction, deletion, a file.
async fn change(alice: &mut Person, bob: &mut Person, chat: &str) {
    let hers = bob.message(chat, "alice's message", |message| says(message, "hello **bob**")).await;
    bob.ask(Request::SendText {
        chat: chat.to_owned(),
        text: "hello alice".to_owned(),
        reply_to: Some(hers.key.clone()),
        edits: None,
    });
    let reply = alice
        .message(chat, "the reply", |message| {
            says(message, "hello alice") && message.reply.is_some()
        })
        .await;
    assert_eq!(reply.reply, Some(("alice".to_owned(), "hello **bob**".to_owned())));

    let own = bob
        .message(chat, "his reply sent", |message| {
            says(message, "hello alice") && matches!(message.ticks, Some(Ticks::Sent | Ticks::Read))
        })
        .await;
    bob.ask(Request::SendText {
        chat: chat.to_owned(),
        text: "hello Alice!".to_owned(),
        reply_to: None,
        edits: Some(own.key.clone()),
    });
    alice
        .message(chat, "the edit", |message| says(message, "hello Alice!") && message.edited)
        .await;

    bob.ask(Request::React {
        chat: chat.to_owned(),
        message: hers.key.clone(),
        reaction: "👍".to_owned(),
    });
    alice
        .message(chat, "the reaction", |message| message.reactions == [("👍".to_owned(), 1, false)])
        .await;
    bob.message(chat, "his reaction sent", |message| {
        message.reactions == [("👍".to_owned(), 1, true)]
    })
    .await;

    let path = bob.dir.join("notes.txt");
    std::fs::write(&path, "remember the milk").expect("a file to send");
    bob.ask(Request::SendFiles { chat: chat.to_owned(), files: vec![path.into()], caption: None });
    let file =
        alice.message(chat, "the file", |message| matches!(message.body, Body::File { .. })).await;
    assert!(matches!(&file.body, Body::File { name, bytes: Some(17), .. } if name == "notes.txt"));

    bob.ask(Request::Delete { chat: chat.to_owned(), message: own.key });
    alice.message(chat, "the deletion", |message| message.body == Body::Deleted).await;
}

/// A group bob declines, and one without encryption he comes into later.
async fn groups(alice: &mut Person, bob: &mut Person) {
    let invite = vec!["@bob:example.org".to_owned()];
    alice.ask(Request::NewGroup { name: "Quiet".to_owned(), invite, encrypted: true });
    let quiet = alice.chat_ready().await;
    let seen = bob
        .chat("the invitation to the group", |known| known.id == quiet && known.name == "Quiet")
        .await;
    assert_eq!((seen.name.as_str(), seen.kind), ("Quiet", ChatKind::Group));
    bob.ask(Request::Leave { chat: quiet.clone() });
    bob.state("the declined invitation gone", |me| {
        me.chats.iter().all(|known| known.id != quiet).then_some(())
    })
    .await;

    alice.ask(Request::NewGroup { name: "Open".to_owned(), invite: Vec::new(), encrypted: false });
    let open = alice.chat_ready().await;
    let mine = alice.chat("the open group", |known| known.id == open && known.name == "Open").await;
    assert!(!mine.encrypted);
    alice.ask(Request::Invite { chat: open.clone(), user: "@bob:example.org".to_owned() });
    bob.chat("the second invitation", |known| known.id == open).await;
    bob.ask(Request::Join { chat: open.clone() });
    assert_eq!(bob.chat_ready().await, open);
    bob.ask(Request::OpenChat { chat: open.clone() });
    alice.say(&open, "in plain");
    let plain = bob.message(&open, "the plain message", |message| says(message, "in plain")).await;
    assert_eq!(plain.warning, None);
}

async fn profiles(alice: &mut Person, bob: &mut Person) {
    let bio = "Sails on weekends".to_owned();
    alice.ask(Request::SetProfile {
        display_name: Some("Alice Liddell".to_owned()),
        bio: Some(bio.clone()),
    });
    let own = profile(alice, "@alice:example.org").await;
    assert_eq!(
        (own.display_name.as_deref(), own.bio.as_ref()),
        (Some("Alice Liddell"), Some(&bio))
    );
    bob.ask(Request::FetchProfile { user: Some("@alice:example.org".to_owned()) });
    let seen = profile(bob, "@alice:example.org").await;
    assert_eq!(
        (seen.display_name, seen.bio, seen.verified),
        (Some("Alice Liddell".to_owned()), Some(bio), false)
    );
}

async fn profile(person: &mut Person, user: &str) -> tern_tui::backend::Profile {
    person
        .until("a profile", |report| match report {
            Report::Profile(profile) if profile.user == user => Some(profile.clone()),
            _ => None,
        })
        .await
}

async fn refusals(server: Server) {
    let alice = Person::register("alice", &server.url, server.folder("alice")).await;
    let mut other = Person::new("other", server.folder("other"));
    other.ask(Request::FindServer { input: "http://127.0.0.1:1".to_owned() });
    let missing = other.until("no server", |report| match report {
        Report::ServerNotFound { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(missing.await.contains("reached"));
    let info = other.find(&server.url).await;
    assert_eq!(
        (info.name.as_str(), info.registration, info.wants_email, info.password_login),
        ("example.org", true, false, true)
    );
    other.ask(Request::CheckUsername { username: "alice".to_owned() });
    let problem = other.until("the username's check", |report| match report {
        Report::UsernameChecked { problem, .. } => Some(problem.clone()),
        _ => None,
    });
    assert_eq!(problem.await.as_deref(), Some("That username is taken. Choose another."));
    other.ask(Request::LogIn { user: "alice".to_owned(), password: Secret("not it".to_owned()) });
    let refused = other.until("the refusal", |report| match report {
        Report::AuthFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(refused.await.starts_with("Wrong username or password."));
    other.ask(Request::LogIn {
        user: "@alice:example.org".to_owned(),
        password: Secret(PASSWORD.to_owned()),
    });
    other.online().await;
    other.ask(Request::LogOut);
    let (soft, reason) = other
        .until("the end", |report| match report {
            Report::LoggedOut { soft, reason } => Some((*soft, reason.clone())),
            _ => None,
        })
        .await;
    assert_eq!((soft, reason), (false, None));
    assert_eq!(std::fs::read_dir(&other.dir).expect("a folder").count(), 0, "nothing is left");
    drop(alice);
}

async fn kept(server: Server) {
    let alice = Person::register("alice", &server.url, server.folder("alice")).await;
    let dir = alice.dir.clone();
    alice.leave().await;
    let whole = std::fs::read(dir.join("session.json")).expect("a session");
    std::fs::write(dir.join("session.json"), "{").expect("a damaged session");

    let mut again = Person::new("alice", dir.clone());
    again
        .until("the word that it can't be opened", |report| match report {
            Report::CantOpen { .. } => Some(()),
            Report::LoggedIn { .. } | Report::LoggedOut { .. } => panic!("{report:?}"),
            _ => None,
        })
        .await;
    // Repaired, it opens as if nothing had been.
    std::fs::write(dir.join("session.json"), &whole).expect("the session");
    again.ask(Request::Restore);
    again.online().await;
    again.leave().await;

    std::fs::write(dir.join("session.json"), "{").expect("a damaged session");
    let mut anew = Person::log_in("alice", &server.url, dir.clone()).await;
    anew.online().await;
    let aside = dir.join("set-aside-1");
    assert_eq!(std::fs::read(aside.join("session.json")).expect("the old session"), b"{");
    let stores = std::fs::read_dir(&aside).expect("a folder").flatten();
    assert!(
        stores
            .map(|entry| entry.path())
            .any(|path| path.join("matrix-sdk-crypto.sqlite3").exists())
    );
}
