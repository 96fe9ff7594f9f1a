//! Looks for a marker in files and dumps, plain and in the disguises text takes on its way to a disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose};
use memchr::memmem;

/// A text that must not be found, in every form it is looked for: UTF-8, UTF-16, hexadecimal and base64.
#[derive(Debug, Clone)]
pub struct Marker {
    text: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

/// Where a marker was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the name the bytes were given.
    pub place: PathBuf,
    /// How it was written there.
    pub form: &'static str,
    /// At which byte.
    pub offset: usize,
}

impl Marker {
    /// A marker nobody else writes: `prefix` and 64 random bits, letters and digits only, short enough for one row of a chat.
    pub fn random(prefix: &str) -> Self {
        let tail = rand::random::<u64>();
        Self::new(&format!("{prefix}{tail:016x}"))
    }

    /// Looks for exactly `text`.
    pub fn new(text: &str) -> Self {
        let mut forms = vec![("UTF-8", text.as_bytes().to_vec())];
        let wide = |to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect();
        forms.push(("UTF-16LE", wide(u16::to_le_bytes)));
        forms.push(("UTF-16BE", wide(u16::to_be_bytes)));
        let hex = |byte: &u8| format!("{byte:02x}");
        let hex: String = text.as_bytes().iter().map(hex).collect();
        forms.push(("HEX", hex.to_uppercase().into_bytes()));
        forms.push(("hex", hex.into_bytes()));
        for shift in 0..3 {
            forms.push(("base64", base64_inside(&general_purpose::STANDARD, text, shift)));
            forms.push(("base64url", base64_inside(&general_purpose::URL_SAFE, text, shift)));
        }
        Self { text: text.to_owned(), forms }
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Looks through `bytes`; `place` names them in the findings.
    pub fn find_in(&self, place: &Path, bytes: &[u8]) -> Vec<Finding> {
        let find = |(form, needle): &(&'static str, Vec<u8>)| {
            let offset = memmem::find(bytes, needle)?;
            Some(Finding { place: place.to_owned(), form, offset })
        };
        self.forms.iter().filter_map(find).collect()
    }

    /// Looks through every file below `folder`. Files that vanish meanwhile are passed over.
    ///
    /// # Errors
    /// When `folder` cannot be read.
    pub fn find_below(&self, folder: &Path) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder)
                .with_context(|| format!("cannot read {}", folder.display()))?;
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && let Ok(bytes) = fs::read(entry.path())
                {
                    findings.extend(self.find_in(&entry.path(), &bytes));
                }
            }
        }
        Ok(findings)
    }
}

/// The base64 characters that `text` makes wherever it begins `shift` bytes into a group of three; the ones that its neighbours
/// have a part in are left away.
fn base64_inside(engine: &general_purpose::GeneralPurpose, text: &str, shift: usize) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(text.as_bytes());
    let encoded = engine.encode(&bytes).into_bytes();
    let first = [0, 2, 3].get(shift).copied().unwrap_or_default();
    let last = bytes.len() / 3 * 4;
    encoded.get(first..last).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms_found(bytes: &[u8]) -> Vec<&'static str> {
        let marker = Marker::new("marker-of-this-test");
        marker.find_in(Path::new("bytes"), bytes).into_iter().map(|found| found.form).collect()
    }

    #[test]
    fn a_marker_is_found_in_every_disguise() {
        let text = "said: marker-of-this-test, and more";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex: String = text.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();

        assert_eq!(forms_found(text.as_bytes()), ["UTF-8"]);
        assert!(forms_found(&wide).contains(&"UTF-16LE"));
        assert_eq!(forms_found(hex.as_bytes()), ["hex"]);
        for shift in 0..3 {
            let text = format!("{}{text}", "x".repeat(shift));
            let encoded = general_purpose::STANDARD.encode(text);
            assert!(forms_found(encoded.as_bytes()).contains(&"base64"), "shift {shift}");
        }
        assert!(forms_found(b"marker-of-that-test").is_empty());
    }

    #[test]
    fn a_marker_is_found_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("c"), b"\0\0marker").unwrap();

        let found = Marker::new("marker").find_below(folder.path()).unwrap();

        assert_eq!(found, [Finding { place: deep.join("c"), form: "UTF-8", offset: 2 }]);
    }
}
