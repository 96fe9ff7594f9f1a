//! Keys in, requests out: scripts of keys through the real loop on the fake backend.

use crate::common::{Client, NOON, chats, logged_in, message};
use futures_util::stream;
use tern_tui::backend::{Connection, Message, Report, Request, Ticks};
use tern_tui::effect::Timer;
use tern_tui::input::{self};
use tern_tui::state::Pane;

const BOB: &str = "!bob:example.org";

fn sent(requests: &[Request]) -> Vec<&str> {
    requests
        .iter()
        .filter_map(|request| {
            if let Request::SendText { text, .. } = request { Some(text.as_str()) } else { None }
        })
        .collect()
}

#[tokio::test]
async fn opening_a_chat_and_typing_sends_through_the_whole_loop() {
    let mut client = Client::with_chats(80, 24);
    let (_sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    // The invitation is on top; below it bob, then the garden.
    let script = input::script("j j enter h i enter").unwrap();
    client.app.run(stream::iter(script), &mut reports, stream::pending()).await.unwrap();
    let requests = client.requests();
    assert!(
        requests.contains(&Request::OpenChat { chat: "!garden:example.org".to_owned() }),
        "{requests:?}"
    );
    assert_eq!(sent(&requests), ["hi"]);
}

#[test]
fn the_end_of_an_open_chat_is_marked_read_only_while_it_is_seen() {
    let mut client = Client::in_bobs_chat(60, 16);
    let timeline = |messages: Vec<Message>| Report::Timeline { chat: BOB.to_owned(), messages };
    let mut all = crate::common::messages();
    all.push(message("8", false, "one more", NOON + 1));
    client.report(timeline(all.clone()));
    assert_eq!(client.requests(), [Request::MarkRead { chat: BOB.to_owned() }]);
    client.app.act(tern_tui::action::Action::Unfocused).unwrap();
    all.push(message("9", false, "and another", NOON + 2));
    client.report(timeline(all.clone()));
    assert_eq!(client.requests(), []);
    client.app.act(tern_tui::action::Action::Focused).unwrap();
    assert_eq!(client.requests(), [Request::MarkRead { chat: BOB.to_owned() }]);
    client.keys("pageup");
    all.push(message("10", false, "while reading above", NOON + 3));
    client.report(timeline(all));
    assert_eq!(client.app.state.open.as_ref().unwrap().new_below, 1);
    assert_eq!(client.requests(), []);
}

#[test]
fn replying_editing_and_deleting_by_single_keys() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("esc r");
    client.types("yes");
    client.keys("enter");
    let reply = client.requests();
    assert!(
        reply.contains(&Request::SendText {
            chat: BOB.to_owned(),
            text: "yes".to_owned(),
            reply_to: Some("7".to_owned()),
            edits: None
        }),
        "{reply:?}"
    );
    client.types("kept");
    client.keys("esc k e");
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "at seven");
    client.types("!");
    client.keys("enter");
    let edit = Request::SendText {
        chat: BOB.to_owned(),
        text: "at seven!".to_owned(),
        reply_to: None,
        edits: Some("6".to_owned()),
    };
    assert!(client.requests().contains(&edit));
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "kept");
    client.keys("esc k d");
    assert_eq!(client.requests(), [], "deleting can be taken back for a while");
    client.app.act(tern_tui::action::Action::Elapsed(Timer::DeletionGoes)).unwrap();
    assert_eq!(
        client.requests(),
        [Request::Delete { chat: BOB.to_owned(), message: "6".to_owned() }]
    );
    client.keys("d z");
    assert!(!client.app.waits_for(Timer::DeletionGoes));
    assert_eq!(client.requests(), [], "taken back");
}

#[test]
fn up_in_an_empty_composer_edits_the_last_own_message_and_esc_takes_it_back() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("up");
    assert!(client.screen().contains("✎ edit: at seven"));
    client.keys("esc");
    assert!(client.app.state.open.as_ref().unwrap().composer.is_blank());
    assert_eq!(client.app.state.pane, Pane::Composer);
}

#[test]
fn reactions_are_chosen_by_number_or_typed() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("esc + 2");
    let react = |reaction: &str| Request::React {
        chat: BOB.to_owned(),
        message: "7".to_owned(),
        reaction: reaction.to_owned(),
    };
    assert_eq!(client.requests(), [react("❤️")]);
    client.keys("+ up");
    client.types("🦀");
    client.keys("enter");
    assert_eq!(client.requests(), [react("🦀")]);
}

#[test]
fn a_failed_message_is_retried_and_a_fine_one_is_not() {
    let mut client = Client::in_bobs_chat(80, 24);
    let failed = Message { ticks: Some(Ticks::Failed), ..message("9", true, "lost", NOON + 1) };
    client.report(Report::Timeline {
        chat: BOB.to_owned(),
        messages: vec![message("7", false, "fine", NOON), failed],
    });
    client.requests();
    client.keys("esc u");
    assert_eq!(
        client.requests(),
        [Request::Retry { chat: BOB.to_owned(), message: "9".to_owned() }]
    );
    client.keys("k u");
    assert_eq!(client.requests(), []);
}

#[test]
fn a_message_that_waits_is_tried_again_at_once() {
    let mut client = Client::in_bobs_chat(80, 24);
    let waiting = Message { ticks: Some(Ticks::Sending), ..message("9", true, "soon", NOON + 1) };
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: vec![waiting] });
    client.requests();
    client.keys("esc u");
    assert_eq!(
        client.requests(),
        [Request::Retry { chat: BOB.to_owned(), message: "9".to_owned() }]
    );
}

#[test]
fn more_history_is_asked_for_once_when_the_top_comes_near() {
    let mut client = Client::with_chats(80, 24);
    client.keys("j enter");
    let chat = client.app.state.open.as_ref().unwrap().chat.clone();
    client.requests();
    let messages: Vec<Message> =
        (0..200).map(|n| message(&n.to_string(), false, "text", NOON + n * 1000)).collect();
    client.report(Report::Timeline { chat: chat.clone(), messages });
    assert!(!client.requests().contains(&Request::LoadOlder { chat: chat.clone() }));
    client.keys("pageup pageup pageup pageup pageup pageup pageup pageup pageup pageup pageup");
    assert_eq!(client.requests(), [Request::LoadOlder { chat: chat.clone() }]);
    client.report(Report::HistoryEnd { chat });
    client.keys("pageup");
    assert_eq!(client.requests(), []);
}

#[test]
fn after_an_empty_page_more_is_asked_for_and_after_a_failure_not_before_a_key() {
    let mut client = Client::with_chats(80, 24);
    client.keys("j enter");
    let chat = client.app.state.open.as_ref().unwrap().chat.clone();
    let older = Request::LoadOlder { chat: chat.clone() };
    client.report(Report::Timeline {
        chat: chat.clone(),
        messages: vec![message("1", false, "x", NOON)],
    });
    assert!(client.requests().contains(&older));
    client.report(Report::OlderLoaded { chat: chat.clone(), failed: false });
    assert_eq!(client.requests(), std::slice::from_ref(&older), "an empty page is not the end");
    client.report(Report::OlderLoaded { chat: chat.clone(), failed: true });
    client.report(Report::Typing { chat: chat.clone(), names: Vec::new() });
    assert_eq!(client.requests(), [], "a failure is not asked again at once");
    client.keys("pageup");
    assert_eq!(client.requests(), std::slice::from_ref(&older));
    client.report(Report::OlderLoaded { chat, failed: true });
    client.report(Report::Connection(Connection::Online));
    assert_eq!(client.requests(), [older]);
}

#[test]
fn messages_of_the_last_run_can_be_read_and_not_acted_on() {
    let mut last = tern_tui::update::snapshot_of(&Client::in_bobs_chat(80, 24).app.state).unwrap();
    last.messages.push(message("8", true, "mine", NOON + 1));
    let mut client = Client::new(80, 24);
    client.app.act(tern_tui::action::Action::Restore(Box::new(last))).unwrap();
    for keys in ["up", "ctrl-up", "esc d", "r", "e", "+", "u"] {
        client.keys(keys);
        assert!(client.app.state.popups.is_empty(), "{keys}");
        assert!(client.app.state.open.as_ref().unwrap().composer.is_blank(), "{keys}");
        assert!(client.screen().contains("still being opened"), "{keys}: {}", client.screen());
    }
    assert_eq!(client.requests(), []);
    client.keys("y");
    assert!(client.screen().contains("Copied."));
}

#[test]
fn an_invitation_asks_before_it_joins() {
    let mut client = Client::with_chats(80, 24);
    client.keys("g enter");
    assert!(client.screen().contains("@bob:example.org invites you to Walks"));
    client.keys("a");
    assert_eq!(client.requests(), [Request::Join { chat: "!invited:example.org".to_owned() }]);
    client.report(Report::ChatReady { chat: "!invited:example.org".to_owned() });
    assert!(client.app.state.is_open("!invited:example.org"));
    let mut client = Client::with_chats(80, 24);
    client.keys("g enter d");
    assert_eq!(client.requests(), [Request::Leave { chat: "!invited:example.org".to_owned() }]);
}

#[test]
fn new_chats_and_groups_are_encrypted_unless_switched_off() {
    let mut client = Client::with_chats(80, 24);
    client.keys("n");
    client.types("@bob:example.org");
    client.keys("enter");
    assert_eq!(
        client.requests(),
        [Request::NewDirectChat { user: "@bob:example.org".to_owned(), encrypted: true }]
    );
    client.keys("N");
    client.types("Choir");
    client.keys("enter");
    client.types("@bob:example.org bob");
    client.keys("enter");
    assert!(client.screen().contains("Give whole ids"));
    client.keys("ctrl-w");
    client.keys("tab space enter");
    assert_eq!(
        client.requests(),
        [Request::NewGroup {
            name: "Choir".to_owned(),
            invite: vec!["@bob:example.org".to_owned()],
            encrypted: false
        }]
    );
}

#[test]
fn a_chat_asked_for_at_start_opens_with_the_cursor_in_the_composer() {
    let mut client = Client::new(80, 24);
    client.app.state.wanted = Some("@bob:example.org".to_owned());
    client.report(logged_in());
    client.report(Report::chats(Vec::new()));
    assert!(client.app.state.open.is_none());
    client.report(Report::chats(chats()));
    assert!(client.app.state.is_open(BOB));
    client.types("hi");
    client.keys("enter");
    assert_eq!(sent(&client.requests()), ["hi"]);
}

#[test]
fn what_is_written_stays_with_its_chat() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("half a sent");
    client.keys("ctrl-n");
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "");
    client.keys("ctrl-6");
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "half a sent");
    let snapshot = tern_tui::update::snapshot_of(&client.app.state).unwrap();
    assert_eq!(snapshot.drafts.get(BOB).map(String::as_str), Some("half a sent"));
}

#[test]
fn the_switcher_finds_by_letters_and_runs_commands() {
    let mut client = Client::with_chats(80, 24);
    client.keys("ctrl-k");
    client.types("gard");
    client.keys("enter");
    assert!(client.app.state.is_open("!garden:example.org"));
    client.keys("ctrl-k");
    client.types(">profile");
    client.keys("enter");
    assert_eq!(client.requests().last(), Some(&Request::FetchProfile { user: None }));
}

#[test]
fn the_leader_needs_no_modifier_in_list_and_history() {
    let mut client = Client::with_chats(80, 24);
    client.keys("space");
    assert!(client.screen().contains("next unread chat"));
    client.keys("u");
    assert!(client.app.state.is_open(BOB));
    client.keys("ctrl-space");
    client.keys("l");
    assert_eq!(client.app.state.pane, Pane::List);
}

#[test]
fn ctrl_j_and_alt_enter_begin_a_line_and_enter_sends() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("o n e ctrl-j t w o alt-enter x enter");
    assert_eq!(sent(&client.requests()), ["one\ntwo\nx"]);
}

#[test]
fn pasted_lines_are_one_message() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.app.act(tern_tui::action::Action::Paste("one\r\ntwo\x1b[31m".to_owned())).unwrap();
    client.keys("enter");
    assert_eq!(sent(&client.requests()), ["one\ntwo[31m"]);
}

#[test]
fn typing_is_told_once_and_stops_with_sending() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("hello");
    client.keys("enter");
    let typing: Vec<bool> =
        client
            .requests()
            .iter()
            .filter_map(|request| {
                if let Request::Typing { typing, .. } = request { Some(*typing) } else { None }
            })
            .collect();
    assert_eq!(typing, [true, false]);
}

#[test]
fn the_next_mention_the_chats_menu_and_its_closing_have_keys() {
    let mut client = Client::in_bobs_chat(80, 24);
    for keys in ["alt-m", "space M"] {
        client.keys("esc");
        client.keys(keys);
        assert!(client.app.state.is_open("!garden:example.org"), "{keys}");
        client.keys("ctrl-6");
        assert!(client.app.state.is_open(BOB));
    }
    for keys in ["ctrl-\\", "ctrl-4"] {
        client.keys(keys);
        assert!(client.screen().contains("About this chat"), "{keys}");
        client.keys("esc");
    }
    client.keys("esc ctrl-w");
    assert!(client.app.state.open.is_none());
}

#[test]
fn every_button_on_a_screen_has_a_letter_in_the_table() {
    let mut client = Client::in_bobs_chat(80, 24);
    for keys in
        ["n", "N", "a", "i", "space v", "space o", "space X", "space O", "space s", "space p"]
    {
        client.app.state.pane = Pane::List;
        client.keys(keys);
        let form = client.app.state.form().unwrap_or_else(|| panic!("{keys} opens nothing"));
        for button in &form.buttons {
            assert!(button.letter().is_some(), "{:?} has no letter", button.label);
        }
        client.app.state.popups.clear();
    }
}

fn own_profile(bio: &str) -> Report {
    Report::Profile(tern_tui::backend::Profile {
        user: "@alice:example.org".to_owned(),
        display_name: Some("@alice".to_owned()),
        bio: Some(bio.to_owned()),
        ..Default::default()
    })
}

#[test]
fn only_what_was_changed_of_a_profile_is_sent_and_lines_stay_lines() {
    let edit = |keys: &[&str]| {
        let mut client = Client::with_chats(80, 24);
        client.keys("space p");
        client.report(own_profile("Sails.\n\nAsk me about knots."));
        client.keys("e");
        client.requests();
        for keys in keys {
            client.keys(keys);
        }
        client.keys("tab");
        client.app.state.form_mut().unwrap().focus = 2;
        client.keys("enter");
        client.requests()
    };
    let set = |display_name: Option<&str>, bio: Option<&str>| {
        [Request::SetProfile {
            display_name: display_name.map(str::to_owned),
            bio: bio.map(str::to_owned),
        }]
    };
    assert_eq!(edit(&[]), []);
    assert_eq!(edit(&["end !"]), set(Some("@alice!"), None));
    assert_eq!(edit(&["tab end ctrl-j x"]), set(None, Some("Sails.\n\nAsk me about knots.\nx")));
    assert_eq!(edit(&["tab ctrl-u"]), set(None, Some("")));
}
