//! The first-run screens: finding a server, registering by email, logging in, also in a browser, a new password. Each is a form.

use super::form::{Button, FieldName, Form, FormKind, Press, button, field};
use crate::backend::{AccountId, Secret, ServerInfo};
use ratatui::style::Color;
use std::borrow::Cow;

/// Where somebody without a session stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    pub form: Form,
    /// The account that is being entered.
    pub account: AccountId,
    pub server: Option<ServerInfo>,
    /// What was typed to find the server: may be an email address or a user id to prefill.
    pub typed: String,
    /// The address a mail went to.
    pub email: String,
    /// The registration that is under way, to go back to or to begin anew.
    pub before: Option<Form>,
    /// The server is asked now and then whether the link has been opened.
    pub asking: bool,
    /// The password that waits for the link in the mail to be opened.
    pub waiting_password: Option<Secret>,
    /// Who vouches for the user in the browser.
    pub sso_name: String,
}

const BACK: Button = button("Back", Press::Close);
const NEW_MAIL: Button = button("New mail", Press::NewMail);

impl Welcome {
    /// The first screen; `server` prefilled.
    pub fn new(server: &str) -> Welcome {
        Welcome {
            form: find_server(server),
            account: AccountId::FIRST,
            server: None,
            typed: server.to_owned(),
            email: String::new(),
            before: None,
            asking: false,
            waiting_password: None,
            sso_name: String::new(),
        }
    }

    /// The same for another account than the first.
    pub fn of(self, account: AccountId) -> Welcome {
        Welcome { account, ..self }
    }

    /// The email address typed so far, if one was.
    pub fn typed_email(&self) -> Option<&str> {
        let typed = if self.email.is_empty() { self.typed.trim() } else { &self.email };
        (typed.contains('@') && !typed.starts_with('@')).then_some(typed)
    }

    /// The user id typed to find the server, if one was.
    pub fn typed_user(&self) -> Option<&str> {
        let typed = self.typed.trim();
        (typed.starts_with('@') && typed.contains(':')).then_some(typed)
    }

    fn server_name(&self) -> &str {
        self.server.as_ref().map_or("", |server| &server.name)
    }

    /// Log in or register on the found server.
    pub fn entrance(&self) -> Form {
        let mut buttons = Vec::new();
        let mut intro = vec![format!("{} answers.", self.server_name())];
        if self.server.as_ref().is_none_or(|server| server.password_login || server.sso.is_empty())
        {
            buttons.push(button("Log in", Press::ToLogIn));
        }
        if let Some(server) = &self.server {
            buttons.extend(server.sso.iter().enumerate().map(|(index, provider)| {
                let label = Cow::Owned(format!("Log in with {}", provider.name));
                Button { label, press: Press::ToSso(index) }
            }));
            if server.registration {
                buttons.push(button("Register", Press::ToRegister));
            } else {
                intro
                    .push("It takes no new accounts here; log in with one it gave you.".to_owned());
            }
            if !server.password_login && server.sso.is_empty() {
                intro.push("It offers no login with a password: try another server.".to_owned());
            }
        }
        buttons.push(button("Another server", Press::ToFindServer));
        Form::new(FormKind::Entrance, "Welcome", Vec::new(), buttons).intro(intro)
    }

    /// Username or email, and password.
    pub fn log_in(&self) -> Form {
        let user = self.typed_user().or(self.typed_email()).unwrap_or_default();
        let fields = vec![
            field(FieldName::User, "Username or email", user)
                .advice("For example bob, @bob:example.org or bob@example.org."),
            field(FieldName::Password, "Password", "")
                .secret()
                .advice("Ctrl+T shows what you type."),
        ];
        let buttons =
            vec![button("Log in", Press::Submit), button("New password", Press::ToReset), BACK];
        Form::new(FormKind::LogIn, format!("Log in on {}", self.server_name()), fields, buttons)
    }

    /// Logging in in a browser that the address `url` is opened in. `mark` makes it a link; `opened`: here, just now.
    pub fn sso(&self, provider: &str, url: String, mark: Color, opened: bool) -> Form {
        let fields = vec![
            field(FieldName::LoginToken, "The address it ends on", "").secret().advice(
                "It goes on here by itself. If the browser ends on a page that can't be opened, copy the address of that page and paste it here.",
            ),
        ];
        let buttons =
            vec![button("Go on", Press::Submit), button("Copy the address", Press::CopyLink), BACK];
        let words = if opened {
            "Your browser opens. If it doesn't, open this address in one:"
        } else {
            "Open this address in a browser, on any machine, and log in there:"
        };
        let kind = FormKind::Sso(provider.to_owned());
        let form = Form::new(kind, format!("Log in with {provider}"), fields, buttons);
        Form { link: Some((url, mark)), ..form.intro([words]) }
    }

    /// A new account.
    pub fn register(&self) -> Form {
        let localpart = self
            .typed_user()
            .and_then(|user| user.strip_prefix('@'))
            .and_then(|user| user.split(':').next());
        let localpart = localpart
            .or_else(|| self.typed_email().and_then(|email| email.split('@').next()))
            .unwrap_or_default();
        let mut fields = Vec::new();
        let email = |label| {
            field(FieldName::Email, label, self.typed_email().unwrap_or_default())
                .advice("A mail goes to it. You can log in and set a new password with it.")
        };
        if self.server.as_ref().is_some_and(|server| server.wants_email) {
            fields.push(email("Email"));
        }
        fields.push(
            field(FieldName::User, "Username", localpart)
                .advice("How others find you. Small letters, digits and . _ - = / are fine."),
        );
        fields.push(
            field(FieldName::Password, "Password", "")
                .secret()
                .advice("At least 8 characters. Ctrl+T shows what you type."),
        );
        if self.server.as_ref().is_some_and(|server| server.wants_token) {
            fields.push(
                field(FieldName::Token, "Registration token", "")
                    .secret()
                    .advice("You get it from whoever runs this server. Ctrl+T shows it."),
            );
        }
        if self.server.as_ref().is_some_and(|server| server.takes_email && !server.wants_email) {
            fields.push(email("Email (optional)").optional());
        }
        let buttons = vec![button("Register", Press::Submit), BACK];
        Form::new(
            FormKind::Register,
            format!("Register on {}", self.server_name()),
            fields,
            buttons,
        )
    }

    /// What the server wants agreed to.
    pub fn terms(&self, links: &[String]) -> Form {
        let buttons = vec![button("I accept", Press::Submit), BACK];
        let mut intro = vec![format!("{} has terms. Read them, then say so:", self.server_name())];
        intro.push(String::new());
        intro.extend(links.iter().cloned());
        Form::new(FormKind::Terms, "Terms", Vec::new(), buttons).intro(intro)
    }

    /// The code from the mail.
    pub fn mail_code(&self) -> Form {
        let fields = vec![field(FieldName::Code, "Code", "").advice(
            "It is in the mail; look among the spam too. Opening the link there works as well.",
        )];
        let buttons = vec![button("Go on", Press::Submit), NEW_MAIL, BACK];
        Form::new(FormKind::MailCode, "Check your mail", fields, buttons)
            .intro([format!("A code was mailed to {}.", self.email)])
    }

    /// Waiting for the link to be opened.
    pub fn mail_link(&self) -> Form {
        let buttons = vec![button("I have opened it", Press::Submit), NEW_MAIL, BACK];
        let intro = [
            format!("A mail went to {}.", self.email),
            "Open the link in the mail and confirm there; it goes on here by itself.".to_owned(),
        ];
        Form::new(FormKind::MailLink, "Check your mail", Vec::new(), buttons).intro(intro)
    }

    /// Where to mail a reset code.
    pub fn reset_email(&self) -> Form {
        let fields = vec![
            field(FieldName::Email, "Email", self.typed_email().unwrap_or_default())
                .advice("The address of your account."),
        ];
        let buttons = vec![button("Mail me", Press::Submit), BACK];
        Form::new(FormKind::ResetEmail, "New password", fields, buttons)
    }

    /// The reset code (where it can be typed) and the new password.
    pub fn reset_code(&self, kind: FormKind) -> Form {
        let mut fields = Vec::new();
        let typed = kind == FormKind::ResetCode { code: true };
        if typed {
            fields.push(
                field(FieldName::Code, "Code", "")
                    .advice("It is in the mail; look among the spam too."),
            );
        }
        fields.push(
            field(FieldName::Password, "New password", "")
                .secret()
                .advice("At least 8 characters. Ctrl+T shows what you type."),
        );
        let buttons = vec![button("Set it", Press::Submit), NEW_MAIL, BACK];
        let how = if typed {
            "If there is an account, a code was mailed to"
        } else {
            "Open the link in the mail first; it went to"
        };
        Form::new(kind, "New password", fields, buttons).intro([format!("{how} {}.", self.email)])
    }
}

/// The first screen.
pub fn find_server(typed: &str) -> Form {
    let advice =
        "For example example.org, https://example.org, bob@example.org or @bob:example.org.";
    let fields = vec![field(FieldName::Server, "Server, email or user id", typed).advice(advice)];
    let mut form = Form::new(
        FormKind::FindServer,
        "Welcome to Tern",
        fields,
        vec![button("Go on", Press::Submit)],
    )
    .intro(["Where is your account, or where do you want one?"]);
    form.focus = 0;
    form
}

/// The session on disk is there and can't be opened: nothing of it is touched without being asked for.
pub fn cant_open(reason: &str) -> Form {
    let buttons = vec![
        button("Try again", Press::Submit),
        button("Log in anew", Press::ToFindServer),
        button("Quit", Press::Quit),
    ];
    let intro = [
        reason.to_owned(),
        String::new(),
        "Logging in anew moves what is here aside; nothing is removed.".to_owned(),
    ];
    Form::new(FormKind::CantOpen, "Your session can't be opened", Vec::new(), buttons).intro(intro)
}
