//! Somebody's picture in their profile, and what has been shared in a chat.

use std::sync::Arc;

use crate::common::{Client, NOON};
use tern_tui::backend::{Hit, Listing, Profile, Report, Request, Shared};
use tern_tui::pictures::{Mode, Picture};
use tern_tui::screens;

const BOB: &str = "!bob:example.org";
const AVATAR: &str = "mxc://example.org/face";

fn profile() -> Profile {
    Profile {
        user: "@bob:example.org".to_owned(),
        display_name: Some("Bob".to_owned()),
        avatar: Some(AVATAR.to_owned()),
        ..Profile::default()
    }
}

/// Bob's profile on a terminal that draws pictures so.
fn bobs_profile(mode: Mode) -> Client {
    let mut client = Client::in_bobs_chat(80, 24);
    client.app.state.picture_mode = mode;
    client.keys("ctrl-\\ p");
    client.requests();
    client.report(Report::Profile(profile()));
    client
}

fn come(picture: Option<Picture>) -> Report {
    Report::Avatar { avatar: AVATAR.to_owned(), picture: picture.map(Arc::new) }
}

fn red() -> Option<Picture> {
    Some(Picture { width: 4, height: 4, pixels: [255, 0, 0].repeat(16) })
}

fn rows_of(screen: &str, sign: &str) -> usize {
    screen.lines().filter(|row| row.contains(sign)).count()
}

#[test]
fn a_profile_keeps_room_for_the_picture_and_shows_it() {
    let mut client = bobs_profile(Mode::Blocks);
    assert_eq!(client.requests(), [Request::FetchAvatar { avatar: AVATAR.to_owned() }]);
    assert_eq!(rows_of(&client.screen(), &"░".repeat(14)), 7);
    client.report(come(red()));
    assert_eq!(rows_of(&client.screen(), &"▀".repeat(14)), 7);
    // The profile is told anew, the picture is not asked for again.
    client.report(Report::Profile(Profile { ignored: true, ..profile() }));
    assert_eq!(client.requests(), []);
    assert_eq!(rows_of(&client.screen(), &"▀".repeat(14)), 7);
}

#[test]
fn a_picture_is_painted_over_the_profile_where_the_terminal_paints() {
    let mut client = bobs_profile(Mode::Sixel);
    assert_eq!(screens::pictures(&client.app.state).len(), 0);
    client.report(come(red()));
    let painted = screens::pictures(&client.app.state);
    assert_eq!(painted.len(), 1);
    assert_eq!((painted[0].area.width, painted[0].area.height), (14, 7));
    client.keys("esc");
    assert_eq!(screens::pictures(&client.app.state).len(), 0);

    let mut kitty = bobs_profile(Mode::Kitty);
    kitty.report(come(red()));
    assert_eq!(rows_of(&kitty.screen(), "\u{10eeee}"), 7);
}

#[test]
fn without_a_picture_there_is_no_room_for_one() {
    let mut client = bobs_profile(Mode::Off);
    assert_eq!(client.requests(), []);
    let mut none = bobs_profile(Mode::Blocks);
    none.report(come(None));
    for client in [&mut client, &mut none] {
        let screen = client.screen();
        assert!(screen.contains("@bob:example.org") && !screen.contains('░'), "{screen}");
    }
    // On a low screen what is said goes before it.
    let mut low = Client::in_bobs_chat(60, 14);
    low.app.state.picture_mode = Mode::Blocks;
    low.keys("ctrl-\\ p");
    low.report(Report::Profile(profile()));
    let screen = low.screen();
    assert!(screen.contains("not verified yet") && !screen.contains('░'), "{screen}");
}

fn hits(what: Shared, texts: &[&str], done: bool) -> Report {
    let hit = |(n, text): (usize, &&str)| Hit {
        event: format!("${n}"),
        sender_name: "bob".to_owned(),
        at_ms: NOON,
        text: (*text).to_owned(),
        note: None,
    };
    let hits = texts.iter().enumerate().map(hit).collect();
    Report::Hits { chat: BOB.to_owned(), listing: Listing::Shared(what), hits, done }
}

fn asks(what: Shared, older: bool) -> Request {
    Request::ListShared { chat: BOB.to_owned(), what, older }
}

#[test]
fn what_was_shared_is_listed_by_kind_with_older_on_demand() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("esc space S");
    assert_eq!(client.requests(), [asks(Shared::Pictures, false)]);
    client.report(hits(Shared::Pictures, &["Photo: a.png", "Photo: b.png"], true));
    let screen = client.screen();
    assert!(
        screen.contains("Shared: pictures") && screen.contains("bob: Photo: b.png"),
        "{screen}"
    );
    client.keys("down");
    assert_eq!(client.requests(), []);
    client.keys("down down");
    assert_eq!(
        client.requests(),
        [asks(Shared::Pictures, true)],
        "once, as long as it is on its way"
    );
    client.report(hits(Shared::Pictures, &["Photo: a.png", "Photo: b.png", "Photo: c.png"], true));
    client.keys("right");
    assert_eq!(client.requests(), [asks(Shared::Files, false)]);
    client.report(hits(Shared::Files, &[], true));
    assert!(client.screen().contains("No files here."), "{}", client.screen());
    client.keys("right right");
    assert_eq!(client.requests(), [asks(Shared::Links, false)]);
    client.report(hits(Shared::Links, &["https://example.org/"], true));
    client.keys("enter");
    let around = Request::OpenAround { chat: BOB.to_owned(), event: "$0".to_owned() };
    assert_eq!(client.requests(), [around]);
}

#[test]
fn what_was_shared_is_a_button_of_the_chat_and_of_the_person() {
    let mut client = Client::in_bobs_chat(80, 24);
    client.keys("ctrl-\\ s");
    assert_eq!(client.requests(), [asks(Shared::Pictures, false)]);
    client.keys("esc ctrl-\\ p");
    client.report(Report::Profile(profile()));
    client.requests();
    client.keys("s");
    assert_eq!(client.requests(), [asks(Shared::Pictures, false)]);
}
