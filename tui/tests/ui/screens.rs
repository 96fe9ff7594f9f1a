//! State in, screen out: what is shown at 80×24, 120×40 and 40×20, with wide, joined and right-to-left names.

use crate::common::Client;
use tern_tui::backend::{Report, ServerInfo};

#[test]
fn the_first_screen() {
    insta::assert_snapshot!(Client::new(80, 24).screen());
}

#[test]
fn the_registration_screen_on_a_small_terminal() {
    let mut client = Client::new(40, 20);
    let server = ServerInfo {
        name: "example.org".to_owned(),
        url: String::new(),
        registration: true,
        wants_email: true,
        wants_token: true,
        takes_email: true,
        password_login: true,
        sso: Vec::new(),
    };
    client.report(Report::ServerFound(server));
    client.keys("r enter");
    client.keys("enter");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_chat_screen_at_80_by_24() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("a new message");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_chat_screen_at_120_by_40() {
    let mut client = Client::in_bobs_chat(120, 40);
    client.keys("esc");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_conversation_at_40_by_20() {
    let mut client = Client::in_bobs_chat(40, 20);
    client.types("several words that need more than one row here");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_list_at_40_by_20() {
    insta::assert_snapshot!(Client::with_chats(40, 20).screen());
}

#[test]
fn the_help() {
    let mut client = Client::with_chats(80, 24);
    client.keys("?");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_leader() {
    let mut client = Client::with_chats(80, 24);
    client.keys("space");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_switcher() {
    let mut client = Client::with_chats(80, 24);
    client.keys("ctrl-k");
    client.types("o");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn the_new_group_form() {
    let mut client = Client::with_chats(80, 24);
    client.keys("N");
    client.types("Choir");
    insta::assert_snapshot!(client.screen());
}

#[test]
fn no_size_is_too_small_to_draw() {
    for columns in [0, 1, 2, 7, 20, 39, 59, 60, 61, 300] {
        for rows in [0, 1, 2, 3, 5, 8, 60] {
            let mut client = Client::in_bobs_chat(columns, rows);
            client.types("x y z");
            client.screen();
            client.keys("esc ? esc + esc ctrl-k esc space");
            client.screen();
        }
    }
}
