//! The programs that read clipboards, and how each is asked.

use super::program::{RunError, run};
use super::{Clip, picture};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;
use std::time::Instant;

/// The kinds of pictures in the order in which they are liked.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];
/// What file managers call the files that were copied.
const FILES: [&str; 2] = ["x-special/gnome-copied-files", "text/uri-list"];

/// What powershell is asked for: the picture as a PNG in base64.
const POWERSHELL: &str = "Add-Type -AssemblyName System.Windows.Forms,System.Drawing; \
    $p = [Windows.Forms.Clipboard]::GetImage(); \
    if ($p) { $m = New-Object IO.MemoryStream; $p.Save($m, [Drawing.Imaging.ImageFormat]::Png); \
    [Convert]::ToBase64String($m.ToArray()) }";

/// A way to a clipboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// The user's own: gives a picture, or the addresses of files.
    Set(Vec<String>),
    WlPaste,
    Xclip,
    /// Knows text only, such as the addresses of copied files.
    Xsel,
    PngPaste,
    OsaScript,
    Powershell,
}

/// The ways to try, one after another.
pub(super) fn all(set: Option<&[String]>, variable: &impl Fn(&str) -> Option<String>) -> Vec<Way> {
    if let Some(set) = set.filter(|set| !set.is_empty()) {
        return vec![Way::Set(set.to_vec())];
    }
    let is = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let x11 = is("DISPLAY");
    let ways = [
        (Way::WlPaste, is("WAYLAND_DISPLAY")),
        (Way::Xclip, x11),
        (Way::Xsel, x11),
        (Way::PngPaste, cfg!(target_os = "macos")),
        (Way::OsaScript, cfg!(target_os = "macos")),
        (Way::Powershell, is("WSL_DISTRO_NAME")),
    ];
    ways.into_iter().filter(|(_, suits)| *suits).map(|(way, _)| way).collect()
}

impl Way {
    /// The user has said so.
    pub(super) fn is_set(&self) -> bool {
        matches!(self, Way::Set(_))
    }

    /// The program.
    pub(super) fn name(&self) -> String {
        match self {
            Way::Set(command) => command.first().cloned().unwrap_or_default(),
            Way::WlPaste => "wl-paste".to_owned(),
            Way::Xclip => "xclip".to_owned(),
            Way::Xsel => "xsel".to_owned(),
            Way::PngPaste => "pngpaste".to_owned(),
            Way::OsaScript => "osascript".to_owned(),
            Way::Powershell => "powershell.exe".to_owned(),
        }
    }

    /// What there is, if there is anything; a picture is to be called `stem`.
    pub(super) fn read(&self, deadline: Instant, stem: &str) -> Result<Option<Clip>, RunError> {
        let written = |command: &[&str]| run(command, deadline);
        let bytes = match self {
            Way::Set(command) => {
                let command: Vec<&str> = command.iter().map(String::as_str).collect();
                let bytes = written(&command)?;
                if let Some(files) = files(&bytes) {
                    return Ok(Some(files));
                }
                bytes
            }
            Way::WlPaste => {
                let all = written(&["wl-paste", "--list-types"])?;
                return by_kind(&all, stem, |kind| {
                    written(&["wl-paste", "--no-newline", "--type", kind])
                });
            }
            Way::Xclip => {
                let ask = |kind: &str| {
                    written(&["xclip", "-selection", "clipboard", "-out", "-target", kind])
                };
                return by_kind(&ask("TARGETS")?, stem, ask);
            }
            Way::Xsel => return Ok(files(&written(&["xsel", "--clipboard", "--output"])?)),
            Way::PngPaste => written(&["pngpaste", "-"])?,
            Way::OsaScript => {
                let ask = |what: &str| written(&["osascript", "-e", what]);
                let file = ask("POSIX path of (the clipboard as «class furl»)")?;
                if let Some(path) = path(&file) {
                    return Ok(Some(Clip::Files(vec![path])));
                }
                of_hex(&ask("the clipboard as «class PNGf»")?).unwrap_or_default()
            }
            Way::Powershell => {
                let ask = ["powershell.exe", "-NoProfile", "-STA", "-Command", POWERSHELL];
                let text = written(&ask)?;
                STANDARD.decode(text.trim_ascii()).unwrap_or_default()
            }
        };
        of_bytes(bytes, stem)
    }
}

/// What a clipboard that says its kinds holds: copied files, else the picture of the kind that is liked best.
fn by_kind(
    kinds: &[u8],
    stem: &str,
    ask: impl Fn(&str) -> Result<Vec<u8>, RunError>,
) -> Result<Option<Clip>, RunError> {
    let kinds = String::from_utf8_lossy(kinds);
    let has = |kind: &&&str| kinds.lines().any(|line| line.trim() == **kind);
    if let Some(kind) = FILES.iter().find(has)
        && let Some(files) = files(&ask(kind)?)
    {
        return Ok(Some(files));
    }
    let liked = PICTURES.iter().find(has).copied();
    let other = || kinds.lines().map(str::trim).find(|kind| kind.starts_with("image/"));
    match liked.or_else(other) {
        Some(kind) => of_bytes(ask(kind)?, stem),
        None => Ok(None),
    }
}

fn of_bytes(bytes: Vec<u8>, stem: &str) -> Result<Option<Clip>, RunError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    picture(bytes, stem).map(|picture| Some(Clip::Picture(picture))).ok_or(RunError::NoPicture)
}

/// The files of this machine among lines of addresses. Some file managers write a word such as `copy` above them.
fn files(text: &[u8]) -> Option<Clip> {
    let text = str::from_utf8(text).ok()?;
    let addresses = text.lines().map(str::trim).filter(|line| line.starts_with("file://"));
    let paths = addresses.filter_map(|line| url::Url::parse(line).ok()?.to_file_path().ok());
    let paths: Vec<PathBuf> = paths.collect();
    (!paths.is_empty()).then_some(Clip::Files(paths))
}

fn path(text: &[u8]) -> Option<PathBuf> {
    let text = str::from_utf8(text).ok()?.trim_end_matches('\n');
    text.starts_with('/').then(|| PathBuf::from(text))
}

/// The bytes of `«data PNGf89504E47…»`.
fn of_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok()?.trim();
    let digits = text.strip_prefix("«data PNGf")?.strip_suffix('»')?;
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::{Way, all, by_kind, files, of_hex};
    use crate::clipboard::Clip;
    use crate::clipboard::program::RunError;
    use std::path::PathBuf;

    const GIF: &[u8] = b"GIF89a\x01\0\x01\0";

    #[test]
    fn the_ways_are_those_that_suit_the_desktop_or_the_one_that_is_set() {
        let of = |set: &'static [&str]| {
            all(None, &|name: &str| set.contains(&name).then(|| "0".to_owned()))
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&["DISPLAY"]), [Way::Xclip, Way::Xsel]);
        assert_eq!(of(&["WAYLAND_DISPLAY", "DISPLAY"]), [Way::WlPaste, Way::Xclip, Way::Xsel]);
        assert_eq!(of(&["WSL_DISTRO_NAME"]), [Way::Powershell]);
        let own = vec!["paste-it".to_owned()];
        assert_eq!(all(Some(&own), &|_: &str| Some("0".to_owned())), [Way::Set(own.clone())]);
    }

    #[test]
    fn copied_files_come_before_pictures_and_the_best_picture_before_others() {
        let asked = |kinds: &[u8], files: &'static [u8]| {
            by_kind(kinds, "image", |kind| {
                Ok(match kind {
                    "text/uri-list" | "x-special/gnome-copied-files" => files.to_vec(),
                    "image/gif" => GIF.to_vec(),
                    _ => b"no picture".to_vec(),
                })
            })
        };
        let kinds = b"TARGETS\nimage/gif\ntext/uri-list\n";
        let file = Clip::Files(vec![PathBuf::from("/a b.png")]);
        assert_eq!(asked(kinds, b"file:///a%20b.png\r\n"), Ok(Some(file)));
        // The address of a page is no file, and then the picture is what was copied.
        let picture = asked(kinds, b"https://example.org/a.gif\n");
        assert!(matches!(picture, Ok(Some(Clip::Picture(_)))), "{picture:?}");
        assert_eq!(asked(b"image/png\nimage/gif\n", b""), Err(RunError::NoPicture));
        assert_eq!(asked(b"text/plain\n", b""), Ok(None));
    }

    #[test]
    fn files_of_this_machine_are_taken_from_any_list() {
        let gnome = files(b"copy\nfile:///tmp/a.png\nfile:///tmp/b.png");
        let paths = ["/tmp/a.png", "/tmp/b.png"].map(PathBuf::from).to_vec();
        assert_eq!(gnome, Some(Clip::Files(paths)));
        assert_eq!(files(b"file://elsewhere/tmp/a.png\nwords"), None);
    }

    #[test]
    fn what_osascript_prints_is_read_as_bytes() {
        assert_eq!(of_hex("«data PNGf89504E47»\n".as_bytes()), Some(vec![0x89, 0x50, 0x4e, 0x47]));
        assert_eq!(of_hex(b"execution error"), None);
    }
}
