//! What the client asks of the network and what comes back: the only seam between the screen and Matrix.
//!
//! The loop hands every network effect to [`Backend::request`] and draws on; what comes of it arrives later as
//! [`Report`]s. `matrix/` is the real one on matrix-sdk; `fake.rs` records requests and plays scripted reports for tests.
//! Nothing here is a matrix-sdk type, so the move to another SDK version stays inside `matrix/`.

mod account;
mod arrange;
mod attachment;
mod conversation;
mod entrance;
pub mod fake;
mod listing;
mod manage;
pub mod matrix;
mod trust;

pub use account::{AccountId, account_of, split};
pub use arrange::{Arrange, NotifyLevel};
pub use attachment::{Attachment, Pasted};
pub use conversation::{
    Body, EventId, FileKind, Hit, LinkPreview, Listing, Message, Relations, Shared, View,
};
pub use entrance::{About, MailStep, ServerInfo, SsoProvider};
pub use listing::{
    DeviceInfo, FoundMessage, Item, Listed, Member, MemberPowers, Membership, Person, PublicRoom,
    Right, RightName,
};
pub use manage::Manage;
pub use trust::{Code, Encryption, Recovery, Verification};

use crate::pictures::Picture;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

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
    /// Sync over the server's WebSocket where it has one.
    pub socket: bool,
}

/// Carries out requests in the background. Cloneable handles live in `matrix/`; the loop owns one `Box<dyn Backend>`.
pub trait Backend: Send {
    /// Starts `request` in an account. Never blocks and never fails: every failure is a [`Report`].
    fn request(&self, account: AccountId, request: Request);
}

/// What the backend says, and of which account.
pub type Told = (AccountId, Report);

/// A room of an account, as text: the account's number and the room's id, such as `0!abc:example.org`. Only [`split`] looks inside.
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
    /// Begins a login in a browser, by one of the server's providers. → [`Report::SsoStarted`] or [`Report::AuthFailed`]; later, when the browser comes back to this machine, as [`Request::LogIn`].
    StartSso { provider: Option<String> },
    /// What the user copied from the browser: the address it ended on, or the token in that. → as [`Request::LogIn`].
    FinishSso { pasted: Secret },
    /// No longer waits for the browser.
    StopSso,
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
    /// Another account's chat was opened: nothing of this one's is reported until one of its own is.
    Rest,
    /// More history above what is shown. → [`Report::Timeline`], [`Report::HistoryEnd`], at last [`Report::OlderLoaded`].
    LoadOlder { chat: ChatId },
    /// More above what is shown around a message. → [`Report::View`], at last [`Report::OlderLoaded`].
    LoadOlderAround { chat: ChatId },
    /// The messages around one that may be far back: their reports follow until a chat is opened. → [`Report::View`] or [`Report::ViewFailed`].
    OpenAround { chat: ChatId, event: EventId },
    /// More below what is shown around a message. → [`Report::View`], at last [`Report::NewerLoaded`].
    LoadNewer { chat: ChatId },
    /// The pinned messages. → [`Report::Hits`].
    ListPinned { chat: ChatId },
    /// The threads. → [`Report::Hits`].
    ListThreads { chat: ChatId },
    /// What has been shared, newest first; `older`: from further back than what is known. → [`Report::Hits`], several times.
    ListShared { chat: ChatId, what: Shared, older: bool },
    /// The messages with all these words, newest first. → [`Report::Hits`], several times.
    SearchChat { chat: ChatId, query: String },
    /// The first message from a moment on. → [`Report::JumpTo`] or [`Report::Failed`].
    FindDate { chat: ChatId, at_ms: u64 },
    /// Pins a message for everybody, or no longer.
    Pin { chat: ChatId, event: EventId, pin: bool },
    /// Sends copies of messages to another chat.
    Forward { chat: ChatId, messages: Vec<MessageKey>, to: ChatId },
    /// Sends text (Markdown) as an answer in the thread that began with `root`.
    SendToThread { chat: ChatId, root: EventId, text: String, reply_to: Option<MessageKey> },
    /// Sends text (Markdown), optionally as reply to or edit of a message. → [`Report::Queued`] or [`Report::NotQueued`].
    SendText { chat: ChatId, text: String, reply_to: Option<MessageKey>, edits: Option<MessageKey> },
    /// Sends text that an earlier run of the client may have been killed over, unless it went out. → as [`Request::SendText`].
    SendAgain { chat: ChatId, text: String, at_ms: u64 },
    /// Tries again: a message that failed or waits to be sent, or the key of one that can't be decrypted.
    Retry { chat: ChatId, message: MessageKey },
    /// Removes a message for everybody (or drops an unsent one).
    Delete { chat: ChatId, message: MessageKey },
    /// Toggles a reaction.
    React { chat: ChatId, message: MessageKey, reaction: String },
    /// Uploads files and sends them in this order; the words go with the first that can be sent. One that can't holds up no other.
    SendFiles { chat: ChatId, files: Vec<Attachment>, caption: Option<String> },
    /// Sends text as a file.
    SendSnippet { chat: ChatId, text: String },
    /// Saves a received file; what an earlier try brought is gone on from. `id` names it in the [`Report::Transfer`]s that follow, the last of which is [`Report::TransferEnded`].
    SaveFile { id: u64, chat: ChatId, message: MessageKey, path: PathBuf },
    /// Stops such a transfer, keeping what has come.
    StopTransfer { id: u64 },
    /// A picture of a message, small enough to be drawn. → [`Report::Picture`].
    FetchPicture { chat: ChatId, message: MessageKey },
    /// What the page behind a link says of itself, asked of one's own server: only for links that it may know. → [`Report::Link`].
    FetchLink { url: String },
    /// Somebody's picture, by its `mxc://` address. → [`Report::Avatar`].
    FetchAvatar { avatar: String },
    /// Who is in a chat. → [`Report::People`].
    People { chat: ChatId },
    /// Everything up to the newest message has been seen on screen.
    MarkRead { chat: ChatId },
    /// Arranges the chat list. → [`Report::Chats`].
    Arrange(Arrange),
    /// A list to choose from; kept up to date until another is asked for or `None`. → [`Report::Rows`].
    List(Option<Listed>),
    /// Changes a chat, its people or the account. → [`Report::Rows`], [`Report::Notice`] or [`Report::Failed`].
    Manage(Manage),
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
    /// Asks one's other sessions (`None`) or somebody to verify. → [`Report::Verification`].
    StartVerification { user: Option<UserId> },
    /// Accepts an incoming verification request. → [`Report::Verification`].
    AcceptVerification,
    /// Emoji rather than the code that is shown. → [`Report::Verification`].
    CompareEmoji,
    /// The emoji match, or the other side says that it has scanned the code. → [`Report::Verification`].
    ConfirmVerification,
    /// They do not match, or no longer wanted. → [`Report::Verification`].
    CancelVerification,
}

impl Request {
    /// Whether it puts something into the queue of what goes out, which has an order.
    pub fn sends(&self) -> bool {
        matches!(
            self,
            Request::SendText { .. }
                | Request::SendAgain { .. }
                | Request::SendFiles { .. }
                | Request::SendSnippet { .. }
                | Request::SendToThread { .. }
                | Request::Forward { .. }
                | Request::Retry { .. }
        )
    }
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
    /// The address to open in a browser, to log in there.
    SsoStarted { url: String },
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
    Chats(Vec<Arc<Chat>>),
    /// The messages of the open chat, oldest first, whole; sent whenever they changed (coalesced).
    Timeline { chat: ChatId, messages: Vec<Message> },
    /// The messages around one, whole, as [`Report::Timeline`].
    View { chat: ChatId, view: View, messages: Vec<Message> },
    /// The messages around one can't be shown; `reason` says what to do next.
    ViewFailed { chat: ChatId, reason: String },
    /// The end of a [`Request::LoadNewer`]; `end`: there is nothing newer.
    NewerLoaded { chat: ChatId, end: bool, failed: bool },
    /// A list of messages; `done`: more of it will not come.
    Hits { chat: ChatId, listing: Listing, hits: Vec<Hit>, done: bool },
    /// The message that was asked for is this one.
    JumpTo { chat: ChatId, event: EventId },
    /// Names of those in the open chat whose keys are not the ones that the user knew; none any more when it is empty.
    KeysChanged { chat: ChatId, names: Vec<String> },
    /// So many bytes of a file that is being saved are here.
    Transfer { id: u64, done: u64, total: Option<u64> },
    /// It is saved, or not.
    TransferEnded { id: u64, end: TransferEnd },
    /// A picture to be drawn; `None` when there is none to be had.
    Picture { chat: ChatId, message: MessageKey, picture: Option<Arc<Picture>> },
    /// What a page says of itself; `None` when nothing is to be had of it.
    Link { url: String, preview: Option<LinkPreview> },
    /// Somebody's picture; `None` when there is none to be had.
    Avatar { avatar: String, picture: Option<Arc<Picture>> },
    /// Ids and names of the people in a chat.
    People { chat: ChatId, people: Vec<(UserId, String)> },
    /// Text to be sent is on disk and will go out, whatever happens.
    Queued { chat: ChatId, text: String },
    /// Text to be sent could not be taken; `reason` says what to do next.
    NotQueued { chat: ChatId, text: String, reason: String },
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
    /// A list asked for, whole.
    Rows { of: Listed, items: Vec<Item> },
    /// Whether somebody is here, or when they were last.
    Presence { user: UserId, presence: Presence },

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

/// How the saving of a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferEnd {
    Saved(PathBuf),
    Cancelled,
    /// Why, and what to do next.
    Failed(String),
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
    /// Its address.
    #[serde(default)]
    pub alias: Option<String>,
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
    /// What the user chose to hear of.
    #[serde(default)]
    pub notify: Option<NotifyLevel>,
    /// Links in it have no previews.
    #[serde(default)]
    pub no_previews: bool,
    /// Marked unread by hand.
    #[serde(default)]
    pub marked_unread: bool,
    pub pinned: bool,
    #[serde(default)]
    pub archived: bool,
    /// Only those above the others may write: a channel.
    #[serde(default)]
    pub read_only: bool,
    /// The spaces it is in.
    #[serde(default)]
    pub spaces: Vec<ChatId>,
    /// The user has asked to be let in and waits.
    #[serde(default)]
    pub knocked: bool,
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
    /// So many hundredths of its file are on the server.
    Uploading(u8),
    /// The server has it: ✓.
    Sent,
    /// Somebody else has read it: ✓✓.
    Read,
    /// Sending failed: ! and retry.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    pub user: UserId,
    pub display_name: Option<String>,
    pub bio: Option<String>,
    pub avatar: Option<String>,
    pub verified: bool,
    /// Was verified, and has other keys now.
    pub changed: bool,
    pub ignored: bool,
    pub presence: Option<Presence>,
    /// Names of the chats the user shares with them.
    pub shared: Vec<String>,
}

/// Whether somebody is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    pub online: bool,
    /// When they last did something, milliseconds since the Unix epoch.
    pub active_ms: Option<u64>,
    /// What they say of themselves.
    pub status: Option<String>,
}
