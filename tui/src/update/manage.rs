//! The forms about people and rooms: a member, a role, a right, a room of the directory, a session.

use super::{chats, lists, popups};
use crate::action::Command;
use crate::backend::{
    Chat, ChatId, ChatKind, DeviceInfo, Listed, Manage, Member, Membership, PublicRoom, Request,
    Right, Secret, account_of, split,
};
use crate::effect::Effect;
use crate::state::form::{FieldName, Form, FormKind, Press, button, field};
use crate::state::list::{right_name, role_name};
use crate::state::{Popup, State};

pub(super) const NO_NAME: (FieldName, &str) = (FieldName::Name, "Give it a name.");

/// Opens what a command asks for.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let chat = super::arrange::target(state);
    match (command, chat) {
        (Command::NewChannel, _) => popups::show(state, new_channel()),
        (Command::NewSpace, _) => popups::show(state, new_space()),
        (Command::SavedMessages, _) => {
            state.awaited_chat = Some(state.front());
            vec![manage(Manage::OpenSaved)]
        }
        (_, None) => super::complain(state, "Open a chat first."),
        (Command::EditChat, Some(chat)) => popups::show(state, describe(&chat)),
        (Command::AddToSpace, Some(chat)) => ask_for_space(state, &chat),
        (Command::ReportChat, Some(chat)) => popups::show(state, report(chat.id, None)),
        (_, Some(_)) => Vec::new(),
    }
}

fn manage(manage: Manage) -> Effect {
    Effect::Request(Request::Manage(manage))
}

fn new_channel() -> Form {
    let name = field(FieldName::Name, "Name", "");
    let topic = field(FieldName::Topic, "What it is about", "").optional();
    let mut public = field(FieldName::Public, "Everybody can find and join it", "")
        .switch()
        .advice("Space switches. Public channels are not encrypted.");
    public.kind = crate::state::form::FieldKind::Off;
    let buttons = vec![button("Create", Press::Submit), popups::CANCEL];
    Form::new(FormKind::NewChannel, "New channel", vec![name, topic, public], buttons)
        .intro(["In a channel you and its moderators write, and everybody reads."])
}

fn new_space() -> Form {
    let name = field(FieldName::Name, "Name", "");
    let buttons = vec![button("Create", Press::Submit), popups::CANCEL];
    Form::new(FormKind::NewSpace, "New space", vec![name], buttons)
        .intro(["A space keeps chats together; it is a tab of the list: < and >."])
}

fn describe(chat: &Chat) -> Form {
    let name = field(FieldName::Name, "Name", &chat.name);
    let topic = field(FieldName::Topic, "Topic", chat.topic.as_deref().unwrap_or_default());
    let buttons = vec![button("Save", Press::Submit), popups::CANCEL];
    let kind = FormKind::Describe(Box::new(chat.clone()));
    let mut form = Form::new(kind, "Name and topic", vec![name, topic.optional()], buttons);
    form.focus = 0;
    form
}

/// The spaces that a chat can be put into: those of its own account.
fn spaces<'a>(state: &'a State, chat: &str) -> impl Iterator<Item = &'a Chat> {
    let account = account_of(chat);
    let chats = state.chats.iter().map(AsRef::as_ref);
    let spaces = chats.filter(|chat: &&Chat| chat.kind == ChatKind::Space);
    spaces.filter(move |space| account_of(&space.id) == account)
}

fn ask_for_space(state: &mut State, chat: &Chat) -> Vec<Effect> {
    let spaces = spaces(state, &chat.id);
    let names: Vec<String> = spaces.map(|space| space.name.clone()).collect();
    let Some(first) = names.first() else {
        return super::complain(state, "There is no space yet: make one first, Space G.");
    };
    let space = field(FieldName::Room, "Space", first);
    let buttons = vec![button("Add", Press::Submit), popups::CANCEL];
    let kind = FormKind::AddToSpace(chat.id.clone());
    let mut form = Form::new(kind, "Add to a space", vec![space], buttons).intro([format!(
        "{} goes into one of: {}.",
        chat.name,
        names.join(", ")
    )]);
    form.focus = 0;
    popups::show(state, form)
}

/// What to tell the server's owner.
pub(super) fn report(chat: ChatId, message: Option<String>) -> Form {
    let reason = field(FieldName::Reason, "What is wrong with it?", "");
    let buttons = vec![button("Report", Press::Submit), popups::CANCEL];
    let what = if message.is_some() { "this message" } else { "this chat" };
    Form::new(FormKind::Report { chat, message }, "Report", vec![reason], buttons)
        .intro([format!("The owner of your server is told of {what} and of your words.")])
}

/// Somebody in a chat, and what can be done about them.
pub(super) fn show_member(state: &mut State, chat: ChatId, member: Member) -> Vec<Effect> {
    let role = match member.membership {
        Membership::Joined => role_name(member.level),
        Membership::Invited => "invited".to_owned(),
        Membership::Knocking => "asks to be let in".to_owned(),
        Membership::Banned => "banned".to_owned(),
    };
    let intro = [member.name.clone(), member.user.clone(), role];
    let mut buttons = vec![popups::CLOSE, button("Profile", Press::Profile)];
    let can = member.can;
    let mut offer = |possible: bool, label, press| {
        if possible {
            buttons.push(button(label, press));
        }
    };
    match member.membership {
        Membership::Joined => {
            offer(can.set_role, "Role", Press::Role);
            offer(can.remove, "Remove", Press::Remove);
            offer(can.ban, "Ban", Press::Ban);
        }
        Membership::Invited => {
            offer(can.remove, "Take back", Press::Remove);
            offer(can.ban, "Ban", Press::Ban);
        }
        Membership::Knocking => {
            offer(can.invite, "Let in", Press::LetIn);
            offer(can.remove, "Turn away", Press::Remove);
            offer(can.ban, "Ban", Press::Ban);
        }
        Membership::Banned => offer(can.ban, "Unban", Press::Unban),
    }
    let kind = FormKind::Member { chat, user: member.user };
    popups::show(state, Form::new(kind, "Member", Vec::new(), buttons).intro(intro))
}

fn ask_for_role(state: &mut State, chat: ChatId, user: String) -> Vec<Effect> {
    let buttons = vec![
        button("Member", Press::SetLevel(0)),
        button("Moderator", Press::SetLevel(50)),
        button("Admin", Press::SetLevel(100)),
        popups::CANCEL,
    ];
    let intro = [format!("{user} becomes:"), "An admin can't be taken back by you.".to_owned()];
    let kind = FormKind::Role { chat, user };
    popups::show(state, Form::new(kind, "Role", Vec::new(), buttons).intro(intro))
}

/// Who may do a thing.
pub(super) fn ask_for_right(state: &mut State, chat: ChatId, right: &Right) -> Vec<Effect> {
    if !right.can_set {
        return super::complain(state, "You may not change that. Ask an admin of this chat.");
    }
    let buttons = vec![
        button("Everybody", Press::SetLevel(0)),
        button("Moderators", Press::SetLevel(50)),
        button("Admins", Press::SetLevel(100)),
        popups::CANCEL,
    ];
    let kind = FormKind::SetRight { chat, right: right.what };
    let form = Form::new(kind, "Who may?", Vec::new(), buttons);
    popups::show(state, form.intro([format!("Who may {}?", right_name(right.what))]))
}

/// A room of the directory or of a space.
pub(super) fn show_room(state: &mut State, room: PublicRoom) -> Vec<Effect> {
    let known = state.find_chat(&room.id).is_some_and(|chat| chat.invited_by.is_none());
    let mut intro = vec![room.name.clone(), room.address.clone()];
    intro.extend(room.topic.clone());
    intro.push(format!("{} members", room.members));
    let buttons = if known {
        vec![button("Open", Press::Submit), popups::CLOSE]
    } else {
        vec![button("Join", Press::Submit), button("Ask to be let in", Press::Knock), popups::CLOSE]
    };
    let kind = FormKind::Room { address: room.address, id: room.id };
    popups::show(state, Form::new(kind, "Room", Vec::new(), buttons).intro(intro))
}

/// Asks for a word with the request to be let in.
pub(super) fn ask_to_knock(state: &mut State, address: String) -> Vec<Effect> {
    let reason = field(FieldName::Reason, "A word about you", "").optional();
    let buttons = vec![button("Ask", Press::Submit), popups::CANCEL];
    let intro = [format!("Somebody in {address} has to let you in.")];
    let form = Form::new(FormKind::Knock(address), "Ask to be let in", vec![reason], buttons);
    popups::show(state, form.intro(intro))
}

/// One of the user's own sessions.
pub(super) fn show_session(state: &mut State, session: DeviceInfo) -> Vec<Effect> {
    let mut intro = vec![session.name.clone(), session.id.clone()];
    intro.extend(
        session
            .seen_ms
            .map(|at| format!("Seen {}, {}", state.zone.day_name(at), state.zone.time(at))),
    );
    intro.extend(session.ip.as_ref().map(|ip| format!("from {ip}")));
    intro.push(if session.verified { "✓ verified" } else { "not verified yet" }.to_owned());
    let mut buttons = vec![popups::CLOSE, button("Rename", Press::Rename)];
    if !session.own {
        if !session.verified {
            buttons.push(button("Verify", Press::Verify));
        }
        buttons.push(button("End it", Press::EndSession));
    }
    let kind = FormKind::Session(Box::new(session));
    popups::show(state, Form::new(kind, "Session", Vec::new(), buttons).intro(intro))
}

fn ask_for_session_name(session: &DeviceInfo) -> Form {
    let name = field(FieldName::Name, "Name", &session.name);
    let buttons = vec![button("Save", Press::Submit), popups::CANCEL];
    let kind = FormKind::RenameSession(session.id.clone());
    let mut form = Form::new(kind, "Rename the session", vec![name], buttons);
    form.focus = 0;
    form
}

fn ask_to_end_session(session: &DeviceInfo) -> Form {
    let password = field(FieldName::Password, "Your password", "")
        .secret()
        .advice("Ctrl+T shows what you type.");
    let buttons = vec![button("End it", Press::Submit), popups::CANCEL];
    let kind = FormKind::EndSession(session.id.clone());
    Form::new(kind, "End a session", vec![password], buttons)
        .intro([format!("{} is logged out, with all its keys.", session.name)])
}

/// Presses a button that is about a chat, its people or the account. The form has been closed.
pub(super) fn press(state: &mut State, press: Press, kind: FormKind) -> Vec<Effect> {
    match (press, kind) {
        (Press::Notify(level), FormKind::Notify(chat)) => super::arrange::notify(chat, level),
        (Press::Notifications, FormKind::ChatInfo(_)) => {
            super::arrange::run(state, Command::Notify)
        }
        (Press::Previews, FormKind::ChatInfo(_)) => super::arrange::run(state, Command::Previews),
        (Press::Members, FormKind::ChatInfo(chat)) => lists::open(state, Listed::Members(chat)),
        (Press::Rights, FormKind::ChatInfo(chat)) => lists::open(state, Listed::Rights(chat)),
        (Press::Edit, FormKind::ChatInfo(chat)) => match state.find_chat(&chat).cloned() {
            Some(chat) => popups::show(state, describe(&chat)),
            None => Vec::new(),
        },
        (Press::Report, FormKind::ChatInfo(chat)) => popups::show(state, report(chat, None)),
        (Press::Profile, FormKind::Member { user, .. }) => popups::show_profile(state, Some(user)),
        (Press::Role, FormKind::Member { chat, user }) => ask_for_role(state, chat, user),
        (Press::Remove, FormKind::Member { chat, user }) => {
            vec![manage(Manage::Remove { chat, user })]
        }
        (Press::Ban, FormKind::Member { chat, user }) => vec![manage(Manage::Ban { chat, user })],
        (Press::Unban, FormKind::Member { chat, user }) => {
            vec![manage(Manage::Unban { chat, user })]
        }
        (Press::LetIn, FormKind::Member { chat, user }) => {
            vec![Effect::Request(Request::Invite { chat, user })]
        }
        (Press::SetLevel(level), FormKind::Role { chat, user }) => {
            vec![manage(Manage::SetLevel { chat, user, level })]
        }
        (Press::SetLevel(level), FormKind::SetRight { chat, right }) => {
            vec![manage(Manage::SetRight { chat, right, level })]
        }
        (Press::Knock, FormKind::Room { address, .. }) => ask_to_knock(state, address),
        (Press::Rename, FormKind::Session(session)) => {
            popups::show(state, ask_for_session_name(&session))
        }
        (Press::EndSession, FormKind::Session(session)) => {
            popups::show(state, ask_to_end_session(&session))
        }
        (Press::Verify, FormKind::Session(_)) => {
            vec![Effect::Request(Request::StartVerification { user: None })]
        }
        (Press::Ignore(ignored), FormKind::Profile { user: Some(user), .. }) => {
            vec![manage(Manage::Ignore { user, ignored })]
        }
        (Press::AcceptIdentity, FormKind::Profile { user: Some(user), .. }) => {
            vec![manage(Manage::AcceptIdentity { user })]
        }
        (press, _) => super::keys::press(state, press),
    }
}

/// What a form asks of the network, or which field is wrong and how; `None` for other forms.
pub(super) fn request_of(
    state: &State,
    form: &Form,
) -> Option<Result<Request, (FieldName, &'static str)>> {
    let text = |name| form.value(name);
    let named = || Some(text(FieldName::Name)).filter(|name| !name.is_empty()).ok_or(NO_NAME);
    let asked = |asked: Result<Manage, (FieldName, &'static str)>| Some(asked.map(Request::Manage));
    match form.kind.clone() {
        FormKind::NewChannel => asked(named().map(|name| Manage::NewChannel {
            name,
            topic: text(FieldName::Topic),
            public: form.is_on(FieldName::Public),
        })),
        FormKind::NewSpace => asked(named().map(|name| Manage::NewSpace { name })),
        FormKind::Describe(chat) => {
            let (name, topic) = (text(FieldName::Name), text(FieldName::Topic));
            asked(Ok(Manage::Describe {
                name: (name != chat.name).then_some(name),
                topic: (topic != chat.topic.unwrap_or_default()).then_some(topic),
                chat: chat.id,
            }))
        }
        FormKind::AddToSpace(chat) => {
            let typed = text(FieldName::Room);
            let is_it = |space: &&Chat| space.name == typed || split(&space.id).1 == typed;
            let space = spaces(state, &chat).find(is_it);
            asked(match space {
                Some(space) => Ok(Manage::AddToSpace { space: space.id.clone(), chat }),
                None => Err((FieldName::Room, "You are in no space of that name.")),
            })
        }
        FormKind::Report { chat, message } => {
            let reason = text(FieldName::Reason);
            let empty = (FieldName::Reason, "Say in a few words what is wrong.");
            asked(if reason.is_empty() {
                Err(empty)
            } else {
                Ok(Manage::Report { chat, message, reason })
            })
        }
        FormKind::Knock(chat) => asked(Ok(Manage::Knock { chat, reason: text(FieldName::Reason) })),
        FormKind::Room { address, .. } => Some(Ok(Request::Join { chat: address })),
        FormKind::RenameSession(device) => {
            asked(named().map(|name| Manage::RenameSession { device, name }))
        }
        FormKind::EndSession(device) => {
            let password = text(FieldName::Password);
            asked(if password.is_empty() {
                Err((FieldName::Password, "Servers want the password for this."))
            } else {
                Ok(Manage::EndSession { device, password: Secret(password) })
            })
        }
        _ => super::keys::request_of(form),
    }
}

/// Submitting a room that is there already opens it. `true`: that was it.
pub(super) fn opens_known(state: &mut State, kind: &FormKind) -> Option<Vec<Effect>> {
    let FormKind::Room { id, .. } = kind else { return None };
    state.find_chat(id).filter(|chat| chat.invited_by.is_none())?;
    let id = id.clone();
    state.popups.retain(|popup| !matches!(popup, Popup::Form(_) | Popup::List(_)));
    Some(chats::open(state, &id))
}
