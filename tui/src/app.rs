//! The loop: input and reports → actions → update → effects → draw. It wakes only for a cause: idle costs nothing.

use crate::action::Action;
use crate::backend::{Backend, Report, Request};
use crate::effect::{Effect, Timer};
use crate::input::Input;
use crate::screens;
use crate::snapshot::SnapshotFile;
use crate::state::State;
use crate::terminal::Screen;
use crate::update::{snapshot_of, update};
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

/// Frames are at least this far apart.
const FRAME: Duration = Duration::from_millis(16);

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGHUP, SIGINT.
    Quit,
    /// SIGTSTP.
    Suspend,
    /// SIGCONT.
    Continue,
}

/// The running client.
pub struct App<W: Write> {
    pub state: State,
    screen: Screen<W>,
    backend: Option<Box<dyn Backend>>,
    /// Requests from before there was a backend.
    waiting: Vec<Request>,
    timers: BTreeMap<Timer, Instant>,
    snapshot: Option<SnapshotFile>,
    dirty: bool,
    drawn: Option<Instant>,
    quit: bool,
}

impl<W: Write> App<W> {
    /// An app that shows `state` on `screen`.
    pub fn new(state: State, screen: Screen<W>, snapshot: Option<SnapshotFile>) -> App<W> {
        App {
            state,
            screen,
            backend: None,
            waiting: Vec::new(),
            timers: BTreeMap::new(),
            snapshot,
            dirty: true,
            drawn: None,
            quit: false,
        }
    }

    /// Gives it the network.
    pub fn attach(&mut self, backend: Box<dyn Backend>) {
        for request in self.waiting.drain(..) {
            backend.request(request);
        }
        self.backend = Some(backend);
    }

    /// Whether the client was told to end.
    pub fn is_over(&self) -> bool {
        self.quit
    }

    /// Whether the timer runs.
    pub fn waits_for(&self, timer: Timer) -> bool {
        self.timers.contains_key(&timer)
    }

    /// The screen as it was written to; for tests.
    pub fn screen_mut(&mut self) -> &mut Screen<W> {
        &mut self.screen
    }

    /// Runs until the user quits, a signal ends it or the terminal is gone.
    pub async fn run(
        &mut self,
        inputs: impl Stream<Item = Input>,
        reports: &mut UnboundedReceiver<Report>,
        signals: impl Stream<Item = Signal>,
    ) -> io::Result<()> {
        let ran = self.turn(pin!(inputs), reports, pin!(signals)).await;
        // Also when the terminal is gone: what was written must be there next time.
        self.quit = true;
        self.save();
        ran
    }

    async fn turn(
        &mut self,
        mut inputs: Pin<&mut impl Stream<Item = Input>>,
        reports: &mut UnboundedReceiver<Report>,
        mut signals: Pin<&mut impl Stream<Item = Signal>>,
    ) -> io::Result<()> {
        self.draw_if_due()?;
        while !self.quit {
            let deadline = self.deadline();
            let wait = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(signal) = signals.next() => self.take_signal(signal)?,
                input = inputs.next() => match input {
                    Some(input) => self.act(action_of(input))?,
                    None => self.quit = true,
                },
                Some(report) = reports.recv() => self.act(Action::Report(report))?,
                () = wait => {}
            }
            while let Some(input) = ready(inputs.as_mut()).await {
                self.act(action_of(input))?;
            }
            while let Ok(report) = reports.try_recv() {
                self.act(Action::Report(report))?;
            }
            self.run_timers()?;
            self.draw_if_due()?;
        }
        Ok(())
    }

    fn take_signal(&mut self, signal: Signal) -> io::Result<()> {
        match signal {
            Signal::Quit => self.quit = true,
            Signal::Suspend => self.suspend()?,
            Signal::Continue => self.act(Action::Continued)?,
        }
        Ok(())
    }

    /// Applies one action and carries out its effects.
    pub fn act(&mut self, action: Action) -> io::Result<()> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the client reads the time"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.state.now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.dirty = true;
        if let Action::Elapsed(timer) = &action {
            self.timers.remove(timer);
        }
        for effect in update(&mut self.state, action) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Request(request) => match &self.backend {
                Some(backend) => backend.request(request),
                None => self.waiting.push(request),
            },
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::Title(title) => self.screen.title(&title)?,
            Effect::Start(timer, after) => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Effect::Stop(timer) => {
                self.timers.remove(&timer);
            }
            Effect::Repaint => self.screen.repaint(),
            Effect::Suspend => self.suspend()?,
            Effect::SaveSnapshot => self.save(),
            Effect::ForgetSnapshot => {
                if let Some(Err(error)) = self.snapshot.as_ref().map(SnapshotFile::forget) {
                    tracing::error!(%error, "the snapshot can't be removed");
                }
            }
            Effect::Quit => self.quit = true,
        }
        Ok(())
    }

    /// Writes the snapshot aside: the screen waits for no disk. At exit the process ends after it.
    fn save(&mut self) {
        let (Some(file), Some(snapshot)) = (self.snapshot.clone(), snapshot_of(&self.state)) else {
            return;
        };
        let write = move || {
            if let Err(error) = file.save(&snapshot) {
                tracing::error!(%error, "the snapshot can't be written");
            }
        };
        if self.quit { write() } else { drop(tokio::task::spawn_blocking(write)) }
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.screen.leave()?;
        // The whole group, as the terminal itself does: whoever started this waits along, and the shell gets the terminal.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.screen.enter()?;
        let (columns, rows) = crossterm::terminal::size()?;
        self.act(Action::Resized(columns, rows))
    }

    fn deadline(&self) -> Option<Instant> {
        let timer = self.timers.values().min().copied();
        let frame = self.drawn.filter(|_| self.dirty).map(|drawn| drawn + FRAME);
        timer.into_iter().chain(frame).min()
    }

    fn run_timers(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let due: Vec<Timer> =
            self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer).collect();
        for timer in due {
            self.act(Action::Elapsed(timer))?;
        }
        Ok(())
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if !self.dirty || self.drawn.is_some_and(|drawn| now < drawn + FRAME) {
            return Ok(());
        }
        self.draw()
    }

    /// Draws the state as it is.
    pub fn draw(&mut self) -> io::Result<()> {
        let (buffer, cursor) = screens::draw(&self.state);
        self.screen.show(buffer, cursor)?;
        self.dirty = false;
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// What the stream has at once. Asked with this task's waker: crossterm's stream keeps the first one it is polled with, and
/// would never wake the loop again after a `now_or_never`.
async fn ready<T>(mut stream: Pin<&mut impl Stream<Item = T>>) -> Option<T> {
    poll_fn(|context| match stream.as_mut().poll_next(context) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn action_of(input: Input) -> Action {
    match input {
        Input::Key(key) => Action::Key(key),
        Input::Paste(text) => Action::Paste(text),
        Input::Resized(columns, rows) => Action::Resized(columns, rows),
        Input::Focused => Action::Focused,
        Input::Unfocused => Action::Unfocused,
    }
}
