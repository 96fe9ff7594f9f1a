//! Logging in in a browser: what is offered, the address, and what is pasted.

use crate::common::{Client, logged_in};
use tern_tui::action::Action;
use tern_tui::backend::{About, AccountId, Report, Request, Secret, ServerInfo, SsoProvider};
use tern_tui::effect::Effect;
use tern_tui::input::Key;
use tern_tui::state::form::FormKind;

const URL: &str = "https://example.org/_matrix/client/v3/login/sso/redirect/cas?redirectUrl=http%3A%2F%2F127.0.0.1%3A41234%2F%3Fstate%3Dabcdefghijklmnopqrstuvwx";

fn provider(id: &str, name: &str) -> SsoProvider {
    SsoProvider { id: Some(id.to_owned()), name: name.to_owned() }
}

fn server(password_login: bool, sso: Vec<SsoProvider>) -> ServerInfo {
    ServerInfo {
        name: "example.org".to_owned(),
        url: "https://example.org".to_owned(),
        registration: false,
        wants_email: false,
        wants_token: false,
        takes_email: false,
        password_login,
        sso,
    }
}

/// A client that shows the address.
fn waiting() -> Client {
    let mut client = Client::new(80, 24);
    client.report(Report::ServerFound(server(true, vec![provider("cas", "Our club")])));
    client.keys("1");
    let asked = Request::StartSso { provider: Some("cas".to_owned()) };
    assert_eq!(client.requests(), [asked]);
    client.report(Report::SsoStarted { url: URL.to_owned() });
    client
}

#[test]
fn providers_are_offered_by_name_and_a_server_without_passwords_offers_no_other() {
    let mut client = Client::new(80, 24);
    let evil = provider("b", "A\u{202e}name\u{1b}]0;x\u{7} that goes on and on and on and on");
    client.report(Report::ServerFound(server(false, vec![provider("a", "Work"), evil])));
    let screen = client.screen();
    assert!(screen.contains("1 Log in with Work"), "{screen}");
    assert!(screen.contains("2 Log in with A") && !screen.contains('\u{202e}'), "{screen}");
    assert!(!screen.contains("no login with a password") && !screen.contains(" Log in  "));
    client.keys("2");
    assert_eq!(client.requests(), [Request::StartSso { provider: Some("b".to_owned()) }]);
    client.keys("1");
    assert_eq!(client.requests(), [], "one at a time");
}

#[test]
fn the_address_is_a_link_and_can_be_copied() {
    let mut client = waiting();
    insta::assert_snapshot!("the_login_in_a_browser", client.screen());
    let form = client.app.state.form().unwrap();
    let (url, mark) = form.link.clone().unwrap();
    assert_eq!(url, URL);
    assert_eq!(client.app.state.links.find(mark).map(|(_, url)| url), Some(URL));
    let (buffer, _) = tern_tui::screens::draw(&client.app.state);
    let linked: String = buffer
        .content()
        .iter()
        .filter(|cell| cell.underline_color == mark)
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert_eq!(linked, URL, "every letter leads there");
    client.keys("tab tab");
    let copy = Action::Key(Key::parse("y").unwrap());
    let effects = tern_tui::update::update(&mut client.app.state, copy);
    assert!(effects.contains(&Effect::Copy(URL.to_owned())), "{effects:?}");
    assert!(client.screen().contains("Copied."), "{}", client.screen());
}

#[test]
fn a_browser_on_this_machine_opens_by_itself() {
    let mut client = waiting();
    client.app.state.opens_links = true;
    let started = Action::Report(AccountId::FIRST, Report::SsoStarted { url: URL.to_owned() });
    let effects = tern_tui::update::update(&mut client.app.state, started);
    assert!(effects.contains(&Effect::OpenLink(URL.to_owned())), "{effects:?}");
    assert!(client.screen().contains("Your browser opens."), "{}", client.screen());
}

#[test]
fn what_is_pasted_goes_into_the_field_and_is_not_shown() {
    let mut client = waiting();
    client.keys("enter");
    assert_eq!(client.requests(), []);
    assert!(client.screen().contains("Log in in the browser first"), "{}", client.screen());
    client.keys("tab");
    let pasted = "http://127.0.0.1:41234/?state=abc&loginToken=syl_secret";
    client.app.act(Action::Paste(format!("{pasted}\n"))).unwrap();
    assert!(!client.screen().contains("syl_secret"));
    client.keys("enter");
    let requests = client.requests();
    let [Request::FinishSso { pasted: Secret(sent) }] = requests.as_slice() else {
        panic!("{requests:?}")
    };
    assert_eq!(sent.trim(), pasted);
    assert!(client.screen().contains("Logging in…"));
    client.report(Report::AuthFailed {
        reason: "Too late. Open the address above.".to_owned(),
        about: Some(About::LoginToken),
    });
    assert!(client.screen().contains("Too late"), "{}", client.screen());
    assert!(!client.screen().contains('•'), "the next paste stands alone");
    client.report(logged_in());
    assert!(client.app.state.welcome.is_none());
}

#[test]
fn going_back_waits_for_the_browser_no_longer() {
    let mut client = waiting();
    client.keys("esc");
    assert_eq!(client.requests(), [Request::StopSso]);
    assert_eq!(client.app.state.form().unwrap().kind, FormKind::Entrance);
}

#[test]
fn a_late_address_does_not_come_up_over_another_screen() {
    let mut client = waiting();
    client.keys("esc l");
    client.requests();
    client.report(Report::SsoStarted { url: URL.to_owned() });
    assert_eq!(client.app.state.form().unwrap().kind, FormKind::LogIn);
    assert_eq!(client.requests(), [Request::StopSso]);
}
