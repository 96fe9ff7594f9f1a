//! What a program did, as strace wrote it down.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result};

/// One system call. `began` and `ended` are moments of the record: what ended before another began came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    name: String,
    arguments: String,
    /// `?` when the program ended in it.
    result: String,
    pub began: usize,
    pub ended: usize,
}

impl Call {
    /// Such as `fsync`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or socket of its first argument, `socket:[4711]` for instance; empty where it has none.
    pub fn file(&self) -> &str {
        let named = self.arguments.split_once('<').and_then(|(number, rest)| {
            number.bytes().all(|byte| byte.is_ascii_digit()).then(|| rest.split_once('>'))?
        });
        named.map_or("", |(file, _)| file)
    }

    /// What it read or wrote, as strace quotes bytes.
    pub fn data(&self) -> &str {
        let quoted = self.arguments.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
        quoted.map_or("", |(data, _)| data)
    }

    /// The number of the argument `back` places before the last one.
    pub fn number_from_end(&self, back: usize) -> Option<u64> {
        self.arguments.rsplit(", ").nth(back)?.parse().ok()
    }

    /// The two paths of a rename.
    pub fn paths(&self) -> Option<(&str, &str)> {
        let mut quoted = self.arguments.split('"');
        let (_, from, _, to) = (quoted.next()?, quoted.next()?, quoted.next()?, quoted.next()?);
        Some((from, to))
    }

    /// Whether it ended and was no failure.
    pub fn succeeded(&self) -> bool {
        !self.was_cut_off() && !self.result.starts_with('-')
    }

    /// Whether the program ended before the call did.
    pub fn was_cut_off(&self) -> bool {
        self.result == "?"
    }

    /// Whether it waits until a file or folder is on the disk.
    pub fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync")
    }

    /// Whether it writes.
    pub fn is_write(&self) -> bool {
        const WRITES: [&str; 6] = ["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"];
        WRITES.contains(&self.name.as_str())
    }

    /// Whether it reads.
    pub fn is_read(&self) -> bool {
        matches!(self.name.as_str(), "read" | "recvfrom")
    }
}

/// The calls of one run, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct Trace(Vec<Call>);

impl Trace {
    /// Reads what strace wrote with `-f -o`.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn read(log: &Path) -> Result<Self> {
        let bytes = fs::read(log).with_context(|| format!("no trace {}", log.display()))?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// The calls.
    pub fn calls(&self) -> &[Call] {
        &self.0
    }

    /// Those on a file whose path ends in `ending`.
    pub fn of_file<'a>(&'a self, ending: &'a str) -> impl DoubleEndedIterator<Item = &'a Call> {
        self.0.iter().filter(move |call| call.file().ends_with(ending))
    }

    /// The same from text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut calls: Vec<Call> = Vec::new();
        // By thread: the call that it has begun.
        let mut pending: HashMap<&str, usize> = HashMap::new();
        for (moment, line) in text.lines().enumerate() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some(resumed) = rest.strip_prefix("<... ") {
                let call = pending.remove(thread).and_then(|index| calls.get_mut(index));
                let more = resumed.split_once(" resumed>").map(|(_, more)| more);
                if let (Some(call), Some(more)) = (call, more) {
                    call.end(more, moment);
                }
                continue;
            }
            // Lines of signals and of ends have no name before a bracket.
            let Some((name, rest)) = rest.split_once('(') else { continue };
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue;
            }
            let mut call = Call {
                name: name.to_owned(),
                arguments: String::new(),
                result: "?".to_owned(),
                began: moment,
                ended: usize::MAX,
            };
            match rest.strip_suffix(" <unfinished ...>") {
                Some(begun) => {
                    call.arguments.push_str(begun);
                    pending.insert(thread, calls.len());
                }
                None => call.end(rest, moment),
            }
            calls.push(call);
        }
        Self(calls)
    }
}

impl Call {
    /// Takes in the rest of its line: further arguments, a bracket, and what it gave.
    fn end(&mut self, rest: &str, moment: usize) {
        let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
        let arguments = arguments.trim_end();
        self.arguments.push_str(arguments.strip_suffix(')').unwrap_or(arguments));
        result.trim().clone_into(&mut self.result);
        if self.result != "?" {
            self.ended = moment;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"7  pwrite64(12</d/tern.db-wal>, "a \"b\" = c", 4096, 8192) = 4096
7  fsync(12</d/tern.db-wal> <unfinished ...>
8  recvfrom(9<socket:[4711]>,  <unfinished ...>
7  <... fsync resumed>)           = 0
8  <... recvfrom resumed>"PUT /", 24, 0, NULL, NULL) = 5
8  rename("/d/x#1", "/d/x")             = -1 ENOENT (No such file or directory)
7  fsync(12</d/tern.db-wal> <unfinished ...>
8  --- SIGKILL {si_signo=SIGKILL} ---
8  +++ killed by SIGKILL +++
7  <... fsync resumed>)           = ?
"#;

    #[test]
    fn calls_that_others_interrupt_are_put_together() {
        let trace = Trace::parse(LOG);
        let [write, sync, read, rename, last] = trace.calls() else { panic!("{trace:?}") };
        assert_eq!((write.file(), write.data()), ("/d/tern.db-wal", "a \\\"b\\\" = c"));
        assert_eq!((write.number_from_end(1), write.number_from_end(0)), (Some(4096), Some(8192)));
        assert!(sync.is_sync() && sync.succeeded() && (sync.began, sync.ended) == (1, 3));
        assert_eq!((read.file(), read.data()), ("socket:[4711]", "PUT /"));
        assert_eq!(rename.paths(), Some(("/d/x#1", "/d/x")));
        assert!(!rename.succeeded() && last.was_cut_off());
        assert_eq!(trace.of_file("-wal").count(), 3);
    }
}
