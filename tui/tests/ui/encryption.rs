//! Popups of encryption: recovery key and verification. They come when they come, and must not take what is being typed.

use crate::common::{Client, logged_in};
use tern_tui::action::Action;
use tern_tui::backend::{Code, Encryption, Recovery, Report, Request, Secret, Verification};

#[test]
fn a_first_login_offers_recovery_and_shows_the_key_once() {
    let mut client = Client::new(80, 24);
    client.report(logged_in());
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Unknown }));
    assert!(client.app.state.popups.is_empty());
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Disabled }));
    client.requests();
    client.keys("tab enter");
    assert_eq!(client.requests(), [Request::EnableRecovery]);
    client.keys("enter s");
    assert_eq!(client.requests(), [], "it is being made already");
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Enabled }));
    assert!(client.screen().contains("Making the recovery key"), "{}", client.screen());
    client.report(Report::RecoveryKey(Secret("EsTA bcde".to_owned())));
    assert!(client.screen().contains("EsTA bcde"));
    assert_eq!(client.app.state.popups.len(), 1);
    // What is typed while it comes up does not close it, and neither does one key.
    client.keys("enter space w c esc");
    assert!(client.screen().contains("EsTA bcde"), "{}", client.screen());
    assert!(client.screen().contains("not shown again"), "{}", client.screen());
    client.keys("esc");
    assert!(!client.screen().contains("EsTA bcde"));
    assert!(!format!("{:?}", client.app.state).contains("EsTA"));
}

#[test]
fn the_next_device_asks_for_the_recovery_key_and_a_wrong_one_is_told() {
    let mut client = Client::new(80, 24);
    client.report(logged_in());
    client
        .report(Report::Encryption(Encryption { verified: false, recovery: Recovery::Incomplete }));
    client.types("EsTA bcde");
    client.keys("enter");
    assert_eq!(client.requests(), [Request::Recover { key: Secret("EsTA bcde".to_owned()) }]);
    client.report(Report::RecoveryFailed {
        reason: "That is not the key: check for missing letters.".to_owned(),
    });
    assert!(client.screen().contains("That is not the key"));
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Enabled }));
    assert!(client.app.state.popups.is_empty());
}

#[test]
fn verification_goes_from_request_to_emoji_to_done() {
    let mut client = Client::with_chats(80, 24);
    client.report(Report::Verification(Verification::Requested {
        by: "@bob:example.org".to_owned(),
        own: false,
    }));
    client.keys("a enter space d");
    assert_eq!(client.requests(), [], "what was being typed answers nothing");
    client.keys("tab enter");
    assert_eq!(client.requests(), [Request::AcceptVerification]);
    let emoji = ["Dog", "Cat", "Lion", "Horse", "Unicorn", "Pig", "Elephant"]
        .map(|name| ("🐶".to_owned(), name.to_owned()));
    client.report(Report::Verification(Verification::Emoji(emoji.to_vec())));
    assert!(client.screen().contains("Elephant"));
    client.keys("m enter space");
    assert_eq!(client.requests(), []);
    // Told again while it is being answered, it stays under the hands.
    client.keys("tab");
    client.report(Report::Verification(Verification::Emoji(emoji.to_vec())));
    client.keys("m");
    assert_eq!(client.requests(), [Request::ConfirmVerification]);
    client.report(Report::Verification(Verification::Done));
    assert!(client.app.state.popups.is_empty() && client.screen().contains("Verified."));
}

#[test]
fn a_recovery_key_that_can_not_be_made_can_be_tried_again_where_it_was_asked_for() {
    let mut client = Client::new(80, 24);
    client.report(logged_in());
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Disabled }));
    client.keys("tab enter");
    client.requests();
    client.report(Report::Failed { reason: "No connection. Try again.".to_owned() });
    assert!(client.screen().contains("No connection. Try again."));
    client.keys("enter");
    assert_eq!(client.requests(), [Request::EnableRecovery]);
}

#[test]
fn a_second_device_without_a_recovery_key_is_to_be_verified_and_not_set_up_anew() {
    let mut client = Client::new(80, 24);
    client.report(logged_in());
    let elsewhere = Encryption { verified: false, recovery: Recovery::Elsewhere };
    client.report(Report::Encryption(elsewhere));
    assert!(!client.screen().contains("Set it up"), "{}", client.screen());
    client.requests();
    client.keys("tab enter");
    assert_eq!(client.requests(), [Request::StartVerification { user: None }]);
    let mut client = Client::new(80, 24);
    client.report(logged_in());
    client
        .report(Report::Encryption(Encryption { verified: false, recovery: Recovery::Elsewhere }));
    client.report(Report::Encryption(Encryption { verified: true, recovery: Recovery::Disabled }));
    assert!(client.app.state.popups.is_empty(), "{}", client.screen());
}

/// Not a code that says anything, but as large as those are.
fn code() -> Code {
    let side = 41;
    let dark: Vec<bool> = (0..side * side).map(|at| (at / side * (at % side)) % 3 == 0).collect();
    Code { side, dark: dark.into() }
}

#[test]
fn a_code_is_shown_where_there_is_room_and_emoji_can_be_had_instead() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut client = Client::with_chats(columns, rows);
        client.report(Report::Verification(Verification::Code(code())));
        insta::assert_snapshot!(format!("the_code_at_{columns}_by_{rows}"), client.screen());
    }
    let mut client = Client::with_chats(72, 24);
    client.report(Report::Verification(Verification::Code(code())));
    let screen = client.screen();
    assert!(screen.contains("too small for the code") && !screen.contains('▀'), "{screen}");
    assert!(screen.contains("which takes 73×24."), "{screen}");
    client.app.act(Action::Resized(73, 24)).unwrap();
    assert!(client.screen().contains('▀'), "{}", client.screen());
    client.keys("e");
    assert_eq!(client.requests(), [], "what was being typed answers nothing");
    client.keys("tab e");
    assert_eq!(client.requests(), [Request::CompareEmoji]);
}

#[test]
fn whoever_showed_a_code_is_asked_what_the_other_device_says() {
    for (key, answer) in [("i", Request::ConfirmVerification), ("d", Request::CancelVerification)] {
        let mut client = Client::with_chats(80, 24);
        client.report(Report::Verification(Verification::Code(code())));
        client.report(Report::Verification(Verification::Scanned));
        let screen = client.screen();
        assert!(screen.contains("Does the other device say") && !screen.contains('▀'), "{screen}");
        client.keys("enter space i d");
        assert_eq!(client.requests(), []);
        client.keys("tab");
        client.keys(key);
        assert_eq!(client.requests(), [answer]);
    }
    assert_eq!(format!("{:?}", code()), "Code(…)");
}
