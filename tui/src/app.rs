//! The loop: input and reports → actions → update → effects → draw. It wakes only for a cause: idle costs nothing.

use crate::action::Action;
use crate::backend::{AccountId, Backend, Report, Request, Secret, Told};
use crate::clipboard;
use crate::editor;
use crate::effect::{Effect, Timer};
use crate::input::{Gate, Input, MouseKind};
use crate::keeper::Keeper;
use crate::notify::Notifier;
use crate::passcode::Passcode;
use crate::probe;
use crate::screens;
use crate::snapshot::SnapshotFile;
use crate::state::State;
use crate::terminal::Screen;
use crate::update::{lock_screen, snapshot_of, update, written_of};
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::io::{self, Write};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

/// Frames are at least this far apart, but for those that answer a key.
const FRAME: Duration = Duration::from_millis(16);
/// The same on a slow line.
const SLOW_FRAME: Duration = Duration::from_millis(120);
/// The longest that sending waits for the disk: a disk that hangs must not hang the screen.
const KEPT_WITHIN: Duration = Duration::from_secs(1);

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
    backend: Option<Arc<Mutex<Box<dyn Backend>>>>,
    /// Requests from before there was a backend.
    waiting: Vec<(AccountId, Request)>,
    timers: BTreeMap<Timer, Instant>,
    keeper: Option<Keeper>,
    /// Closed while another program has the terminal.
    gate: Option<Gate>,
    notifier: Notifier,
    passcode: Option<Passcode>,
    /// What threads of its own say.
    aside: (UnboundedSender<Action>, UnboundedReceiver<Action>),
    dirty: bool,
    /// A key was pressed since the last frame.
    hurried: bool,
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
            keeper: snapshot.map(Keeper::new),
            gate: None,
            notifier: Notifier::default(),
            passcode: None,
            aside: unbounded_channel(),
            dirty: true,
            hurried: false,
            drawn: None,
            quit: false,
        }
    }

    /// Gives it what only a real terminal has: the gate of its input, and a way to tell of news.
    pub fn furnish(&mut self, gate: Gate, notifier: Notifier) {
        (self.gate, self.notifier) = (Some(gate), notifier);
    }

    /// Gives it the file of the passcode; where one is set, it starts locked.
    pub fn with_passcode(mut self, passcode: Passcode) -> App<W> {
        self.state.has_passcode = passcode.is_set();
        self.state.lock = self.state.has_passcode.then(lock_screen);
        self.passcode = Some(passcode);
        self
    }

    /// Gives it the network.
    pub fn attach(&mut self, backend: Box<dyn Backend>) {
        for (account, request) in self.waiting.drain(..) {
            backend.request(account, request);
        }
        self.backend = Some(Arc::new(Mutex::new(backend)));
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
        reports: &mut UnboundedReceiver<Told>,
        signals: impl Stream<Item = Signal>,
    ) -> io::Result<()> {
        let ran = self.turn(pin!(inputs), reports, pin!(signals)).await;
        // Also when the terminal is gone: what was written must be there next time.
        self.quit = true;
        self.save();
        self.save_written();
        if let Some(keeper) = &mut self.keeper {
            keeper.finish();
        }
        ran
    }

    async fn turn(
        &mut self,
        mut inputs: Pin<&mut impl Stream<Item = Input>>,
        reports: &mut UnboundedReceiver<Told>,
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
                    Some(input) => self.take_input(input)?,
                    None => self.quit = true,
                },
                Some((account, report)) = reports.recv() => {
                    self.act(Action::Report(account, report))?;
                }
                Some(action) = self.aside.1.recv() => self.act(action)?,
                () = wait => {}
            }
            while let Some(input) = ready(inputs.as_mut()).await {
                self.take_input(input)?;
            }
            while let Ok((account, report)) = reports.try_recv() {
                self.act(Action::Report(account, report))?;
            }
            self.run_timers()?;
            self.draw_if_due()?;
        }
        Ok(())
    }

    /// What a person does is answered in the next frame, and that is drawn at once: whoever types waits for no clock.
    fn take_input(&mut self, input: Input) -> io::Result<()> {
        let Some(action) = action_of(input) else { return Ok(()) };
        self.hurried = true;
        self.act(action)
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
        let action = self.aimed(action);
        for effect in update(&mut self.state, action) {
            self.carry_out(effect)?;
        }
        Ok(())
    }

    /// Hands a request over. What is sent waits until the disk knows of it, so that being killed neither loses nor doubles it.
    fn ask(&mut self, account: AccountId, request: Request) {
        let Some(backend) = self.backend.clone() else {
            return self.waiting.push((account, request));
        };
        let ask = move |request| {
            let backend = backend.lock().unwrap_or_else(PoisonError::into_inner);
            backend.request(account, request);
        };
        match &self.keeper {
            Some(keeper) if request.sends() => keeper.then(move || ask(request)),
            _ => ask(request),
        }
    }

    /// A click on a form hits one of its fields or buttons; only drawing knows where they are.
    fn aimed(&self, action: Action) -> Action {
        match action {
            Action::Mouse(mouse) if mouse.what == MouseKind::Click => {
                let hit = screens::stop_at(&self.state, mouse.at);
                hit.map_or(Action::Mouse(mouse), Action::Hit)
            }
            action => action,
        }
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::RequestOf(account, request) => self.ask(account, request),
            // `update` has said whose it is.
            Effect::Request(_) => {}
            Effect::Notify(notification) => {
                self.screen.say(&self.notifier.bytes(&notification))?;
                self.notifier.run_programs(&notification);
            }
            Effect::Transmit { shown, columns, rows } => {
                self.screen.transmit(&shown, (columns, rows))?;
            }
            Effect::Theme(theme) => self.screen.set_theme(theme),
            Effect::Edit(text) => self.edit(&text)?,
            Effect::ReadClipboard { name } => self.read_clipboard(name),
            Effect::OpenPath(path) => self.open_path(&path)?,
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::OpenLink(link) => crate::browser::open(&link),
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
            Effect::SaveWritten => self.save_written(),
            Effect::SaveSent => {
                self.save_written();
                if let Some(keeper) = &self.keeper {
                    keeper.wait(KEPT_WITHIN);
                }
            }
            Effect::ForgetSnapshot => {
                self.set_passcode(None);
                if let Some(keeper) = &self.keeper {
                    keeper.forget();
                }
            }
            Effect::CheckPasscode(typed) => {
                let right = self.passcode.as_ref().is_some_and(|passcode| passcode.is(&typed.0));
                self.act(Action::PasscodeChecked(right))?;
            }
            Effect::SetPasscode(new) => self.set_passcode(new.as_ref()),
            Effect::Quit => self.quit = true,
        }
        Ok(())
    }

    fn set_passcode(&mut self, new: Option<&Secret>) {
        let Some(file) = &self.passcode else { return };
        let set = match new {
            Some(new) => file.set(&new.0),
            None => file.forget(),
        };
        if let Err(error) = set {
            tracing::error!(%error, "the passcode can't be written");
        }
    }

    fn save(&self) {
        if let (Some(keeper), Some(snapshot)) = (&self.keeper, snapshot_of(&self.state)) {
            keeper.keep(snapshot);
        }
    }

    fn save_written(&self) {
        if let (Some(keeper), Some(written)) = (&self.keeper, written_of(&self.state)) {
            keeper.keep_written(written);
        }
    }

    /// Lends the terminal to the user's editor.
    fn edit(&mut self, text: &str) -> io::Result<()> {
        let Some(gate) = self.gate.clone() else { return Ok(()) };
        gate.close();
        self.screen.leave()?;
        let program = editor::program(self.state.settings.editor.as_deref());
        let edited = editor::edit(&program, text);
        self.screen.enter()?;
        gate.open();
        let (columns, rows) = crossterm::terminal::size()?;
        self.act(Action::Resized(columns, rows))?;
        let edited = edited.map_err(|error| error.to_string());
        self.act(Action::Edited(edited))
    }

    /// Has the clipboard read in a thread: programs that are asked for it may hang.
    fn read_clipboard(&self, name: String) {
        let (settings, sender) = (self.state.settings.clone(), self.aside.0.clone());
        std::thread::spawn(move || {
            let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let read = clipboard::read(settings.clipboard.as_deref(), variable, &name);
            // Whoever has quit meanwhile needs no answer.
            drop(sender.send(Action::Clipboard(read)));
        });
    }

    fn open_path(&mut self, path: &Path) -> io::Result<()> {
        let opened = editor::open_with(&self.state.settings.opener, path);
        match opened {
            Ok(()) => Ok(()),
            Err(error) => {
                let failed = Report::Failed { reason: error.to_string() };
                self.act(Action::Report(self.state.front(), failed))
            }
        }
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
        let frame = self.drawn.filter(|_| self.dirty).map(|drawn| drawn + self.frame());
        timer.into_iter().chain(frame).min()
    }

    fn frame(&self) -> Duration {
        match (self.state.slow_link, self.hurried) {
            (true, _) => SLOW_FRAME,
            (false, true) => Duration::ZERO,
            (false, false) => FRAME,
        }
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
        if !self.dirty || self.drawn.is_some_and(|drawn| now < drawn + self.frame()) {
            return Ok(());
        }
        self.draw()
    }

    /// Draws the state as it is.
    pub fn draw(&mut self) -> io::Result<()> {
        let (buffer, cursor) = screens::draw(&self.state);
        let pictures = screens::pictures(&self.state);
        self.screen.show(buffer, cursor, &self.state.links, pictures)?;
        // Shown with the next frame: a count that counts itself would never rest.
        self.state.bytes_written = self.screen.bytes_written();
        (self.dirty, self.hurried) = (false, false);
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// What the stream has at once. Asked with this task's waker: a stream wakes the one that it was polled with last, and would
/// never wake the loop again after a `now_or_never`.
async fn ready<T>(mut stream: Pin<&mut impl Stream<Item = T>>) -> Option<T> {
    poll_fn(|context| match stream.as_mut().poll_next(context) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// `None`: there is nothing to do about it.
fn action_of(input: Input) -> Option<Action> {
    Some(match input {
        Input::Cursor(column, row) if !probe::answer(column, row) => return None,
        Input::Cursor(..) => Action::Remeasured,
        Input::Key(key) => Action::Key(key),
        Input::Paste(text) => Action::Paste(text),
        Input::Resized(columns, rows) => Action::Resized(columns, rows),
        Input::Mouse(mouse) => Action::Mouse(mouse),
        Input::Focused => Action::Focused,
        Input::Unfocused => Action::Unfocused,
    })
}
