//! Leaving, hostile text on the screen, and the keys document.

use crate::common::{Client, NOON, chats, logged_in, message};
use futures_util::stream;
use tern_tui::backend::{Body, Encryption, Message, Recovery, Report, Request, Ticks};
use tern_tui::input::{self, Input};
use tern_tui::keymap;
use tern_tui::state::Popup;

const BOB: &str = "!bob:example.org";

#[tokio::test]
async fn quitting_with_something_unsent_asks_first() {
    let mut client = Client::in_bobs_chat(80, 24);
    let waiting =
        Message { ticks: Some(Ticks::Sending), ..message("9", true, "on its way", NOON + 1) };
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: vec![waiting] });
    client.keys("ctrl-q");
    assert!(matches!(client.app.state.popups.last(), Some(Popup::Form(_))));
    let (_sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    // The stream never ends: only quitting ends the loop.
    let inputs = futures_util::StreamExt::chain(
        stream::iter([Input::Key(input::Key::parse("q").unwrap())]),
        stream::pending(),
    );
    client.app.run(inputs, &mut reports, stream::pending()).await.unwrap();
}

#[test]
fn a_hostile_name_topic_and_body_put_no_control_character_on_the_screen() {
    let evil = "\u{202e}evil\x1b]52;c;aGk=\x07\u{9b}2J\r\n\u{2066}";
    let mut client = Client::with_chats(120, 40);
    let mut chats = chats();
    for chat in &mut chats {
        chat.name = evil.to_owned();
        chat.topic = Some(evil.to_owned());
        chat.last = crate::common::preview(evil, evil, NOON);
    }
    client.report(Report::chats(chats));
    client.keys("j enter");
    let chat = client.app.state.open.as_ref().unwrap().chat.clone();
    let hostile = Message {
        sender_name: evil.to_owned(),
        reply: Some((evil.to_owned(), evil.to_owned())),
        reactions: vec![(evil.to_owned(), 1, false)],
        read_by: vec![evil.to_owned()],
        ..message("1", false, evil, NOON)
    };
    let file = Message {
        body: Body::File {
            kind: tern_tui::backend::FileKind::File,
            name: evil.to_owned(),
            bytes: Some(1),
            caption: None,
            pixels: None,
            blurhash: None,
        },
        ..hostile.clone()
    };
    client.report(Report::Timeline { chat: chat.clone(), messages: vec![hostile, file] });
    client.report(Report::Typing { chat, names: vec![evil.to_owned()] });
    client.report(Report::Failed { reason: evil.to_owned() });
    client.keys("esc i");
    let screen = client.screen();
    assert!(screen.contains("evil"));
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!screen.contains(bad), "{screen:?}");
    assert!(!client.app.state.title.contains(bad));
}

#[test]
fn the_keys_document_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/keys.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, keymap::document()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == keymap::document(),
        "docs/keys.md is behind the table: run this test with UPDATE_DOCS=1"
    );
}

#[test]
fn a_soft_logout_keeps_chats_and_drafts_for_the_same_person() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("half a sentence");
    let reason = Some("The server wants you to log in again.".to_owned());
    client.report(Report::LoggedOut { soft: true, reason: reason.clone() });
    assert!(client.screen().contains("log in again"), "{}", client.screen());
    let snapshot = tern_tui::update::snapshot_of(&client.app.state).unwrap();
    assert_eq!(snapshot.drafts.get(BOB).map(String::as_str), Some("half a sentence"));
    client.report(logged_in());
    assert!(client.screen().contains("half a sentence"), "{}", client.screen());
    client.report(Report::LoggedOut { soft: true, reason });
    client.report(Report::LoggedIn {
        user: "@bob:example.org".to_owned(),
        server: "example.org".to_owned(),
        device: "OTHER".to_owned(),
    });
    assert!(client.app.state.open.is_none() && client.app.state.drafts.is_empty());
}

#[test]
fn a_session_that_can_not_be_opened_is_tried_again_and_offers_no_recovery() {
    let mut client = Client::in_bobs_chat(80, 24);
    let reason = "The stored history can't be opened: locked. Close other programs.".to_owned();
    client.report(Report::CantOpen { reason });
    assert!(client.screen().contains("moves what is here aside"), "{}", client.screen());
    client.keys("esc enter");
    assert_eq!(client.requests(), [Request::Restore]);
    client.report(logged_in());
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Disabled }));
    assert!(client.app.state.popups.is_empty());
    assert!(client.app.state.is_open(BOB));
}

#[test]
fn an_invitation_tells_the_id_of_who_invites() {
    let mut client = Client::with_chats(80, 24);
    let mut chats = chats();
    for chat in chats.iter_mut().filter(|chat| chat.invited_by.is_some()) {
        chat.invited_by = Some("alice's best friend".to_owned());
        chat.inviter = Some("@bob:example.org".to_owned());
    }
    client.report(Report::chats(chats));
    client.keys("g enter");
    assert!(
        client.screen().contains("alice's best friend (@bob:example.org)"),
        "{}",
        client.screen()
    );
}
