//! Opening popups: questions and forms over the chat screen, the switcher, the help.

use super::{chats, complain};
use crate::action::Command;
use crate::backend::{
    Chat, ChatId, Message, Profile, Recovery, Request, Secret, UserId, Verification,
};
use crate::effect::Effect;
use crate::keymap;
use crate::state::field::TextField;
use crate::state::form::{Button, FieldName, Form, FormKind, Press, button, field};
use crate::state::{Found, Popup, State};

const CLOSE: Button = button("Close", Press::Close, 'c');
const CANCEL: Button = button("Cancel", Press::Close, 'c');

fn show(state: &mut State, form: Form) -> Vec<Effect> {
    state.popups.push(Popup::Form(form));
    Vec::new()
}

/// Opens what a command asks for.
pub(super) fn open(state: &mut State, command: Command) -> Vec<Effect> {
    let chat = state.open.as_ref().map(|open| open.chat.clone()).or_else(|| state.selected.clone());
    match (command, chat) {
        (Command::Switcher, _) => {
            state.popups.push(Popup::Switcher { query: TextField::default(), selected: 0 });
            Vec::new()
        }
        (Command::NewChat, _) => {
            let who =
                field(FieldName::User, "Person", "").advice("Their id, such as @bob:example.org.");
            show(
                state,
                Form::new(
                    FormKind::NewChat,
                    "New chat",
                    vec![who, encrypted()],
                    vec![button("Start", Press::Submit, 's'), CANCEL],
                ),
            )
        }
        (Command::NewGroup, _) => {
            let name = field(FieldName::Name, "Name", "");
            let members = field(FieldName::Members, "Members", "").advice(
                "Ids such as @bob:example.org, separated by spaces. More can be invited later.",
            );
            show(
                state,
                Form::new(
                    FormKind::NewGroup,
                    "New group",
                    vec![name, members, encrypted()],
                    vec![button("Create", Press::Submit, 'r'), CANCEL],
                ),
            )
        }
        (Command::JoinRoom, _) => {
            let room = field(FieldName::Room, "Address", "").advice("Such as #garden:example.org.");
            show(
                state,
                Form::new(
                    FormKind::JoinRoom,
                    "Join",
                    vec![room],
                    vec![button("Join", Press::Submit, 'j'), CANCEL],
                ),
            )
        }
        (Command::OwnProfile, _) => show_profile(state, None),
        (Command::Encryption, _) => show_encryption(state),
        (Command::LogOut, _) => {
            let form = Form::new(
                FormKind::LogOut,
                "Log out",
                Vec::new(),
                vec![CANCEL, button("Log out", Press::Submit, 'l')],
            );
            show(
                state,
                form.intro([
                    "This removes all keys and messages from this machine.",
                    "Without a recovery key or another device, encrypted messages are lost.",
                ]),
            )
        }
        (_, None) => complain(state, "Open a chat first."),
        (Command::Invite, Some(chat)) => invite(state, chat),
        (Command::SendFile, Some(chat)) => {
            let path = field(FieldName::Path, "File", "")
                .advice("Its path on the machine that Tern runs on.");
            show(
                state,
                Form::new(
                    FormKind::SendFile(chat),
                    "Send a file",
                    vec![path],
                    vec![button("Send", Press::Submit, 's'), CANCEL],
                ),
            )
        }
        (Command::LeaveChat, Some(chat)) => ask_to_leave(state, chat),
        (Command::ChatInfo, Some(chat)) => show_chat_info(state, &chat),
        (_, Some(_)) => Vec::new(),
    }
}

fn encrypted() -> crate::state::form::FormField {
    field(FieldName::Encrypted, "Encrypted", "").switch().advice(
        "Space switches. Encryption can't be switched off later, nor unencrypted messages hidden.",
    )
}

pub(super) fn invite(state: &mut State, chat: ChatId) -> Vec<Effect> {
    let who = field(FieldName::User, "Person", "").advice("Their id, such as @bob:example.org.");
    show(
        state,
        Form::new(
            FormKind::Invite(chat),
            "Invite",
            vec![who],
            vec![button("Invite", Press::Submit, 'i'), CANCEL],
        ),
    )
}

pub(super) fn ask_to_leave(state: &mut State, chat: ChatId) -> Vec<Effect> {
    let name = state.find_chat(&chat).map_or_else(|| chat.clone(), |chat| chat.name.clone());
    let form = Form::new(
        FormKind::LeaveChat(chat),
        "Leave",
        Vec::new(),
        vec![CANCEL, button("Leave", Press::Submit, 'l')],
    );
    show(state, form.intro([format!("Leave {name}? You get no more of its messages.")]))
}

pub(super) fn ask_about_invitation(state: &mut State, chat: &Chat) -> Vec<Effect> {
    let inviter = chat.invited_by.clone().unwrap_or_default();
    let mut intro = vec![format!("{inviter} invites you to {}.", chat.name)];
    intro.extend(chat.topic.clone());
    intro.push(
        if chat.encrypted {
            "Messages there are encrypted."
        } else {
            "Messages there are not encrypted."
        }
        .to_owned(),
    );
    let buttons = vec![
        button("Accept", Press::Submit, 'a'),
        button("Decline", Press::Decline, 'd'),
        button("Later", Press::Close, 'l'),
    ];
    show(
        state,
        Form::new(FormKind::Invitation(chat.id.clone()), "Invitation", Vec::new(), buttons)
            .intro(intro),
    )
}

fn show_chat_info(state: &mut State, id: &str) -> Vec<Effect> {
    let Some(chat) = state.find_chat(id).cloned() else { return Vec::new() };
    let mut intro = vec![chat.name.clone()];
    intro.extend(chat.topic.clone());
    intro.extend(chat.peer.clone());
    intro.push(format!("{} members", chat.members));
    intro.push(
        if chat.encrypted { "🔒 encrypted" } else { "not encrypted: the servers can read it" }
            .to_owned(),
    );
    intro.push(chat.id.clone());
    let mut buttons = vec![CLOSE];
    if chat.peer.is_some() {
        buttons.push(button("Profile", Press::ShowPeer, 'p'));
    }
    buttons.extend([button("Invite", Press::Invite, 'i'), button("Leave", Press::Leave, 'l')]);
    show(
        state,
        Form::new(FormKind::ChatInfo(chat.id), "About this chat", Vec::new(), buttons).intro(intro),
    )
}

/// Asks for a profile and opens its view at once.
pub(super) fn show_profile(state: &mut State, user: Option<UserId>) -> Vec<Effect> {
    let form =
        Form::new(FormKind::Profile { user: user.clone() }, "Profile", Vec::new(), vec![CLOSE]);
    state.popups.push(Popup::Form(Form { busy: Some("Asking the server…"), ..form }));
    vec![Effect::Request(Request::FetchProfile { user })]
}

/// The profile view with what the server said.
pub(super) fn profile_form(profile: &Profile, own: bool) -> Form {
    let mut intro = vec![
        profile.display_name.clone().unwrap_or_else(|| profile.user.clone()),
        profile.user.clone(),
    ];
    if let Some(bio) = profile.bio.as_ref().filter(|bio| !bio.is_empty()) {
        intro.push(String::new());
        intro.extend(bio.lines().map(str::to_owned));
    }
    intro.push(String::new());
    intro.push(if profile.verified { "✓ verified" } else { "not verified yet" }.to_owned());
    let buttons = if own {
        vec![button("Edit", Press::Edit, 'e'), CLOSE]
    } else {
        vec![button("Message", Press::Message, 'm'), button("Verify", Press::Verify, 'v'), CLOSE]
    };
    Form::new(
        FormKind::Profile { user: (!own).then(|| profile.user.clone()) },
        "Profile",
        Vec::new(),
        buttons,
    )
    .intro(intro)
}

/// The form to change one's own profile.
pub(super) fn edit_profile(name: &str, bio: &str) -> Form {
    let fields = vec![
        field(FieldName::Name, "Name", name),
        field(FieldName::Bio, "Bio", bio).advice("A few words about you, for everyone to see."),
    ];
    let mut form = Form::new(
        FormKind::EditProfile,
        "Your profile",
        fields,
        vec![button("Save", Press::Submit, 's'), CANCEL],
    );
    form.focus = 0;
    form
}

pub(super) fn show_message_info(state: &mut State, message: &Message) -> Vec<Effect> {
    let at = message.at_ms;
    let mut intro = vec![
        format!("{} ({})", message.sender_name, message.sender),
        format!("{}, {}", state.zone.day_name(at), state.zone.time(at)),
    ];
    intro.extend(message.warning.clone());
    intro.push(if message.read_by.is_empty() {
        "Nobody's receipt stands here.".to_owned()
    } else {
        format!("Seen by {}", message.read_by.join(", "))
    });
    intro
        .extend(message.reactions.iter().map(|(reaction, count, _)| format!("{reaction} {count}")));
    show(state, Form::new(FormKind::MessageInfo, "Message", Vec::new(), vec![CLOSE]).intro(intro))
}

pub(super) fn ask_to_delete(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    let line = super::history::text_of(message)
        .unwrap_or("this message")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let kind = FormKind::Delete { chat, message: message.key.clone() };
    let buttons = vec![button("Delete", Press::Submit, 'd'), button("Keep", Press::Close, 'k')];
    show(state, Form::new(kind, "Delete for everybody?", Vec::new(), buttons).intro([line]))
}

pub(super) fn ask_for_reaction(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    const CHOICES: [(&str, char); 6] =
        [("👍", '1'), ("❤️", '2'), ("😂", '3'), ("😮", '4'), ("😢", '5'), ("🎉", '6')];
    let kind = FormKind::React { chat, message: message.key.clone() };
    let buttons = CHOICES
        .iter()
        .map(|(reaction, key)| button(reaction, Press::React(reaction), *key))
        .collect();
    let other = field(FieldName::Reaction, "Another", "").advice("Type one and press Enter.");
    let mut form = Form::new(kind, "React", vec![other], buttons)
        .intro(["1 to 6 choose; a reaction of yours is taken back."]);
    form.focus = 1;
    show(state, form)
}

/// The recovery key is to be set up.
pub(super) fn offer_recovery(state: &mut State) {
    let buttons = vec![button("Set it up", Press::SetUp, 's'), button("Later", Press::Close, 'l')];
    let intro = [
        "Your messages are encrypted, and the keys are on this device only.",
        "With a recovery key you can read them on your next device, too.",
        "It takes a moment.",
    ];
    state.popups.push(Popup::Form(
        Form::new(FormKind::OfferRecovery, "Keep your messages", Vec::new(), buttons).intro(intro),
    ));
}

/// The new recovery key, to be written down.
pub(super) fn show_recovery_key(state: &mut State, key: Secret) {
    let intro = [
        "This is your recovery key. It is shown this once:".to_owned(),
        String::new(),
        key.0.clone(),
        String::new(),
        "Write it down or put it in a password manager.".to_owned(),
    ];
    let buttons = vec![
        button("I have written it down", Press::Close, 'w'),
        button("Copy", Press::CopyKey, 'y'),
    ];
    state.popups.push(Popup::Form(
        Form::new(FormKind::RecoveryKey(key), "Your recovery key", Vec::new(), buttons)
            .intro(intro),
    ));
}

/// The recovery key of another device is asked for.
pub(super) fn ask_for_recovery_key(state: &mut State) {
    let key = field(FieldName::Key, "Recovery key", "")
        .secret()
        .advice("Spaces don't matter. Ctrl+T shows what you type.");
    let buttons = vec![
        button("Unlock", Press::Submit, 'u'),
        button("Verify by emoji", Press::Verify, 'v'),
        button("Later", Press::Close, 'l'),
    ];
    let intro = [
        "This device is new: it can't read earlier encrypted messages yet.",
        "Give your recovery key, or verify by emoji with another device of yours.",
    ];
    state.popups.push(Popup::Form(
        Form::new(FormKind::Recover, "Unlock your messages", vec![key], buttons).intro(intro),
    ));
}

fn show_encryption(state: &mut State) -> Vec<Effect> {
    let encryption = state.encryption.clone();
    let recovery = encryption.as_ref().map_or(Recovery::Unknown, |encryption| encryption.recovery);
    let verified = encryption.is_some_and(|encryption| encryption.verified);
    let (words, mut buttons) = match recovery {
        Recovery::Unknown => ("Not known yet: wait until the server has answered.", vec![]),
        Recovery::Disabled => {
            ("There is no recovery key yet.", vec![button("Set it up", Press::SetUp, 's')])
        }
        Recovery::Incomplete => (
            "The recovery key has not been given here.",
            vec![button("Give the key", Press::EnterKey, 'g')],
        ),
        Recovery::Enabled => ("The recovery key is set up; keys are backed up.", vec![]),
    };
    buttons.extend([button("Verify by emoji", Press::Verify, 'v'), CLOSE]);
    let device = state.me.as_ref().map_or("", |me| &me.device);
    let intro = [
        format!(
            "This device ({device}) is {}.",
            if verified { "verified" } else { "not verified" }
        ),
        words.to_owned(),
    ];
    show(state, Form::new(FormKind::Encryption, "Encryption", Vec::new(), buttons).intro(intro))
}

/// Shows where a verification stands, in one popup that follows it.
pub(super) fn show_verification(state: &mut State, verification: &Verification) -> Vec<Effect> {
    close_forms(state, |kind| *kind == FormKind::Verification);
    let stop = button("Cancel", Press::Decline, 'c');
    let (intro, buttons): (Vec<String>, Vec<Button>) = match verification {
        Verification::Requested { by, own } => {
            let who = if *own {
                "Another device of yours asks to verify this one.".to_owned()
            } else {
                format!("{by} asks to verify each other.")
            };
            (
                vec![who],
                vec![button("Accept", Press::Submit, 'a'), button("Decline", Press::Decline, 'd')],
            )
        }
        Verification::Waiting => {
            (vec!["Waiting for the other side: accept there.".to_owned()], vec![stop])
        }
        Verification::Emoji(emoji) => {
            let mut intro = vec![
                "Are these the same on the other device, in this order?".to_owned(),
                String::new(),
            ];
            intro.extend(emoji.iter().map(|(sign, name)| format!("{sign}  {name}")));
            (
                intro,
                vec![
                    button("They match", Press::Submit, 'm'),
                    button("They don't", Press::NoMatch, 'd'),
                ],
            )
        }
        Verification::Confirmed => {
            (vec!["Waiting for the other side to confirm.".to_owned()], vec![stop])
        }
        Verification::Done => return super::notice(state, "Verified."),
        Verification::Cancelled { reason } => {
            return complain(state, format!("Not verified: {reason}"));
        }
    };
    show(state, Form::new(FormKind::Verification, "Verification", Vec::new(), buttons).intro(intro))
}

/// Closes the popups whose form is such.
pub(super) fn close_forms(state: &mut State, such: impl Fn(&FormKind) -> bool) {
    state.popups.retain(|popup| !matches!(popup, Popup::Form(form) if such(&form.kind)));
}

pub(super) fn is_asking_to_quit(state: &State) -> bool {
    state.form().is_some_and(|form| form.kind == FormKind::Quit)
}

pub(super) fn ask_to_quit(state: &mut State) -> Vec<Effect> {
    let buttons = vec![button("Stay", Press::Close, 's'), button("Quit", Press::Submit, 'q')];
    let form = Form::new(FormKind::Quit, "Quit?", Vec::new(), buttons);
    show(
        state,
        form.intro([
            "A message is still waiting to be sent.",
            "It is kept, and goes out when Tern runs again.",
        ]),
    )
}

pub(super) fn show_help(state: &mut State) -> Vec<Effect> {
    if !matches!(state.popups.last(), Some(Popup::Help { .. })) {
        state.popups.push(Popup::Help { top: 0 });
    }
    Vec::new()
}

/// The lines of the help: as many as the table has rows and groups.
fn help_lines() -> usize {
    keymap::GROUPS.iter().map(|(focus, _)| keymap::rows(*focus).len() + 2).sum()
}

pub(super) fn run_in_help(state: &mut State, command: Command) -> Vec<Effect> {
    let page = usize::from(state.size.1.saturating_sub(4)).max(1);
    let last = help_lines().saturating_sub(page);
    if command == Command::Cancel {
        state.popups.pop();
    } else if let Some(Popup::Help { top }) = state.popups.last_mut() {
        *top = match command {
            Command::Next => *top + 1,
            Command::Previous => top.saturating_sub(1),
            Command::PageDown => *top + page,
            Command::PageUp => top.saturating_sub(page),
            Command::First => 0,
            Command::Last => last,
            _ => *top,
        }
        .min(last);
    }
    Vec::new()
}

pub(super) fn run_in_switcher(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(Popup::Switcher { query, selected }) = state.popups.last().cloned() else {
        return Vec::new();
    };
    let found = state.find(query.text());
    match command {
        Command::Cancel => {
            state.popups.pop();
        }
        Command::Open => {
            state.popups.pop();
            return match found.get(selected).cloned() {
                Some(Found::Chat(chat)) => chats::open(state, &chat),
                Some(Found::Command(command, _)) => super::run(state, command),
                None => Vec::new(),
            };
        }
        command => {
            if let Some(Popup::Switcher { query, selected }) = state.popups.last_mut() {
                match command {
                    Command::Next => *selected = (*selected + 1).min(found.len().saturating_sub(1)),
                    Command::Previous => *selected = selected.saturating_sub(1),
                    command => {
                        super::composer::walk(query, command);
                        *selected = 0;
                    }
                }
            }
        }
    }
    Vec::new()
}
