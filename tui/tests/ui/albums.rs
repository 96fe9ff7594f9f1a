//! Pictures that belong together, and what comes from the clipboard, as pure updates and screens.

use std::path::PathBuf;
use std::sync::Arc;

use crate::common::{Client, NOON, message};
use tern_tui::action::Action;
use tern_tui::backend::{Attachment, Body, FileKind, Message, Pasted, Report, Request, Ticks};
use tern_tui::clipboard::{Clip, ClipboardError};
use tern_tui::input::{Mouse, MouseKind};
use tern_tui::pictures::{Mode, Picture};
use tern_tui::screens;

const BOB: &str = "!bob:example.org";

/// A picture that bob sent so many seconds after noon.
fn picture(key: &str, seconds: u64, caption: Option<&str>) -> Message {
    let body = Body::File {
        kind: FileKind::Image,
        name: format!("{key}.png"),
        bytes: Some(2048),
        caption: caption.map(str::to_owned),
        pixels: Some((320, 240)),
        blurhash: None,
    };
    Message { body, ..message(key, false, "", NOON + seconds * 1000) }
}

fn three() -> Vec<Message> {
    vec![
        message("hello", false, "hello", NOON),
        picture("roses", 1, Some("what grows")),
        picture("grass", 2, None),
        picture("sky", 3, None),
    ]
}

fn album(mode: Mode, messages: Vec<Message>) -> Client {
    let mut client = Client::in_bobs_chat(80, 24);
    client.app.state.picture_mode = mode;
    client.report(timeline(messages));
    client
}

fn timeline(messages: Vec<Message>) -> Report {
    Report::Timeline { chat: BOB.to_owned(), messages }
}

fn come(key: &str) -> Report {
    let picture = Picture { width: 4, height: 4, pixels: [255, 0, 0].repeat(16) };
    let picture = Some(Arc::new(picture));
    Report::Picture { chat: BOB.to_owned(), message: key.to_owned(), picture }
}

/// The pictures that were asked for.
fn wanted(client: &Client) -> Vec<String> {
    let asked = client.requests().into_iter().filter_map(|request| match request {
        Request::FetchPicture { message, .. } => Some(message),
        _ => None,
    });
    asked.collect()
}

/// The rows right of the list.
fn in_chat(screen: &str) -> impl Iterator<Item = &str> {
    screen.lines().filter_map(|row| row.split_once('│')).map(|(_, chat)| chat)
}

fn place(screen: &str, text: &str) -> Option<usize> {
    screen.lines().position(|row| row.contains(text))
}

#[test]
fn an_album_has_its_room_before_its_pictures_come() {
    let mut client = album(Mode::Blocks, three());
    assert_eq!(wanted(&client), ["roses", "grass", "sky"]);
    let before = client.screen();
    let free = "░".repeat(13);
    assert!(before.contains(&format!("{free}  {free}  {free}")), "{before}");
    for key in ["sky", "roses", "grass"] {
        client.report(come(key));
    }
    let after = client.screen();
    assert_eq!(before.replace('░', "▀"), after, "nothing moves");
    assert_eq!(wanted(&client), Vec::<String>::new());
    let timed = in_chat(&after).filter(|row| row.contains("[picture") && row.contains("12:00"));
    assert_eq!(timed.count(), 1, "one time for the album: {after}");
    // Without pictures it is a list.
    client.app.state.picture_mode = Mode::Off;
    client.keys("left");
    let listed = client.screen();
    let rows = ["what grows", "[picture 1] roses", "[picture 2] grass", "[picture 3] sky"];
    let places: Vec<_> = rows.iter().filter_map(|row| place(&listed, row)).collect();
    assert!(places.len() == 4 && places.windows(2).all(|two| two[1] == two[0] + 1), "{listed}");
}

#[test]
fn words_time_people_and_days_end_an_album_and_deleted_pictures_do_not() {
    let mut messages = three();
    messages.push(picture("alone", 70, None));
    messages.push(picture("said", 71, Some("words of its own")));
    messages.push(Message { sender: "@eve:example.org".to_owned(), ..picture("eves", 72, None) });
    messages.push(Message { body: Body::Deleted, ..picture("gone", 73, None) });
    messages.push(Message { sender: "@eve:example.org".to_owned(), ..picture("last", 74, None) });
    let mut client = album(Mode::Off, messages);
    let screen = client.screen();
    assert!(screen.contains("[picture 3] sky") && screen.contains("[picture] alone"), "{screen}");
    assert!(screen.contains("[picture] said") && screen.contains("[picture] eves"), "{screen}");
    // The one that bob deleted ends eve's; her own would not.
    assert!(screen.contains("[picture] last"), "{screen}");
    let mut messages = three();
    messages[2].body = Body::Deleted;
    client.report(timeline(messages));
    let screen = client.screen();
    assert!(screen.contains("[picture 1] roses") && screen.contains("[picture 2] sky"), "{screen}");
}

#[test]
fn each_picture_of_an_album_is_chosen_by_key_and_by_click() {
    let mut client = album(Mode::Blocks, three());
    client.keys("esc k");
    let chosen = |client: &Client| client.app.state.open.as_ref().unwrap().selected.clone();
    assert_eq!(chosen(&client).as_deref(), Some("grass"));
    let screen = client.screen();
    let marked: Vec<&str> = in_chat(&screen).filter(|row| row.contains('▌')).collect();
    assert!(marked.len() == 1 && marked[0].contains("[picture 2]"), "{screen}");
    let row = place(&screen, "░░░").unwrap();
    let third = screen.lines().nth(row).unwrap().chars().count() - 2;
    let at = (u16::try_from(third).unwrap(), u16::try_from(row).unwrap());
    let click = Action::Mouse(Mouse { what: MouseKind::Click, at });
    client.app.act(click).unwrap();
    assert_eq!(chosen(&client).as_deref(), Some("sky"));
    client.keys("V");
    assert_eq!(client.app.state.open.as_ref().unwrap().chosen.len(), 3);
    client.keys("V");
    assert!(client.app.state.open.as_ref().unwrap().chosen.is_empty());
}

#[test]
fn an_album_on_its_way_says_how_far_it_is_as_a_whole_and_each() {
    let own = |key, seconds, ticks| Message {
        own: true,
        ticks: Some(ticks),
        ..picture(key, seconds, None)
    };
    let mut client = album(
        Mode::Off,
        vec![
            own("roses", 1, Ticks::Sent),
            own("grass", 2, Ticks::Uploading(50)),
            own("sky", 3, Ticks::Sending),
        ],
    );
    let screen = client.screen();
    let row = |text| screen.lines().find(|row| row.contains(text)).unwrap();
    assert!(!row("[picture 1]").contains('✓'), "{screen}");
    assert!(row("[picture 2]").contains("◷ 50 %"), "{screen}");
    assert!(row("50 % of 3 pictures").contains("12:00 ◷"), "{screen}");
}

#[test]
fn kitty_is_told_the_new_size_of_a_picture_that_others_join() {
    let mut client = album(Mode::Kitty, three()[..2].to_vec());
    assert_eq!(wanted(&client), ["roses"]);
    client.report(come("roses"));
    assert!(client.screen().contains('\u{10eeee}'));
    client.report(timeline(three()));
    assert_eq!(wanted(&client), ["roses", "grass", "sky"]);
    assert!(!client.screen().contains('\u{10eeee}'), "cells of another size");
    client.report(come("roses"));
    assert!(client.screen().contains('\u{10eeee}'));
    assert_eq!(wanted(&client), Vec::<String>::new());
}

#[test]
fn pictures_of_an_album_are_painted_where_each_has_its_room() {
    let mut client = album(Mode::Sixel, three());
    for key in ["roses", "grass", "sky"] {
        client.report(come(key));
    }
    let painted = screens::pictures(&client.app.state);
    let columns: Vec<u16> = painted.iter().map(|overlay| overlay.area.x).collect();
    assert_eq!((columns[1] - columns[0], columns[2] - columns[1]), (15, 15));
    assert!(painted.iter().all(|overlay| overlay.area.y == painted[0].area.y));
    // Half out of view none of them is.
    client.app.act(Action::Resized(80, 13)).unwrap();
    assert_eq!(screens::pictures(&client.app.state).len(), 0);
}

fn pasted() -> Pasted {
    let bytes = b"a picture".as_slice().into();
    Pasted { name: "image_1.png".to_owned(), bytes, mime: "image/png", pixels: Some((40, 30)) }
}

#[test]
fn a_pasted_picture_is_asked_about_and_goes_with_its_words() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.app.state.reading_clipboard = None;
    client.keys("ctrl-space V");
    assert!(client.app.state.reading_clipboard.is_some());
    client.app.act(Action::Clipboard(Ok(Clip::Picture(pasted())))).unwrap();
    let screen = client.screen();
    assert!(screen.contains("Send a picture") && screen.contains("image_1.png, 40×30"), "{screen}");
    client.types("look");
    client.keys("enter");
    let sent = Request::SendFiles {
        chat: BOB.to_owned(),
        files: vec![Attachment::Picture(pasted())],
        caption: Some("look".to_owned()),
    };
    assert!(client.requests().contains(&sent));
}

#[test]
fn a_late_answer_of_the_clipboard_takes_no_keys_of_who_has_gone_on() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("ctrl-v");
    client.types("meanwhile");
    let files = ["/a/x\u{1b}[2Jy", "/b"].map(PathBuf::from).to_vec();
    client.app.act(Action::Clipboard(Ok(Clip::Files(files)))).unwrap();
    let screen = client.screen();
    assert!(screen.contains("Send 2 files") && screen.contains("/a/x[2Jy"), "{screen}");
    client.types("s");
    client.keys("enter");
    assert!(!client.requests().iter().any(|request| matches!(request, Request::SendFiles { .. })));
    client.keys("esc");
    client.keys("ctrl-v");
    client.app.act(Action::Clipboard(Err(ClipboardError::Empty))).unwrap();
    assert!(client.screen().contains("There is no picture in the clipboard."));
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "meanwhile");
}
