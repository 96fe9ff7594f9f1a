//! The terminal that a program is in: what stands on it, and what it says when it is asked.

/// What a program asks: where the cursor is, what the terminal is, whether it is well.
const QUESTIONS: [&[u8]; 3] = [b"\x1b[6n", b"\x1b[c", b"\x1b[5n"];

/// How a terminal is. By itself it draws every character alone, as wide as Unicode has it, and says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// It says where its cursor is, and what it is.
    pub answers: bool,
    /// What it draws in another way: a sign, and what takes as many columns as that does here.
    pub draws: &'static [(&'static str, &'static str)],
}

/// A terminal with such manners.
pub(crate) struct Terminal {
    pub(crate) parser: vt100::Parser,
    manners: Manners,
    /// The beginning of something that may be a sign or a question.
    begun: Vec<u8>,
}

impl Terminal {
    pub(crate) fn new(rows: u16, columns: u16, manners: Manners) -> Self {
        Self { parser: vt100::Parser::new(rows, columns, 0), manners, begun: Vec::new() }
    }

    /// Takes what the program writes; gives what it answers.
    pub(crate) fn process(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut answers = Vec::new();
        let mut rest = all.as_slice();
        let mut at = 0;
        while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
            let drawn =
                self.manners.draws.iter().find(|(sign, _)| here.starts_with(sign.as_bytes()));
            let question = self.question(here);
            let (used, drawn) = match (drawn, question) {
                (Some((sign, drawn)), _) => (sign.len(), drawn.as_bytes()),
                (None, Some(question)) => (question.len(), &[][..]),
                (None, None) if self.may_begin(here) => break,
                (None, None) => {
                    at += 1;
                    continue;
                }
            };
            self.parser.process(rest.get(..at).unwrap_or_default());
            self.parser.process(drawn);
            if let Some(question) = question {
                answers.extend(self.answer(question).into_bytes());
            }
            (rest, at) = (here.get(used..).unwrap_or_default(), 0);
        }
        self.parser.process(rest.get(..at).unwrap_or_default());
        self.begun = rest.get(at..).unwrap_or_default().to_vec();
        answers
    }

    /// The question that is asked here, of a terminal that answers.
    fn question(&self, here: &[u8]) -> Option<&'static [u8]> {
        let asked = QUESTIONS.into_iter().find(|question| here.starts_with(question));
        asked.filter(|_| self.manners.answers)
    }

    fn answer(&self, question: &[u8]) -> String {
        match question {
            b"\x1b[c" => "\x1b[?62c".to_owned(),
            b"\x1b[5n" => "\x1b[0n".to_owned(),
            _ => {
                let (row, column) = self.parser.screen().cursor_position();
                format!("\x1b[{};{}R", row + 1, column + 1)
            }
        }
    }

    fn may_begin(&self, here: &[u8]) -> bool {
        let more = |whole: &[u8]| whole.len() > here.len() && whole.starts_with(here);
        self.manners.draws.iter().any(|(sign, _)| more(sign.as_bytes()))
            || (self.manners.answers && QUESTIONS.into_iter().any(more))
    }
}

#[cfg(test)]
mod tests {
    use super::{Manners, Terminal};

    #[test]
    fn it_says_where_its_cursor_is_behind_what_it_draws_in_its_way() {
        let draws = &[("❤\u{fe0f}", "ｌ")];
        let mut terminal = Terminal::new(5, 20, Manners { answers: true, draws });
        let bytes = "\x1b[2;1H❤\u{fe0f}\x1b[6n\x1b[3;1Hx❤\x1b[6n".as_bytes();
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let mut answers = terminal.process(first);
            answers.extend(terminal.process(second));
            assert_eq!(answers, b"\x1b[2;3R\x1b[3;3R", "cut at {cut}");
        }
        let mut silent = Terminal::new(5, 20, Manners::default());
        assert_eq!(silent.process(bytes), b"");
    }
}
