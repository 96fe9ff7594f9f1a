//! `ternd mail`: what the file transport wrote, newest last.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clap::Args;
use lettre::message::header;
use serde::{Deserialize, Serialize};

use super::{CliError, ConfigFile, print, printable};

#[derive(Debug, Args)]
pub(super) struct Mail {
    #[command(flatten)]
    file: ConfigFile,
    /// One JSON object a line: to, subject, text, html, date, file.
    #[arg(long)]
    json: bool,
}

/// One written mail, as the file transport writes it.
#[derive(Debug, Deserialize, Serialize)]
struct Written {
    to: String,
    subject: String,
    text: String,
    #[serde(default)]
    html: String,
    /// When it was written, in milliseconds since 1970.
    #[serde(default)]
    date: u64,
    #[serde(skip_deserializing)]
    file: PathBuf,
}

pub(super) fn run(options: &Mail) -> Result<(), CliError> {
    let config = options.file.load()?;
    let folder = config.data_dir.join("mail");
    let mails = read_all(&folder)?;
    if options.json {
        for mail in &mails {
            let line = serde_json::to_string(mail).map_err(io::Error::from)?;
            print(&format!("{line}\n"))?;
        }
    } else if mails.is_empty() {
        print(&format!("no mails in {}\n", folder.display()))?;
    } else {
        for mail in &mails {
            print(&format!(
                "{}\nDate: {}\nTo: {}\nSubject: {}\n\n{}\n\n",
                "-".repeat(72),
                date(mail.date),
                printable(&mail.to),
                printable(&mail.subject),
                printable(mail.text.trim_end())
            ))?;
        }
    }
    Ok(())
}

/// `Mon, 23 Nov 2026 02:15:12 +0000`, as a mail's own header has it.
fn date(ms: u64) -> String {
    let mut headers = header::Headers::new();
    headers.set(header::Date::from(SystemTime::UNIX_EPOCH + Duration::from_millis(ms)));
    headers.get_raw("Date").unwrap_or_default().to_owned()
}

/// All mails in order of writing. Files that are no mail are skipped: one may be half written.
fn read_all(folder: &Path) -> Result<Vec<Written>, CliError> {
    let failed = |source| CliError::File { what: "cannot read", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            let written = entry.metadata().and_then(|meta| meta.modified()).map_err(failed)?;
            files.push((written, entry.path()));
        }
    }
    files.sort();
    let read = |(_, file): (_, PathBuf)| {
        let mut mail: Written = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        mail.file = file;
        Some(mail)
    };
    Ok(files.into_iter().filter_map(read).collect())
}
