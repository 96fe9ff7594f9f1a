//! Writing and news, as pure updates: what is held, offered, told.

use crate::common::{Client, MINUTE, NOON, chats, preview};
use std::path::Path;
use std::sync::Arc;
use tern_tui::action::Action;
use tern_tui::backend::{AccountId, Report, Request};
use tern_tui::effect::{Effect, Timer};
use tern_tui::settings::Settings;
use tern_tui::update::{update, written_of};

const BOB: &str = "!bob:example.org";

fn texts(requests: &[Request]) -> Vec<&str> {
    let texts = requests.iter().filter_map(|request| match request {
        Request::SendText { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn a_held_message_goes_out_later_or_comes_back() {
    let mut client = Client::in_bobs_chat(80, 24);
    let settings = Settings::parse(Path::new("config.toml"), "undo-send = 5").unwrap();
    client.app.state.settings = Arc::new(settings);
    client.types("not yet");
    client.keys("enter");
    assert_eq!(texts(&client.requests()), Vec::<&str>::new());
    let written = written_of(&client.app.state).unwrap();
    assert_eq!(written.outgoing[0].text, "not yet", "kill -9 does not lose it");
    client.keys("ctrl-space z");
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "not yet");
    assert!(written_of(&client.app.state).unwrap().outgoing.is_empty());
    client.keys("enter");
    client.app.act(Action::Elapsed(Timer::SendHeld)).unwrap();
    assert_eq!(texts(&client.requests()), ["not yet"]);
    client.report(Report::Queued { chat: BOB.to_owned(), text: "not yet".to_owned() });
    assert!(written_of(&client.app.state).unwrap().outgoing.is_empty());
}

#[test]
fn what_the_backend_can_not_take_is_in_the_composer_again() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("hello");
    client.keys("enter");
    client.types("next");
    let reason = "That chat can't be opened.".to_owned();
    client.report(Report::NotQueued { chat: BOB.to_owned(), text: "hello".to_owned(), reason });
    let composer = &client.app.state.open.as_ref().unwrap().composer;
    assert_eq!(composer.field.text(), "hello\nnext");
    assert!(client.screen().contains("can't be opened"));
}

#[test]
fn people_are_offered_by_name_and_taken_by_id() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.types("hi @ro");
    assert!(client.requests().contains(&Request::People { chat: BOB.to_owned() }));
    let people = vec![
        ("@bob:example.org".to_owned(), "Robert".to_owned()),
        ("@carol:example.org".to_owned(), "Carol".to_owned()),
    ];
    client.report(Report::People { chat: BOB.to_owned(), people });
    client.keys("down up tab");
    let text = client.app.state.open.as_ref().unwrap().composer.field.text();
    assert_eq!(text, "hi @bob:example.org ");
    client.types("a :");
    assert!(client.app.state.completion.is_none(), "one sign is not enough");
}

#[test]
fn only_what_is_new_and_not_seen_is_told() {
    let mut client = Client::in_bobs_chat(80, 24);
    let state = &mut client.app.state;
    let begun = state.now_ms;
    let told = |state: &mut _, text: &str, at_ms| {
        let mut chats = chats();
        chats[0].last = preview("bob", text, at_ms);
        let effects = update(state, Action::Report(AccountId::FIRST, Report::chats(chats)));
        effects.into_iter().any(|effect| matches!(effect, Effect::Notify(_)))
    };
    assert!(!told(state, "in the open chat, in front", begun + 1));
    update(state, Action::Unfocused);
    assert!(told(state, "while looking elsewhere", begun + 2));
    assert!(!told(state, "the same once more", begun + 2));
    assert!(!told(state, "an old one that comes late", begun - 60 * MINUTE));
    assert!(NOON < begun, "the sample's messages are old");
}

#[test]
fn behind_the_lock_news_names_nobody() {
    let mut client = Client::in_bobs_chat(80, 24);
    let state = &mut client.app.state;
    let begun = state.now_ms;
    state.lock = Some(tern_tui::update::lock_screen());
    let mut chats = chats();
    chats[0].last = preview("bob", "meet me at nine", begun + 1);
    let effects = update(state, Action::Report(AccountId::FIRST, Report::chats(chats)));
    let told = effects.into_iter().find_map(|effect| match effect {
        Effect::Notify(told) => Some(told),
        _ => None,
    });
    let told = told.expect("the open chat is not seen behind the lock");
    assert_eq!((told.title.as_str(), told.text.as_str()), ("Tern", "A new message"));
}
