//! The keys in use: the table of `keymap.rs`, with a preset laid over it and what the config file changes.

use crate::action::Command;
use crate::input::Key;
use crate::keymap::{BINDINGS, Focus, GROUPS};
use crate::letters::LETTERS;
use crate::presets::{self, Preset};
use std::sync::LazyLock;

/// One key in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub focus: Focus,
    pub key: Key,
    pub command: Command,
    /// What it does, in a few words.
    pub label: &'static str,
    /// Shown in the hint line of its focus.
    pub hint: bool,
}

/// All keys in use.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    rows: Vec<Row>,
}

impl Default for Keymap {
    fn default() -> Keymap {
        let rows = BINDINGS.iter().filter_map(|row| {
            let key = Key::parse(row.key)?;
            let (focus, command, label, hint) = (row.focus, row.command, row.label, row.hint);
            Some(Row { focus, key, command, label, hint })
        });
        Keymap { rows: rows.collect() }
    }
}

impl Keymap {
    /// The keys of a preset.
    pub fn of(preset: Preset) -> Keymap {
        let mut keymap = Keymap::default();
        for (focus, key, command) in presets::rows(preset) {
            if let Some(key) = Key::parse(key) {
                keymap.bind(*focus, key, *command);
            }
        }
        keymap
    }

    /// Gives a key another meaning.
    pub fn bind(&mut self, focus: Focus, key: Key, command: Command) {
        let hint = self.rows.iter().any(|row| row.focus == focus && row.key == key && row.hint);
        self.unbind(focus, key);
        let label = presets::label(command);
        // Before the others of its command, so that hints and help name the user's own key.
        let shown = self.rows.iter().find(|row| row.focus == focus && row.command == command);
        let hint = hint || shown.is_some_and(|row| row.hint);
        let at = self.rows.iter().position(|row| row.focus == focus && row.command == command);
        if let Some(row) = at.and_then(|at| self.rows.get_mut(at)) {
            row.hint = false;
        }
        self.rows.insert(at.unwrap_or(0), Row { focus, key, command, label, hint });
    }

    /// Takes a key's meaning away.
    pub fn unbind(&mut self, focus: Focus, key: Key) {
        self.rows.retain(|row| row.focus != focus || row.key != key);
    }

    /// Every row.
    pub fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The rows of one focus.
    pub fn of_focus(&self, focus: Focus) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.focus == focus)
    }

    /// What `key` means in `focus`: its own row, else the panes' common one, else the one for everywhere.
    pub fn command_for(&self, focus: Focus, key: Key) -> Option<Command> {
        let row = |focus| self.of_focus(focus).find(|row| row.key == key).map(|row| row.command);
        let pane = matches!(focus, Focus::List | Focus::History | Focus::Composer);
        let given = row(focus)
            .or_else(|| pane.then(|| row(Focus::Chats)).flatten())
            .or_else(|| (focus != Focus::Leader).then(|| row(Focus::Anywhere)).flatten());
        given.filter(|command| *command != Command::Nothing)
    }

    /// (keys, what they do) of one group, rows of the same meaning together.
    pub fn rows(&self, focus: Focus) -> Vec<(String, &'static str)> {
        let mut rows: Vec<(String, &'static str, Command)> = Vec::new();
        for row in self.of_focus(focus).filter(|row| row.command != Command::Nothing) {
            match rows
                .iter_mut()
                .find(|(_, label, command)| *label == row.label && *command == row.command)
            {
                Some((keys, _, _)) => *keys = format!("{keys}, {}", row.key),
                None => rows.push((row.key.to_string(), row.label, row.command)),
            }
        }
        rows.into_iter().map(|(keys, label, _)| (keys, label)).collect()
    }

    /// Everything the help and `docs/keys.md` show: groups with their title and rows.
    pub fn pages(&self) -> Vec<(&'static str, Vec<(String, &'static str)>)> {
        let mut pages: Vec<_> =
            GROUPS.iter().map(|(focus, title)| (*title, self.rows(*focus))).collect();
        let letters = LETTERS.iter().map(|(label, letter)| (letter.to_string(), *label)).collect();
        pages.push(("Buttons, while no text field has the focus", letters));
        pages
    }

    /// The hint line of a focus: (key, what it does).
    pub fn hints(&self, focus: Focus) -> Vec<(String, &'static str)> {
        let hints = self.of_focus(focus).filter(|row| row.hint);
        hints.map(|row| (row.key.to_string(), row.label)).collect()
    }

    /// The first key of a command in a focus, as people write it.
    pub fn key_of(&self, focus: Focus, command: Command) -> Option<String> {
        self.of_focus(focus).find(|row| row.command == command).map(|row| row.key.to_string())
    }
}

static TABLE: LazyLock<Keymap> = LazyLock::new(Keymap::default);

/// [`Keymap::command_for`] of the table.
pub fn command_for(focus: Focus, key: Key) -> Option<Command> {
    TABLE.command_for(focus, key)
}

/// [`Keymap::rows`] of the table.
pub fn rows(focus: Focus) -> Vec<(String, &'static str)> {
    TABLE.rows(focus)
}

/// [`Keymap::pages`] of the table.
pub fn pages() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    TABLE.pages()
}

/// [`Keymap::hints`] of the table.
pub fn hints(focus: Focus) -> Vec<(String, &'static str)> {
    TABLE.hints(focus)
}

/// `docs/keys.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Keys\n\nPrinted from the table in `tui/src/keymap.rs`; a test compares. Every action can be reached without Alt,\nwithout Ctrl and a digit, and without a mouse. In the client, `?` (or F1) shows the same.\n",
    );
    for (title, rows) in pages() {
        text.push_str(&format!("\n## {title}\n\n| Keys | What they do |\n|---|---|\n"));
        for (keys, label) in rows {
            text.push_str(&format!("| {keys} | {label} |\n"));
        }
    }
    text
}
