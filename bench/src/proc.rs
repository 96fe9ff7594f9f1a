//! What Linux says about processes and the machine, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

fn text(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count.saturating_mul(1_000_000_000 / clock_ticks_per_second().max(1)))
}

/// The CPU time a process has used, user and system together, its ended threads included.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    cpu_in(&text(&format!("/proc/{pid}/stat"))?)
}

/// This process's.
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu_in(&text("/proc/self/stat")?)
}

fn cpu_in(stat: &str) -> Result<Duration> {
    // The program's name stands in parentheses and may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    // From the third on: state is 0, utime 11, stime 12.
    let times: Result<Vec<u64>, _> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    let times = times?;
    ensure!(times.len() == 2, "stat is short");
    Ok(ticks(times.iter().sum()))
}

/// The CPU time that all processes and the kernel have used, summed over the cores.
pub(crate) fn machine_cpu() -> Result<Duration> {
    machine_cpu_in(&text("/proc/stat")?)
}

fn machine_cpu_in(stat: &str) -> Result<Duration> {
    // user nice system idle iowait irq softirq steal
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let fields: Result<Vec<u64>, _> =
        line.split_whitespace().skip(1).take(8).map(str::parse).collect();
    let busy = fields?.into_iter().enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    Ok(ticks(busy.map(|(_, ticks)| ticks).sum()))
}

/// How many cores this process may use.
pub(crate) fn cores() -> Result<f64> {
    let cores = u32::try_from(std::thread::available_parallelism()?.get())?;
    Ok(f64::from(cores))
}

/// The memory of a process that is in RAM, in KiB.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    // The exact sum where the kernel shows it; `status` may lag by some pages a thread.
    let rollup = text(&format!("/proc/{pid}/smaps_rollup"));
    match rollup.ok().and_then(|rollup| kib(&rollup, "Rss:")) {
        Some(kib) => Ok(kib),
        None => kib(&text(&format!("/proc/{pid}/status"))?, "VmRSS:").context("no VmRSS"),
    }
}

/// How often the threads of a process have gone to sleep of their own accord, all together.
pub(crate) fn voluntary_switches(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that ended meanwhile has nothing to say.
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        sum += kib(&status, "voluntary_ctxt_switches:").unwrap_or(0);
    }
    Ok(sum)
}

/// The number after `field` in lines such as `VmRSS:     1234 kB`.
pub(crate) fn kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Allows as many open files as the system lets this process have.
pub(crate) fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 5 6 7";

        assert_eq!(cpu_in(stat).unwrap(), ticks(200));
        assert!(cpu_in("7 (a) S").is_err());
        assert!(cpu_in("").is_err());
    }

    #[test]
    fn waiting_is_not_work() {
        let stat = "cpu  1 2 4 1000 1000 8 16 32 64 128\ncpu0 1 1 1 1 1 1 1 1\n";

        assert_eq!(machine_cpu_in(stat).unwrap(), ticks(63));
    }

    #[test]
    fn this_process_has_memory_and_uses_cpu() {
        assert!(resident(std::process::id()).unwrap() > 100);
        assert_eq!(kib("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        let before = own_cpu().unwrap();
        while own_cpu().unwrap() <= before {
            std::hint::black_box((0..10_000).sum::<u64>());
        }
        assert!(machine_cpu().unwrap() > Duration::ZERO);
    }
}
