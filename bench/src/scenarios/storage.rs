//! What an event costs on the disk.

use anyhow::{Result, ensure};

use super::send;
use crate::{
    figures::{Line, count, number},
    site::Site,
};

/// Database bytes per message, from files of a stopped server: nothing is in a write-ahead log that would be there later.
pub(super) async fn bytes_per_event(site: &mut Site) -> Result<Vec<Line>> {
    ensure!(site.server.is_ours(), "only for servers that the bench may stop");
    let village = site.village().await?;
    site.server.stop().await?;
    let before = site.server.database_bytes()?;
    site.server.restart().await?;
    let samples = send::messages(site, &village, &village.rooms).await?;
    site.server.stop().await?;
    let after = site.server.database_bytes()?;
    site.server.restart().await?;
    let bytes = number(after.saturating_sub(before)) / count(samples.count());
    Ok(vec![
        Line::fact("messages", count(samples.count()), ""),
        Line::cost("database bytes per message", bytes, "B"),
        Line::fact("database afterwards", number(after) / 1024.0 / 1024.0, "MiB"),
    ])
}
