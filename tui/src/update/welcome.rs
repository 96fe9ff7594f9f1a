//! The first-run screens: from "which server" to a session.

use super::accounts;
use crate::backend::{About, AccountId, MailStep, Request, Secret, ServerInfo, SsoProvider};
use crate::effect::{Effect, Timer};
use crate::sanitize::line;
use crate::state::State;
use crate::state::field::TextField;
use crate::state::form::{FieldName, Form, FormKind, Press};
use crate::state::welcome::{Welcome, find_server};
use std::time::Duration;

/// Shortest password that is sent off; servers may want more and say so.
const PASSWORD_CHARS_MIN: usize = 8;
/// A server is asked this often whether the link in its mail has been opened; fewer than one in five seconds is what `ternd`
/// and others allow on the way in.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

fn busy(welcome: &mut Welcome, what: &'static str, request: Request) -> Vec<Effect> {
    welcome.form.forgive();
    welcome.form.busy = Some(what);
    vec![Effect::Request(request)]
}

/// A field was left: a username is asked about while the rest is typed.
pub(super) fn left_field(state: &mut State, field: Option<usize>) -> Vec<Effect> {
    let Some(form) = state.form().filter(|form| form.kind == FormKind::Register) else {
        return Vec::new();
    };
    let left = field
        .and_then(|index| form.fields.get(index))
        .filter(|field| field.name == FieldName::User);
    match left.map(|field| field.input.text().trim().to_owned()) {
        Some(username) if !username.is_empty() => {
            vec![Effect::Request(Request::CheckUsername { username })]
        }
        _ => Vec::new(),
    }
}

/// Presses a button of a first-run form.
pub(super) fn press(state: &mut State, press: Press, form: &Form) -> Vec<Effect> {
    let first = state.welcome.as_ref().map(|welcome| first_form(state, welcome));
    let (Some(welcome), Some(first)) = (&mut state.welcome, first) else { return Vec::new() };
    let next = match press {
        Press::ToLogIn => welcome.log_in(),
        Press::ToRegister => welcome.register(),
        Press::ToReset => welcome.reset_email(),
        Press::ToSso(_) if form.busy.is_some() => return Vec::new(),
        Press::ToSso(index) => return start_sso(welcome, index),
        Press::CopyLink => return copy_link(state, form),
        Press::ToFindServer => first,
        Press::Close => match form.kind {
            FormKind::FindServer | FormKind::CantOpen => {
                if accounts::leave(state) {
                    return Vec::new();
                }
                // There is nothing to go back to.
                return super::notice(state, "Ctrl+Q quits.");
            }
            FormKind::Entrance => first,
            FormKind::MailCode | FormKind::MailLink | FormKind::Terms => {
                welcome.before.take().unwrap_or_else(|| welcome.register())
            }
            FormKind::Sso(_) => {
                welcome.form = welcome.entrance();
                return vec![Effect::Request(Request::StopSso)];
            }
            FormKind::ResetEmail => welcome.log_in(),
            FormKind::ResetCode { .. } => welcome.reset_email(),
            _ => welcome.entrance(),
        },
        Press::NewMail if form.busy.is_some() => return Vec::new(),
        Press::NewMail => return new_mail(welcome, form),
        Press::Quit => return vec![Effect::Quit],
        Press::Submit if form.busy.is_some() => return Vec::new(),
        Press::Submit => return submit(welcome, form),
        _ => return Vec::new(),
    };
    welcome.form = next;
    Vec::new()
}

/// The first screen of the way in.
pub(super) fn first_form(state: &State, welcome: &Welcome) -> Form {
    let form = find_server(&welcome.typed);
    if state.accounts.is_empty() {
        return form;
    }
    let new = state.account(welcome.account).is_none();
    let title = if new { "Add an account" } else { "Log in again" };
    Form { title: title.to_owned(), ..form }
}

fn submit(welcome: &mut Welcome, form: &Form) -> Vec<Effect> {
    if let Err((field, reason)) = check(form) {
        welcome.form.forgive();
        welcome.form.refuse(field, reason);
        return Vec::new();
    }
    let secret = |name| Secret(form.value(name));
    match form.kind {
        FormKind::FindServer => {
            welcome.typed = form.value(FieldName::Server);
            let input = welcome.typed.clone();
            busy(welcome, "Looking for the server…", Request::FindServer { input })
        }
        FormKind::LogIn => {
            let request = Request::LogIn {
                user: form.value(FieldName::User),
                password: secret(FieldName::Password),
            };
            busy(welcome, "Logging in…", request)
        }
        FormKind::Sso(_) => {
            let pasted = secret(FieldName::LoginToken);
            busy(welcome, "Logging in…", Request::FinishSso { pasted })
        }
        FormKind::Register => {
            welcome.email = form.value(FieldName::Email);
            busy(welcome, "Asking the server…", registration(form))
        }
        FormKind::MailCode => busy(
            welcome,
            "Checking the code…",
            Request::SubmitMailCode { code: Secret(form.value(FieldName::Code)) },
        ),
        FormKind::Terms => busy(welcome, "Asking the server…", Request::AcceptTerms),
        FormKind::CantOpen => busy(welcome, "Opening…", Request::Restore),
        FormKind::MailLink => {
            let request = Request::ContinueRegistration { polled: false };
            busy(welcome, "Asking the server…", request)
        }
        FormKind::ResetEmail => {
            welcome.email = form.value(FieldName::Email);
            let email = welcome.email.clone();
            busy(welcome, "Asking the server…", Request::StartPasswordReset { email })
        }
        FormKind::ResetCode { code } => {
            let new_password = secret(FieldName::Password);
            welcome.asking = true;
            welcome.waiting_password = (!code).then(|| new_password.clone());
            let code = code.then(|| Secret(form.value(FieldName::Code)));
            let request = Request::FinishPasswordReset { code, new_password, polled: false };
            busy(welcome, "Setting the password…", request)
        }
        _ => Vec::new(),
    }
}

/// What those are called who vouch for people; the server chose it.
const PROVIDER_CHARS_MAX: usize = 30;
/// More are not offered: a server that has more leads on by itself.
const PROVIDERS_MAX: usize = 9;

/// The server's providers as they are shown.
pub(super) fn clean_sso(providers: Vec<SsoProvider>) -> Vec<SsoProvider> {
    let clean = |provider: SsoProvider| {
        let name = line(&provider.name).chars().take(PROVIDER_CHARS_MAX).collect();
        SsoProvider { name, ..provider }
    };
    providers.into_iter().take(PROVIDERS_MAX).map(clean).collect()
}

fn start_sso(welcome: &mut Welcome, index: usize) -> Vec<Effect> {
    let provider = welcome.server.as_ref().and_then(|server| server.sso.get(index)).cloned();
    let Some(SsoProvider { id, name }) = provider else { return Vec::new() };
    welcome.sso_name = name;
    busy(welcome, "Asking the server…", Request::StartSso { provider: id })
}

/// The address is to be opened in a browser: in the one of this machine, if there is one.
pub(super) fn sso_started(state: &mut State, account: AccountId, url: String) -> Vec<Effect> {
    let opened = state.opens_links;
    let shown = state.welcome.as_mut().filter(|welcome| welcome.account == account);
    let Some(welcome) = shown else { return Vec::new() };
    let asked = match welcome.form.kind {
        FormKind::Entrance => welcome.form.busy.is_some(),
        FormKind::Sso(_) => true,
        _ => false,
    };
    if !asked {
        return vec![Effect::Request(Request::StopSso)];
    }
    let mark = state.links.mark(&url);
    welcome.form = welcome.sso(&welcome.sso_name, url.clone(), mark, opened);
    if opened { vec![Effect::OpenLink(url)] } else { Vec::new() }
}

fn copy_link(state: &mut State, form: &Form) -> Vec<Effect> {
    let Some((url, _)) = form.link.clone() else { return Vec::new() };
    let mut effects = super::notice(state, "Copied.");
    effects.push(Effect::Copy(url));
    effects
}

fn registration(form: &Form) -> Request {
    let given = |name| Some(form.value(name)).filter(|text| !text.is_empty());
    Request::Register {
        username: form.value(FieldName::User),
        password: Secret(form.value(FieldName::Password)),
        email: given(FieldName::Email),
        token: given(FieldName::Token).map(Secret),
    }
}

/// Begins again with what was given: the server sends another mail.
fn new_mail(welcome: &mut Welcome, form: &Form) -> Vec<Effect> {
    let request = match (&form.kind, &welcome.before) {
        (FormKind::ResetCode { .. }, _) => {
            Request::StartPasswordReset { email: welcome.email.clone() }
        }
        (_, Some(before)) => registration(before),
        (_, None) => return Vec::new(),
    };
    welcome.waiting_password = None;
    busy(welcome, "Asking for a new mail…", request)
}

/// What can be seen to be wrong without asking the server.
fn check(form: &Form) -> Result<(), (FieldName, &'static str)> {
    let new = matches!(form.kind, FormKind::Register | FormKind::ResetCode { .. });
    for field in &form.fields {
        let text = field.input.text().trim();
        let wrong = match field.name {
            FieldName::Server if text.is_empty() => "Type a server's name, such as example.org.",
            FieldName::Email if field.optional && text.is_empty() => continue,
            FieldName::Email
                if text
                    .split_once('@')
                    .is_none_or(|(name, host)| name.is_empty() || host.is_empty()) =>
            {
                "Type an email address, such as bob@example.org."
            }
            FieldName::User if text.is_empty() => "Type a username.",
            FieldName::User if new && text.contains(char::is_whitespace) => {
                "A username has no spaces; try - or _ instead."
            }
            FieldName::Password if text.is_empty() => "Type a password.",
            FieldName::Password
                if new && field.input.text().chars().count() < PASSWORD_CHARS_MIN =>
            {
                "Too short: take at least 8 characters."
            }
            FieldName::Token if text.is_empty() => {
                "This server wants a token; ask whoever runs it."
            }
            FieldName::Code if text.is_empty() => "Type the code from the mail.",
            FieldName::LoginToken if text.is_empty() => {
                "Log in in the browser first; if it does not go on here by itself, paste the address it ends on."
            }
            _ => continue,
        };
        return Err((field.name, wrong));
    }
    Ok(())
}

pub(super) fn server_found(welcome: &mut Welcome, server: ServerInfo) {
    welcome.server = Some(server);
    welcome.form = welcome.entrance();
}

pub(super) fn server_not_found(welcome: &mut Welcome, reason: &str) {
    welcome.form.refuse(FieldName::Server, reason);
}

pub(super) fn username_checked(welcome: &mut Welcome, username: &str, problem: Option<String>) {
    let field = welcome.form.fields.iter_mut().find(|field| field.name == FieldName::User);
    if let Some(field) = field.filter(|field| field.input.text().trim() == username) {
        field.error = problem;
    }
}

pub(super) fn registration_step(welcome: &mut Welcome, step: MailStep) {
    match step {
        MailStep::MailSent { email, code } => {
            welcome.email = email;
            welcome.asking = true;
            let next = if code { welcome.mail_code() } else { welcome.mail_link() };
            go_on_to(welcome, next);
        }
        step => mail_step(welcome, step),
    }
}

/// The next screen of a registration; its form is kept, to go back to.
fn go_on_to(welcome: &mut Welcome, next: Form) {
    let before = std::mem::replace(&mut welcome.form, next);
    if before.kind == FormKind::Register {
        welcome.before = Some(Form { busy: None, ..before });
    }
}

pub(super) fn terms_asked(welcome: &mut Welcome, links: &[String]) {
    let next = welcome.terms(links);
    go_on_to(welcome, next);
}

pub(super) fn reset_step(welcome: &mut Welcome, step: MailStep) {
    match step {
        MailStep::MailSent { email, code } => {
            welcome.email = email;
            welcome.asking = true;
            welcome.form = welcome.reset_code(FormKind::ResetCode { code });
        }
        MailStep::Done => {
            welcome.waiting_password = None;
            welcome.form = welcome.log_in().intro(["The new password is set. Log in with it."]);
        }
        step => mail_step(welcome, step),
    }
}

fn mail_step(welcome: &mut Welcome, step: MailStep) {
    let form = &mut welcome.form;
    match step {
        // Nobody asked: nothing to say, and what was said stays.
        MailStep::StillWaiting { polled: true } => {}
        MailStep::StillWaiting { polled: false } => form.refuse(
            FieldName::Code,
            "Not confirmed yet: open the link in the mail and confirm there, or ask for a new mail.",
        ),
        MailStep::WrongCode { reason } => {
            // The answer to a question nobody pressed a button for: asking again would get the same.
            welcome.asking &= form.busy.is_some();
            form.refuse(FieldName::Code, reason);
        }
        MailStep::MailSent { .. } | MailStep::Done => form.busy = None,
    }
}

/// The server refused; its words go to the field they are about.
pub(super) fn refused(welcome: &mut Welcome, reason: &str, about: Option<About>) {
    welcome.asking &= welcome.form.busy.is_some();
    let field = about.map(|about| match about {
        About::Server => FieldName::Server,
        About::User => FieldName::User,
        About::Email => FieldName::Email,
        About::Password => FieldName::Password,
        About::Token => FieldName::Token,
        About::Code => FieldName::Code,
        About::LoginToken => FieldName::LoginToken,
    });
    if field == Some(FieldName::LoginToken) {
        // What was pasted is worth nothing now; another paste must not end behind it.
        let pasted = welcome.form.fields.iter_mut().filter(|f| Some(f.name) == field);
        pasted.for_each(|field| field.input = TextField::default());
    }
    match field {
        Some(field) => welcome.form.refuse(field, reason),
        None => {
            welcome.form.busy = None;
            welcome.form.error = Some(reason.to_owned());
        }
    }
}

/// Registered, and not logged in: the login form is next.
pub(super) fn account_made(welcome: &mut Welcome, user: String, reason: String) {
    welcome.typed = user;
    welcome.email.clear();
    welcome.form = welcome.log_in().intro(["Your account is made. Log in to it."]);
    welcome.form.error = Some(reason);
}

/// Whether the server may have news without anything being pressed here: a link was mailed.
fn waits_for_link(welcome: &Welcome) -> bool {
    welcome.asking
        && match welcome.form.kind {
            FormKind::MailCode | FormKind::MailLink => true,
            FormKind::ResetCode { code: false } => {
                let typed = welcome.form.value(FieldName::Password);
                welcome.waiting_password.as_ref().is_some_and(|waiting| waiting.0 == typed)
            }
            _ => false,
        }
}

/// After every answer: the next question, a while later.
pub(super) fn wait_for_link(welcome: &Welcome) -> Vec<Effect> {
    if waits_for_link(welcome) {
        vec![Effect::Start(Timer::AskAgain, ASKED_AGAIN)]
    } else {
        Vec::new()
    }
}

/// Asks whether the link has been opened meanwhile. What was asked by a button is being answered already.
pub(super) fn ask_again(state: &mut State) -> Vec<Effect> {
    let Some(welcome) = state.welcome.as_ref().filter(|welcome| waits_for_link(welcome)) else {
        return Vec::new();
    };
    if welcome.form.busy.is_some() {
        return wait_for_link(welcome);
    }
    let request = match (&welcome.form.kind, &welcome.waiting_password) {
        (FormKind::ResetCode { .. }, Some(password)) => {
            let new_password = password.clone();
            Request::FinishPasswordReset { code: None, new_password, polled: true }
        }
        _ => Request::ContinueRegistration { polled: true },
    };
    vec![Effect::Request(request)]
}
