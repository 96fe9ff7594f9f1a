//! Pictures and copied files from the clipboard of the desktop, by the programs that people have for it. Reading blocks and so
//! belongs into a thread of its own; what is read stays in memory.

mod program;
mod ways;

use crate::backend::Pasted;
use image::ImageReader;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ways::Way;

/// How long a clipboard may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is in a clipboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Clip {
    Picture(Pasted),
    /// Files that were copied, in their order.
    Files(Vec<PathBuf>),
}

/// Why there is nothing to be had, and what to do next: each fits the status line of a narrow terminal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClipboardError {
    #[error("Install wl-clipboard or xclip to paste pictures here, or send a file: /file.")]
    NoProgram,
    #[error("Your clipboard is on another machine: drop the file here, or use /file.")]
    Far,
    #[error("There is no picture in the clipboard. Copy one, or send a file: /file.")]
    Empty,
    #[error("What {program} gives is no picture. Copy it again, or send a file: /file.")]
    NoPicture { program: String },
    #[error("{program} gives no answer. Try again, or send a file: /file.")]
    Slow { program: String },
    #[error("The picture is too large to be pasted. Save it, and send the file: /file.")]
    Large,
    #[error("{program} can't be started: see `clipboard` in the settings, or use /file.")]
    Start { program: String },
}

/// Reads the clipboard by the program that is set, or else by those that suit the environment whose variables these are. A
/// picture gets the name `stem`, with the ending that its bytes ask for.
pub fn read(
    set: Option<&[String]>,
    variable: impl Fn(&str) -> Option<String>,
    stem: &str,
) -> Result<Clip, ClipboardError> {
    let deadline = Instant::now() + PATIENCE;
    let (mut found, mut wrong) = (false, ClipboardError::Empty);
    for way in ways::all(set, &variable) {
        match way.read(deadline, stem) {
            Ok(Some(clip)) => return Ok(clip),
            Ok(None) => found = true,
            Err(program::RunError::Absent) if way.is_set() => {
                return Err(ClipboardError::Start { program: way.name() });
            }
            Err(program::RunError::Absent) => {}
            Err(program::RunError::Slow) => {
                return Err(ClipboardError::Slow { program: way.name() });
            }
            Err(program::RunError::Large) => return Err(ClipboardError::Large),
            Err(program::RunError::NoPicture) => {
                found = true;
                wrong = ClipboardError::NoPicture { program: way.name() };
            }
        }
    }
    let far = variable("SSH_CONNECTION").or_else(|| variable("SSH_TTY")).is_some();
    Err(match (found, far) {
        (true, _) => wrong,
        (false, true) => ClipboardError::Far,
        (false, false) => ClipboardError::NoProgram,
    })
}

/// The program that would be asked first, where there is one.
pub fn program(
    set: Option<&[String]>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let path = variable("PATH").unwrap_or_default();
    let there = |way: &Way| {
        way.is_set() || std::env::split_paths(&path).any(|folder| folder.join(way.name()).is_file())
    };
    ways::all(set, &variable).iter().find(|way| there(way)).map(Way::name)
}

/// `bytes` as a picture, if that is what they are, whatever was said of them.
fn picture(bytes: Vec<u8>, stem: &str) -> Option<Pasted> {
    let format = image::guess_format(&bytes).ok()?;
    let ending = format.extensions_str().first()?;
    let pixels = ImageReader::with_format(Cursor::new(&bytes), format).into_dimensions().ok();
    let name = format!("{stem}.{ending}");
    Some(Pasted { name, bytes: bytes.into(), mime: format.to_mime_type(), pixels })
}

#[cfg(test)]
mod tests {
    use super::{ClipboardError, picture, read};
    use image::{ImageFormat, RgbImage};
    use std::io::Cursor;

    #[test]
    fn a_picture_is_one_by_its_bytes() {
        let mut png = Cursor::new(Vec::new());
        RgbImage::new(4, 3).write_to(&mut png, ImageFormat::Png).unwrap();
        let pasted = picture(png.into_inner(), "image_1").unwrap();
        assert_eq!((pasted.name.as_str(), pasted.mime), ("image_1.png", "image/png"));
        assert_eq!(pasted.pixels, Some((4, 3)));
        assert_eq!(picture(b"<svg onload=...>".to_vec(), "image_1"), None);
        assert_eq!(picture(Vec::new(), "image_1"), None);
    }

    #[test]
    fn without_a_program_it_is_said_what_else_there_is() {
        assert_eq!(read(None, |_| None, "image"), Err(ClipboardError::NoProgram));
        let remote = |name: &str| (name == "SSH_TTY").then(|| "/dev/pts/3".to_owned());
        assert_eq!(read(None, remote, "image"), Err(ClipboardError::Far));
        let set = ["/nowhere/paste".to_owned()];
        let start = ClipboardError::Start { program: "/nowhere/paste".to_owned() };
        assert_eq!(read(Some(&set), remote, "image"), Err(start));
        for error in [ClipboardError::NoProgram, ClipboardError::Far, ClipboardError::Empty] {
            assert!(error.to_string().len() <= 77, "{error} does not fit");
        }
    }
}
