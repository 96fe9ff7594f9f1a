//! Lists to choose from: opening them, typing in them, and what choosing a row does.

use super::{chats, complain, composer, manage, popups};
use crate::action::Command;
use crate::backend::{AccountId, Item, Listed, Request, account_of};
use crate::effect::{Effect, Timer};
use crate::sanitize::{clean, line};
use crate::state::list::List;
use crate::state::{Popup, State};
use std::time::Duration;

/// Somebody else is asked when nothing was typed for this long.
const ASKED_AFTER: Duration = Duration::from_millis(250);

/// Opens the list that a command is for.
pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    let chat = super::arrange::target(state).filter(|chat| chat.invited_by.is_none());
    let of = match (command, chat) {
        (Command::FindPeople, _) => Listed::People(String::new()),
        (Command::Directory, _) => Listed::Directory(String::new()),
        (Command::SearchEverywhere, _) => Listed::Messages(String::new()),
        (Command::Sessions, _) => Listed::Sessions,
        (Command::Ignored, _) => Listed::Ignored,
        (Command::Members, Some(chat)) => Listed::Members(chat.id),
        (Command::Rights, Some(chat)) => Listed::Rights(chat.id),
        _ => return complain(state, "Open a chat first."),
    };
    open(state, of)
}

/// Opens a list and asks for its rows.
pub(super) fn open(state: &mut State, of: Listed) -> Vec<Effect> {
    let name =
        |id: &str| state.find_chat(id).map_or_else(|| id.to_owned(), |chat| chat.name.clone());
    let title = match &of {
        Listed::Members(chat) => format!("Members of {}", name(chat)),
        Listed::Rights(chat) => format!("Who may do what in {}", name(chat)),
        Listed::People(_) => "Find people".to_owned(),
        Listed::Directory(_) => "Public rooms".to_owned(),
        Listed::Space(space) => format!("Rooms of {}", name(space)),
        Listed::Sessions => "Your sessions".to_owned(),
        Listed::Ignored => "People you ignore".to_owned(),
        Listed::Messages(_) => "Search in all chats".to_owned(),
    };
    let mut list = List::new(of.clone(), title);
    if matches!(of, Listed::Messages(_)) {
        list.others = others(state);
    }
    if matches!(&of, Listed::People(text) | Listed::Messages(text) if text.is_empty()) {
        list.awaited = 0;
        state.popups.push(Popup::List(list));
        return Vec::new();
    }
    state.popups.push(Popup::List(list));
    vec![Effect::Request(Request::List(Some(of)))]
}

/// Where all accounts are shown, those beside the one that is asked.
fn others(state: &State) -> Vec<AccountId> {
    let asker = state.asker();
    let with_session = |id: &AccountId| state.me(*id).is_some();
    match state.chosen {
        Some(_) => Vec::new(),
        None => {
            state.accounts.keys().copied().filter(|id| *id != asker && with_session(id)).collect()
        }
    }
}

/// Tells each account of a list what is wanted of it.
fn request(list: &List, of: Option<&Listed>) -> Vec<Effect> {
    let more = list.others.iter().map(|id| Effect::RequestOf(*id, Request::List(of.cloned())));
    std::iter::once(Effect::Request(Request::List(of.cloned()))).chain(more).collect()
}

fn top(state: &mut State) -> Option<&mut List> {
    match state.popups.last_mut() {
        Some(Popup::List(list)) => Some(list),
        _ => None,
    }
}

pub(super) fn run_in_list(state: &mut State, command: Command) -> Vec<Effect> {
    let Some(list) = top(state) else { return Vec::new() };
    let last = list.shown().len().saturating_sub(1);
    match command {
        Command::Cancel => {
            let mut effects = request(list, None);
            effects.push(Effect::Stop(Timer::Ask));
            state.popups.pop();
            return effects;
        }
        Command::Open => {
            let chosen = list.chosen().cloned();
            return match chosen {
                Some(item) => choose(state, item),
                None => ask(state),
            };
        }
        Command::Next => list.selected = (list.selected + 1).min(last),
        Command::Previous => list.selected = list.selected.saturating_sub(1),
        Command::PageDown => list.selected = (list.selected + 10).min(last),
        Command::PageUp => list.selected = list.selected.saturating_sub(10),
        command => {
            composer::walk(&mut list.query, command);
            return typed(state);
        }
    }
    Vec::new()
}

pub(super) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let Some(list) = top(state) else { return Vec::new() };
    list.query.insert(&line(text));
    typed(state)
}

fn typed(state: &mut State) -> Vec<Effect> {
    let Some(list) = top(state) else { return Vec::new() };
    let asks = list.asks();
    if asks.as_ref() == Some(&list.of) {
        return Vec::new();
    }
    list.selected = 0;
    if asks.is_none() { Vec::new() } else { vec![Effect::Start(Timer::Ask, ASKED_AFTER)] }
}

/// Asks for what is typed now.
pub(super) fn ask(state: &mut State) -> Vec<Effect> {
    let Some(list) = top(state) else { return Vec::new() };
    let Some(of) = list.asks() else { return Vec::new() };
    list.of = of.clone();
    list.awaited = 1 + list.others.len();
    let mut effects = request(list, Some(&of));
    effects.push(Effect::Stop(Timer::Ask));
    effects
}

/// The rows of a list came, or one account's part of them; it may have been closed or be another by now.
pub(super) fn take(
    state: &mut State,
    account: AccountId,
    of: &Listed,
    items: Vec<Item>,
) -> Vec<Effect> {
    let list = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::List(list) if list.of == *of && list.is_of(account) => Some(list),
        _ => None,
    });
    if let Some(list) = list {
        list.items.retain(|item| is_of_another(item, account));
        list.items.extend(items.into_iter().map(clean_item));
        if !list.others.is_empty() {
            list.items.sort_by_key(|item| std::cmp::Reverse(at_ms(item)));
        }
        list.awaited = list.awaited.saturating_sub(1);
        list.selected = list.selected.min(list.shown().len().saturating_sub(1));
    }
    Vec::new()
}

/// Nothing is awaited of the account any more: something failed.
pub(super) fn failed(state: &mut State, account: AccountId) {
    for popup in &mut state.popups {
        if let Popup::List(list) = popup
            && list.is_of(account)
        {
            list.awaited = list.awaited.saturating_sub(1);
        }
    }
}

/// Only of messages there may be several accounts' in one list.
fn is_of_another(item: &Item, account: AccountId) -> bool {
    matches!(item, Item::Message(hit) if account_of(&hit.chat) != account)
}

fn at_ms(item: &Item) -> u64 {
    match item {
        Item::Message(hit) => hit.at_ms,
        _ => 0,
    }
}

fn clean_item(mut item: Item) -> Item {
    match &mut item {
        Item::Member(member) => {
            member.user = line(&member.user);
            member.name = line(&member.name);
        }
        Item::Right(_) => {}
        Item::Person(person) => {
            person.user = line(&person.user);
            person.name = person.name.take().map(|name| line(&name));
        }
        Item::Room(room) => {
            room.address = line(&room.address);
            room.name = line(&room.name);
            room.topic = room.topic.take().map(|topic| line(&topic));
        }
        Item::Session(session) => {
            session.id = line(&session.id);
            session.name = line(&session.name);
            session.ip = session.ip.take().map(|ip| line(&ip));
        }
        Item::Ignored(user) => *user = line(user),
        Item::Message(hit) => {
            hit.sender = line(&hit.sender);
            hit.text = clean(&hit.text);
        }
    }
    item
}

fn choose(state: &mut State, item: Item) -> Vec<Effect> {
    let of = top(state).map(|list| list.of.clone());
    match (item, of) {
        (Item::Member(member), Some(Listed::Members(chat))) => {
            manage::show_member(state, chat, member)
        }
        (Item::Right(right), Some(Listed::Rights(chat))) => {
            manage::ask_for_right(state, chat, &right)
        }
        (Item::Person(person), _) => popups::show_profile(state, Some(person.user)),
        (Item::Room(room), _) => manage::show_room(state, room),
        (Item::Session(session), _) => manage::show_session(state, session),
        (Item::Ignored(user), _) => popups::show_profile(state, Some(user)),
        (Item::Message(hit), _) => {
            state.popups.clear();
            chats::open_at(state, &hit.chat, &hit.event)
        }
        _ => Vec::new(),
    }
}
