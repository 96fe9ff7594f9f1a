//! `bench tui`: what the client costs in a terminal, on an account with many rooms. The terminal is the bench's own; what is timed
//! begins with a key or a request and ends with what a person would see.

mod account;
mod program;
mod window;

use std::time::{Duration, Instant};

use anyhow::Result;
use tern_testkit::Size;

use self::{account::Account, program::Program, window::Window};
use crate::{
    cli::Tui,
    figures::{Cell, Column, Line, Table, count, millis, names, number},
    measure::Samples,
    proc,
};

/// How long nothing is done while the client is watched.
const IDLE: Duration = Duration::from_secs(10);

/// What is measured: its name, its title, and what exactly is timed.
const SUBJECTS: [[&str; 3]; 7] = [
    [
        "start",
        "Start",
        "From the start of the process to its first look, with the server there and without it; and to a message that came meanwhile. The first look of tern is the list and the last chat as they were left; of a client without a list, what it begins with.",
    ],
    ["idle", "Nothing to do", "Ten seconds in which nothing happens."],
    [
        "keys",
        "Typing",
        "One letter after the other into the composer, each when the one before is on the screen.",
    ],
    [
        "elsewhere",
        "A message in another chat",
        "It goes to the top of the list, where there is one.",
    ],
    ["memory", "Memory", "After all of that in one window."],
    ["message-80", "A message in the open chat, 80×24", ARRIVING],
    ["message-120", "A message in the open chat, 120×40", ARRIVING],
];
const ARRIVING: &str = "1 to 10 words from somebody else: from the sender's request to the screen.";

/// Measures every client, one after the other on the same account: a column each, and one table a subject.
pub(crate) async fn measure(command: &Tui) -> Result<(Vec<Column>, Vec<Table>)> {
    let account = Account::make(command).await?;
    let mut columns = Vec::new();
    let mut tables: Vec<Table> = SUBJECTS.into_iter().map(empty).collect();
    for program in Program::all(command)? {
        let name = program.kind.name().to_owned();
        account.log_in(&program).await?;
        for (table, lines) in tables.iter_mut().zip(subjects(&account, &program, command).await?) {
            let cell = Cell { column: name.clone(), lines, failure: None };
            crate::report::progress_cell(&table.scenario, &cell);
            table.cells.push(cell);
        }
        columns.push(Column { name, version: program.version()? });
    }
    Ok((columns, tables))
}

fn empty([scenario, title, about]: [&str; 3]) -> Table {
    let [scenario, title, about] = [scenario, title, about].map(str::to_owned);
    Table { scenario, title, about, cells: Vec::new() }
}

/// The lines of each subject, in the order of [`SUBJECTS`].
async fn subjects(account: &Account, program: &Program, command: &Tui) -> Result<Vec<Vec<Line>>> {
    let mut all = vec![starts(account, program, command).await?];
    let mut window = Window::open(account, program, Size::STANDARD)?;
    window.wait_in_chat(account::LAST).await?;
    window.settle().await?;
    all.push(idle(&window).await?);
    window.begin_to_type()?;
    all.push(keys(&mut window, command.count).await?);
    all.push(elsewhere(account, &window, command.count).await?);
    let weight = number(proc::resident(window.pid()?)?) / 1024.0;
    all.push(vec![Line::cost(names::MEMORY, weight, "MiB")]);
    window.quit().await?;
    for size in [Size::STANDARD, Size::LARGE] {
        let mut window = Window::open(account, program, size)?;
        window.wait_in_chat(account::LAST).await?;
        window.settle().await?;
        all.push(messages(account, &mut window, command.count).await?);
        // The next window waits for it.
        account.bob.send_text(&account.open, account::LAST).await?;
        window.wait_in_chat(account::LAST).await?;
        window.quit().await?;
    }
    Ok(all)
}

fn quantiles(name: &str, samples: &mut Samples) -> Result<Vec<Line>> {
    let parts = [(0.5, names::P50), (0.99, names::P99)];
    let line = |(part, which)| -> Result<Line> {
        Ok(Line::cost(&format!("{name}, {which}"), millis(samples.quantile(part)?), "ms"))
    };
    parts.into_iter().map(line).collect()
}

async fn starts(account: &Account, program: &Program, command: &Tui) -> Result<Vec<Line>> {
    let (mut online, mut fresh) = (Samples::default(), Samples::default());
    for number in 0..command.starts {
        let text = format!("while away {number}");
        account.bob.send_text(&account.open, &text).await?;
        let began = Instant::now();
        let window = Window::open(account, program, Size::STANDARD)?;
        window.wait_painted().await?;
        online.push(began.elapsed());
        window.wait_for(&text).await?;
        fresh.push(began.elapsed());
        window.quit().await?;
    }
    let mut lines = quantiles("first paint", &mut online)?;
    lines.extend(quantiles("to what came meanwhile", &mut fresh)?);
    let mut offline = Samples::default();
    for _ in 0..command.starts {
        let began = Instant::now();
        let window = Window::open_offline(account, program, Size::STANDARD)?;
        window.wait_painted().await?;
        offline.push(began.elapsed());
        window.quit_offline().await?;
    }
    lines.extend(quantiles("first paint offline", &mut offline)?);
    Ok(lines)
}

async fn idle(window: &Window) -> Result<Vec<Line>> {
    let pid = window.pid()?;
    let before = (proc::cpu(pid)?, proc::voluntary_switches(pid)?, window.bytes_received());
    tokio::time::sleep_until((Instant::now() + IDLE).into()).await;
    let after = (proc::cpu(pid)?, proc::voluntary_switches(pid)?, window.bytes_received());
    let busy = (after.0 - before.0).as_secs_f64() / IDLE.as_secs_f64();
    Ok(vec![
        Line::cost("bytes", count(after.2 - before.2), ""),
        Line::cost("CPU", 100.0 * busy, "%"),
        Line::cost("switches over all threads", number(after.1.saturating_sub(before.1)), ""),
    ])
}

async fn keys(window: &mut Window, wanted: usize) -> Result<Vec<Line>> {
    let mut samples = Samples::default();
    let (pid, bytes) = (window.pid()?, window.bytes_received());
    let cpu = proc::cpu(pid)?;
    let mut typed = String::new();
    for letter in ('a'..='z').cycle().take(wanted) {
        // A row of the composer at a time.
        if typed.len() >= 26 {
            window.press("Ctrl+U")?;
            window.wait_gone(&typed).await?;
            typed.clear();
        }
        typed.push(letter);
        let began = Instant::now();
        window.type_text(letter.encode_utf8(&mut [0; 4]))?;
        window.wait_for(&typed).await?;
        samples.push(began.elapsed());
    }
    window.press("Ctrl+U")?;
    let bytes = count(window.bytes_received() - bytes) / count(wanted);
    let cpu = millis(proc::cpu(pid)? - cpu) / count(wanted);
    let mut lines = quantiles("key to screen", &mut samples)?;
    lines.push(Line::cost("bytes a key", bytes, ""));
    lines.push(Line::cost("client CPU a key", cpu, "ms"));
    Ok(lines)
}

async fn elsewhere(account: &Account, window: &Window, wanted: usize) -> Result<Vec<Line>> {
    let pid = window.pid()?;
    let (cpu, bytes) = (proc::cpu(pid)?, window.bytes_received());
    for number in 0..wanted {
        let text = format!("row {number}.");
        account.bob.send_text(&account.other, &text).await?;
        if window.has_list() {
            window.wait_for(&text).await?;
        }
    }
    if !window.has_list() {
        // What comes after all of them in the open chat says that they have come.
        account.bob.send_text(&account.open, account::LAST_BUT_ONE).await?;
        window.wait_in_chat(account::LAST_BUT_ONE).await?;
    }
    let cpu = millis(proc::cpu(pid)? - cpu) / count(wanted);
    let bytes = count(window.bytes_received() - bytes) / count(wanted);
    Ok(vec![Line::cost("client CPU each", cpu, "ms"), Line::cost("bytes each", bytes, "")])
}

async fn messages(account: &Account, window: &mut Window, wanted: usize) -> Result<Vec<Line>> {
    let mut samples = Samples::default();
    let pid = window.pid()?;
    let (cpu, bytes) = (proc::cpu(pid)?, window.bytes_received());
    for number in 0..wanted {
        let last = format!("m{number}.");
        let text = account::words(number % 10, &last);
        let began = Instant::now();
        account.bob.send_text(&account.open, &text).await?;
        window.wait_in_chat(&last).await?;
        samples.push(began.elapsed());
    }
    let cpu = millis(proc::cpu(pid)? - cpu) / count(wanted);
    let bytes = count(window.bytes_received() - bytes) / count(wanted);
    let mut lines = quantiles("sent to screen", &mut samples)?;
    lines.push(Line::cost("bytes each", bytes, ""));
    lines.push(Line::cost("client CPU each", cpu, "ms"));
    Ok(lines)
}
