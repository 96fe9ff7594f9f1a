//! Accounts.

use anyhow::Result;

use crate::{
    figures::{Line, timed},
    measure::Meter,
    site::Site,
};

/// Registration. The accounts become the crowd.
pub(super) async fn register(site: &mut Site) -> Result<Vec<Line>> {
    let (count, limit) = (site.plan.count, site.plan.limit);
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let samples = site.register(count, Some(limit)).await?;
    timed(samples, &meter.stop()?, &pids)
}
