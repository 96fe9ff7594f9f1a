//! Forms and questions: fields to fill in, a line about what is wrong, buttons. First-run screens and popups are made of them.

use super::field::TextField;
use crate::backend::{
    AccountId, Attachment, Chat, ChatId, Code, DeviceInfo, MessageKey, NotifyLevel, Profile,
    RightName, UserId,
};
use crate::keymap;
use crate::pictures::Slot;
use ratatui::style::Color;
use std::borrow::Cow;

/// A form on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub kind: FormKind,
    pub title: String,
    /// A picture above everything else, or the room for one.
    pub picture: Option<Slot>,
    /// What this is about, above the fields.
    pub intro: Vec<String>,
    /// An address below that, and the mark that makes it a link.
    pub link: Option<(String, Color)>,
    /// A QR code beside all of it.
    pub code: Option<Code>,
    pub fields: Vec<FormField>,
    pub buttons: Vec<Button>,
    /// Index into the fields, then the buttons.
    pub focus: usize,
    /// What went wrong and what to do next, where it belongs to no field.
    pub error: Option<String>,
    /// What is being waited for.
    pub busy: Option<&'static str>,
    /// It came while something else was being typed: no button has the focus and no letter presses one until it is gone to.
    pub unasked: bool,
    /// The account it is about; set when it is shown.
    pub account: Option<AccountId>,
}

/// Which form it is.
#[derive(Debug, Clone, PartialEq)]
pub enum FormKind {
    FindServer,
    Entrance,
    LogIn,
    Register,
    MailCode,
    MailLink,
    CantOpen,
    Terms,
    ResetEmail,
    ResetCode {
        code: bool,
    },
    /// In a browser, by the provider of this name.
    Sso(String),
    NewChat,
    NewGroup,
    JoinRoom,
    Invite(ChatId),
    Invitation(ChatId),
    /// `text`: what it was pasted as.
    SendFile {
        chat: ChatId,
        text: Option<String>,
    },
    /// The same for several, or for a picture that has no path.
    SendFiles {
        chat: ChatId,
        files: Vec<Attachment>,
        text: Option<String>,
    },
    LongPaste {
        chat: ChatId,
        text: String,
    },
    TooLong {
        chat: ChatId,
        text: String,
    },
    SaveFile {
        chat: ChatId,
        message: MessageKey,
        name: String,
    },
    Transfers,
    ChatInfo(ChatId),
    LeaveChat(ChatId),
    Notify(ChatId),
    /// What is being changed.
    Describe(Box<Chat>),
    AddToSpace(ChatId),
    NewChannel,
    NewSpace,
    Member {
        chat: ChatId,
        user: UserId,
    },
    Role {
        chat: ChatId,
        user: UserId,
    },
    SetRight {
        chat: ChatId,
        right: RightName,
    },
    /// A room of the directory or a space.
    Room {
        address: String,
        id: ChatId,
    },
    Knock(String),
    /// The user waits to be let in there.
    Knocked(ChatId),
    Session(Box<DeviceInfo>),
    RenameSession(String),
    EndSession(String),
    Report {
        chat: ChatId,
        message: Option<MessageKey>,
    },
    Locked,
    SetPasscode,
    RotateRecovery,
    ResetIdentity,
    ExportKeys,
    ImportKeys,
    /// `None`: one's own. `shown`: what the server said.
    Profile {
        user: Option<UserId>,
        shown: Option<Box<Profile>>,
    },
    /// What is being changed.
    EditProfile(Box<Profile>),
    MessageInfo,
    GoToDate(ChatId),
    React {
        chat: ChatId,
        message: MessageKey,
    },
    OfferRecovery,
    OfferVerification,
    RecoveryKey(crate::backend::Secret),
    Recover,
    Encryption,
    Verification,
    LogOut,
    Quit,
}

impl FormKind {
    /// The chat it is about.
    pub fn chat(&self) -> Option<&ChatId> {
        match self {
            FormKind::Invite(chat)
            | FormKind::Invitation(chat)
            | FormKind::SendFile { chat, .. }
            | FormKind::SendFiles { chat, .. }
            | FormKind::LongPaste { chat, .. }
            | FormKind::TooLong { chat, .. }
            | FormKind::SaveFile { chat, .. }
            | FormKind::ChatInfo(chat)
            | FormKind::LeaveChat(chat)
            | FormKind::Notify(chat)
            | FormKind::AddToSpace(chat)
            | FormKind::Member { chat, .. }
            | FormKind::Role { chat, .. }
            | FormKind::SetRight { chat, .. }
            | FormKind::Knocked(chat)
            | FormKind::Report { chat, .. }
            | FormKind::GoToDate(chat)
            | FormKind::React { chat, .. } => Some(chat),
            FormKind::Describe(chat) => Some(&chat.id),
            FormKind::Room { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether it is about the client itself, whoever is logged in.
    pub fn is_of_client(&self) -> bool {
        matches!(
            self,
            FormKind::Transfers | FormKind::Locked | FormKind::SetPasscode | FormKind::Quit
        )
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct FormField {
    pub name: FieldName,
    pub label: &'static str,
    pub kind: FieldKind,
    pub input: TextField,
    /// A word of advice below the field while it has the focus.
    pub advice: &'static str,
    /// May be left empty.
    pub optional: bool,
    pub error: Option<String>,
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldName {
    Server,
    User,
    Email,
    Password,
    Token,
    Code,
    Name,
    Members,
    Encrypted,
    Room,
    Path,
    Day,
    Caption,
    Topic,
    Public,
    Reason,
    Bio,
    Key,
    Reaction,
    LoginToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Shown as dots until revealed.
    Secret,
    /// A secret shown as typed.
    Revealed,
    On,
    Off,
}

/// A button with what pressing it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub label: Cow<'static, str>,
    pub press: Press,
}

impl Button {
    /// Presses it while no text field has the focus.
    pub fn letter(&self) -> Option<char> {
        match self.press {
            // A name that the server chose is in no table.
            Press::ToSso(index) => {
                let number = u32::try_from(index).ok().filter(|index| *index < 9)?;
                char::from_digit(number + 1, 10)
            }
            _ => keymap::letter(&self.label),
        }
    }
}

/// What pressing a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Does what the form is for.
    Submit,
    /// Closes the form, or one step back on a first-run screen.
    Close,
    ToLogIn,
    ToRegister,
    ToReset,
    ToFindServer,
    /// Log in with this one of the server's providers.
    ToSso(usize),
    CopyLink,
    Quit,
    /// Another mail, for the same.
    NewMail,
    Decline,
    Edit,
    Message,
    Invite,
    Leave,
    ShowPeer,
    Shared,
    Verify,
    EnterKey,
    SetUp,
    CopyKey,
    NoMatch,
    CompareEmoji,
    AsText,
    AsCode,
    AsFile,
    Stop,
    React(&'static str),
    Notify(Option<NotifyLevel>),
    Notifications,
    Previews,
    Members,
    Rights,
    Report,
    Profile,
    Role,
    SetLevel(i64),
    Remove,
    Ban,
    Unban,
    LetIn,
    Knock,
    Rename,
    EndSession,
    Ignore(bool),
    AcceptIdentity,
    RemovePasscode,
    Rotate,
    Reset,
    ExportKeys,
    ImportKeys,
}

/// A button; its letter stands in the table of keys.
pub const fn button(label: &'static str, press: Press) -> Button {
    Button { label: Cow::Borrowed(label), press }
}

/// A field with `text` in it.
pub fn field(name: FieldName, label: &'static str, text: &str) -> FormField {
    FormField {
        name,
        label,
        kind: FieldKind::Text,
        input: TextField::new(text),
        advice: "",
        optional: false,
        error: None,
    }
}

impl FormField {
    /// The same, for a password or key.
    pub fn secret(self) -> FormField {
        FormField { kind: FieldKind::Secret, ..self }
    }

    /// The same, as a switch.
    pub fn switch(self) -> FormField {
        FormField { kind: FieldKind::On, ..self }
    }

    /// The same with a word of advice.
    pub fn advice(self, advice: &'static str) -> FormField {
        FormField { advice, ..self }
    }

    /// The same, as one that may be left empty.
    pub fn optional(self) -> FormField {
        FormField { optional: true, ..self }
    }

    pub fn is_switch(&self) -> bool {
        matches!(self.kind, FieldKind::On | FieldKind::Off)
    }
}

impl Form {
    /// A form with the focus on its first empty field, or else on its first button.
    pub fn new(
        kind: FormKind,
        title: impl Into<String>,
        fields: Vec<FormField>,
        buttons: Vec<Button>,
    ) -> Form {
        let focus = fields
            .iter()
            .position(|field| !field.is_switch() && field.input.is_empty())
            .unwrap_or(fields.len());
        Form {
            kind,
            title: title.into(),
            picture: None,
            intro: Vec::new(),
            link: None,
            code: None,
            fields,
            buttons,
            focus,
            error: None,
            busy: None,
            unasked: false,
            account: None,
        }
    }

    /// The same, as one that nobody asked for: what is typed as it comes must not answer it.
    pub fn unasked(mut self) -> Form {
        self.unasked = true;
        self.focus = self.stops();
        self
    }

    /// Whether the letter of a button presses it now.
    pub fn takes_letters(&self) -> bool {
        !self.unasked || self.focus < self.stops()
    }

    /// The same with lines above the fields.
    pub fn intro(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Form {
        self.intro = lines.into_iter().map(Into::into).collect();
        self
    }

    pub fn focused_field(&self) -> Option<&FormField> {
        self.fields.get(self.focus)
    }

    pub fn focused_field_mut(&mut self) -> Option<&mut FormField> {
        self.fields.get_mut(self.focus)
    }

    pub fn focused_button(&self) -> Option<&Button> {
        self.focus.checked_sub(self.fields.len()).and_then(|index| self.buttons.get(index))
    }

    /// The text of a field, trimmed unless it is a secret; empty when there is no such field.
    pub fn value(&self, name: FieldName) -> String {
        let field = self.fields.iter().find(|field| field.name == name);
        field.map_or_else(String::new, |field| match field.kind {
            FieldKind::Secret | FieldKind::Revealed => field.input.text().to_owned(),
            FieldKind::Text | FieldKind::On | FieldKind::Off => {
                field.input.text().trim().to_owned()
            }
        })
    }

    pub fn is_on(&self, name: FieldName) -> bool {
        self.fields.iter().any(|field| field.name == name && field.kind == FieldKind::On)
    }

    /// Puts an error on a field and the focus there; on the form when there is no such field.
    pub fn refuse(&mut self, name: FieldName, reason: impl Into<String>) {
        self.busy = None;
        match self.fields.iter().position(|field| field.name == name) {
            Some(index) => {
                self.focus = index;
                if let Some(field) = self.fields.get_mut(index) {
                    field.error = Some(reason.into());
                }
            }
            None => self.error = Some(reason.into()),
        }
    }

    /// Forgets what was wrong.
    pub fn forgive(&mut self) {
        self.error = None;
        for field in &mut self.fields {
            field.error = None;
        }
    }

    fn stops(&self) -> usize {
        (self.fields.len() + self.buttons.len()).max(1)
    }

    pub fn next(&mut self) {
        self.focus = if self.focus >= self.stops() { 0 } else { (self.focus + 1) % self.stops() };
    }

    pub fn previous(&mut self) {
        let stops = self.stops();
        self.focus = self.focus.checked_sub(1).unwrap_or(stops - 1).min(stops - 1);
    }
}
