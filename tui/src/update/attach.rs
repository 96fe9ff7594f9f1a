//! What is to be sent as files: paths that were dropped, pasted or typed, several at once; one question about all of them.

use super::popups;
use crate::backend::{Attachment, ChatId, Pasted};
use crate::effect::Effect;
use crate::sanitize::line;
use crate::state::State;
use crate::state::form::{FieldName, Form, FormField, FormKind, Press, button, field};
use crate::state::transfers::size_words;
use std::path::{Path, PathBuf};

/// So many are named in the question.
const NAMED_MAX: usize = 8;

/// Asks about what is to go to `chat`; `text` is what it was pasted as.
pub(super) fn ask(
    state: &mut State,
    chat: ChatId,
    files: Vec<Attachment>,
    text: Option<&str>,
) -> Vec<Effect> {
    let text = text.map(str::to_owned);
    if let [Attachment::File(path)] = files.as_slice() {
        let path = path.to_string_lossy().into_owned();
        return popups::show(state, file_form(chat, &path, text));
    }
    popups::show(state, files_form(chat, files, text))
}

/// The question for one file, whose path can be changed.
pub(super) fn file_form(chat: ChatId, path: &str, text: Option<String>) -> Form {
    let file = field(FieldName::Path, "File", &line(path))
        .advice("Its path on the machine that Tern runs on.");
    let buttons = buttons(text.is_some());
    Form::new(FormKind::SendFile { chat, text }, "Send a file", vec![file, caption()], buttons)
}

/// The question for several, or for a picture that has no path.
fn files_form(chat: ChatId, files: Vec<Attachment>, text: Option<String>) -> Form {
    let title = match files.as_slice() {
        [Attachment::Picture(_)] => "Send a picture".to_owned(),
        files => format!("Send {} files", files.len()),
    };
    let mut intro: Vec<String> = files.iter().take(NAMED_MAX).map(words).collect();
    if let Some(more) = files.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        intro.push(format!("and {more} more"));
    }
    let buttons = buttons(text.is_some());
    let kind = FormKind::SendFiles { chat, files, text };
    Form::new(kind, title, vec![caption()], buttons).intro(intro)
}

fn caption() -> FormField {
    let caption = field(FieldName::Caption, "Caption", "").optional();
    caption.advice("Goes with it; may be left empty.")
}

fn buttons(pasted: bool) -> Vec<crate::state::form::Button> {
    let text = pasted.then_some(button("Paste as text", Press::AsText));
    let around = [Some(button("Send", Press::Submit)), text, Some(popups::CANCEL)];
    around.into_iter().flatten().collect()
}

/// A file in the question.
fn words(file: &Attachment) -> String {
    match file {
        Attachment::File(path) => line(&path.to_string_lossy()),
        Attachment::Picture(Pasted { name, bytes, pixels, .. }) => {
            let pixels = pixels.map_or(String::new(), |(wide, high)| format!(", {wide}×{high}"));
            format!("{name}{pixels}, {}", size_words(bytes.len() as u64))
        }
    }
}

/// The paths of files that were dropped on the terminal, which writes them in one line or several; `None` when any of it is
/// something else.
pub(super) fn dropped(text: &str) -> Option<Vec<Attachment>> {
    let mut files = Vec::new();
    for line in text.trim().lines() {
        files.extend(words_of(line)?.iter().map(|word| word.path()).collect::<Option<Vec<_>>>()?);
    }
    (!files.is_empty()).then(|| files.into_iter().map(Attachment::File).collect())
}

/// The paths that somebody typed, as a shell would read them. A space in a name that was not escaped is forgiven where it can be
/// told: several paths all begin like paths, or none does and all end like files.
pub(super) fn typed(text: &str) -> Vec<Attachment> {
    let one = || vec![Attachment::File(path_of(text).unwrap_or_else(|| PathBuf::from(text)))];
    let Some(words) = words_of(text).filter(|words| words.len() > 1) else { return one() };
    let begun = words.iter().filter(|word| word.begins_like_a_path()).count();
    let ends_like_a_file = |word: &Word| Path::new(&word.text).extension().is_some();
    let several = begun == words.len() || (begun == 0 && words.iter().all(ends_like_a_file));
    if !several {
        return one();
    }
    let path = |word: Word| word.path().unwrap_or_else(|| PathBuf::from(word.text));
    words.into_iter().map(|word| Attachment::File(path(word))).collect()
}

/// A path as a person or a terminal writes it: quoted, escaped, as an address, with `~`.
pub(super) fn path_of(text: &str) -> Option<PathBuf> {
    match words_of(text)?.as_slice() {
        [word] => word.path(),
        _ => None,
    }
}

/// A word as a shell would read it.
struct Word {
    text: String,
    quoted: bool,
}

impl Word {
    fn path(&self) -> Option<PathBuf> {
        if !self.quoted && self.text.starts_with("file://") {
            return url::Url::parse(&self.text).ok()?.to_file_path().ok();
        }
        (self.text.len() > 1 && self.text.starts_with('/')).then(|| PathBuf::from(&self.text))
    }

    fn begins_like_a_path(&self) -> bool {
        self.quoted || ["/", "~", ".", "file:"].iter().any(|sign| self.text.starts_with(sign))
    }
}

/// The words of a line; `None` when a quote is not closed.
fn words_of(line: &str) -> Option<Vec<Word>> {
    let mut words: Vec<Word> = Vec::new();
    let mut chars = line.chars();
    let mut within = false;
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            within = false;
            continue;
        }
        if !within {
            words.push(Word { text: String::new(), quoted: false });
            within = true;
        }
        let word = words.last_mut()?;
        match c {
            '\\' => word.text.push(chars.next()?),
            '\'' | '"' => {
                word.quoted = true;
                let rest = chars.as_str();
                let (inside, after) = rest.split_once(c)?;
                word.text.push_str(inside);
                chars = after.chars();
            }
            c => word.text.push(c),
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::{dropped, path_of, typed};
    use crate::backend::Attachment;
    use std::path::Path;

    fn paths(files: &[Attachment]) -> Vec<&Path> {
        files.iter().filter_map(Attachment::path).collect()
    }

    #[test]
    fn what_terminals_paste_for_a_dropped_file_is_a_path() {
        for (dropped, path) in [
            ("/tmp/a.png", "/tmp/a.png"),
            ("'/tmp/a b.png'", "/tmp/a b.png"),
            ("'/tmp/it'\\''s.png'", "/tmp/it's.png"),
            ("/tmp/a\\ b.png ", "/tmp/a b.png"),
            ("file:///tmp/a%20b.png", "/tmp/a b.png"),
        ] {
            assert_eq!(path_of(dropped).as_deref(), Some(Path::new(path)));
        }
        for words in ["/join #a:b", "/", "hello", "and/or", "file://elsewhere/x", "it's /tmp"] {
            assert_eq!(path_of(words), None, "{words}");
        }
    }

    #[test]
    fn several_files_are_dropped_in_one_line_or_in_several() {
        for text in ["'/a b' /c\\ d file:///e ", "/a\\ b\n/c\\ d\r\n/e\n"] {
            let files = dropped(text).unwrap();
            assert_eq!(paths(&files), ["/a b", "/c d", "/e"].map(Path::new), "{text}");
        }
        for words in ["/etc is a folder", "/a\nand more", "", "'/a"] {
            assert_eq!(dropped(words), None, "{words}");
        }
    }

    #[test]
    fn several_paths_are_typed_and_a_space_in_one_is_forgiven() {
        for (text, read) in [
            ("a.png b.png", vec!["a.png", "b.png"]),
            ("~/a.png '/b c.png'", vec!["~/a.png", "/b c.png"]),
            ("/tmp/a photo.png", vec!["/tmp/a photo.png"]),
            ("my photo.png", vec!["my photo.png"]),
            ("/tmp/a\\ photo.png", vec!["/tmp/a photo.png"]),
            ("it's.png", vec!["it's.png"]),
        ] {
            assert_eq!(
                paths(&typed(text)),
                read.iter().map(Path::new).collect::<Vec<_>>(),
                "{text}"
            );
        }
    }
}
