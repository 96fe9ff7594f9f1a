//! Keys in a conversation that lead elsewhere: jumps and back, threads, lists, several messages at once.

use crate::common::{Client, MINUTE, NOON, message};
use std::path::Path;
use tern_tui::action::Action;
use tern_tui::backend::{Hit, Listing, Message, Relations, Report, Request, View};
use tern_tui::effect::Timer;
use tern_tui::settings::Settings;
use tern_tui::state::Pane;

const BOB: &str = "!bob:example.org";

fn said(key: &str, event: &str, text: &str) -> Message {
    let relations = Relations { event: Some(event.to_owned()), ..Relations::default() };
    Message { relations, ..message(key, false, text, NOON + MINUTE) }
}

fn chat(messages: Vec<Message>) -> Client {
    let mut client = Client::in_bobs_chat(80, 24);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages });
    client.report(Report::HistoryEnd { chat: BOB.to_owned() });
    client.requests();
    client
}

fn selected(client: &Client) -> Option<&str> {
    client.app.state.open.as_ref().unwrap().selected.as_deref()
}

#[test]
fn a_reply_leads_to_a_message_far_back_and_back_again() {
    let mut reply = said("2", "$reply", "as I said");
    reply.relations.reply_to = Some("$far".to_owned());
    let newest = vec![said("1", "$other", "something"), reply];
    let mut client = chat(newest.clone());
    client.keys("esc J");
    let around = Request::OpenAround { chat: BOB.to_owned(), event: "$far".to_owned() };
    assert_eq!(client.requests(), [around]);
    let view = View::Around("$far".to_owned());
    let messages = vec![said("f1", "$before", "before"), said("f2", "$far", "said long ago")];
    client.report(Report::View { chat: BOB.to_owned(), view, messages });
    assert_eq!(selected(&client), Some("f2"));
    assert!(client.screen().contains("Further back"));
    client.requests();
    client.keys("backspace");
    assert_eq!(client.requests(), [Request::OpenChat { chat: BOB.to_owned() }]);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: newest });
    assert_eq!(selected(&client), Some("2"));
    assert!(!client.screen().contains("Further back"));
}

#[test]
fn a_message_that_is_gone_leads_back_with_a_reason() {
    let mut reply = said("2", "$reply", "as I said");
    reply.relations.reply_to = Some("$far".to_owned());
    let mut client = chat(vec![reply]);
    client.keys("esc J");
    let reason = "It may have been removed.".to_owned();
    client.report(Report::ViewFailed { chat: BOB.to_owned(), reason });
    let screen = client.screen();
    assert!(screen.contains("may have been removed") && screen.contains("as I said"), "{screen}");
}

#[test]
fn a_thread_shows_its_own_messages_and_what_is_written_goes_there() {
    let mut answer = said("3", "$answer", "an answer");
    answer.relations.thread = Some("$root".to_owned());
    let all = vec![said("1", "$root", "the root"), said("2", "$else", "something else"), answer];
    let mut client = chat(all.clone());
    assert!(client.screen().contains("1 answer: t opens the thread"));
    client.keys("esc g t");
    let screen = client.screen();
    assert!(screen.contains("the root") && screen.contains("an answer"), "{screen}");
    assert!(!screen.contains("something else"), "{screen}");
    client.types("mine");
    client.keys("enter");
    let sent = Request::SendToThread {
        chat: BOB.to_owned(),
        root: "$root".to_owned(),
        text: "mine".to_owned(),
        reply_to: None,
    };
    assert!(client.requests().contains(&sent));
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: all });
    assert!(!client.screen().contains("something else"));
    client.keys("ctrl-space b");
    assert!(client.screen().contains("something else"));
}

#[test]
fn a_search_asks_once_and_its_hits_are_gone_to() {
    let mut client = chat(vec![said("1", "$a", "apples"), said("2", "$b", "pears")]);
    client.keys("esc /");
    client.types("app");
    client.keys("enter enter");
    let search = Request::SearchChat { chat: BOB.to_owned(), query: "app".to_owned() };
    assert_eq!(client.requests(), [search.clone(), search]);
    let hit = Hit {
        event: "$a".to_owned(),
        sender_name: "bob\u{202e}".to_owned(),
        at_ms: NOON,
        text: "apples\x1b[2J".to_owned(),
        note: None,
    };
    let found = |listing| Report::Hits {
        chat: BOB.to_owned(),
        listing,
        hits: vec![hit.clone()],
        done: true,
    };
    client.report(found(Listing::Search("older".to_owned())));
    assert!(!client.screen().contains("bob: apples"), "hits of other words");
    client.report(found(Listing::Search("app".to_owned())));
    let screen = client.screen();
    assert!(
        screen.contains("bob: apples[2J") && !screen.contains(['\u{202e}', '\x1b']),
        "{screen}"
    );
    client.keys("enter");
    assert_eq!((selected(&client), client.app.state.pane), (Some("1"), Pane::History));
}

#[test]
fn several_are_marked_and_forwarded_or_deleted_together() {
    let mut client = chat(vec![said("1", "$a", "apples"), said("2", "$b", "pears")]);
    client.keys("esc v k v r");
    assert!(client.screen().contains("Several are marked"));
    client.keys("f");
    client.types("garden");
    client.keys("enter");
    let forward = Request::Forward {
        chat: BOB.to_owned(),
        messages: vec!["1".to_owned(), "2".to_owned()],
        to: "!garden:example.org".to_owned(),
    };
    assert_eq!(client.requests(), [forward]);
    client.keys("v j v d");
    client.app.act(Action::Elapsed(Timer::DeletionGoes)).unwrap();
    let delete =
        |message: &str| Request::Delete { chat: BOB.to_owned(), message: message.to_owned() };
    assert_eq!(client.requests(), [delete("1"), delete("2")]);
}

#[test]
fn quitting_carries_a_deletion_out_first() {
    let mut client = chat(vec![said("1", "$a", "apples")]);
    client.keys("esc d ctrl-q");
    assert!(!client.app.is_over());
    let delete = Request::Delete { chat: BOB.to_owned(), message: "1".to_owned() };
    assert_eq!(client.requests(), [delete]);
    client.keys("ctrl-q");
    assert!(client.app.is_over());
}

#[test]
fn a_date_is_asked_for_and_a_wrong_one_is_said_to_be() {
    let mut client = chat(vec![said("1", "$a", "apples")]);
    client.keys("ctrl-space d");
    client.types("soon");
    client.keys("enter");
    assert!(client.screen().contains("Give year, month and day"));
    client.keys("ctrl-u");
    client.types("3-2");
    client.keys("enter");
    let midnight = NOON - 12 * 60 * MINUTE;
    // The clock of the test client stands at the present; only the form of the request is looked at where years differ.
    let asked = client.requests();
    assert!(
        matches!(&asked[..], [Request::FindDate { chat, at_ms }] if chat == BOB && at_ms % (24 * 60 * MINUTE) == midnight % (24 * 60 * MINUTE)),
        "{asked:?}"
    );
}

#[test]
fn the_key_that_keeps_a_message_is_named_as_it_is_bound() {
    let deleting = |config: &str| {
        let mut client = chat(vec![said("1", "$1", "stays")]);
        let settings = Settings::parse(Path::new("config.toml"), config).unwrap();
        client.app.state.settings = settings.into();
        client.keys("esc k d");
        client
    };
    let mut client = deleting("");
    assert!(client.screen().contains("z keeps it."), "{}", client.screen());
    let mut client = deleting("[keys.history]\nw = \"undo\"\nz = \"none\"\n");
    assert!(client.screen().contains(" w keeps it."), "{}", client.screen());
    client.keys("w");
    assert!(client.screen().contains("Kept."), "{}", client.screen());
    let mut client = deleting("[keys.history]\nz = \"none\"\n");
    assert!(client.screen().contains("Space z keeps it."), "{}", client.screen());
    client.keys("space z");
    assert!(client.screen().contains("Kept."), "{}", client.screen());
}
