//! The commands in the finder, with the keys that reach them.

use super::Found;
use crate::action::Command;
use crate::bindings::{Keymap, Row};
use crate::fuzzy;
use crate::keymap::Focus;

/// The commands that match, each once.
pub(super) fn commands(keymap: &Keymap, query: &str) -> Vec<Found> {
    let mut seen = Vec::new();
    let mut found: Vec<(i64, Found)> = keymap
        .all()
        .filter(|row| is_in_palette(row))
        .filter_map(|row| {
            let score = fuzzy::score(query, row.label)?;
            let new = !seen.contains(&row.command);
            seen.push(row.command);
            new.then_some((score, Found::Command(row.command, row.label)))
        })
        .collect();
    if !query.is_empty() {
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    }
    found.into_iter().map(|(_, found)| found).collect()
}

/// Whether the finder offers it: what works wherever the focus is.
fn is_in_palette(row: &Row) -> bool {
    (row.focus == Focus::Leader && row.command != Command::Switcher)
        || (row.focus == Focus::List && row.command.arranges())
}

/// The keys of a command, for the finder: where they hold, if not everywhere.
pub fn keys_of(keymap: &Keymap, command: Command) -> String {
    let mut keys: Vec<String> = Vec::new();
    for row in keymap.all().filter(|row| row.command == command) {
        let key = row.key;
        match row.focus {
            Focus::Chats | Focus::Anywhere => keys.push(key.to_string()),
            Focus::Leader => keys.push(format!("Space {key}")),
            Focus::List => keys.push(format!("{key} in the list")),
            _ => {}
        }
    }
    keys.truncate(2);
    keys.join(", ")
}
