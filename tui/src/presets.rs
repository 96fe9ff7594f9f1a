//! Presets of keys, and the names that commands have in the config file.

use crate::action::Command;
use crate::keymap::{BINDINGS, Focus};
use serde::Deserialize;

/// Whose habits the keys follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The table as it stands.
    #[default]
    Telegram,
    Vim,
    Emacs,
}

type Rows = [(Focus, &'static str, Command)];

const VIM: &Rows = &[
    (Focus::History, "i", Command::GoToComposer),
    (Focus::History, "a", Command::GoToComposer),
    (Focus::History, "I", Command::MessageInfo),
    (Focus::History, ":", Command::Palette),
    (Focus::History, "ctrl-u", Command::PageUp),
    (Focus::History, "ctrl-d", Command::PageDown),
    (Focus::History, "ctrl-f", Command::PageDown),
    (Focus::History, "x", Command::Delete),
    (Focus::History, "o", Command::Reply),
    (Focus::History, "l", Command::GoToComposer),
    (Focus::List, "i", Command::GoToComposer),
    (Focus::List, "I", Command::ChatInfo),
    (Focus::List, ":", Command::Palette),
    (Focus::List, "ctrl-u", Command::PageUp),
    (Focus::List, "ctrl-d", Command::PageDown),
    (Focus::Switcher, "ctrl-j", Command::Next),
    (Focus::Switcher, "ctrl-k", Command::Previous),
];

const EMACS: &Rows = &[
    (Focus::Chats, "alt-x", Command::Palette),
    (Focus::Chats, "ctrl-s", Command::Switcher),
    (Focus::Composer, "ctrl-p", Command::Up),
    (Focus::Composer, "ctrl-n", Command::Down),
    (Focus::Composer, "ctrl-f", Command::Right),
    (Focus::Composer, "ctrl-b", Command::Left),
    (Focus::Composer, "ctrl-k", Command::DeleteToEnd),
    (Focus::Composer, "ctrl-g", Command::Cancel),
    (Focus::Composer, "alt-d", Command::DeleteWordForward),
    (Focus::Composer, "ctrl-v", Command::PageDown),
    (Focus::Composer, "alt-v", Command::PageUp),
    (Focus::History, "ctrl-n", Command::Next),
    (Focus::History, "ctrl-p", Command::Previous),
    (Focus::History, "n", Command::Next),
    (Focus::History, "p", Command::Previous),
    (Focus::History, "ctrl-g", Command::GoToComposer),
    (Focus::History, "ctrl-v", Command::PageDown),
    (Focus::History, "alt-v", Command::PageUp),
    (Focus::History, "alt-<", Command::First),
    (Focus::History, "alt->", Command::Last),
    (Focus::List, "ctrl-n", Command::Next),
    (Focus::List, "ctrl-p", Command::Previous),
    (Focus::List, "ctrl-g", Command::GoToComposer),
    (Focus::Form, "ctrl-g", Command::Cancel),
    (Focus::Form, "ctrl-f", Command::Right),
    (Focus::Form, "ctrl-b", Command::Left),
    (Focus::Switcher, "ctrl-g", Command::Cancel),
    (Focus::Help, "ctrl-g", Command::Cancel),
];

/// What a preset lays over the table.
pub fn rows(preset: Preset) -> &'static Rows {
    match preset {
        Preset::Telegram => &[],
        Preset::Vim => VIM,
        Preset::Emacs => EMACS,
    }
}

/// The names of the parts of the config file that bind keys.
pub const FOCUSES: [(&str, Focus); 10] = [
    ("anywhere", Focus::Anywhere),
    ("chats", Focus::Chats),
    ("list", Focus::List),
    ("history", Focus::History),
    ("composer", Focus::Composer),
    ("completion", Focus::Completion),
    ("leader", Focus::Leader),
    ("form", Focus::Form),
    ("finder", Focus::Switcher),
    ("help", Focus::Help),
];

/// What a command does, in a few words: as the table says it first.
pub fn label(command: Command) -> &'static str {
    match BINDINGS.iter().find(|row| row.command == command) {
        Some(row) => row.label,
        None => "",
    }
}

/// A command as the config file writes it: `next-chat`.
pub fn name(command: Command) -> String {
    let mut name = String::new();
    for c in format!("{command:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// All commands with their names, in the order of the table.
pub fn names() -> Vec<(String, Command)> {
    let mut names: Vec<(String, Command)> = Vec::new();
    for row in BINDINGS {
        if !names.iter().any(|(_, command)| *command == row.command) {
            names.push((name(row.command), row.command));
        }
    }
    names
}

/// The command of a name; `none` is the one that does nothing.
pub fn command(name: &str) -> Option<Command> {
    if name == "none" {
        return Some(Command::Nothing);
    }
    names().into_iter().find(|(known, _)| known == name).map(|(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::{Preset, command, name, names, rows};
    use crate::action::Command;
    use crate::bindings::Keymap;
    use crate::input::Key;

    #[test]
    fn commands_have_names_that_find_them() {
        assert_eq!(name(Command::NextChat), "next-chat");
        for (name, known) in names() {
            assert_eq!(command(&name), Some(known), "{name}");
        }
        assert_eq!(command("no-such-thing"), None);
    }

    #[test]
    fn every_row_of_a_preset_is_a_key_and_means_what_it_says() {
        for preset in [Preset::Vim, Preset::Emacs] {
            let keymap = Keymap::of(preset);
            for (focus, key, command) in rows(preset) {
                let key = Key::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
                assert_eq!(keymap.command_for(*focus, key), Some(*command), "{focus:?} {key}");
                assert!(!super::label(*command).is_empty(), "{command:?} has no row in the table");
            }
        }
    }
}
