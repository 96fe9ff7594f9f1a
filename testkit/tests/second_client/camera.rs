//! What a camera sees of a terminal.

use anyhow::{Context, Result};
use tern_testkit::Tern;

/// Pixels of the picture per square of the code.
const SCALE: usize = 4;

/// Waits until there is a code on the screen that can be read; gives what it says.
pub(crate) async fn scan(tern: &Tern) -> Result<Vec<u8>> {
    let mut said = None;
    tern.wait_until("a code that can be scanned", |screen| {
        said = read(screen);
        said.is_some()
    })
    .await?;
    said.context("nothing was read")
}

/// The two squares of every character, dark where the character is a block; all else is as light as the ground.
fn squares(screen: &str) -> Vec<Vec<bool>> {
    let half = |row: &str, blocks: &str| row.chars().map(|sign| blocks.contains(sign)).collect();
    screen.lines().flat_map(|row| [half(row, "█▀"), half(row, "█▄")]).collect()
}

fn read(screen: &str) -> Option<Vec<u8>> {
    let squares = squares(screen);
    let (width, height) = (squares.iter().map(Vec::len).max()?, squares.len());
    let is_dark = |x: usize, y: usize| {
        squares.get(y / SCALE).and_then(|row| row.get(x / SCALE)).copied().unwrap_or(false)
    };
    let gray = |x, y| if is_dark(x, y) { 0 } else { 255 };
    let mut picture =
        rqrr::PreparedImage::prepare_from_greyscale(width * SCALE, height * SCALE, gray);
    picture.detect_grids().into_iter().find_map(|grid| {
        let mut bytes = Vec::new();
        grid.decode_to(&mut bytes).ok()?;
        Some(bytes)
    })
}
