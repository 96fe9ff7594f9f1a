//! The config as text: the commented example, filling it in for `ternd init`, finding the line of a key, printing.

use url::Url;

use super::Config;

/// `config.example.toml`: every setting with its default and a comment.
pub const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// One line of a config text.
enum Line<'a> {
    Section(&'a str),
    Key(&'a str),
    Other,
}

fn classify(line: &str) -> Line<'_> {
    let line = line.trim();
    if let Some(section) = line.strip_prefix('[') {
        let name = section.trim_start_matches('[').split(']').next().unwrap_or_default();
        return Line::Section(name.trim());
    }
    match line.split_once('=') {
        Some((key, _)) if !line.starts_with('#') => Line::Key(key.trim()),
        _ => Line::Other,
    }
}

/// The dotted key of each line that sets one.
fn keys(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    let mut section = String::new();
    text.lines().enumerate().filter_map(move |(index, line)| match classify(line) {
        Line::Section(name) => {
            name.clone_into(&mut section);
            None
        }
        Line::Key(key) if section.is_empty() => Some((index + 1, key.to_owned())),
        Line::Key(key) => Some((index + 1, format!("{section}.{key}"))),
        Line::Other => None,
    })
}

/// The line, counted from 1, that sets `key` for the `nth` time, counted from 0: tables of a list set it once each.
pub(super) fn line_of(text: &str, key: &str, nth: usize) -> Option<usize> {
    keys(text).filter(|(_, found)| found == key).nth(nth).map(|(line, _)| line)
}

/// The key that `line` sets, or that began above it and goes on there. Empty when none did.
pub(super) fn key_at(text: &str, line: usize) -> String {
    let section = text.lines().nth(line.saturating_sub(1)).map(classify);
    if let Some(Line::Section(name)) = section {
        return name.to_owned();
    }
    keys(text).take_while(|(at, _)| *at <= line).last().map(|(_, key)| key).unwrap_or_default()
}

/// The example with other values: `(dotted key, TOML value)`.
pub fn fill(values: &[(&str, String)]) -> String {
    let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
    for (line, key) in keys(EXAMPLE) {
        let value = values.iter().find(|(wanted, _)| *wanted == key);
        if let (Some((_, value)), Some(text)) = (value, lines.get_mut(line - 1)) {
            let name = key.rsplit('.').next().unwrap_or(&key);
            *text = format!("{name} = {value}");
        }
    }
    lines.join("\n") + "\n"
}

impl Config {
    /// The effective settings as TOML, secrets hidden.
    ///
    /// # Errors
    /// The serializer's text; a path that is not Unicode, for instance.
    pub fn to_text(&self) -> Result<String, String> {
        let mut shown = self.clone();
        shown.database.url = without_password(&shown.database.url);
        shown.mail.smtp_url = without_password(&shown.mail.smtp_url);
        toml::to_string(&shown).map_err(|error| error.to_string())
    }
}

/// A URL as it may be shown.
fn without_password(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("hidden")) {
            Ok(()) => url.into(),
            Err(()) => "hidden".to_owned(),
        },
        Err(_) if text.contains('@') => "hidden".to_owned(),
        _ => text.to_owned(),
    }
}
