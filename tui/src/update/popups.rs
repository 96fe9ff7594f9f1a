//! Opening popups: questions and forms over the chat screen, the switcher, the help.

use super::{attach, chats, complain, encryption};
use crate::action::Command;
use crate::backend::{
    AccountId, Chat, ChatId, Message, Profile, Request, UserId, account_of, split,
};
use crate::effect::Effect;
use crate::state::field::TextField;
use crate::state::form::{Button, FieldName, Form, FormKind, Press, button, field};
use crate::state::{Found, Pane, Popup, State};

pub(super) const CLOSE: Button = button("Close", Press::Close);
pub(super) const CANCEL: Button = button("Cancel", Press::Close);

pub(super) fn show(state: &mut State, form: Form) -> Vec<Effect> {
    state.popups.push(Popup::Form(form));
    Vec::new()
}

fn new_chat() -> Form {
    let who = field(FieldName::User, "Person", "")
        .advice("Their id, such as @bob:example.org; or a name or email address to look for.");
    let buttons = vec![button("Start", Press::Submit), CANCEL];
    Form::new(FormKind::NewChat, "New chat", vec![who, encrypted()], buttons)
}

fn new_group() -> Form {
    let name = field(FieldName::Name, "Name", "");
    let members = field(FieldName::Members, "Members", "")
        .advice("Ids such as @bob:example.org, separated by spaces. More can be invited later.");
    let buttons = vec![button("Create", Press::Submit), CANCEL];
    Form::new(FormKind::NewGroup, "New group", vec![name, members, encrypted()], buttons)
}

fn join_room() -> Form {
    let room = field(FieldName::Room, "Address", "").advice("Such as #garden:example.org.");
    let buttons =
        vec![button("Join", Press::Submit), button("Ask to be let in", Press::Knock), CANCEL];
    Form::new(FormKind::JoinRoom, "Join", vec![room], buttons)
}

/// Opens what a command asks for.
pub(super) fn open(state: &mut State, command: Command) -> Vec<Effect> {
    let chat = state.open.as_ref().map(|open| open.chat.clone()).or_else(|| state.selected.clone());
    match (command, chat) {
        (Command::Switcher, _) => {
            state.popups.push(Popup::Switcher { query: TextField::default(), selected: 0 });
            Vec::new()
        }
        (Command::Palette, _) => {
            state.popups.push(Popup::Switcher { query: TextField::new(">"), selected: 0 });
            Vec::new()
        }
        (Command::Emoji, _) => {
            state.popups.push(Popup::Switcher { query: TextField::new(":"), selected: 0 });
            Vec::new()
        }
        (Command::NewChat, _) => show(state, new_chat()),
        (Command::NewGroup, _) => show(state, new_group()),
        (Command::JoinRoom, _) => show(state, join_room()),
        (Command::OwnProfile, _) => show_profile(state, None),
        (Command::Encryption, _) => encryption::show_state(state),
        (_, None) => complain(state, "Open a chat first."),
        (Command::Invite, Some(chat)) => invite(state, chat),
        (Command::SendFile, Some(chat)) => show(state, attach::file_form(chat, "", None)),
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
            vec![button("Invite", Press::Submit), CANCEL],
        ),
    )
}

pub(super) fn ask_to_leave(state: &mut State, chat: ChatId) -> Vec<Effect> {
    let name = state.find_chat(&chat).map_or_else(|| chat.clone(), |chat| chat.name.clone());
    let form = Form::new(
        FormKind::LeaveChat(chat),
        "Leave",
        Vec::new(),
        vec![CANCEL, button("Leave", Press::Submit)],
    );
    show(state, form.intro([format!("Leave {name}? You get no more of its messages.")]))
}

pub(super) fn ask_about_invitation(state: &mut State, chat: &Chat) -> Vec<Effect> {
    let name = chat.invited_by.clone().unwrap_or_default();
    let inviter = match &chat.inviter {
        Some(id) if *id != name => format!("{name} ({id})"),
        _ => name,
    };
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
        button("Accept", Press::Submit),
        button("Decline", Press::Decline),
        button("Later", Press::Close),
    ];
    show(
        state,
        Form::new(FormKind::Invitation(chat.id.clone()), "Invitation", Vec::new(), buttons)
            .intro(intro),
    )
}

/// The user waits to be let in: that can be taken back.
pub(super) fn ask_about_knock(state: &mut State, chat: &Chat) -> Vec<Effect> {
    let buttons = vec![CLOSE, button("Take it back", Press::Submit)];
    let form = Form::new(FormKind::Knocked(chat.id.clone()), "Asked", Vec::new(), buttons);
    show(
        state,
        form.intro([format!(
            "You asked to be let into {}. Somebody there has to answer.",
            chat.name
        )]),
    )
}

pub(super) fn show_chat_info(state: &mut State, id: &str) -> Vec<Effect> {
    let Some(chat) = state.find_chat(id).cloned() else { return Vec::new() };
    let mut intro = vec![chat.name.clone()];
    intro.extend(chat.topic.clone());
    intro.extend(chat.peer.clone());
    intro.push(format!("{} members", chat.members));
    intro.push(
        if chat.encrypted { "🔒 encrypted" } else { "not encrypted: the servers can read it" }
            .to_owned(),
    );
    intro.push(split(&chat.id).1.to_owned());
    let mut buttons = vec![CLOSE];
    if chat.peer.is_some() {
        buttons.push(button("Profile", Press::ShowPeer));
    }
    buttons.extend([
        button("Shared", Press::Shared),
        button("Members", Press::Members),
        button("Invite", Press::Invite),
        button("Notify", Press::Notifications),
    ]);
    if !chat.encrypted {
        buttons.push(button("Previews", Press::Previews));
    }
    buttons.extend([
        button("Edit", Press::Edit),
        button("Rights", Press::Rights),
        button("Report", Press::Report),
        button("Leave", Press::Leave),
    ]);
    show(
        state,
        Form::new(FormKind::ChatInfo(chat.id), "About this chat", Vec::new(), buttons).intro(intro),
    )
}

/// Asks for a profile and opens its view at once.
pub(super) fn show_profile(state: &mut State, user: Option<UserId>) -> Vec<Effect> {
    let form = Form::new(
        FormKind::Profile { user: user.clone(), shown: None },
        "Profile",
        Vec::new(),
        vec![CLOSE],
    );
    state.popups.push(Popup::Form(Form { busy: Some("Asking the server…"), ..form }));
    vec![Effect::Request(Request::FetchProfile { user })]
}

/// The direct chat with somebody, if there is one.
pub(super) fn direct_chat(state: &State, account: AccountId, user: &str) -> Option<ChatId> {
    let with = |chat: &&Chat| {
        account_of(&chat.id) == account
            && chat.peer.as_deref() == Some(user)
            && chat.invited_by.is_none()
    };
    state.chats.iter().map(AsRef::as_ref).find(with).map(|chat| chat.id.clone())
}

/// The profile view with what the server said.
pub(super) fn profile_form(
    state: &State,
    account: AccountId,
    profile: &Profile,
    own: bool,
) -> Form {
    let mut intro = vec![
        profile.display_name.clone().unwrap_or_else(|| profile.user.clone()),
        profile.user.clone(),
    ];
    if let Some(bio) = profile.bio.as_ref().filter(|bio| !bio.is_empty()) {
        intro.push(String::new());
        intro.extend(bio.lines().map(str::to_owned));
    }
    intro.push(String::new());
    intro.extend(profile.presence.as_ref().map(|presence| state.presence_words(presence)));
    if !profile.shared.is_empty() {
        intro.push(format!("Both in: {}", profile.shared.join(", ")));
    }
    let trust = match (profile.changed, profile.verified) {
        (true, _) => "⚠ their keys are not the ones you knew: ask them, then verify or accept",
        (false, true) => "✓ verified",
        (false, false) => "not verified yet",
    };
    intro.push(trust.to_owned());
    if profile.ignored {
        intro.push("You ignore them: what they write is not shown.".to_owned());
    }
    let buttons = if own {
        vec![button("Edit", Press::Edit), CLOSE]
    } else {
        let mut buttons = vec![button("Message", Press::Message), button("Verify", Press::Verify)];
        if profile.changed {
            buttons.push(button("It's fine", Press::AcceptIdentity));
        }
        if direct_chat(state, account, &profile.user).is_some() {
            buttons.push(button("Shared", Press::Shared));
        }
        buttons.push(if profile.ignored {
            button("Stop ignoring", Press::Ignore(false))
        } else {
            button("Ignore", Press::Ignore(true))
        });
        buttons.push(CLOSE);
        buttons
    };
    Form::new(
        FormKind::Profile {
            user: (!own).then(|| profile.user.clone()),
            shown: Some(Box::new(profile.clone())),
        },
        "Profile",
        Vec::new(),
        buttons,
    )
    .intro(intro)
}

/// Stands for the end of a line in a field of one row.
const LINE_END: char = '⏎';

/// Text of several lines for a field of one row.
pub(super) fn one_row(text: &str) -> String {
    text.replace('\n', &LINE_END.to_string())
}

/// The text that a field of one row stands for.
pub(super) fn many_lines(text: &str) -> String {
    text.replace(LINE_END, "\n")
}

/// The form to change one's own profile.
pub(super) fn edit_profile(profile: Box<Profile>) -> Form {
    let text = |text: &Option<String>| one_row(text.as_deref().unwrap_or_default().trim());
    let fields = vec![
        field(FieldName::Name, "Name", &text(&profile.display_name)),
        field(FieldName::Bio, "Bio", &text(&profile.bio))
            .advice("A few words about you, for everyone to see. ⏎ begins another line: Ctrl+J."),
    ];
    let mut form = Form::new(
        FormKind::EditProfile(profile),
        "Your profile",
        fields,
        vec![button("Save", Press::Submit), CANCEL],
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

pub(super) fn ask_for_date(state: &mut State) -> Vec<Effect> {
    let Some(chat) = state.open.as_ref().map(|open| open.chat.clone()) else {
        return complain(state, "Open a chat first.");
    };
    let day = field(FieldName::Day, "Day", "").advice("Such as 2026-03-31; 3-31 is this year's.");
    let buttons = vec![button("Go on", Press::Submit), CANCEL];
    show(state, Form::new(FormKind::GoToDate(chat), "Go to a date", vec![day], buttons))
}

pub(super) fn ask_for_reaction(state: &mut State, chat: ChatId, message: &Message) -> Vec<Effect> {
    const CHOICES: [&str; 6] = ["👍", "❤️", "😂", "😮", "😢", "🎉"];
    let kind = FormKind::React { chat, message: message.key.clone() };
    let buttons = CHOICES.iter().map(|reaction| button(reaction, Press::React(reaction))).collect();
    let other = field(FieldName::Reaction, "Another", "").advice("Type one and press Enter.");
    let mut form = Form::new(kind, "React", vec![other], buttons)
        .intro(["1 to 6 choose; a reaction of yours is taken back."]);
    form.focus = 1;
    show(state, form)
}

/// Closes the popups of an account whose form is such.
pub(super) fn close_forms(state: &mut State, account: AccountId, such: impl Fn(&FormKind) -> bool) {
    let such = |form: &Form| form.account == Some(account) && such(&form.kind);
    state.popups.retain(|popup| !matches!(popup, Popup::Form(form) if such(form)));
}

pub(super) fn is_asking_to_quit(state: &State) -> bool {
    state.form().is_some_and(|form| form.kind == FormKind::Quit)
}

pub(super) fn ask_to_quit(state: &mut State) -> Vec<Effect> {
    let buttons = vec![button("Stay", Press::Close), button("Quit", Press::Submit)];
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
fn help_lines(state: &State) -> usize {
    state.settings.keymap.pages().iter().map(|(_, rows)| rows.len() + 2).sum()
}

pub(super) fn run_in_help(state: &mut State, command: Command) -> Vec<Effect> {
    let page = usize::from(state.size.1.saturating_sub(4)).max(1);
    let last = help_lines(state).saturating_sub(page);
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
                Some(Found::Emoji(emoji, _)) => {
                    state.pane = Pane::Composer;
                    super::composer::type_text(state, emoji)
                }
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
