//! Arranging one's own list: pinning, archiving, notifications, previews, marking unread, and the tabs.

use super::popups;
use crate::action::Command;
use crate::backend::{Arrange, Chat, ChatId, NotifyLevel, Request, account_of};
use crate::effect::Effect;
use crate::settings::Previews;
use crate::state::form::{Form, FormKind, Press, button};
use crate::state::{Pane, State};

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::NextFilter => return step_filter(state, true),
        Command::PreviousFilter => return step_filter(state, false),
        _ => {}
    }
    let Some(chat) = target(state) else { return super::complain(state, "Choose a chat first.") };
    if chat.invited_by.is_some() {
        return super::complain(state, "Accept the invitation first.");
    }
    let id = chat.id.clone();
    match command {
        Command::PinChat if chat.pinned => ask(Arrange::Unpin { chat: id }),
        Command::PinChat => {
            let pinned = pinned(state, &id);
            let chats = std::iter::once(id).chain(pinned).collect();
            ask(Arrange::Pin { chats })
        }
        Command::PinUp => move_pin(state, &id, true),
        Command::PinDown => move_pin(state, &id, false),
        Command::ArchiveChat => {
            let archived = !chat.archived;
            let mut effects = ask(Arrange::Archive { chat: id, archived });
            let said =
                if archived { "Archived; > shows the archive." } else { "Back in the list." };
            effects.extend(super::notice(state, said));
            effects
        }
        Command::Notify => ask_for_level(state, &chat),
        Command::Previews => switch_previews(state, &chat),
        Command::MarkUnread => ask(Arrange::MarkUnread { chat: id }),
        _ => Vec::new(),
    }
}

fn ask(arrange: Arrange) -> Vec<Effect> {
    vec![Effect::Request(Request::Arrange(arrange))]
}

/// The chat that the keys are about: the selected one in the list, elsewhere the open one.
pub(super) fn target(state: &State) -> Option<Chat> {
    let open = state.open.as_ref().map(|open| &open.chat);
    let id = match state.pane {
        Pane::List => state.selected.as_ref().or(open),
        Pane::History | Pane::Composer => open.or(state.selected.as_ref()),
    };
    id.and_then(|id| state.find_chat(id)).cloned()
}

/// The pinned chats of the account that `chat` is in: each keeps its own.
fn pinned(state: &State, chat: &str) -> Vec<ChatId> {
    let pinned = state.chats.iter().filter(|chat| chat.pinned).map(|chat| chat.id.clone());
    pinned.filter(|other| account_of(other) == account_of(chat)).collect()
}

fn move_pin(state: &mut State, chat: &str, up: bool) -> Vec<Effect> {
    let mut chats = pinned(state, chat);
    let Some(at) = chats.iter().position(|id| id == chat) else {
        return super::complain(state, "Pin the chat first: p.");
    };
    let to = if up { at.checked_sub(1) } else { Some(at + 1).filter(|to| *to < chats.len()) };
    let Some(to) = to else { return Vec::new() };
    chats.swap(at, to);
    ask(Arrange::Pin { chats })
}

fn step_filter(state: &mut State, forward: bool) -> Vec<Effect> {
    let filters = state.filters();
    let at = filters.iter().position(|filter| *filter == state.filter).unwrap_or(0);
    let count = filters.len();
    let to = if forward { (at + 1) % count } else { (at + count - 1) % count };
    state.filter = filters.into_iter().nth(to).unwrap_or_default();
    state.list_top = 0;
    if state.index_of_selected().is_none() {
        state.selected = state.listed().first().map(|chat| chat.id.clone());
    }
    Vec::new()
}

fn ask_for_level(state: &mut State, chat: &Chat) -> Vec<Effect> {
    let now = match chat.notify {
        None => "as for all chats",
        Some(NotifyLevel::Everything) => "every message",
        Some(NotifyLevel::Mentions) => "only what mentions you",
        Some(NotifyLevel::Nothing) => "nothing",
    };
    let buttons = vec![
        button("Everything", Press::Notify(Some(NotifyLevel::Everything))),
        button("Mentions", Press::Notify(Some(NotifyLevel::Mentions))),
        button("Nothing", Press::Notify(Some(NotifyLevel::Nothing))),
        button("As usual", Press::Notify(None)),
        popups::CANCEL,
    ];
    let form = Form::new(FormKind::Notify(chat.id.clone()), "Notifications", Vec::new(), buttons);
    popups::show(state, form.intro([format!("{}: you hear of {now}.", chat.name)]))
}

fn switch_previews(state: &mut State, chat: &Chat) -> Vec<Effect> {
    if chat.encrypted {
        let reason = "Links in encrypted chats have no previews: the server must not know of them.";
        return super::complain(state, reason);
    }
    if state.settings.previews == Previews::Never {
        return super::complain(state, "The settings say: previews = \"never\".");
    }
    let shown = chat.no_previews;
    let mut effects = ask(Arrange::Previews { chat: chat.id.clone(), shown });
    let said = if shown { "Links have previews here again." } else { "No more previews here." };
    effects.extend(super::notice(state, said));
    effects
}

/// The level was chosen.
pub(super) fn notify(chat: ChatId, level: Option<NotifyLevel>) -> Vec<Effect> {
    ask(Arrange::Notify { chat, level })
}
