//! The machine that figures were taken on.

use std::{fs, io::Write, path::Path, time::Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    figures::{millis, number},
    measure::Samples,
    proc,
};

/// How many writes tell how slow the disk is.
const SYNCS: usize = 200;

/// What a reader needs for comparing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: f64,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    /// Median time of a 4 KiB write and its `fdatasync` on the disk that the servers' data are on.
    pub(crate) sync_ms: f64,
}

impl Machine {
    /// This one; `folder` is on the disk in question.
    pub(crate) fn here(folder: &Path) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let cpu = model.map_or("unknown", |rest| rest.trim_start_matches([':', '\t', ' ']));
        let memory = proc::kib(&fs::read_to_string("/proc/meminfo")?, "MemTotal:");
        Ok(Self {
            cpu: cpu.to_owned(),
            cores: proc::cores()?,
            memory_gib: number(memory.context("no MemTotal")?) / 1024.0 / 1024.0,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            sync_ms: sync_ms(folder)?,
        })
    }
}

fn sync_ms(folder: &Path) -> Result<f64> {
    let mut file = fs::File::create(folder.join("syncs"))?;
    let mut samples = Samples::default();
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        samples.push(began.elapsed());
    }
    fs::remove_file(folder.join("syncs"))?;
    Ok(millis(samples.quantile(0.5)?))
}
