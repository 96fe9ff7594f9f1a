//! What the client asks of the network and what comes back: the only seam between the screen and Matrix.
//!
//! The loop hands every network effect to [`Backend::request`] and draws on; what comes of it arrives later as
//! [`Report`]s. `matrix/` is the real one on matrix-sdk; `fake.rs` records requests and plays scripted reports for tests.
//! Nothing here is a matrix-sdk type, so the move to another SDK version stays inside `matrix/`.

pub mod fake;
pub mod matrix;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a backend needs to know before its first request.
#[derive(Clone)]
pub struct Config {
    /// Where session, keys and history live; made if absent, readable by its owner only.
    pub data_dir: PathBuf,
    /// A PEM file of certificates to trust besides the system's, for private networks and tests.
    pub extra_ca: Option<PathBuf>,
    /// The server to use until another is found: anything [`Request::FindServer`] takes.
    pub server: Option<String>,
    /// The key of the stores in `data_dir`.
    pub store_key: [u8; 32],
}

/// Carries out requests in the background. Cloneable handles live in `matrix/`; the loop owns one `Box<dyn Backend>`.
pub trait Backend: Send {
    /// Starts `request`. Never blocks and never fails: every failure is a [`Report`].
    fn request(&self, request: Request);
}

/// A room id such as `!abc:example.org`, as text: the screen never looks inside.
pub type ChatId = String;
/// A user id such as `@alice:example.org`.
pub type UserId = String;
/// The stable key of a timeline item: survives local echo → sent.
pub type MessageKey = String;

/// What the user wants from the network. One request, one or more [`Report`]s.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Finds the homeserver for a URL, server name, email address or `@user:server`. → [`Report::ServerFound`] or [`Report::ServerNotFound`].
    FindServer { input: String },
    /// Asks whether a username is free on the found server. → [`Report::UsernameChecked`].
    CheckUsername { username: String },
    /// Starts registering: asks the server to mail a code to `email` (absent where the server wants none). → [`Report::RegistrationStep`], [`Report::LoggedIn`] or [`Report::AuthFailed`].
    Register { username: String, password: Secret, email: Option<String>, token: Option<Secret> },
    /// The code from the mail, typed. → as [`Request::Register`].
    SubmitMailCode { code: Secret },
    /// "I have opened the link in the mail": asks the server again. `polled`: nobody pressed anything. → as [`Request::Register`].
    ContinueRegistration { polled: bool },
    /// The server's terms are accepted. → as [`Request::Register`].
    AcceptTerms,
    /// Logs in by username, `@user:server` or email address. → [`Report::LoggedIn`] or [`Report::AuthFailed`].
    LogIn { user: String, password: Secret },
    /// Opens the session on disk again after [`Report::CantOpen`]. → as at start.
    Restore,
    /// Mails a password-reset code to `email`. → [`Report::PasswordResetStep`] or [`Report::AuthFailed`].
    StartPasswordReset { email: String },
    /// Sets the new password with the mailed code (absent: the link was opened). `polled`: nobody pressed anything. → [`Report::PasswordResetStep`] or [`Report::AuthFailed`].
    FinishPasswordReset { code: Option<Secret>, new_password: Secret, polled: bool },
    /// Ends the session and wipes its keys and caches. → [`Report::LoggedOut`].
    LogOut,

    /// Opens a chat: its timeline reports follow until another is opened. → [`Report::Timeline`].
    OpenChat { chat: ChatId },
    /// More history above what is shown. → [`Report::Timeline`], [`Report::HistoryEnd`], at last [`Report::OlderLoaded`].
    LoadOlder { chat: ChatId },
    /// Sends text (Markdown), optionally as reply to or edit of a message.
    SendText { chat: ChatId, text: String, reply_to: Option<MessageKey>, edits: Option<MessageKey> },
    /// Tries again: a message that failed or waits to be sent, or the key of one that can't be decrypted.
    Retry { chat: ChatId, message: MessageKey },
    /// Removes a message for everybody (or drops an unsent one).
    Delete { chat: ChatId, message: MessageKey },
    /// Toggles a reaction.
    React { chat: ChatId, message: MessageKey, reaction: String },
    /// Uploads a file and sends it.
    SendFile { chat: ChatId, path: PathBuf },
    /// Everything up to the newest message has been seen on screen.
    MarkRead { chat: ChatId },
    /// The user is (not) typing in this chat.
    Typing { chat: ChatId, typing: bool },

    /// A direct chat with `user`: the existing one or a new one. → [`Report::ChatReady`] or [`Report::Failed`].
    NewDirectChat { user: UserId, encrypted: bool },
    /// A new group. → [`Report::ChatReady`] or [`Report::Failed`].
    NewGroup { name: String, invite: Vec<UserId>, encrypted: bool },
    /// Accepts an invitation or joins by `#alias:server` / `!id`. → [`Report::ChatReady`] or [`Report::Failed`].
    Join { chat: String },
    /// Declines an invitation or leaves.
    Leave { chat: ChatId },
    /// Invites somebody.
    Invite { chat: ChatId, user: UserId },
    /// Name, bio, avatar, sessions of somebody (`None`: oneself). → [`Report::Profile`].
    FetchProfile { user: Option<UserId> },
    /// Sets one's own name and bio (`None` leaves a field as it is). → [`Report::Profile`].
    SetProfile { display_name: Option<String>, bio: Option<String> },

    /// Sets up cross-signing, key backup and secret storage. → [`Report::RecoveryKey`] then [`Report::Encryption`].
    EnableRecovery,
    /// Opens secret storage with a recovery key or passphrase. → [`Report::Encryption`] or [`Report::RecoveryFailed`].
    Recover { key: Secret },
    /// Asks one's other sessions (`None`) or somebody to verify by emoji. → [`Report::Verification`].
    StartVerification { user: Option<UserId> },
    /// Accepts an incoming verification request. → [`Report::Verification`].
    AcceptVerification,
    /// The emoji match. → [`Report::Verification`].
    ConfirmVerification,
    /// They do not match, or no longer wanted. → [`Report::Verification`].
    CancelVerification,
}

/// A password, code or key on its way through; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What came of a request, or what the server said unasked.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A server answers Matrix here.
    ServerFound(ServerInfo),
    /// No server behind that input; `reason` says what to try next.
    ServerNotFound { reason: String },
    /// `problem` is `None` when the name is free.
    UsernameChecked { username: String, problem: Option<String> },
    /// Registration goes on in the mailbox (or asks for something).
    RegistrationStep(MailStep),
    /// The server's terms, to be read and accepted.
    RegistrationTerms { links: Vec<String> },
    /// The same for a password reset.
    PasswordResetStep(MailStep),
    /// A login, registration or reset was refused; `reason` says what to do next, `about` what of the form it is about.
    AuthFailed { reason: String, about: Option<About> },
    /// The account was made, but logging in to it failed for `reason`: it can be logged in to.
    AccountMade { user: UserId, reason: String },
    /// There is a session now (also at start, restored from disk).
    LoggedIn { user: UserId, server: String, device: String },
    /// The session on disk can't be opened now; nothing of it is touched. `reason` says what to do next.
    CantOpen { reason: String },
    /// The session is gone. `soft`: log in again, keys are kept.
    LoggedOut { soft: bool, reason: Option<String> },
    /// The link to the server, for the status line.
    Connection(Connection),

    /// The whole chat list, newest first; sent whenever it changed (coalesced).
    Chats(Vec<Chat>),
    /// The messages of the open chat, oldest first, whole; sent whenever they changed (coalesced).
    Timeline { chat: ChatId, messages: Vec<Message> },
    /// There is nothing older.
    HistoryEnd { chat: ChatId },
    /// The end of a [`Request::LoadOlder`], whatever came of it.
    OlderLoaded { chat: ChatId, failed: bool },
    /// Who is typing there now.
    Typing { chat: ChatId, names: Vec<String> },
    /// A chat asked for is there: open it.
    ChatReady { chat: ChatId },
    /// Somebody's profile.
    Profile(Profile),

    /// The state of this session's encryption.
    Encryption(Encryption),
    /// The new recovery key, to be shown once for writing down.
    RecoveryKey(Secret),
    /// The recovery key was refused; `reason` says what to do next.
    RecoveryFailed { reason: String },
    /// Where a verification stands.
    Verification(Verification),

    /// Something else failed; `reason` says what to do next.
    Failed { reason: String },
    /// Something worth a line for a moment.
    Notice { text: String },
}

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

/// The link to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    Connecting,
    Online,
    Offline,
}

/// One row of the chat list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Chat {
    pub id: ChatId,
    pub name: String,
    pub topic: Option<String>,
    pub kind: ChatKind,
    /// `Some(inviter)` while this is an invitation to accept or decline.
    pub invited_by: Option<String>,
    /// Who that is; a name can be anybody's.
    #[serde(default)]
    pub inviter: Option<UserId>,
    pub encrypted: bool,
    /// The other person, in a direct chat.
    pub peer: Option<UserId>,
    pub members: u64,
    /// Unread messages, and those that mention the user.
    pub unread: u64,
    pub mentions: u64,
    pub muted: bool,
    pub pinned: bool,
    pub last: Option<Preview>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ChatKind {
    Direct,
    #[default]
    Group,
    Space,
}

/// The newest message of a chat, for its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    pub sender: String,
    pub own: bool,
    pub text: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Ticks, for one's own messages.
    pub ticks: Option<Ticks>,
}

/// How far one's own message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ticks {
    /// Waiting to be sent (clock sign).
    Sending,
    /// The server has it: ✓.
    Sent,
    /// Somebody else has read it: ✓✓.
    Read,
    /// Sending failed: ! and retry.
    Failed,
}

/// One item of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub key: MessageKey,
    /// Milliseconds since the Unix epoch, the sender's clock.
    pub at_ms: u64,
    pub sender: UserId,
    pub sender_name: String,
    pub own: bool,
    pub body: Body,
    pub edited: bool,
    /// Name and first line of what this replies to.
    pub reply: Option<(String, String)>,
    /// Reaction, how many, one's own among them.
    pub reactions: Vec<(String, u32, bool)>,
    pub ticks: Option<Ticks>,
    /// Names of the others whose receipt stands on this message.
    pub read_by: Vec<String>,
    /// What is doubtful about its encryption, in words; `None` is fine.
    pub warning: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Plain text; `html` is the sanitised formatted body, where there is one.
    Text {
        text: String,
        html: Option<String>,
    },
    Emote(String),
    Notice(String),
    /// An attachment: what it is, its name, its size.
    File {
        kind: FileKind,
        name: String,
        bytes: Option<u64>,
        caption: Option<String>,
    },
    Deleted,
    /// Could not be decrypted: why, and what the user can do.
    Undecryptable {
        reason: String,
    },
    /// Joins, names, topics: one quiet line.
    Service(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    Image,
    Video,
    Audio,
    File,
    Sticker,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    pub user: UserId,
    pub display_name: Option<String>,
    pub bio: Option<String>,
    pub avatar: Option<String>,
    pub verified: bool,
}

/// The state of this session's encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// This device is signed by its user's cross-signing key.
    pub verified: bool,
    /// Secret storage and key backup.
    pub recovery: Recovery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    Unknown,
    /// Never set up: offer it.
    Disabled,
    /// Never set up, and another device holds the keys: this one must be verified with it first.
    Elsewhere,
    /// Set up elsewhere and not opened here: ask for the key.
    Incomplete,
    Enabled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Somebody asks to verify.
    Requested {
        by: UserId,
        own: bool,
    },
    /// Asked; waiting for the other side.
    Waiting,
    /// Compare these: (emoji, its name).
    Emoji(Vec<(String, String)>),
    /// This side confirmed; waiting for the other.
    Confirmed,
    Done,
    Cancelled {
        reason: String,
    },
}
