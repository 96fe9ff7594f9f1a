//! A list to choose from.

use crate::backend::{Item, Listed, Membership, account_of};
use crate::state::State;
use crate::state::list::{List, right_name, role_name};
use crate::theme;
use crate::widgets::{frame, list_place, put, put_line};
use crate::width;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Widest a list gets.
const COLUMNS_MAX: u16 = 76;

/// Draws it; gives the place of the cursor in the line to type in.
pub(super) fn draw(state: &State, list: &List, area: Rect, buffer: &mut Buffer) -> Position {
    let area = list_place(area, COLUMNS_MAX, 20);
    let inner = frame(area, &list.title, buffer);
    let used = put(buffer, (inner.x, inner.y), "› ", inner.width, theme::ACCENT);
    let room = inner.width.saturating_sub(used);
    let typed = Rect::new(inner.x + used, inner.y, room, 1);
    let cursor = put_line(buffer, typed, &list.query.line(usize::from(room)));
    let shown = list.shown();
    if shown.is_empty() {
        let text = if list.awaited > 0 { "One moment…" } else { nothing(list) };
        put(buffer, (inner.x, inner.y + 1), text, inner.width, theme::QUIET);
    }
    let rows = usize::from(inner.height.saturating_sub(1)).max(1);
    let top = (list.selected + 1).saturating_sub(rows);
    let below = inner.top() + 1..inner.bottom();
    for (y, (index, item)) in below.zip(shown.iter().enumerate().skip(top)) {
        if index == list.selected {
            buffer.set_style(Rect::new(inner.x, y, inner.width, 1), theme::SELECTED);
        }
        draw_row(state, item, Rect::new(inner.x, y, inner.width, 1), buffer);
    }
    cursor
}

fn nothing(list: &List) -> &'static str {
    match (&list.of, list.query.is_empty()) {
        (Listed::People(_), true) => "Type a name, an email address or an id.",
        (Listed::Messages(_), true) => "Type words to look for.",
        (Listed::People(_), false) => {
            "Nobody found. A whole id such as @bob:example.org always works."
        }
        (Listed::Directory(_), _) => "No public rooms. @example.org looks on another server.",
        (Listed::Ignored, true) => "You ignore nobody.",
        (Listed::Space(_), true) => "No rooms in this space yet.",
        _ => "Nothing matches.",
    }
}

/// What matters at the left, what stands by it at the right.
fn draw_row(state: &State, item: &Item, area: Rect, buffer: &mut Buffer) {
    let (text, quiet, right) = words(state, item);
    let right_columns = u16::try_from(width::columns(&right)).unwrap_or(0).min(area.width / 2);
    let x = area.right() - right_columns;
    put(buffer, (x, area.y), &right, right_columns, theme::QUIET);
    let room = area.width.saturating_sub(right_columns + 1);
    let used = put(buffer, (area.x, area.y), &text, room, theme::PLAIN);
    let rest = room.saturating_sub(used + 2);
    put(buffer, (area.x + used + 2, area.y), &quiet, rest, theme::QUIET);
}

fn words(state: &State, item: &Item) -> (String, String, String) {
    match item {
        Item::Member(member) => {
            let verified = if member.verified { "✓ " } else { "" };
            let right = match member.membership {
                Membership::Joined => role_name(member.level),
                Membership::Invited => "invited".to_owned(),
                Membership::Knocking => "asks to be let in".to_owned(),
                Membership::Banned => "banned".to_owned(),
            };
            (format!("{verified}{}", member.name), member.user.clone(), right)
        }
        Item::Right(right) => {
            let who = match right.level {
                ..=0 => "everybody".to_owned(),
                50 => "moderators".to_owned(),
                100 => "admins".to_owned(),
                level => format!("from level {level}"),
            };
            (right_name(right.what).to_owned(), String::new(), who)
        }
        Item::Person(person) => {
            let name = person.name.clone().unwrap_or_else(|| person.user.clone());
            let id = if name == person.user { String::new() } else { person.user.clone() };
            (name, id, String::new())
        }
        Item::Room(room) => {
            let kind = if room.space { " (space)" } else { "" };
            let joined = if room.joined { "joined" } else { "" };
            let right = format!("{joined} {} members", room.members);
            let about = match &room.topic {
                Some(topic) => format!("{} {topic}", room.address),
                None => room.address.clone(),
            };
            (format!("{}{kind}", room.name), about, right.trim().to_owned())
        }
        Item::Session(session) => {
            let verified = if session.verified { "✓ verified" } else { "not verified" };
            let seen = match session.seen_ms {
                _ if session.own => "this session".to_owned(),
                Some(at) => format!("seen {}", state.zone.short(at, state.now_ms)),
                None => String::new(),
            };
            (session.name.clone(), format!("{} {verified}", session.id), seen)
        }
        Item::Ignored(user) => (user.clone(), String::new(), String::new()),
        Item::Message(hit) => {
            let chat = state.find_chat(&hit.chat);
            let chat = chat.map(|chat| state.marked(&chat.name, account_of(&chat.id)));
            let text = hit.text.lines().next().unwrap_or_default();
            let time = state.zone.short(hit.at_ms, state.now_ms);
            (format!("{}: {text}", hit.sender), chat.unwrap_or_default(), time)
        }
    }
}
