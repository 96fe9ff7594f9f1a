//! Asking the terminal how wide it draws what terminals disagree about. The answers come among the keys, whenever they come; nothing
//! waits for them. Inside tmux it is tmux that answers, which is right: it is what draws.

use crate::decode::Decoder;
use crate::input::{Input, terminal};
use crate::width::{self, Habits, QUESTIONS, USUAL};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};

/// The row of the first question. In the one above, an answer would look like a key.
const FIRST_ROW: u16 = 1;
/// How long [`ask`] waits for each answer.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What asks, on a screen of so many rows on which nothing stands yet; it leaves nothing there.
pub fn questions(rows: u16) -> String {
    let mut bytes = String::from("\x1b[?2026h");
    for (row, sign) in (FIRST_ROW..rows).zip(QUESTIONS) {
        bytes.push_str(&format!("\x1b[{};1H{sign}\x1b[6n", row + 1));
    }
    bytes.push_str("\x1b[2J\x1b[H\x1b[?2026l");
    bytes
}

/// Takes the place of the cursor behind a question. Whether anything has to be measured anew.
pub fn answer(column: u16, row: u16) -> bool {
    let before = width::habits();
    let after = learnt(before, column, row);
    width::set_habits(after);
    before != after
}

fn learnt(habits: Habits, column: u16, row: u16) -> Habits {
    row.checked_sub(FIRST_ROW).map_or(habits, |at| habits.learn(usize::from(at), column))
}

/// Asks a terminal that nobody else reads, and waits; `None`: it does not answer.
pub fn ask() -> io::Result<Option<Habits>> {
    let (_, rows) = crossterm::terminal::size()?;
    crossterm::terminal::enable_raw_mode()?;
    let answers = exchange(rows);
    crossterm::terminal::disable_raw_mode()?;
    answers
}

fn exchange(rows: u16) -> io::Result<Option<Habits>> {
    let mut out = io::stdout();
    out.write_all(format!("\x1b[?1049h{}\x1b[?1049l", questions(rows)).as_bytes())?;
    out.flush()?;
    let (terminal, mut decoder) = (terminal()?, Decoder::default());
    let (mut habits, mut answers) = (USUAL, 0);
    let mut buffer = [0; 256];
    while answers < QUESTIONS.len() {
        let mut watched = [PollFd::new(&terminal, PollFlags::IN)];
        if poll(&mut watched, Some(&PATIENCE))? == 0 {
            return Ok(None);
        }
        let count = rustix::io::read(&terminal, &mut buffer)?;
        if count == 0 {
            return Ok(None);
        }
        for input in decoder.take(buffer.get(..count).unwrap_or_default()) {
            if let Input::Cursor(column, row) = input {
                (habits, answers) = (learnt(habits, column, row), answers + 1);
            }
        }
    }
    Ok(Some(habits))
}

#[cfg(test)]
mod tests {
    use super::{QUESTIONS, answer, questions};
    use crate::width::{USUAL, habits, set_habits};

    #[test]
    fn every_question_has_a_row_of_its_own_and_none_is_left_on_the_screen() {
        let bytes = questions(24);
        let mut terminal = vt100::Parser::new(24, 80, 0);
        terminal.process(bytes.as_bytes());
        assert_eq!(terminal.screen().contents(), "");
        assert_eq!(bytes.matches("\x1b[6n").count(), QUESTIONS.len());
        assert!(bytes.len() < 150, "{} bytes", bytes.len());
        // A screen with too few rows is asked what fits.
        assert_eq!(questions(3).matches("\x1b[6n").count(), 2);
    }

    #[test]
    fn only_an_answer_that_says_something_new_has_consequences() {
        assert!(!answer(2, 1) && !answer(1, 5) && !answer(7, 0) && !answer(3, 20));
        assert_eq!(habits(), USUAL);
        assert!(answer(1, 1) && !answer(1, 1));
        assert_eq!(habits().emoji_style, 1);
        set_habits(USUAL);
    }
}
