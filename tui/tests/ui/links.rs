//! What pages say of themselves below the messages that link to them: where it is asked for, where not, and what it can't do.

use std::path::Path;
use std::sync::Arc;

use crate::common::{Client, MINUTE, NOON, chats, message};
use tern_tui::backend::{Arrange, Body, LinkPreview, Message, Report, Request};
use tern_tui::settings::Settings;

const GARDEN: &str = "!garden:example.org";
const BOB: &str = "!bob:example.org";
const URL: &str = "https://example.org/rock";

/// The group, which is not encrypted, with these messages.
fn garden(messages: Vec<Message>) -> Client {
    garden_with(Settings::default(), messages)
}

fn garden_with(settings: Settings, messages: Vec<Message>) -> Client {
    let mut client = Client::with_chats(80, 24);
    client.app.state.settings = Arc::new(settings);
    client.keys("j j enter");
    client.report(Report::HistoryEnd { chat: GARDEN.to_owned() });
    client.report(Report::Timeline { chat: GARDEN.to_owned(), messages });
    client
}

fn said(key: &str, text: &str) -> Message {
    message(key, false, text, NOON + MINUTE)
}

fn asked(client: &Client) -> Vec<String> {
    let link = |request| match request {
        Request::FetchLink { url } => Some(url),
        _ => None,
    };
    client.requests().into_iter().filter_map(link).collect()
}

fn preview(title: &str) -> Report {
    let preview = LinkPreview {
        title: Some(title.to_owned()),
        site: Some("Films".to_owned()),
        description: Some("A film\nabout a rock.".to_owned()),
    };
    Report::Link { url: URL.to_owned(), preview: Some(preview) }
}

#[test]
fn a_page_is_asked_for_once_and_shown_below_the_message() {
    let mut client = garden(vec![said("1", &format!("look: {URL}. And {URL}#2")), said("2", URL)]);
    assert_eq!(asked(&client), [URL]);
    client.report(preview("The Rock"));
    let screen = client.screen();
    let rows = ["┃ example.org · Films", "┃ The Rock", "┃ A film about a rock."];
    for row in rows {
        assert_eq!(screen.matches(row).count(), 2, "{row}\n{screen}");
    }
    // Elsewhere and back: it is known.
    client.keys("ctrl-p ctrl-n");
    client.report(Report::Timeline { chat: GARDEN.to_owned(), messages: vec![said("3", URL)] });
    assert_eq!(asked(&client), [] as [&str; 0]);
    assert!(client.screen().contains("┃ The Rock"), "{}", client.screen());
}

#[test]
fn a_page_without_a_preview_is_not_asked_for_again() {
    let mut client = garden(vec![said("1", URL)]);
    assert_eq!(asked(&client), [URL]);
    client.report(Report::Link { url: URL.to_owned(), preview: None });
    client.report(Report::Timeline {
        chat: GARDEN.to_owned(),
        messages: vec![said("1", URL), said("2", "else")],
    });
    assert_eq!(asked(&client), [] as [&str; 0]);
    assert!(!client.screen().contains('┃'), "{}", client.screen());
}

#[test]
fn the_server_is_told_of_no_link_of_an_encrypted_chat_nor_when_it_is_not_to_be() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: vec![said("1", URL)] });
    assert_eq!(asked(&client), [] as [&str; 0]);
    let never = Settings::parse(Path::new("config.toml"), "previews = \"never\"").unwrap();
    assert_eq!(asked(&garden_with(never, vec![said("1", URL)])), [] as [&str; 0]);
    let mut slow = garden(Vec::new());
    slow.app.state.slow_link = true;
    slow.report(Report::Timeline { chat: GARDEN.to_owned(), messages: vec![said("1", URL)] });
    assert_eq!(asked(&slow), [] as [&str; 0]);
    // Neither pages of other kinds of messages, nor what is no page.
    let mut service = said("1", "");
    service.body = Body::Service(URL.to_owned());
    let texts = ["https://matrix.to/#/@bob:example.org", "mailto:bob@example.org", "http://", ""];
    let mut others: Vec<Message> =
        texts.iter().zip(2..).map(|(text, key)| said(&format!("{key}"), text)).collect();
    others.push(service);
    assert_eq!(asked(&garden(others)), [] as [&str; 0]);
}

#[test]
fn in_a_chat_where_they_are_not_wanted_previews_go_and_nobody_is_asked() {
    let mut client = garden(vec![said("1", URL)]);
    client.report(preview("The Rock"));
    assert!(client.screen().contains("┃ The Rock"));
    client.requests();
    client.keys("ctrl-space H");
    let arranged = |shown| Request::Arrange(Arrange::Previews { chat: GARDEN.to_owned(), shown });
    assert_eq!(client.requests(), [arranged(false)]);
    let say = |client: &mut Client, no_previews| {
        let mut chats = chats();
        chats[1].no_previews = no_previews;
        client.report(Report::chats(chats));
    };
    say(&mut client, true);
    assert!(!client.screen().contains("┃ The Rock"), "{}", client.screen());
    let other = "https://example.org/other";
    let messages = vec![said("1", URL), said("2", other)];
    client.report(Report::Timeline { chat: GARDEN.to_owned(), messages });
    assert_eq!(asked(&client), [] as [&str; 0]);

    // Wanted again: what is known is shown at once.
    client.keys("ctrl-space H");
    assert_eq!(client.requests(), [arranged(true)]);
    say(&mut client, false);
    assert_eq!(asked(&client), [other]);
    assert!(client.screen().contains("┃ The Rock"), "{}", client.screen());

    // Where there are none, there is nothing to switch.
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("ctrl-space H");
    assert!(client.requests().is_empty());
    assert!(client.screen().contains("have no previews"), "{}", client.screen());
}

#[test]
fn a_hostile_page_stays_in_its_rows() {
    let mut client = garden(vec![said("1", URL)]);
    client.report(preview(&format!(
        "a\u{1b}[2J\u{1b}]0;b\u{7}\n\u{202e}{}",
        "wide 広い ".repeat(99)
    )));
    let screen = client.screen();
    let row = screen.lines().find(|row| row.contains("┃ a[2J]0;b")).unwrap();
    assert!(unicode_width::UnicodeWidthStr::width(row) <= 80, "{row}");
    assert!(!screen.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    // Nothing but signs that are not seen is no title.
    let mut client = garden(vec![said("1", URL)]);
    let preview =
        LinkPreview { title: Some("\u{200b}\u{1b}".to_owned()), ..LinkPreview::default() };
    client.report(Report::Link { url: URL.to_owned(), preview: Some(preview) });
    assert!(!client.screen().contains('┃'), "{}", client.screen());
}

#[test]
fn what_is_read_does_not_move_when_a_preview_comes() {
    let mut messages = vec![said("link", URL)];
    messages.extend((0..40).map(|n| said(&n.to_string(), &format!("number {n} of the row"))));
    let mut client = garden(messages);
    assert_eq!(asked(&client), [] as [&str; 0], "it is not in view");
    client.keys("esc g");
    assert_eq!(asked(&client), [URL]);
    client.keys("j j j j j");
    let shown = |client: &mut Client| -> Vec<String> {
        let screen = client.screen();
        let rows = screen.lines().filter_map(|row| row.split_once('│'));
        rows.map(|(_, row)| row.to_owned()).filter(|row| row.contains("number")).collect()
    };
    let before = shown(&mut client);
    client.report(preview("The Rock"));
    let after = shown(&mut client);
    assert_eq!(before.last(), after.last());
    assert!(after.iter().any(|row| row.contains('▌') && row.contains("number 4")), "{after:?}");
}
