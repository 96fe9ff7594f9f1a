//! Links on the screen: which addresses are ever shown as links, and how a cell says where it leads.
//!
//! A cell has no room for an address, so it carries a number in a colour that nothing else uses, its underline's; the painter
//! looks the number up and writes the address beside the text (OSC 8), for the terminal to open.

use ratatui::style::Color;
use std::collections::HashMap;
use url::Url;

/// Longer addresses are not made links.
const URL_BYTES_MAX: usize = 2000;
/// Numbers must fit in a colour.
const LINKS_MAX: usize = 0xff_ffff;

/// The addresses that cells lead to. It only grows: a number keeps its meaning while the client runs.
#[derive(Debug, Clone, Default)]
pub struct Links {
    urls: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Links {
    /// The mark of `url`, for [`ratatui::style::Style::underline_color`].
    pub fn mark(&mut self, url: &str) -> Color {
        let number = match self.numbers.get(url) {
            Some(number) => *number,
            None if self.urls.len() < LINKS_MAX => {
                self.urls.push(url.to_owned());
                self.numbers.insert(url.to_owned(), self.urls.len());
                self.urls.len()
            }
            None => return Color::Reset,
        };
        let [_, red, green, blue] = u32::try_from(number).unwrap_or_default().to_be_bytes();
        Color::Rgb(red, green, blue)
    }

    /// Where a cell with this mark leads, and the link's number.
    pub fn find(&self, mark: Color) -> Option<(usize, &str)> {
        let Color::Rgb(red, green, blue) = mark else { return None };
        let number = usize::try_from(u32::from_be_bytes([0, red, green, blue])).ok()?;
        Some((number, self.urls.get(number.checked_sub(1)?)?))
    }
}

/// `text` as an address that may be followed: a web page, a mail address or something on Matrix, in plain ASCII.
pub fn followable(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let known = matches!(url.scheme(), "http" | "https" | "mailto" | "matrix");
    let url = String::from(url);
    (known && url.len() <= URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some(url)
}

/// The parts of plain text that are addresses of web pages: where they stand, and the address.
pub fn in_text(text: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = ["https://", "http://"]
        .iter()
        .filter_map(|scheme| text.get(from..)?.find(scheme))
        .min()
        .map(|at| from + at)
    {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`'))
            .unwrap_or(rest.len());
        let mut word = rest.get(..length).unwrap_or_default();
        while let Some(last) = word.chars().last().filter(|c| is_sentence_end(*c, word)) {
            word = word.get(..word.len() - last.len_utf8()).unwrap_or_default();
        }
        if let Some(url) = followable(word) {
            found.push((start..start + word.len(), url));
        }
        from = start + word.len().max(1);
    }
    found
}

/// What stands behind an address rather than belonging to it.
fn is_sentence_end(last: char, word: &str) -> bool {
    match last {
        ')' => !word.contains('('),
        ']' => !word.contains('['),
        last => matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '}' | '»' | '”'),
    }
}

#[cfg(test)]
mod tests {
    use super::{Links, followable, in_text};

    #[test]
    fn only_harmless_addresses_are_followed() {
        assert_eq!(followable("https://example.org/a b"), Some("https://example.org/a%20b".into()));
        assert!(followable("matrix:u/alice:example.org").is_some());
        for bad in ["javascript:alert(1)", "file:///etc/passwd", "ssh://example.org", "example.org"]
        {
            assert_eq!(followable(bad), None, "{bad}");
        }
        let escaped = followable("https://example.org/\u{1b}]8;;\u{7}\u{202e}").unwrap();
        assert!(escaped.bytes().all(|byte| byte.is_ascii_graphic()), "{escaped}");
    }

    #[test]
    fn addresses_in_text_end_where_a_reader_would_say() {
        let text = "see https://example.org/a_(b), or (http://example.org).";
        let found: Vec<String> =
            in_text(text).into_iter().map(|(at, _)| text[at].to_owned()).collect();
        assert_eq!(found, ["https://example.org/a_(b)", "http://example.org"]);
        assert_eq!(in_text("http:// and https:///"), []);
    }

    #[test]
    fn a_mark_leads_back_to_its_address() {
        let mut links = Links::default();
        let (a, b) = (links.mark("https://a.example/"), links.mark("https://b.example/"));
        assert_ne!(a, b);
        assert_eq!(links.mark("https://a.example/"), a);
        assert_eq!(links.find(b), Some((2, "https://b.example/")));
        assert_eq!(links.find(ratatui::style::Color::Reset), None);
    }
}
