//! What is offered above the composer for the word at its cursor: people, emoji, chats, commands.

use super::State;
use super::field::TextField;
use crate::backend::ChatId;
use crate::fuzzy;
use crate::keymap::Focus;
use crate::presets;

/// At most so many are offered.
pub const OFFERS_MAX: usize = 8;

/// The words on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where in the text the word begins that one of them will replace.
    pub from: usize,
    pub offers: Vec<Offer>,
    pub selected: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub shown: String,
    /// What tells it from others of the same name.
    pub about: String,
    /// What the word becomes.
    pub becomes: String,
}

/// Somebody in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub user: String,
    pub name: String,
}

/// The people of a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    pub chat: ChatId,
    pub people: Vec<Person>,
}

/// The emoji whose names contain `query`.
pub fn find_emoji(query: &str) -> impl Iterator<Item = super::Found> + use<> {
    let query = query.trim().to_lowercase();
    emojis::iter()
        .filter(move |emoji| {
            emoji.name().contains(&query) || emoji.shortcodes().any(|code| code.contains(&query))
        })
        .map(|emoji| super::Found::Emoji(emoji.as_str(), emoji.name()))
}

/// Commands of the composer that take words, with what they take and do. `update/slash.rs` carries them out.
pub const SLASH: &[(&str, &str, &str)] = &[
    ("me", "doing something", "say what you do"),
    ("shrug", "", "¯\\_(ツ)_/¯"),
    ("file", "paths", "send files"),
    ("invite", "@user:server", "invite somebody here"),
    ("join", "#chat:server", "join by address"),
    ("msg", "@user:server", "chat with somebody"),
    ("undo", "", "take back what was just sent"),
    ("theme", "", "next theme"),
];

/// The word that is being written and where it begins.
fn word(field: &TextField) -> (usize, &str) {
    let before = field.before();
    let from = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    });
    (from, before.get(from..).unwrap_or_default())
}

/// Whether the people of the open chat are needed to go on.
pub fn wants_people(state: &State) -> Option<ChatId> {
    let open = state.open.as_ref()?;
    let (_, word) = word(&open.composer.field);
    (word.starts_with('@') && state.people.chat != open.chat).then(|| open.chat.clone())
}

/// What to offer now.
pub fn complete(state: &State) -> Option<Completion> {
    let open = state.open.as_ref()?;
    let (from, word) = word(&open.composer.field);
    let mut chars = word.chars();
    let (first, query) = (chars.next()?, chars.as_str());
    let offers = match first {
        '@' if state.people.chat == open.chat => people(&state.people.people, query),
        ':' if query.chars().count() > 1 => emoji(query),
        '#' => chats(state, query),
        '/' if from == 0 => commands(query),
        _ => Vec::new(),
    };
    let done = offers.is_empty() || offers.iter().any(|offer| offer.becomes.trim_end() == word);
    (!done).then_some(Completion { from, offers, selected: 0 })
}

/// The best of `all`, by how well they match.
fn best(all: impl Iterator<Item = (i64, Offer)>) -> Vec<Offer> {
    let mut all: Vec<(i64, Offer)> = all.collect();
    all.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    all.into_iter().take(OFFERS_MAX).map(|(_, offer)| offer).collect()
}

fn people(people: &[Person], query: &str) -> Vec<Offer> {
    best(people.iter().filter_map(|person| {
        let by_name = fuzzy::score(query, &person.name);
        let score = by_name.max(fuzzy::score(query, person.user.trim_start_matches('@')))?;
        let becomes = format!("{} ", person.user);
        let (shown, about) = (person.name.clone(), person.user.clone());
        Some((score, Offer { shown, about, becomes }))
    }))
}

fn chats(state: &State, query: &str) -> Vec<Offer> {
    best(state.chats.iter().filter_map(|chat| {
        let alias = chat.alias.clone()?;
        let by_name = fuzzy::score(query, &chat.name);
        let score = by_name.max(fuzzy::score(query, alias.trim_start_matches('#')))?;
        let becomes = format!("{alias} ");
        Some((score, Offer { shown: chat.name.clone(), about: alias, becomes }))
    }))
}

fn emoji(query: &str) -> Vec<Offer> {
    let query = query.trim_end_matches(':').to_lowercase();
    best(emojis::iter().filter_map(|emoji| {
        let shortcode = emoji.shortcodes().find(|code| code.contains(&query))?;
        // Whole words first, then those that begin so; short ones before long ones.
        let rank = match shortcode {
            code if code == query => 2000,
            code if code.starts_with(&query) => 1000,
            _ => 0,
        };
        let length = i64::try_from(shortcode.len()).unwrap_or(i64::MAX);
        let becomes = format!("{} ", emoji.as_str());
        let (shown, about) = (emoji.as_str().to_owned(), format!(":{shortcode}:"));
        Some((rank - length, Offer { shown, about, becomes }))
    }))
}

fn commands(query: &str) -> Vec<Offer> {
    let worded = SLASH.iter().map(|(name, takes, does)| {
        let end = if takes.is_empty() { "" } else { " " };
        let shown = format!("/{name}");
        (
            Offer { becomes: format!("{shown}{end}"), about: format!("{takes}  {does}"), shown },
            *name,
        )
    });
    let plain = crate::keymap::BINDINGS.iter().filter(|row| row.focus == Focus::Leader);
    let mut offers: Vec<(i64, Offer)> =
        worded.filter_map(|(offer, name)| Some((fuzzy::score(query, name)?, offer))).collect();
    for row in plain {
        let name = presets::name(row.command);
        if let Some(score) = fuzzy::score(query, &name) {
            let shown = format!("/{name}");
            let offer = Offer { becomes: shown.clone(), about: row.label.to_owned(), shown };
            if !offers.iter().any(|(_, known)| known.shown == offer.shown) {
                offers.push((score, offer));
            }
        }
    }
    best(offers.into_iter())
}
