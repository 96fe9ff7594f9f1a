//! The config file: what can be set, what it is set to when nothing is said, and errors that name the key and the line.

use crate::bindings::Keymap;
use crate::input::Key;
use crate::presets::{self, FOCUSES, Preset};
use crate::theme::ThemeName;
use crate::zone::Zone;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    pub preset: Preset,
    pub theme: ThemeName,
    /// `local`, `utc`, `+02:00` or a name such as `Europe/Berlin`.
    time_zone: Option<Spanned<String>>,
    clock: Option<Spanned<u8>>,
    pub mouse: bool,
    pub images: Images,
    /// Whether the pages that people link to are shown in a few lines.
    pub previews: Previews,
    /// Fewer and smaller frames, no pictures, and a count of the bytes written.
    pub slow_link: bool,
    /// Sync over the server's WebSocket where it has one.
    pub socket: bool,
    /// How long a sent message waits and can be taken back, in seconds.
    pub undo_send: u64,
    /// The program that long messages are written in; else $VISUAL, $EDITOR, vi.
    pub editor: Option<Vec<String>>,
    /// The program that received files are opened with.
    pub opener: Vec<String>,
    /// The program that gives what is in the clipboard: a picture, or addresses of files. Else those that suit the desktop.
    pub clipboard: Option<Vec<String>>,
    /// Where received files are saved; else `~/Downloads`.
    pub downloads: Option<PathBuf>,
    pub notify: Notify,
    keys: BTreeMap<String, BTreeMap<String, Spanned<String>>>,
    #[serde(skip)]
    pub keymap: Keymap,
    #[serde(skip)]
    pub zone: Zone,
}

/// How pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Images {
    /// As the terminal can, judged by its environment.
    #[default]
    Auto,
    Off,
    /// Two pixels a character, on any terminal with 256 colours.
    HalfBlocks,
    Kitty,
    Sixel,
    Iterm2,
}

/// Whose links have previews. One's own server fetches the pages, so it must be told of the links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Previews {
    /// Those in chats that are not encrypted, which the server can read anyway.
    #[default]
    Plain,
    Never,
}

/// When and how one is told of a message that is not on the screen.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Notify {
    pub when: When,
    pub bell: bool,
    pub terminal: Terminal,
    /// By `notify-send`.
    pub desktop: bool,
    /// A program that gets title and text on its standard input.
    pub command: Vec<String>,
    /// Say what was written, not only who wrote.
    pub preview: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    #[default]
    All,
    Mentions,
    Never,
}

/// The sequence that a terminal shows a notification for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Terminal {
    /// As the terminal can, judged by its environment.
    #[default]
    Auto,
    Off,
    Osc9,
    Osc777,
    Osc99,
}

impl Default for Notify {
    fn default() -> Notify {
        Notify {
            when: When::All,
            bell: true,
            terminal: Terminal::Auto,
            desktop: false,
            command: Vec::new(),
            preview: true,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            preset: Preset::Telegram,
            theme: ThemeName::Dark,
            time_zone: None,
            clock: None,
            mouse: true,
            images: Images::Auto,
            previews: Previews::Plain,
            slow_link: false,
            socket: true,
            undo_send: 0,
            editor: None,
            opener: vec!["xdg-open".to_owned()],
            clipboard: None,
            downloads: None,
            notify: Notify::default(),
            keys: BTreeMap::new(),
            keymap: Keymap::default(),
            zone: Zone::Local,
        }
    }
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{} can't be read: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Toml { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{}, line {line}: {problem}", path.display())]
    Value { path: PathBuf, line: usize, problem: String },
}

impl Settings {
    /// What `path` sets. A file that is not there sets nothing.
    pub fn load(path: &Path) -> Result<Settings, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Settings::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => Err(SettingsError::File { path: path.to_owned(), error }),
        }
    }

    /// What `text`, read from `path`, sets.
    pub fn parse(path: &Path, text: &str) -> Result<Settings, SettingsError> {
        let mut settings: Settings = toml::from_str(text).map_err(|error| SettingsError::Toml {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
        let wrong = |at: usize, problem: String| {
            let line = text.get(..at).unwrap_or_default().lines().count().max(1);
            // A value at the start of a line counts that line only when it is begun.
            let begun = text.get(..at).is_some_and(|before| before.ends_with('\n'));
            SettingsError::Value { path: path.to_owned(), line: line + usize::from(begun), problem }
        };
        settings.keymap = Keymap::of(settings.preset);
        for (part, keys) in &settings.keys {
            let focus = FOCUSES.iter().find(|(name, _)| name == part).map(|(_, focus)| *focus);
            for (key, command) in keys {
                let at = command.span().start;
                let focus = focus.ok_or_else(|| wrong(at, no_such_part(part)))?;
                let parsed = Key::parse(key).ok_or_else(|| {
                    wrong(at, format!("[keys.{part}] \"{key}\" is no key. Write it like ctrl-k, alt-enter, G or f5."))
                })?;
                let command = presets::command(command.get_ref())
                    .ok_or_else(|| wrong(at, no_such_command(part, key, command.get_ref())))?;
                settings.keymap.bind(focus, parsed, command);
            }
        }
        let twelve = match &settings.clock {
            None => false,
            Some(clock) if [12, 24].contains(clock.get_ref()) => *clock.get_ref() == 12,
            Some(clock) => {
                return Err(wrong(clock.span().start, "clock is 12 or 24.".to_owned()));
            }
        };
        let name = settings.time_zone.as_ref().map_or("local", |zone| zone.get_ref());
        settings.zone = Zone::set(name, twelve).ok_or_else(|| {
            let at = settings.time_zone.as_ref().map_or(0, |zone| zone.span().start);
            wrong(at, format!("time-zone \"{name}\" is not known here. Write local, utc, +02:00 or a name such as Europe/Berlin."))
        })?;
        Ok(settings)
    }

    /// Where received files are saved.
    pub fn download_folder(&self) -> PathBuf {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        match &self.downloads {
            Some(path) => path.strip_prefix("~").map_or(path.clone(), |rest| home.join(rest)),
            None => home.join("Downloads"),
        }
    }
}

fn no_such_part(part: &str) -> String {
    let names: Vec<&str> = FOCUSES.iter().map(|(name, _)| *name).collect();
    format!("[keys.{part}]: keys are bound in one of {}.", names.join(", "))
}

fn no_such_command(part: &str, key: &str, name: &str) -> String {
    let known = presets::names();
    let close = known
        .iter()
        .map(|(known, _)| (crate::fuzzy::slips(name, known), known))
        .min_by_key(|(slips, _)| *slips)
        .filter(|(slips, _)| *slips <= 3)
        .map(|(_, known)| format!(" Is {known} meant?"));
    let close = close.unwrap_or_else(|| " `tern keys` lists all.".to_owned());
    format!("[keys.{part}] \"{key}\": no command is called \"{name}\".{close}")
}

#[cfg(test)]
mod tests {
    use super::{Settings, When};
    use crate::action::Command;
    use crate::input::Key;
    use crate::keymap::Focus;
    use std::path::Path;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("config.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_in_the_example_is_what_holds_without_it() {
        let example = include_str!("../config.example.toml");
        // Commented out, every line still says what holds.
        assert_eq!(parse(example).unwrap(), Settings::default());
        let said: String = example
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let set = parse(&said).unwrap();
        assert_eq!(
            (set.mouse, set.notify.when, set.theme),
            (true, When::All, Settings::default().theme)
        );
        assert_eq!(set.keymap, Settings::default().keymap);
    }

    #[test]
    fn keys_are_bound_and_unbound() {
        let set = parse("preset = \"vim\"\n[keys.history]\nx = \"reply\"\nd = \"none\"\n").unwrap();
        let means = |key| set.keymap.command_for(Focus::History, Key::parse(key).unwrap());
        assert_eq!(means("x"), Some(Command::Reply));
        assert_eq!(means("d"), None);
        assert_eq!(means("i"), Some(Command::GoToComposer));
    }

    #[test]
    fn errors_name_the_key_and_the_line() {
        let cases = [
            ("\nmouse = true\n\n[keys.history]\n\"x\" = \"repyl\"\n", ["line 5", "\"x\"", "repyl"]),
            ("[keys.history]\n\"hyper-x\" = \"reply\"\n", ["line 2", "hyper-x", "no key"]),
            ("[keys.nowhere]\nx = \"reply\"\n", ["line 2", "nowhere", "composer"]),
            ("mouse = true\ncolour = 3\n", ["line 2", "colour", "unknown"]),
            ("\ntheme = \"mauve\"\n", ["line 2", "mauve", "dark"]),
            ("clock = 13\n", ["line 1", "clock", "24"]),
            ("mouse = true\ntime-zone = \"Mars/Base\"\n", ["line 2", "Mars/Base", "utc"]),
        ];
        for (text, words) in cases {
            let error = parse(text).unwrap_err();
            for word in words {
                assert!(error.contains(word), "{word} is not in: {error}");
            }
        }
    }
}
