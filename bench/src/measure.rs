//! Doing many of one thing, and what that took.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures_util::{TryStreamExt, stream::FuturesUnordered};

use crate::proc;

/// How many are timed of anything quick, however long that takes.
pub(crate) const QUICK_COUNT: usize = 5_000;

/// What is quick: it takes less than this on average.
pub(crate) const QUICK: Duration = Duration::from_millis(4);

/// How many of a thing, how many at once, and for how long at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) count: usize,
    pub(crate) concurrency: usize,
    pub(crate) limit: Option<Duration>,
}

/// When work ends that was not done before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Counts from now on.
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        Self(limit.map(|limit| Instant::now() + limit))
    }

    /// Whether time is up for work that took `samples` so far. What is quick is timed often first, or the slowest hundredth of it
    /// would be a handful.
    pub(crate) fn ends(self, samples: &Samples) -> bool {
        let is_up = self.0.is_some_and(|end| Instant::now() >= end);
        let is_quick = samples.mean().is_some_and(|mean| mean < QUICK);
        is_up && !(is_quick && samples.count() < QUICK_COUNT)
    }
}

/// How long each took.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    each: Vec<Duration>,
    total: Duration,
}

impl Samples {
    pub(crate) fn push(&mut self, took: Duration) {
        self.each.push(took);
        self.total += took;
    }

    /// None where nothing was timed.
    pub(crate) fn mean(&self) -> Option<Duration> {
        self.total.checked_div(u32::try_from(self.each.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// The `part` (0 to 1) of the sorted samples.
    pub(crate) fn quantile(&mut self, part: f64) -> Result<Duration> {
        ensure!(!self.each.is_empty(), "nothing was timed");
        self.each.sort_unstable();
        let last = self.each.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index within the samples"
        )]
        let index = (last as f64 * part).round() as usize;
        self.each.get(index.min(last)).copied().context("no sample")
    }
}

/// Lets each of `workers` do `job` again and again until there were `load.count` or time is up. A job gives how long the part of
/// it took that counts; its number is unlike the others'.
pub(crate) async fn drive<W>(
    load: Load,
    workers: &mut [W],
    job: impl AsyncFn(&mut W, usize) -> Result<Duration>,
) -> Result<Samples> {
    let deadline = Deadline::after(load.limit);
    let next = Cell::new(0);
    let samples = RefCell::new(Samples::default());
    let work = async |worker: &mut W| {
        while next.get() < load.count && !deadline.ends(&samples.borrow()) {
            let number = next.replace(next.get() + 1);
            let took = job(worker, number).await?;
            samples.borrow_mut().push(took);
        }
        anyhow::Ok(())
    };
    let working: FuturesUnordered<_> =
        workers.iter_mut().take(load.concurrency).map(work).collect();
    working.try_collect::<()>().await?;
    Ok(samples.into_inner())
}

/// What a stretch of time cost.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// CPU of the servers measured; none where their processes are not known.
    pub(crate) server: Option<Duration>,
    /// CPU of this process.
    pub(crate) generator: Duration,
    /// The part (0 to 1) of the machine's CPU that went elsewhere.
    pub(crate) elsewhere: f64,
}

/// Watches processes from now on.
#[derive(Debug)]
pub(crate) struct Meter {
    pids: Vec<u32>,
    began: Instant,
    server: Option<Duration>,
    generator: Duration,
    machine: Duration,
}

impl Meter {
    pub(crate) fn start(pids: &[u32]) -> Result<Self> {
        Ok(Self {
            pids: pids.to_vec(),
            server: cpu_of(pids)?,
            generator: proc::own_cpu()?,
            machine: proc::machine_cpu()?,
            began: Instant::now(),
        })
    }

    pub(crate) fn stop(self) -> Result<Usage> {
        let wall = self.began.elapsed();
        let since = |now: Duration, then: Duration| now.saturating_sub(then);
        let server = match (cpu_of(&self.pids)?, self.server) {
            (Some(now), Some(then)) => Some(since(now, then)),
            _ => None,
        };
        let generator = since(proc::own_cpu()?, self.generator);
        let machine = since(proc::machine_cpu()?, self.machine);
        let known = server.unwrap_or_default() + generator;
        let whole = wall.as_secs_f64() * proc::cores()?;
        let elsewhere = since(machine, known).as_secs_f64() / whole.max(f64::EPSILON);
        Ok(Usage { wall, server, generator, elsewhere })
    }
}

/// The CPU time of several processes together; none when there are none.
fn cpu_of(pids: &[u32]) -> Result<Option<Duration>> {
    if pids.is_empty() {
        return Ok(None);
    }
    let times: Result<Vec<Duration>> = pids.iter().map(|pid| proc::cpu(*pid)).collect();
    Ok(Some(times?.into_iter().sum()))
}

/// Waits until `process` has used next to no CPU for a second: what it was asked for is done.
pub(crate) async fn until_quiet(pids: &[u32], limit: Duration) -> Result<()> {
    const WINDOW: Duration = Duration::from_secs(1);

    let mut clock = tokio::time::interval(WINDOW);
    clock.tick().await;
    let deadline = Instant::now() + limit;
    let mut before = cpu_of(pids)?;
    loop {
        clock.tick().await;
        let now = cpu_of(pids)?;
        let used = now.unwrap_or_default().saturating_sub(before.unwrap_or_default());
        if used <= WINDOW / 50 || Instant::now() > deadline {
            return Ok(());
        }
        before = now;
    }
}

/// Lets `window` pass.
pub(crate) async fn pass(window: Duration) {
    let mut clock = tokio::time::interval(window);
    clock.tick().await;
    clock.tick().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let mut samples = Samples::default();
        (1..=101).rev().for_each(|number| samples.push(Duration::from_millis(number)));

        assert_eq!(samples.quantile(0.0).unwrap(), Duration::from_millis(1));
        assert_eq!(samples.quantile(0.5).unwrap(), Duration::from_millis(51));
        assert_eq!(samples.quantile(0.99).unwrap(), Duration::from_millis(100));
        assert_eq!(samples.quantile(1.0).unwrap(), Duration::from_millis(101));
        assert_eq!(samples.mean(), Some(Duration::from_millis(51)));
        assert!(Samples::default().quantile(0.5).is_err());
        assert_eq!(Samples::default().mean(), None);
    }

    #[tokio::test]
    async fn every_number_is_worked_on_once_by_as_many_workers_as_asked() {
        let load = Load { count: 100, concurrency: 3, limit: None };
        let seen = RefCell::new(Vec::new());
        let mut workers: Vec<usize> = vec![0; 5];

        let samples = drive(load, &mut workers, async |worker, number| {
            tokio::task::yield_now().await;
            *worker += 1;
            seen.borrow_mut().push(number);
            Ok(Duration::ZERO)
        });

        assert_eq!(samples.await.unwrap().count(), 100);
        let mut seen = seen.into_inner();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        assert_eq!(workers.iter().filter(|done| **done > 0).count(), 3);
    }

    #[tokio::test]
    async fn a_limit_that_has_passed_ends_what_is_slow() {
        let load = Load { count: 100, concurrency: 1, limit: Some(Duration::ZERO) };

        let samples = drive(load, &mut [()], async |_, _| Ok(QUICK)).await.unwrap();

        assert_eq!(samples.count(), 0);
    }

    #[test]
    fn a_limit_that_has_passed_lets_what_is_quick_go_on_until_it_was_timed_often() {
        let (passed, none) = (Deadline::after(Some(Duration::ZERO)), Deadline::after(None));
        let (mut quick, mut slow) = (Samples::default(), Samples::default());
        quick.push(QUICK / 2);
        slow.push(QUICK);

        assert!(!passed.ends(&quick));
        assert!(passed.ends(&slow));
        (1..QUICK_COUNT).for_each(|_| quick.push(QUICK / 2));
        assert!(passed.ends(&quick));
        assert!(!none.ends(&slow));
    }
}
