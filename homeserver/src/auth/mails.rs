//! What this floor writes in mails: proofs, and warnings about an account.

use askama::Template;

use super::{Address, AuthError, email_sessions, email_sessions::Purpose};
use crate::{
    app::App,
    mail::{self, Mail},
    storage::{self, Id, emails::Email},
};

/// One mail's text, in both forms.
struct Letter<'a> {
    title: &'a str,
    paragraphs: Vec<String>,
    code: Option<String>,
    /// Label and URL.
    button: Option<(&'a str, String)>,
    footer: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    letter: &'a Letter<'a>,
    server_name: &'a str,
}

#[derive(Template)]
#[template(path = "mail.txt", escape = "none")]
struct Text<'a> {
    letter: &'a Letter<'a>,
    server_name: &'a str,
}

impl Letter<'_> {
    fn to(&self, app: &App, address: &str) -> Mail {
        let server_name = app.server_name.as_str();
        let html = Html { letter: self, server_name }.render();
        let text = Text { letter: self, server_name }.render();
        Mail {
            to: address.to_owned(),
            subject: format!("{} ({server_name})", self.title),
            text: text.unwrap_or_else(|error| format!("{}: {error}", self.title)),
            html: html.unwrap_or_default(),
        }
    }
}

/// The mail with code and link.
pub(super) fn proof(app: &App, address: &Address, purpose: Purpose, code: &str, url: &str) -> Mail {
    let (title, what, label) = match purpose {
        Purpose::Register => {
            ("Your code to register", "make an account with this address", "Confirm the address")
        }
        Purpose::Reset => {
            ("Your code to set a new password", "set a new password", "Allow a new password")
        }
        Purpose::Add => (
            "Your code to add this address",
            "add this address to your account",
            "Confirm the address",
        ),
        Purpose::Recover => ("Set a new password", "set a new password", "Set a new password"),
        Purpose::Alarm => ("This wasn't me", "end all sessions", "End all sessions"),
    };
    let code = code.split_at_checked(4).map_or(code.to_owned(), |(a, b)| format!("{a}-{b}"));
    let letter = Letter {
        title,
        paragraphs: vec![format!("Type this code to {what}, or open the link below.")],
        code: Some(code),
        button: Some((label, url.to_owned())),
        footer: "The code works for 15 minutes, once. If you did not ask for it, do nothing: without it nothing happens.",
    };
    letter.to(app, address.as_str())
}

/// The mail to somebody who has an account already, when anybody tries to register with the address. `url` leads to the page
/// that sets a new password.
pub(super) fn address_in_use(app: &App, address: &Address, url: String) -> Mail {
    let letter = Letter {
        title: "You have an account already",
        paragraphs: vec![
            "Somebody, probably you, wanted to use this address for an account. It belongs to an account here already."
                .to_owned(),
            "Log in with this address. If you forgot the password, set a new one here.".to_owned(),
        ],
        code: None,
        button: Some(("Set a new password", url)),
        footer: "The link works for 15 minutes, once. If it was not you, do nothing: nothing was changed.",
    };
    letter.to(app, address.as_str())
}

/// Something happened to an account that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Warning {
    NewDevice { name: String },
    PasswordChanged,
    AddressAdded { address: Address },
    AddressRemoved { address: Address },
}

impl Warning {
    fn text(&self) -> (&'static str, String) {
        match self {
            Self::NewDevice { name } => (
                "A new device logged in",
                format!("The device \"{name}\" logged in to your account."),
            ),
            Self::PasswordChanged => (
                "Your password was changed",
                "The password of your account was changed.".to_owned(),
            ),
            Self::AddressAdded { address } => (
                "An address was added",
                format!("The address {} was added to your account.", address.as_str()),
            ),
            Self::AddressRemoved { address } => (
                "An address was removed",
                format!("The address {} was removed from your account.", address.as_str()),
            ),
        }
    }
}

/// Warns all addresses of `user`.
pub(super) async fn warn(app: &App, user: Id, warning: Warning) -> Result<(), AuthError> {
    let emails = storage::emails::list_emails(app.db.read(), user).await?;
    warn_addresses(app, user, &emails, warning).await
}

/// Warns these addresses of `user`, each with its own link that ends all sessions.
pub(super) async fn warn_addresses(
    app: &App,
    user: Id,
    emails: &[Email],
    warning: Warning,
) -> Result<(), AuthError> {
    if emails.is_empty() {
        return Ok(());
    }
    let user_id = app.db.user_name(user).await?;
    let (title, sentence) = warning.text();
    let mails: Vec<_> = emails
        .iter()
        .map(|email| {
            let (session, url) = email_sessions::alarm(app, user, &email.address);
            let letter = Letter {
                title,
                paragraphs: vec![
                    sentence.clone(),
                    format!("The account is {user_id}. If this was you, there is nothing to do."),
                ],
                code: None,
                button: Some(("This wasn't me: end all sessions", url)),
                footer: "The link works for 7 days. Set a new password afterwards.",
            };
            (session, letter.to(app, &email.address))
        })
        .collect();
    let writing = app.clone();
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            for (session, mail) in mails {
                storage::emails::insert_session(txn.db(), &session).await?;
                mail::queue(&writing, txn, &mail).await?;
            }
            Ok::<_, AuthError>(())
        })
    });
    write.await?;
    app.jobs.ring();
    Ok(())
}
