//! What the file system does not promise by itself: that a new name outlives a power cut. And how a full disk is recognised.

use std::{
    error::Error,
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// The mode of a folder that only its owner may read.
pub const PRIVATE: u32 = 0o700;

/// Makes a folder of this mode, and those it is in, and waits until their names are on the disk.
///
/// # Errors
/// When one cannot be made; one that is there already is no error.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
        .collect();
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    missing.into_iter().rev().try_for_each(sync_name)
}

/// Waits until the name of a file or folder is on the disk. Its content is not waited for.
///
/// # Errors
/// When the folder it is in cannot be synced.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether an error, or what caused it, is that no more fits on the disk.
pub fn is_full(error: &(dyn Error + 'static)) -> bool {
    let here = error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            // `io::Error` counts what it wraps as itself, not as its cause.
            || error.get_ref().is_some_and(|inner| is_full(inner))
    });
    here || error.source().is_some_and(is_full)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_folder_is_made_with_those_it_is_in_once() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        make_folder(&made, PRIVATE).unwrap();
        make_folder(&made, PRIVATE).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(make_folder(&folder.path().join("file/below"), PRIVATE).is_err());
    }

    #[test]
    fn a_full_disk_is_recognised_below_other_errors() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(is_full(&full()));
        assert!(is_full(&io::Error::other(full())));
        let store = object_store::Error::Generic { store: "files", source: Box::new(full()) };
        assert!(is_full(&store));
        assert!(!is_full(&io::Error::from(io::ErrorKind::NotFound)));
    }
}
