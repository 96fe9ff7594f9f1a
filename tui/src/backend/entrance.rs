//! What is said on the way in.

/// A found homeserver and how one gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The name in user ids.
    pub name: String,
    /// The base URL it answers at.
    pub url: String,
    /// Registration is open here at all.
    pub registration: bool,
    /// Registration wants an email address / a registration token.
    pub wants_email: bool,
    pub wants_token: bool,
    /// An email address can be given.
    pub takes_email: bool,
    /// Login with a password is offered.
    pub password_login: bool,
    /// Those who vouch for people in a browser: single sign-on.
    pub sso: Vec<SsoProvider>,
}

/// Somebody who vouches for people in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoProvider {
    /// Its id at the server; `None` where the server names none and leads on by itself.
    pub id: Option<String>,
    pub name: String,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Server,
    User,
    Email,
    Password,
    Token,
    Code,
    /// What the browser brought back.
    LoginToken,
}

/// Where an email conversation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailStep {
    /// A mail went out. `code`: it can be typed here; otherwise the link in it must be opened.
    MailSent { email: String, code: bool },
    /// The link has not been opened yet; or, when nobody pressed anything (`polled`), the server could not say.
    StillWaiting { polled: bool },
    /// The code was wrong, or the mail is no longer good; `reason` says what to do next.
    WrongCode { reason: String },
    /// A password reset is through: log in now.
    Done,
}
