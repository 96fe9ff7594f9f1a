//! The first-run screens: keys in, requests out, and what is asked without a key.

use crate::common::{Client, logged_in};
use tern_tui::action::Action;
use tern_tui::backend::{About, MailStep, Report, Request, Secret, ServerInfo};
use tern_tui::effect::Timer;
use tern_tui::state::form::FormKind;

const BOBS: &str = "bob@example.org";

fn server() -> ServerInfo {
    ServerInfo {
        name: "example.org".to_owned(),
        url: "https://example.org".to_owned(),
        registration: true,
        wants_email: true,
        wants_token: false,
        takes_email: true,
        password_login: true,
        sso: Vec::new(),
    }
}

#[test]
fn registering_by_email_goes_from_server_to_code() {
    let mut client = Client::new(80, 24);
    client.types("bob@example.org");
    client.keys("enter");
    assert_eq!(client.requests(), [Request::FindServer { input: "bob@example.org".to_owned() }]);
    client.report(Report::ServerFound(server()));
    client.keys("r");
    assert!(client.screen().contains("bob@example.org"), "the address is prefilled");
    client.types("short");
    client.keys("enter");
    assert!(client.screen().contains("Too short"), "{}", client.screen());
    assert_eq!(client.requests(), []);
    client.types("er secret");
    client.keys("enter");
    let expected = Request::Register {
        username: "bob".to_owned(),
        password: Secret("shorter secret".to_owned()),
        email: Some("bob@example.org".to_owned()),
        token: None,
    };
    assert_eq!(client.requests(), [expected]);
    client.report(Report::RegistrationStep(MailStep::MailSent {
        email: "bob@example.org".to_owned(),
        code: true,
    }));
    client.types("WRONG");
    client.keys("enter");
    client.report(Report::RegistrationStep(MailStep::WrongCode {
        reason: "That code is not right; look again.".to_owned(),
    }));
    assert!(client.screen().contains("That code is not right"));
    client.keys("ctrl-u");
    client.types("ABCD2345");
    client.keys("enter");
    let codes: Vec<Request> = client.requests();
    assert_eq!(
        codes.last(),
        Some(&Request::SubmitMailCode { code: Secret("ABCD2345".to_owned()) })
    );
    client.report(logged_in());
    assert!(client.app.state.welcome.is_none());
}

#[test]
fn a_taken_username_is_told_on_its_field_while_typing_goes_on() {
    let mut client = Client::new(80, 24);
    client.types("example.org");
    client.keys("enter");
    client.report(Report::ServerFound(server()));
    client.keys("r");
    client.types("alice@example.org");
    client.keys("enter");
    client.types("alice");
    client.keys("enter");
    assert_eq!(
        client.requests().last(),
        Some(&Request::CheckUsername { username: "alice".to_owned() })
    );
    client.report(Report::UsernameChecked {
        username: "alice".to_owned(),
        problem: Some("alice is taken: choose another.".to_owned()),
    });
    assert!(client.screen().contains("alice is taken"));
}

#[test]
fn a_server_that_wants_the_link_opened_gets_a_screen_without_a_code() {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server()));
    client.keys("r");
    client.report(Report::RegistrationStep(MailStep::MailSent {
        email: "bob@example.org".to_owned(),
        code: false,
    }));
    client.keys("enter");
    let pressed = Request::ContinueRegistration { polled: false };
    assert_eq!(client.requests(), std::slice::from_ref(&pressed));
    client.report(Report::RegistrationStep(MailStep::StillWaiting { polled: false }));
    assert!(client.screen().contains("Not confirmed yet"));
    client.keys("enter");
    assert_eq!(client.requests(), [pressed]);
}

#[test]
fn a_wrong_password_is_told_and_a_new_one_can_be_asked_for() {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server()));
    client.keys("l");
    client.types("alice");
    client.keys("enter");
    client.types("wrong");
    client.keys("enter");
    assert_eq!(
        client.requests(),
        [Request::LogIn { user: "alice".to_owned(), password: Secret("wrong".to_owned()) }]
    );
    client.report(Report::AuthFailed {
        reason: "Wrong password: try again or set a new one.".to_owned(),
        about: Some(About::Password),
    });
    assert!(client.screen().contains("Wrong password"));
    client.keys("tab tab");
    client.keys("enter");
    assert!(client.screen().contains("Mail me"), "{}", client.screen());
}

#[test]
fn the_password_reset_ends_at_the_login() {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server()));
    client.keys("l tab tab tab enter");
    client.types("alice@example.org");
    client.keys("enter");
    assert_eq!(
        client.requests(),
        [Request::StartPasswordReset { email: "alice@example.org".to_owned() }]
    );
    client.report(Report::PasswordResetStep(MailStep::MailSent {
        email: "alice@example.org".to_owned(),
        code: true,
    }));
    client.types("CODE2345");
    client.keys("enter");
    client.types("a new secret");
    client.keys("enter");
    let expected = Request::FinishPasswordReset {
        code: Some(Secret("CODE2345".to_owned())),
        new_password: Secret("a new secret".to_owned()),
        polled: false,
    };
    assert_eq!(client.requests(), [expected]);
    client.report(Report::PasswordResetStep(MailStep::Done));
    assert!(client.screen().contains("The new password is set"));
}

#[test]
fn secrets_are_dots_until_they_are_revealed() {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server()));
    client.keys("l tab");
    client.types("hunter22");
    assert!(client.screen().contains("••••••••") && !client.screen().contains("hunter22"));
    client.keys("ctrl-t");
    assert!(client.screen().contains("hunter22"));
}

/// Bob has registered, and a mail went out: with a code, or with a link alone.
fn waiting_for_bobs_mail(code: bool) -> Client {
    let mut client = Client::new(80, 24);
    client.types(BOBS);
    client.keys("enter");
    client.report(Report::ServerFound(server()));
    client.keys("r");
    client.types("bobs secret");
    client.keys("enter");
    client.report(mail_sent(code));
    client.requests();
    client
}

fn mail_sent(code: bool) -> Report {
    Report::RegistrationStep(MailStep::MailSent { email: BOBS.to_owned(), code })
}

fn ask_again(client: &mut Client) -> Vec<Request> {
    client.app.act(Action::Elapsed(Timer::AskAgain)).unwrap();
    client.requests()
}

#[test]
fn an_opened_link_is_noticed_without_a_key_on_both_mail_screens() {
    let polled = Request::ContinueRegistration { polled: true };
    for code in [false, true] {
        let mut client = waiting_for_bobs_mail(code);
        assert!(client.app.waits_for(Timer::AskAgain));
        assert_eq!(ask_again(&mut client), std::slice::from_ref(&polled));
        assert!(!client.app.waits_for(Timer::AskAgain), "one question at a time");
        let before = client.screen();
        client.report(Report::RegistrationStep(MailStep::StillWaiting { polled: true }));
        assert_eq!(client.screen(), before, "nothing was pressed, so nothing is said");
        assert!(client.app.waits_for(Timer::AskAgain));
        assert_eq!(ask_again(&mut client), std::slice::from_ref(&polled));
        client.report(logged_in());
        assert!(client.app.state.welcome.is_none());
        assert_eq!(ask_again(&mut client), []);
    }
}

#[test]
fn a_pressed_button_is_answered_before_anything_is_asked_on_its_own() {
    let mut client = waiting_for_bobs_mail(false);
    client.keys("enter");
    assert_eq!(client.requests(), [Request::ContinueRegistration { polled: false }]);
    assert_eq!(ask_again(&mut client), []);
    assert!(client.app.waits_for(Timer::AskAgain));
    client.report(Report::RegistrationStep(MailStep::StillWaiting { polled: true }));
    assert!(!client.screen().contains("Not confirmed yet"));
    client.report(Report::RegistrationStep(MailStep::StillWaiting { polled: false }));
    assert!(client.screen().contains("Not confirmed yet"));
}

#[test]
fn a_mail_that_is_no_longer_good_ends_the_asking_until_a_new_one_comes() {
    let mut client = waiting_for_bobs_mail(true);
    ask_again(&mut client);
    let reason =
        "That mail is no longer good: it has expired. Ask for a new mail below.".to_owned();
    client.report(Report::RegistrationStep(MailStep::WrongCode { reason }));
    assert!(client.screen().contains("no longer good"), "{}", client.screen());
    assert_eq!(ask_again(&mut client), []);
    client.keys("tab tab enter");
    let again = Request::Register {
        username: "bob".to_owned(),
        password: Secret("bobs secret".to_owned()),
        email: Some(BOBS.to_owned()),
        token: None,
    };
    assert_eq!(client.requests(), [again]);
    client.report(mail_sent(true));
    assert!(!client.screen().contains("no longer good"));
    assert_eq!(ask_again(&mut client), [Request::ContinueRegistration { polled: true }]);
}

#[test]
fn a_reset_by_link_goes_through_when_the_link_is_opened_and_only_with_the_password_that_was_sent() {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server()));
    client.keys("l tab tab tab enter");
    client.types(BOBS);
    client.keys("enter");
    let step = MailStep::MailSent { email: BOBS.to_owned(), code: false };
    client.report(Report::PasswordResetStep(step));
    client.requests();
    assert_eq!(ask_again(&mut client), [], "there is no password to set yet");
    client.types("a new secret");
    client.keys("enter");
    let set = |polled| Request::FinishPasswordReset {
        code: None,
        new_password: Secret("a new secret".to_owned()),
        polled,
    };
    assert_eq!(client.requests(), [set(false)]);
    client.report(Report::PasswordResetStep(MailStep::StillWaiting { polled: false }));
    assert!(client.screen().contains("Not confirmed yet"));
    assert!(client.app.waits_for(Timer::AskAgain));
    assert_eq!(ask_again(&mut client), [set(true)]);
    client.types("r");
    assert_eq!(ask_again(&mut client), [], "half a password is not set");
    client.keys("backspace");
    client.report(Report::PasswordResetStep(MailStep::StillWaiting { polled: true }));
    assert_eq!(ask_again(&mut client), [set(true)]);
    client.report(Report::PasswordResetStep(MailStep::Done));
    assert!(client.screen().contains("The new password is set"));
}

#[test]
fn an_account_without_a_login_leads_to_the_login() {
    let mut client = waiting_for_bobs_mail(true);
    client.types("ABCD2345");
    client.keys("enter");
    client.report(Report::AccountMade {
        user: "@bob:example.org".to_owned(),
        reason: "The server took too long to answer. Try again in a moment.".to_owned(),
    });
    let screen = client.screen();
    assert_eq!(client.app.state.form().unwrap().kind, FormKind::LogIn);
    assert!(screen.contains("Your account is made. Log in to it."), "{screen}");
    assert!(screen.contains("@bob:example.org") && screen.contains("took too long"), "{screen}");
}

#[test]
fn a_refusal_stands_at_the_field_the_server_named_whatever_its_words() {
    for (about, label) in
        [(About::User, "Username"), (About::Email, "Email"), (About::Password, "Password")]
    {
        let mut client = Client::new(80, 24);
        client.report(Report::ServerFound(server()));
        client.keys("r");
        let reason = "Not this one: choose another.".to_owned();
        client.report(Report::AuthFailed { reason: reason.clone(), about: Some(about) });
        let form = client.app.state.form().unwrap();
        let field = form.fields.iter().find(|field| field.error.as_ref() == Some(&reason));
        assert_eq!(field.map(|field| field.label), Some(label));
    }
}

#[test]
fn terms_are_shown_and_accepted_only_by_a_key_for_it() {
    let mut client = Client::new(80, 24);
    client.types(BOBS);
    client.keys("enter");
    client.report(Report::ServerFound(server()));
    client.keys("r");
    client.types("bobs secret");
    client.keys("enter");
    client.requests();
    let links =
        vec!["https://example.org/terms".to_owned(), "https://example.org/\u{202e}x".to_owned()];
    client.report(Report::RegistrationTerms { links });
    let screen = client.screen();
    assert!(
        screen.contains("https://example.org/terms") && !screen.contains('\u{202e}'),
        "{screen}"
    );
    assert_eq!(client.requests(), []);
    client.keys("c");
    assert_eq!(client.requests(), [Request::AcceptTerms]);
    client.report(mail_sent(true));
    client.keys("tab tab tab enter");
    assert_eq!(
        client.app.state.form().unwrap().kind,
        FormKind::Register,
        "back to what was filled in"
    );
}

#[test]
fn an_address_can_be_given_where_it_need_not() {
    let optional = ServerInfo { wants_email: false, ..server() };
    let register = |email: &str| {
        let mut client = Client::new(80, 24);
        client.report(Report::ServerFound(optional.clone()));
        client.keys("r");
        client.types("bob");
        client.keys("enter");
        client.types("bobs secret");
        client.keys("enter");
        assert!(client.screen().contains("Email (optional)"), "{}", client.screen());
        client.types(email);
        client.requests();
        client.keys("enter");
        match client.requests().as_slice() {
            [Request::Register { email, .. }] => email.clone(),
            other => panic!("{other:?}: {}", client.screen()),
        }
    };
    assert_eq!(register(""), None);
    assert_eq!(register(BOBS).as_deref(), Some(BOBS));
    let mut none = Client::new(80, 24);
    none.report(Report::ServerFound(ServerInfo { takes_email: false, ..optional.clone() }));
    none.keys("r");
    assert!(!none.screen().contains("Email"));
}

#[test]
fn esc_and_ctrl_c_do_not_quit_on_the_first_screen() {
    let mut client = Client::new(80, 24);
    client.types("example.org");
    for keys in ["esc", "ctrl-c"] {
        client.keys(keys);
        assert!(!client.app.is_over(), "{keys}");
        assert!(client.screen().contains("Ctrl+Q quits"), "{}", client.screen());
        assert!(client.screen().contains("example.org"));
    }
    client.keys("ctrl-q");
    assert!(client.app.is_over());
}
