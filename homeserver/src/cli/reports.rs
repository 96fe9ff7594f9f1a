//! `ternd reports`: what users told the administrators of, newest last.

use std::{
    io,
    time::{Duration, SystemTime},
};

use clap::Args;
use lettre::message::header;

use super::{CliError, ConfigFile, block_on, print, printable};
use crate::{
    clock::Clock,
    storage::{Database, reports},
};

/// Most reports that are shown at once.
const SHOWN_MAX: u32 = 1_000;

#[derive(Debug, Args)]
pub(super) struct Reports {
    #[command(flatten)]
    file: ConfigFile,
    /// Only those of the last N days.
    #[arg(long, value_name = "N", default_value_t = 180)]
    days: u32,
    /// One JSON object a line: at_ms, reporter, room_id, event_id, user_id, reason.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Reports) -> Result<(), CliError> {
    let config = options.file.load()?;
    let age = Duration::from_secs(u64::from(options.days) * 24 * 3_600);
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let since_ms = Clock::default().now_ms().saturating_sub(age_ms);
    let found = block_on(async {
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let found = reports::list_reports(db.read(), since_ms, SHOWN_MAX).await?;
        db.close().await;
        Ok(found)
    })?;
    if found.is_empty() && !options.json {
        return print("no reports\n");
    }
    for reports::Listed { report, reporter } in &found {
        let line = if options.json {
            let json = serde_json::json!({
                "at_ms": report.at_ms, "reporter": reporter, "room_id": report.room_id,
                "event_id": report.event_id, "user_id": report.user_id, "reason": report.reason,
            });
            serde_json::to_string(&json).map_err(io::Error::from)?
        } else {
            let about: Vec<_> = [&report.user_id, &report.room_id, &report.event_id]
                .into_iter()
                .flatten()
                .map(|text| printable(text))
                .collect();
            format!(
                "{}  {} reports {}\n    {}",
                date(report.at_ms),
                printable(reporter),
                about.join(" "),
                printable(&report.reason).replace('\n', "\n    ")
            )
        };
        print(&format!("{line}\n"))?;
    }
    Ok(())
}

/// `Mon, 23 Nov 2026 02:15:12 +0000`.
fn date(ms: i64) -> String {
    let since = Duration::from_millis(ms.unsigned_abs());
    let mut headers = header::Headers::new();
    headers.set(header::Date::from(SystemTime::UNIX_EPOCH + since));
    headers.get_raw("Date").unwrap_or_default().to_owned()
}
