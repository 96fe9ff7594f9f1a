//! The first-run screens: from "which server" to a session.

use crate::backend::{MailStep, Request, Secret, ServerInfo};
use crate::effect::Effect;
use crate::state::State;
use crate::state::form::{FieldName, Form, FormKind, Press};
use crate::state::welcome::{Welcome, find_server};

/// Shortest password that is sent off; servers may want more and say so.
const PASSWORD_CHARS_MIN: usize = 8;

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
    let Some(welcome) = &mut state.welcome else { return Vec::new() };
    let next = match press {
        Press::ToLogIn => welcome.log_in(),
        Press::ToRegister => welcome.register(),
        Press::ToReset => welcome.reset_email(),
        Press::ToFindServer => find_server(&welcome.typed),
        Press::Close => match form.kind {
            FormKind::FindServer => return vec![Effect::Quit],
            FormKind::Entrance => find_server(&welcome.typed),
            FormKind::MailCode | FormKind::MailLink => {
                welcome.before.take().unwrap_or_else(|| welcome.register())
            }
            FormKind::ResetEmail => welcome.log_in(),
            FormKind::ResetCode { .. } => welcome.reset_email(),
            _ => welcome.entrance(),
        },
        Press::Submit if form.busy.is_some() => return Vec::new(),
        Press::Submit => return submit(welcome, form),
        _ => return Vec::new(),
    };
    welcome.form = next;
    Vec::new()
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
        FormKind::Register => {
            let email = Some(form.value(FieldName::Email)).filter(|email| !email.is_empty());
            let token =
                Some(form.value(FieldName::Token)).filter(|token| !token.is_empty()).map(Secret);
            welcome.email = email.clone().unwrap_or_default();
            let request = Request::Register {
                username: form.value(FieldName::User),
                password: secret(FieldName::Password),
                email,
                token,
            };
            busy(welcome, "Asking the server…", request)
        }
        FormKind::MailCode => busy(
            welcome,
            "Checking the code…",
            Request::SubmitMailCode { code: Secret(form.value(FieldName::Code)) },
        ),
        FormKind::MailLink => busy(welcome, "Asking the server…", Request::ContinueRegistration),
        FormKind::ResetEmail => {
            welcome.email = form.value(FieldName::Email);
            let email = welcome.email.clone();
            busy(welcome, "Asking the server…", Request::StartPasswordReset { email })
        }
        FormKind::ResetCode { code } => {
            let code = code.then(|| Secret(form.value(FieldName::Code)));
            let request =
                Request::FinishPasswordReset { code, new_password: secret(FieldName::Password) };
            busy(welcome, "Setting the password…", request)
        }
        _ => Vec::new(),
    }
}

/// What can be seen to be wrong without asking the server.
fn check(form: &Form) -> Result<(), (FieldName, &'static str)> {
    let new = matches!(form.kind, FormKind::Register | FormKind::ResetCode { .. });
    for field in &form.fields {
        let text = field.input.text().trim();
        let wrong = match field.name {
            FieldName::Server if text.is_empty() => "Type a server's name, such as example.org.",
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
            let next = if code { welcome.mail_code() } else { welcome.mail_link() };
            let before = std::mem::replace(&mut welcome.form, next);
            if before.kind == FormKind::Register {
                welcome.before = Some(Form { busy: None, ..before });
            }
        }
        step => mail_step(welcome, step),
    }
}

pub(super) fn reset_step(welcome: &mut Welcome, step: MailStep) {
    match step {
        MailStep::MailSent { email, code } => {
            welcome.email = email;
            welcome.form = welcome.reset_code(FormKind::ResetCode { code });
        }
        MailStep::Done => {
            welcome.form = welcome.log_in().intro(["The new password is set. Log in with it."]);
        }
        step => mail_step(welcome, step),
    }
}

fn mail_step(welcome: &mut Welcome, step: MailStep) {
    let form = &mut welcome.form;
    form.busy = None;
    match step {
        MailStep::StillWaiting => form.refuse(
            FieldName::Code,
            "Not confirmed yet: open the link in the mail, or wait a moment.",
        ),
        MailStep::WrongCode { reason } => form.refuse(FieldName::Code, reason),
        MailStep::MailSent { .. } | MailStep::Done => {}
    }
}

/// The server refused; its words go to the field they are about.
pub(super) fn refused(welcome: &mut Welcome, reason: &str) {
    let lower = reason.to_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let field = match welcome.form.kind {
        FormKind::LogIn => FieldName::Password,
        FormKind::MailCode => FieldName::Code,
        FormKind::ResetEmail => FieldName::Email,
        FormKind::ResetCode { .. } if about(&["password"]) => FieldName::Password,
        FormKind::ResetCode { .. } => FieldName::Code,
        FormKind::Register if about(&["token"]) => FieldName::Token,
        FormKind::Register if about(&["mail", "address"]) => FieldName::Email,
        FormKind::Register if about(&["password"]) => FieldName::Password,
        FormKind::Register if about(&["name"]) => FieldName::User,
        FormKind::MailLink => FieldName::Code,
        _ => FieldName::Server,
    };
    welcome.form.refuse(field, reason);
}
