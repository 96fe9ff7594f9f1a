//! Several accounts in one client: whose the chats are, where requests go, adding, showing one, logging out.

use crate::common::{Client, NOON, chats, message, messages, preview};
use tern_tui::backend::{
    AccountId, Arrange, Chat, ChatKind, Connection, Encryption, FoundMessage, Item, Listed, Manage,
    Member, MemberPowers, Membership, Profile, Recovery, Report, Request, Verification,
};
use tern_tui::effect::Effect;
use tern_tui::state::Pane;
use tern_tui::update::{snapshot_of, update, written_of};

const FIRST: AccountId = AccountId::FIRST;
const SECOND: AccountId = AccountId(1);
/// Alice's chat with bob, as alice has it.
const BOB: &str = "!bob:example.org";
/// The same room, as bob has it.
const ALICE: &str = "1!bob:example.org";
const GARDEN_OF_BOB: &str = "1!garden:example.org";

fn bob_logged_in() -> Report {
    Report::LoggedIn {
        user: "@bob:example.org".to_owned(),
        server: "example.org".to_owned(),
        device: "BOBS".to_owned(),
    }
}

fn bobs_chats() -> Vec<Chat> {
    vec![
        Chat {
            id: GARDEN_OF_BOB.to_owned(),
            name: "Garden".to_owned(),
            pinned: true,
            members: 12,
            last: preview("carol", "who waters?", NOON - 30 * crate::common::MINUTE),
            ..Chat::default()
        },
        Chat {
            id: ALICE.to_owned(),
            name: "alice".to_owned(),
            kind: ChatKind::Direct,
            peer: Some("@alice:example.org".to_owned()),
            encrypted: true,
            last: preview("alice", "at seven", NOON - 2 * crate::common::MINUTE),
            ..Chat::default()
        },
    ]
}

/// Alice and bob, both logged in, in one client.
fn both(columns: u16, rows: u16) -> Client {
    let mut client = Client::with_chats(columns, rows);
    client.report_of(SECOND, bob_logged_in());
    client.report_of(SECOND, Report::Connection(Connection::Online));
    client.report_of(SECOND, Report::chats(bobs_chats()));
    client.fake.take_asked();
    client
}

fn order(client: &Client) -> Vec<&str> {
    client.app.state.listed().iter().map(|chat| chat.id.as_str()).collect()
}

fn open(client: &mut Client, chat: &str) {
    client.app.state.selected = Some(chat.to_owned());
    client.app.state.pane = Pane::List;
    client.keys("enter");
    assert!(client.app.state.is_open(chat));
}

#[test]
fn all_chats_are_in_one_list_that_says_whose_they_are() {
    let mut client = both(80, 24);
    let mixed = [
        "!invited:example.org",
        GARDEN_OF_BOB,
        BOB,
        ALICE,
        "!garden:example.org",
        "!rtl:example.org",
    ];
    assert_eq!(order(&client), mixed);
    open(&mut client, ALICE);
    insta::assert_snapshot!(client.screen());
    // What one account says anew leaves the other's chats where they are.
    client.report(Report::chats(chats()));
    assert_eq!(order(&client), mixed);
    client.keys("ctrl-k");
    client.types("garden");
    assert!(client.screen().contains("│ Garden · bob"), "{}", client.screen());
}

#[test]
fn whatever_is_done_goes_to_the_account_whose_chat_is_open() {
    let mut client = both(80, 24);
    open(&mut client, ALICE);
    client.types("yes");
    client.keys("enter");
    let asked = client.fake.take_asked();
    assert!(asked.iter().all(|(account, _)| *account == SECOND), "{asked:?}");
    assert!(asked.iter().any(|(_, request)| matches!(request, Request::SendText { .. })));
    // What belongs to no chat, too.
    for (keys, wanted) in [
        ("ctrl-space p", Request::FetchProfile { user: None }),
        ("ctrl-space 0", Request::Manage(Manage::OpenSaved)),
        ("ctrl-space W", Request::List(Some(Listed::Sessions))),
    ] {
        client.keys(keys);
        assert_eq!(client.fake.take_asked(), [(SECOND, wanted)]);
        client.keys("esc");
        client.fake.take_asked();
        client.keys("enter");
    }
    open(&mut client, BOB);
    client.fake.take_asked();
    client.keys("ctrl-space p");
    assert_eq!(client.fake.take_asked(), [(FIRST, Request::FetchProfile { user: None })]);
    // The other's profile is not what was asked for.
    let profile = |user: &str| Profile { user: user.to_owned(), ..Profile::default() };
    client.report_of(SECOND, Report::Profile(profile("@bob:example.org")));
    assert!(client.screen().contains("Asking the server"), "{}", client.screen());
    client.report(Report::Profile(profile("@alice:example.org")));
    assert!(client.screen().contains("Profile · alice"), "{}", client.screen());
}

#[test]
fn the_same_room_in_two_accounts_is_two_chats() {
    let mut client = both(80, 24);
    open(&mut client, ALICE);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: messages() });
    assert!(client.app.state.open.as_ref().unwrap().messages.is_empty());
    let mine = message("1", true, "written as bob", NOON);
    client.report_of(SECOND, Report::Timeline { chat: ALICE.to_owned(), messages: vec![mine] });
    client.types("a draft of bob's");
    open(&mut client, BOB);
    client.types("a draft of alice's");
    let drafts = written_of(&client.app.state).unwrap().drafts;
    assert_eq!(
        (drafts[ALICE].as_str(), drafts[BOB].as_str()),
        ("a draft of bob's", "a draft of alice's")
    );
}

#[test]
fn lists_and_questions_about_a_selected_chat_are_its_accounts() {
    let mut client = both(80, 24);
    open(&mut client, BOB);
    client.keys("esc esc");
    client.app.state.selected = Some(ALICE.to_owned());
    client.fake.take_asked();
    // Its members, and from there the profile of one of them.
    client.keys("space y");
    let of = Listed::Members(ALICE.to_owned());
    assert_eq!(client.fake.take_asked(), [(SECOND, Request::List(Some(of.clone())))]);
    let alice = Member {
        user: "@alice:example.org".to_owned(),
        name: "alice".to_owned(),
        membership: Membership::Joined,
        level: Some(0),
        can: MemberPowers::default(),
        verified: true,
    };
    client.report_of(SECOND, Report::Rows { of, items: vec![Item::Member(alice)] });
    client.keys("enter");
    assert!(client.screen().contains("Member · bob"), "{}", client.screen());
    client.keys("p");
    let user = Some("@alice:example.org".to_owned());
    assert_eq!(client.fake.take_asked(), [(SECOND, Request::FetchProfile { user })]);
    client.keys("esc esc");
    client.fake.take_asked();
    // Pins keep to their account.
    client.keys("p");
    let chats = vec![ALICE.to_owned(), GARDEN_OF_BOB.to_owned()];
    let pin = Request::Arrange(Arrange::Pin { chats });
    assert_eq!(client.fake.take_asked(), [(SECOND, pin)]);
    // What is forwarded stays in it, too.
    open(&mut client, BOB);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: messages() });
    client.keys("esc f");
    client.types("garden");
    let screen = client.screen();
    assert!(screen.contains("A garden with") && !screen.contains("Garden ·"), "{screen}");
    client.fake.take_asked();
    client.keys("enter");
    let asked = client.fake.take_asked();
    assert!(
        matches!(&asked[..], [(FIRST, Request::Forward { to, .. })] if to == "!garden:example.org"),
        "{asked:?}"
    );
}

#[test]
fn one_account_is_shown_alone_and_what_is_found_in_another_brings_that_one() {
    let mut client = both(80, 24);
    open(&mut client, BOB);
    client.types("kept");
    client.keys("ctrl-space A");
    insta::assert_snapshot!(client.screen());
    client.keys("j j enter");
    assert_eq!(order(&client), [GARDEN_OF_BOB, ALICE]);
    assert!(client.app.state.open.is_none());
    assert!(client.screen().contains("‹ @bob:example.org ›"), "{}", client.screen());
    client.fake.take_asked();
    client.keys("n");
    client.types("@carol:example.org");
    client.keys("enter");
    let asked = client.fake.take_asked();
    assert!(matches!(asked[..], [(SECOND, Request::NewDirectChat { .. })]), "{asked:?}");
    // The chat that is made is opened, and another account's is not.
    client.report(Report::ChatReady { chat: "!rtl:example.org".to_owned() });
    assert!(client.app.state.open.is_none());
    client.report_of(SECOND, Report::ChatReady { chat: ALICE.to_owned() });
    assert!(client.app.state.is_open(ALICE));
    // Elsewhere: the switcher finds in all.
    client.keys("ctrl-k");
    client.types("bob");
    client.keys("enter");
    assert!(client.app.state.is_open(BOB));
    assert_eq!(client.app.state.chosen, Some(FIRST));
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "kept");
    client.keys("ctrl-space A g k k k enter");
    assert_eq!(client.app.state.chosen, None);
    assert_eq!(order(&client).len(), 6);
}

#[test]
fn words_are_looked_for_in_all_accounts_that_are_shown() {
    let mut client = both(80, 24);
    let words = || Listed::Messages("oars".to_owned());
    let found = |chat: &str, text: &str, at_ms: u64| {
        Item::Message(FoundMessage {
            chat: chat.to_owned(),
            event: "$found".to_owned(),
            sender: "carol".to_owned(),
            text: text.to_owned(),
            at_ms,
        })
    };
    let asks = |account: AccountId| (account, Request::List(Some(words())));
    // Of one that is shown alone, only its own.
    client.keys("space A j enter space /");
    client.types("oars");
    client.keys("enter");
    assert_eq!(client.fake.take_asked(), [asks(FIRST)]);
    client.keys("esc space A k enter space /");
    client.types("oars");
    client.fake.take_asked();
    client.keys("enter");
    assert_eq!(client.fake.take_asked(), [asks(FIRST), asks(SECOND)]);
    let here = vec![found(BOB, "where are the oars", NOON - 2)];
    client.report(Report::Rows { of: words(), items: here });
    let there =
        vec![found(GARDEN_OF_BOB, "two oars", NOON - 1), found(ALICE, "new oars", NOON - 3)];
    client.report_of(SECOND, Report::Rows { of: words(), items: there });
    insta::assert_snapshot!(client.screen());
    client.keys("enter");
    assert!(client.app.state.is_open(GARDEN_OF_BOB));
}

#[test]
fn an_account_is_added_while_the_others_go_on() {
    let mut client = Client::in_bobs_chat(80, 24);
    let known = Encryption { verified: true, recovery: Recovery::Enabled };
    client.report(Report::Encryption(known));
    client.types("half a sentence");
    client.keys("ctrl-space @");
    insta::assert_snapshot!(client.screen());
    client.types("example.org");
    client.fake.take_asked();
    client.keys("enter");
    let find = Request::FindServer { input: "example.org".to_owned() };
    assert_eq!(client.fake.take_asked(), [(SECOND, find)]);
    // Behind it the first account goes on.
    client.report(Report::chats(chats()));
    let late = message("8", false, "come in", NOON + 1);
    client.report(Report::Timeline { chat: BOB.to_owned(), messages: vec![late] });
    assert_eq!(client.fake.take_asked(), [], "what is not seen is not marked read");
    client.report(Report::ServerNotFound { reason: "for another".to_owned() });
    assert!(client.screen().contains("Looking for the server"), "{}", client.screen());
    client.report_of(SECOND, Report::ServerNotFound { reason: "no server there".to_owned() });
    assert!(client.screen().contains("no server there"), "{}", client.screen());
    // Esc leaves.
    client.keys("esc");
    assert!(client.app.state.welcome.is_none());
    assert_eq!(client.app.state.open.as_ref().unwrap().composer.field.text(), "half a sentence");
    assert!(client.screen().contains("come in"), "{}", client.screen());
    // And again, all the way; its offer of a recovery key is its own.
    client.keys("ctrl-space @");
    client.report_of(SECOND, bob_logged_in());
    client.report_of(SECOND, Report::chats(bobs_chats()));
    assert!(client.screen().contains("@bob:example.org is here, too."), "{}", client.screen());
    let encryption = Encryption { verified: true, recovery: Recovery::Disabled };
    client.report(Report::Encryption(encryption.clone()));
    assert!(client.app.state.popups.is_empty());
    client.report_of(SECOND, Report::Encryption(encryption));
    assert!(client.screen().contains("Keep your messages · bob"), "{}", client.screen());
    client.fake.take_asked();
    client.keys("tab enter");
    assert_eq!(client.fake.take_asked(), [(SECOND, Request::EnableRecovery)]);
}

#[test]
fn whoever_asks_to_verify_is_answered_from_the_account_that_was_asked() {
    let mut client = both(80, 24);
    open(&mut client, BOB);
    client.fake.take_asked();
    let asked =
        |by: &str| Report::Verification(Verification::Requested { by: by.to_owned(), own: true });
    client.report_of(SECOND, asked("@bob:example.org"));
    assert!(client.screen().contains("Verification · bob"), "{}", client.screen());
    // The other account's comes to an end without this one's.
    client.report(Report::Verification(Verification::Done));
    client.keys("tab enter");
    assert_eq!(client.fake.take_asked(), [(SECOND, Request::AcceptVerification)]);
}

#[test]
fn logging_out_of_one_leaves_the_other_with_all_that_is_its_own() {
    let mut client = both(80, 24);
    open(&mut client, ALICE);
    client.types("bob's");
    open(&mut client, BOB);
    client.types("alice's");
    client.keys("ctrl-space O");
    let screen = client.screen();
    assert!(screen.contains("its keys and messages") && screen.contains("@alice:"), "{screen}");
    client.fake.take_asked();
    client.keys("l");
    assert_eq!(client.fake.take_asked(), [(FIRST, Request::LogOut)]);
    let state = &mut client.app.state;
    let gone = Report::LoggedOut { soft: false, reason: None };
    let effects = update(state, tern_tui::action::Action::Report(FIRST, gone));
    assert!(effects.contains(&Effect::SaveSnapshot) && effects.contains(&Effect::SaveWritten));
    assert!(!effects.contains(&Effect::ForgetSnapshot));
    assert_eq!(order(&client), [GARDEN_OF_BOB, ALICE]);
    assert!(client.app.state.open.is_none() && client.app.state.welcome.is_none());
    assert!(!client.screen().contains("· bob"), "nobody else's: {}", client.screen());
    // Its last words are nobody's.
    client.report(Report::Failed { reason: "You are not logged in.".to_owned() });
    client.report(Report::chats(chats()));
    assert_eq!(order(&client), [GARDEN_OF_BOB, ALICE]);
    assert!(client.screen().contains("@alice:example.org is logged out."), "{}", client.screen());
    let (kept, written) =
        (snapshot_of(&client.app.state).unwrap(), written_of(&client.app.state).unwrap());
    assert_eq!((kept.accounts.len(), kept.chats.len(), written.drafts.len()), (1, 2, 1));
    assert_eq!(written.drafts[ALICE], "bob's");
    // The last one's end is the end of all.
    let gone = Report::LoggedOut { soft: false, reason: None };
    client.report_of(SECOND, gone);
    assert!(client.screen().contains("Welcome to Tern"), "{}", client.screen());
    assert_eq!(client.app.state.asker(), FIRST);
}

#[test]
fn one_that_must_log_in_again_waits_and_the_other_goes_on() {
    let mut client = both(80, 24);
    open(&mut client, BOB);
    client.types("going on");
    let reason = Some("The server wants you to log in again.".to_owned());
    client.report_of(SECOND, Report::LoggedOut { soft: true, reason });
    let screen = client.screen();
    assert!(screen.contains("going on") && screen.contains("Space A goes there."), "{screen}");
    assert_eq!(order(&client).len(), 6, "its chats are kept");
    client.keys("ctrl-space A");
    assert!(client.screen().contains("waits for you"), "{}", client.screen());
    client.keys("j j enter");
    assert!(client.screen().contains("The server wants you to log in again."));
    // Not now; it waits on.
    client.keys("esc");
    assert!(client.screen().contains("going on"));
    client.keys("ctrl-space A j j enter");
    client.fake.take_asked();
    client.keys("enter");
    let asked = client.fake.take_asked();
    assert!(matches!(&asked[..], [(SECOND, Request::FindServer { .. })]), "{asked:?}");
    client.report_of(SECOND, bob_logged_in());
    assert!(client.screen().contains("going on"), "{}", client.screen());
    assert!(client.app.state.accounts[&SECOND].entrance.is_none());
}

#[test]
fn the_server_that_is_asked_about_a_link_is_that_of_the_chat() {
    let mut client = both(80, 24);
    open(&mut client, GARDEN_OF_BOB);
    client.fake.take_asked();
    let url = "https://example.org/rock".to_owned();
    let messages = vec![message("1", false, &url, NOON)];
    // Something else of the other account brings it into view.
    client.report_of(SECOND, Report::Timeline { chat: GARDEN_OF_BOB.to_owned(), messages });
    client.report(Report::Connection(Connection::Online));
    let links = |asked: Vec<(AccountId, Request)>| -> Vec<(AccountId, Request)> {
        let is_link =
            |(_, request): &(AccountId, Request)| matches!(request, Request::FetchLink { .. });
        asked.into_iter().filter(is_link).collect()
    };
    assert_eq!(links(client.fake.take_asked()), [(SECOND, Request::FetchLink { url })]);
}
