//! What is sent as a file: one on this machine, or a picture that is in no file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of what is sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    File(PathBuf),
    Picture(Pasted),
}

/// A picture from the clipboard. It is in memory only: no other program can read it, and nothing of it is left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Pasted {
    /// What it is called for those who get it.
    pub name: String,
    pub bytes: Arc<[u8]>,
    /// Such as `image/png`, as its bytes say.
    pub mime: &'static str,
    /// Width and height, where they can be told.
    pub pixels: Option<(u32, u32)>,
}

impl fmt::Debug for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pasted({}, {} bytes)", self.name, self.bytes.len())
    }
}

impl From<PathBuf> for Attachment {
    fn from(path: PathBuf) -> Attachment {
        Attachment::File(path)
    }
}

impl Attachment {
    /// What people call it: not cleaned, for file names can be anybody's.
    pub fn name(&self) -> String {
        match self {
            Attachment::File(path) => path.file_name().map_or_else(
                || path.to_string_lossy().into_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
            Attachment::Picture(picture) => picture.name.clone(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Attachment::File(path) => Some(path),
            Attachment::Picture(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pasted;

    #[test]
    fn a_pasted_picture_is_printed_without_its_bytes() {
        let bytes = [7_u8; 4096].as_slice().into();
        let picture =
            Pasted { name: "image.png".to_owned(), bytes, mime: "image/png", pixels: None };
        assert_eq!(format!("{picture:?}"), "Pasted(image.png, 4096 bytes)");
    }
}
