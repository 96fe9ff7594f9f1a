//! Formatted text: what the HTML of a message means, as plain data, and its rows on the screen.
//!
//! `parse.rs` reads the HTML that the Matrix specification allows and cleans every text and address in it; `lay.rs` makes
//! rows of it; `highlight.rs` colours code. Nothing of the HTML itself gets further than `parse.rs`.

mod highlight;
mod lay;
mod parse;
mod table;

pub use lay::{Look, lay};
pub use parse::of_html;

use crate::links;
use ratatui::style::Modifier;

/// A stretch of text that looks the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    pub text: String,
    pub modifier: Modifier,
    /// In the type of code.
    pub code: bool,
    /// Shown only when asked for.
    pub hidden: bool,
    /// Where it leads; an address from [`links::followable`].
    pub link: Option<String>,
}

/// One block of formatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Paragraph(Vec<Run>),
    Heading(Vec<Run>),
    Code {
        language: Option<String>,
        text: String,
    },
    Quote(Vec<Block>),
    /// `first` is the number of the first item; `None` for a list without numbers.
    List {
        first: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Table {
        head: bool,
        rows: Vec<Vec<Vec<Run>>>,
    },
    Rule,
}

/// Plain text, its addresses made links.
pub fn of_text(text: &str) -> Vec<Block> {
    let plain = |text: &str| Run { text: text.to_owned(), ..Run::default() };
    let mut runs = Vec::new();
    let mut from = 0;
    for (at, url) in links::in_text(text) {
        runs.push(plain(text.get(from..at.start).unwrap_or_default()));
        runs.push(Run { link: Some(url), ..plain(text.get(at.clone()).unwrap_or_default()) });
        from = at.end;
    }
    runs.push(plain(text.get(from..).unwrap_or_default()));
    runs.retain(|run| !run.text.is_empty());
    vec![Block::Paragraph(runs)]
}

/// Calls `see` with every run of the blocks.
fn each_run<'a>(blocks: &'a [Block], see: &mut impl FnMut(&'a Run)) {
    for block in blocks {
        match block {
            Block::Paragraph(runs) | Block::Heading(runs) => runs.iter().for_each(&mut *see),
            Block::Quote(blocks) => each_run(blocks, see),
            Block::List { items, .. } => items.iter().for_each(|item| each_run(item, see)),
            Block::Table { rows, .. } => rows.iter().flatten().flatten().for_each(&mut *see),
            Block::Code { .. } | Block::Rule => {}
        }
    }
}

/// The addresses in the text, each once, in order.
pub fn links(blocks: &[Block]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    each_run(blocks, &mut |run| {
        if let Some(link) = run.link.as_ref().filter(|link| !found.contains(link)) {
            found.push(link.clone());
        }
    });
    found
}

/// Whether something in it is shown only when asked for.
pub fn hides(blocks: &[Block]) -> bool {
    let mut hidden = false;
    each_run(blocks, &mut |run| hidden |= run.hidden);
    hidden
}
