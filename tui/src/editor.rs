//! The user's own programs: the editor that long messages are written in, and what received files are opened with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum EditorError {
    #[error("{program} can't be started: {error}. Set `editor` in the config file, or $EDITOR.")]
    Start { program: String, error: io::Error },
    #[error("{program} can't be started: {error}. Set `opener` in the config file.")]
    Open { program: String, error: io::Error },
    #[error("{program} ended with an error; the message is as it was.")]
    Failed { program: String },
    #[error("The text can't be handed over: {0}.")]
    File(#[from] io::Error),
}

/// The program and its arguments: the one set, else $VISUAL, $EDITOR, vi.
pub fn program(set: Option<&[String]>) -> Vec<String> {
    if let Some(set) = set.filter(|set| !set.is_empty()) {
        return set.to_vec();
    }
    let asked = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    let words = asked.map(|value| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    words.into_iter().find(|words| !words.is_empty()).unwrap_or_else(|| vec!["vi".to_owned()])
}

/// Has `text` edited in the terminal, which must have been given back; returns what became of it.
pub fn edit(command: &[String], text: &str) -> Result<String, EditorError> {
    let Some((program, args)) = command.split_first() else { return Ok(text.to_owned()) };
    let file = Draft::new(text)?;
    let status = Command::new(program).args(args).arg(&file.0).status();
    let status = status.map_err(|error| EditorError::Start { program: program.clone(), error })?;
    if !status.success() {
        return Err(EditorError::Failed { program: program.clone() });
    }
    let edited = fs::read(&file.0)?;
    Ok(String::from_utf8_lossy(&edited).trim_end_matches('\n').to_owned())
}

/// Starts the program that opens files, and waits for it only aside.
pub fn open_with(opener: &[String], path: &Path) -> Result<(), EditorError> {
    let Some((program, args)) = opener.split_first() else { return Ok(()) };
    let (nowhere, quiet) = (Stdio::null(), Stdio::null());
    let started = Command::new(program)
        .args(args)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(nowhere)
        .stderr(quiet)
        .spawn();
    let mut child =
        started.map_err(|error| EditorError::Open { program: program.clone(), error })?;
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// A file that only its owner can read, and that is gone afterwards.
struct Draft(PathBuf);

impl Draft {
    fn new(text: &str) -> io::Result<Draft> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let folder = folder.filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir);
        Draft::in_folder(&folder, text)
    }

    fn in_folder(folder: &Path, text: &str) -> io::Result<Draft> {
        let path = folder.join(format!("tern-message-{:08x}.md", rand::random::<u32>()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let draft = Draft(path);
        file.write_all(text.as_bytes())?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, "a draft in the temporary folder can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::edit;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script, "sh"].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_the_editor_saves_comes_back_and_a_failure_changes_nothing() {
        assert_eq!(edit(&sh("echo more >> \"$1\""), "text\n").unwrap(), "text\nmore");
        assert!(edit(&sh("echo more >> \"$1\"; exit 1"), "text").is_err());
        let error = edit(&["no-such-editor".to_owned()], "text").unwrap_err().to_string();
        assert!(error.contains("no-such-editor") && error.contains("$EDITOR"), "{error}");
    }
}
