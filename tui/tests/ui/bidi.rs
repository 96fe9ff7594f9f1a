//! Text in both directions while it is typed: where it stands, where the cursor stands, what clicks hit, and what is sent.

use crate::common::Client;
use tern_tui::action::Action;
use tern_tui::backend::Request;
use tern_tui::input::{Mouse, MouseKind};

fn written(client: &Client) -> &str {
    client.app.state.open.as_ref().unwrap().composer.field.text()
}

/// The column of the cursor in the last line of a screen.
fn cursor(client: &mut Client) -> usize {
    let screen = client.screen();
    let place = screen.rsplit("[cursor ").next().unwrap().split(' ').next().unwrap();
    place.parse().unwrap()
}

fn click(client: &mut Client, column: u16, row: u16) {
    let mouse = Mouse { what: MouseKind::Click, at: (column, row) };
    client.app.act(Action::Mouse(mouse)).unwrap();
}

#[test]
fn what_is_typed_from_right_to_left_stands_at_the_right() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("שלום (abc) 12");
    insta::assert_snapshot!(client.screen());
    client.keys("home right");
    assert_eq!(cursor(&mut client), 78);
    client.types("ב");
    assert_eq!(written(&client), "שבלום (abc) 12");
    assert_eq!(cursor(&mut client), 77);
    client.keys("backspace ctrl-right");
    assert_eq!(cursor(&mut client), 75, "left of the word");
    client.keys("enter");
    let sent = client.requests().into_iter().find_map(|request| match request {
        Request::SendText { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(sent.as_deref(), Some("שלום (abc) 12"));
}

#[test]
fn paragraphs_of_both_directions_are_broken_and_walked_as_they_are_seen() {
    let mut client = Client::in_bobs_chat(40, 20);
    client.types("see שלום there and back");
    client.keys("ctrl-j");
    client.types("אחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר");
    insta::assert_snapshot!(client.screen());
    // From the end of the second row of Hebrew up to what is above it, and there to the letter that is clicked.
    client.keys("up up");
    assert_eq!(cursor(&mut client), 25, "behind the Latin");
    click(&mut client, 39, 17);
    client.types("x");
    assert_eq!(
        written(&client).lines().nth(1),
        Some("xאחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר")
    );
    client.keys("backspace");
    click(&mut client, 8, 16);
    client.types("!");
    assert!(written(&client).starts_with("see ש!לום there"), "{}", written(&client));
}

#[test]
fn the_finder_takes_both_directions() {
    let mut client = Client::with_chats(80, 24);
    client.keys("ctrl-k");
    client.types("שלום");
    insta::assert_snapshot!(client.screen());
    client.keys("enter");
    assert_eq!(client.app.state.open.as_ref().unwrap().chat, "!rtl:example.org");
}
