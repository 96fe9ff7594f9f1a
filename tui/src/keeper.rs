//! Writes what must outlive the client, in order and off the screen's thread, which waits for no disk.

use crate::snapshot::{Snapshot, SnapshotFile, Written};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

enum Job {
    Snapshot(Box<Snapshot>),
    Written(Box<Written>),
    Then(Box<dyn FnOnce() + Send>),
    Forget,
}

/// The thread that writes. Dropped, it is waited for.
pub struct Keeper {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// One that writes to `file`.
    pub fn new(file: SnapshotFile) -> Keeper {
        let (jobs, inbox) = channel();
        let thread = thread::Builder::new().name("keeper".to_owned());
        let thread = thread.spawn(move || work(&file, &inbox));
        if let Err(error) = &thread {
            tracing::error!(%error, "nothing can be kept: no thread for it");
        }
        Keeper { jobs: Some(jobs), thread: thread.ok() }
    }

    fn give(&self, job: Job) {
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            tracing::error!("the thread that keeps things is gone");
        }
    }

    /// Has the snapshot replaced.
    pub fn keep(&self, snapshot: Snapshot) {
        self.give(Job::Snapshot(Box::new(snapshot)));
    }

    /// Has what was written replaced.
    pub fn keep_written(&self, written: Written) {
        self.give(Job::Written(Box::new(written)));
    }

    /// Does something when all that was given before is on disk.
    pub fn then(&self, act: impl FnOnce() + Send + 'static) {
        self.give(Job::Then(Box::new(act)));
    }

    /// Waits until all that was given before is on disk, but not longer than this.
    pub fn wait(&self, at_most: Duration) {
        let (done, all) = channel();
        self.then(move || _ = done.send(()));
        if all.recv_timeout(at_most).is_err() {
            tracing::warn!("the disk is slow: what was sent is not kept yet");
        }
    }

    /// Has both removed.
    pub fn forget(&self) {
        self.give(Job::Forget);
    }

    /// Returns when everything is on disk.
    pub fn finish(&mut self) {
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps things panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

fn work(file: &SnapshotFile, inbox: &Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let (mut snapshot, mut written, mut after) = (None, None, Vec::new());
        // Of what piled up while the disk was slow only the newest counts.
        for job in std::iter::once(first).chain(inbox.try_iter()) {
            match job {
                Job::Snapshot(newer) => snapshot = Some(newer),
                Job::Written(newer) => written = Some(newer),
                Job::Then(act) => after.push(act),
                Job::Forget => {
                    (snapshot, written) = (None, None);
                    report(file.forget(), "the snapshot can't be removed");
                }
            }
        }
        if let Some(written) = written {
            report(file.save_written(&written), "what was written can't be kept");
        }
        after.into_iter().for_each(|act| act());
        if let Some(snapshot) = snapshot {
            report(file.save(&snapshot), "the snapshot can't be written");
        }
    }
}

fn report(result: std::io::Result<()>, what: &str) {
    if let Err(error) = result {
        tracing::error!(%error, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::Keeper;
    use crate::snapshot::{SnapshotFile, Written};
    use std::time::Duration;

    #[test]
    fn what_is_waited_for_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        let keeper = Keeper::new(file.clone());
        for n in 0..20 {
            let drafts = [("0!a:example.org".to_owned(), n.to_string())].into();
            keeper.keep_written(Written { drafts, ..Written::default() });
            keeper.wait(Duration::from_secs(60));
            assert_eq!(file.load().unwrap().drafts["0!a:example.org"], n.to_string());
        }
    }

    #[test]
    fn the_newest_of_many_is_on_disk_when_it_finishes() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(folder.path(), [7; 32]);
        let mut keeper = Keeper::new(file.clone());
        for n in 0..50 {
            let drafts = [("0!a:example.org".to_owned(), n.to_string())].into();
            keeper.keep_written(Written { drafts, ..Written::default() });
        }
        keeper.finish();
        assert_eq!(file.load().unwrap().drafts["0!a:example.org"], "49");
    }
}
