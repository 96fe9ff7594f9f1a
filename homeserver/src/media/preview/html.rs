//! What a page says of itself: Open Graph, Twitter's cards, its title and description.
//!
//! The page is cut into tokens and no tree is built of it, so however it is nested it takes no stack and no memory.

use std::{cell::RefCell, collections::BTreeMap};

use encoding_rs::{Encoding, UTF_8};
use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

/// Fed at once.
const PIECE_BYTES: usize = 4 * 1024;
/// Pieces in which no tag ended: a tag with ten thousand attributes costs the tokenizer their square.
const SILENT_PIECES_MAX: usize = 4;
/// Longest text that is told.
const TEXT_CHARS_MAX: usize = 1_000;
/// Longest URL of a picture.
const URL_BYTES_MAX: usize = 2_048;
/// Where a page names its own encoding.
const ENCODING_WITHIN: usize = 1_024;

/// What is told, and where it may stand in a page: the first that is there counts.
const TOLD: [(&str, &[&str]); 7] = [
    ("og:title", &["og:title", "twitter:title", "title"]),
    ("og:description", &["og:description", "twitter:description", "description"]),
    ("og:site_name", &["og:site_name"]),
    ("og:type", &["og:type"]),
    ("og:url", &["og:url"]),
    (
        "og:image",
        &["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"],
    ),
    ("og:image:alt", &["og:image:alt", "twitter:image:alt"]),
];

/// What the page says of itself. `og:image` is still what the page wrote.
pub(super) fn read(bytes: &[u8], content_type: &str) -> BTreeMap<&'static str, String> {
    let (text, ..) = encoding(bytes, content_type).decode(bytes);
    let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut rest = text.as_ref();
    let mut silent = 0;
    while !rest.is_empty() && silent < SILENT_PIECES_MAX {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES.min(rest.len())));
        rest = after;
        input.push_back(StrTendril::from_slice(piece));
        let before = tokenizer.sink.tokens();
        // A script only makes the tokenizer stop; nothing here runs any.
        while !input.is_empty() {
            let _stopped = tokenizer.feed(&input);
        }
        silent = if tokenizer.sink.tokens() == before { silent + 1 } else { 0 };
    }
    tokenizer.sink.told()
}

/// Text without what could not be seen, in one line, not too long.
pub(super) fn tidy(text: &str) -> String {
    let seen = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let line: String = seen.take(4 * TEXT_CHARS_MAX).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").chars().take(TEXT_CHARS_MAX).collect()
}

/// By the header, the byte order mark (which decoding looks at itself), the page's own word; else UTF-8.
fn encoding(bytes: &[u8], content_type: &str) -> &'static Encoding {
    let start = bytes.get(..ENCODING_WITHIN.min(bytes.len())).unwrap_or(bytes);
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let named = |text: &str| {
        let label = text.split("charset=").nth(1)?.trim_start_matches(['"', '\'', ' ']);
        let label = label.split(['"', '\'', ' ', ';', '>', '/']).next()?;
        Encoding::for_label(label.as_bytes())
    };
    named(&content_type.to_ascii_lowercase()).or_else(|| named(&start)).unwrap_or(UTF_8)
}

/// Takes the tokens.
#[derive(Debug, Default)]
struct Reader(RefCell<Found>);

#[derive(Debug, Default)]
struct Found {
    tokens: usize,
    metas: BTreeMap<String, String>,
    title: Option<String>,
    in_title: bool,
}

impl Reader {
    fn tokens(&self) -> usize {
        self.0.borrow().tokens
    }

    fn told(&self) -> BTreeMap<&'static str, String> {
        let mut found = self.0.borrow_mut();
        if let Some(title) = found.title.take() {
            found.metas.entry("title".to_owned()).or_insert(title);
        }
        let told = TOLD.iter().filter_map(|(name, places)| {
            let text = places.iter().find_map(|place| {
                let text = found.metas.get(*place)?;
                let text = if *name == "og:image" { text.trim().to_owned() } else { tidy(text) };
                (!text.is_empty() && (*name != "og:image" || text.len() <= URL_BYTES_MAX))
                    .then_some(text)
            })?;
            Some((*name, text))
        });
        told.collect()
    }
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut found = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => {
                found.tokens += 1;
                return found.tag(&tag);
            }
            Token::CharacterTokens(text) => {
                found.tokens += 1;
                if found.in_title
                    && let Some(title) = &mut found.title
                    && title.len() < 4 * TEXT_CHARS_MAX
                {
                    title.push_str(&text);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Found {
    /// Names that the specification gives other rules to are told so to the tokenizer, as a tree would.
    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let starts = tag.kind == TagKind::StartTag;
        match (&*tag.name, starts) {
            ("title", true) => {
                // A picture in SVG has titles too; the page's comes first.
                self.in_title = self.title.is_none();
                self.title.get_or_insert_default();
                TokenSinkResult::RawData(RawKind::Rcdata)
            }
            ("title", false) => {
                self.in_title = false;
                TokenSinkResult::Continue
            }
            ("meta", true) => {
                self.meta(tag);
                TokenSinkResult::Continue
            }
            ("script", true) => TokenSinkResult::RawData(RawKind::ScriptData),
            ("textarea", true) => TokenSinkResult::RawData(RawKind::Rcdata),
            ("style" | "xmp" | "iframe" | "noembed" | "noframes", true) => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            ("plaintext", true) => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let value = |wanted: &str| {
            let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == wanted);
            found.map(|attribute| attribute.value.to_string())
        };
        let (Some(name), Some(content)) =
            (value("property").or_else(|| value("name")), value("content"))
        else {
            return;
        };
        let name = name.trim().to_ascii_lowercase();
        let known = TOLD.iter().any(|(_, places)| places.contains(&name.as_str()));
        if known && name != "title" && !content.trim().is_empty() {
            self.metas.entry(name).or_insert(content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn told(html: &str, name: &str) -> Option<String> {
        read(html.as_bytes(), "text/html").remove(name)
    }

    #[test]
    fn open_graph_goes_before_cards_and_these_before_the_title() {
        let page = r#"<html><head><title> The
            Rock </title><meta name=twitter:title content="Card &amp; co">
            <meta property="og:title" content=""><meta name="Description" content="words">
            <meta property="og:image" content="/a.png"><meta property="og:site_name" content="Films">"#;
        assert_eq!(told(page, "og:title").unwrap(), "Card & co");
        assert_eq!(told(page, "og:description").unwrap(), "words");
        assert_eq!(told(page, "og:image").unwrap(), "/a.png");
        assert_eq!(told(page, "og:site_name").unwrap(), "Films");
        assert_eq!(told(page, "og:type"), None);
        assert_eq!(told("<title> The\n Rock </title>", "og:title").unwrap(), "The Rock");
    }

    #[test]
    fn what_stands_in_scripts_and_comments_is_not_said() {
        let page = r#"<script>"<title>no</title>"</script><style><title>no</style>
            <!-- <title>no</title> --><textarea><title>no</textarea><title>yes</title>
            <svg><title>no</title></svg>"#;
        assert_eq!(told(page, "og:title").unwrap(), "yes");
    }

    #[test]
    fn a_title_is_one_line_of_bounded_length() {
        let page = format!("<title>a\u{1b}[2J\u{7}b\0c {}</title>", "x".repeat(50_000));
        let title = told(&page, "og:title").unwrap();
        assert!(title.starts_with("a [2J b"), "{title}");
        assert!(!title.contains(char::is_control));
        assert_eq!(title.chars().count(), 1_000);
    }

    #[test]
    fn a_page_is_read_in_its_encoding() {
        let check = |bytes: &[u8], content_type: &str| {
            assert_eq!(read(bytes, content_type)["og:title"], "Grüße");
        };
        check("<title>Grüße</title>".as_bytes(), "text/html");
        check(b"<title>Gr\xfc\xdfe</title>", "text/html; charset=\"ISO-8859-1\"");
        check(b"<meta charset=windows-1252><title>Gr\xfc\xdfe</title>", "text/html");
        check("\u{feff}<title>Grüße</title>".as_bytes(), "text/html; charset=latin1");
    }

    #[test]
    fn a_hostile_page_ends_early_and_keeps_what_it_said_before() {
        let attributes: String = (0..100_000).map(|number| format!(" a{number}")).collect();
        let page =
            format!("<title>first</title><p{attributes}><meta name=description content=late>");
        assert_eq!(told(&page, "og:title").unwrap(), "first");
        assert_eq!(told(&page, "og:description"), None);
        let deep = format!("{}<title>deep</title>", "<div>".repeat(200_000));
        assert_eq!(told(&deep, "og:title").unwrap(), "deep");
        for broken in ["<title>", "<meta", "<!--", "<script>", "", "\0", "<title/>"] {
            read(broken.as_bytes(), "");
        }
    }
}
