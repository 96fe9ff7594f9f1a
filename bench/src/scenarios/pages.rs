//! Reading history.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, de::IgnoredAny};
use tern_testkit::encode;

use crate::{
    client::{Client, read},
    figures::{Line, count, timed},
    matrix::{Person, Room},
    measure::{Meter, drive},
    site::{Site, turn},
};

/// Messages a page.
const PAGE: usize = 50;

/// How many full pages each room has at least.
const PAGES: u64 = 4;

#[derive(Debug, Deserialize)]
struct Page {
    chunk: Vec<IgnoredAny>,
    end: Option<String>,
}

impl Page {
    /// A server may give fewer messages than were asked for, but not none where there are some.
    fn of(body: &[u8]) -> Result<Self> {
        let page: Self = read(body)?;
        ensure!(!page.chunk.is_empty(), "an empty page");
        ensure!(page.chunk.len() <= PAGE, "a page of {}", page.chunk.len());
        Ok(page)
    }
}

/// A reader on the way back through one room after another.
struct Reader<'a> {
    client: Client,
    person: &'a Person,
    rooms: &'a [Room],
    /// How many rooms were begun.
    room: usize,
    pages: u64,
    from: Option<String>,
    /// Of all pages.
    messages: usize,
}

impl Reader<'_> {
    /// Turns one page; gives how long it took.
    async fn turn_page(&mut self) -> Result<Duration> {
        let is_at_the_beginning = self.pages > 0 && self.from.is_none();
        if self.pages == PAGES || is_at_the_beginning {
            self.room += 1;
            self.pages = 0;
            self.from = None;
        }
        let room = &turn(self.rooms, self.room)?.in_path;
        let from = self.from.as_ref().map(|token| format!("&from={}", encode(token)));
        let from = from.unwrap_or_default();
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit={PAGE}{from}");
        let began = Instant::now();
        let answer = self.client.get(&self.person.bearer, &path).await?;
        let took = began.elapsed();
        let body = answer.ok().context("messages")?;
        let page = Page::of(&body)?;
        self.messages += page.chunk.len();
        self.pages += 1;
        self.from = page.end;
        Ok(took)
    }
}

/// Pages, one after the other.
pub(super) async fn backwards(site: &mut Site) -> Result<Vec<Line>> {
    let village = site.village().await?;
    site.fill(&village, PAGES * u64::try_from(PAGE)?).await?;
    let reader = Reader {
        client: site.server.client(),
        person: turn(&village.people, 1)?,
        rooms: &village.rooms,
        room: 0,
        pages: 0,
        from: None,
        messages: 0,
    };
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut readers = [reader];
    let samples =
        drive(site.plan.in_turn(), &mut readers, async |reader, _| reader.turn_page().await);
    let (samples, usage) = (samples.await?, meter.stop()?);
    let pages = count(samples.count());
    let mut lines = timed(samples, &usage, &pids)?;
    let messages: usize = readers.iter().map(|reader| reader.messages).sum();
    lines.push(Line::fact("messages a page", count(messages) / pages, ""));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_be_short_but_not_empty() {
        let page = |messages: usize| {
            let body = serde_json::json!({ "chunk": vec![0; messages], "end": "t1" });
            Page::of(body.to_string().as_bytes())
        };

        assert_eq!(page(PAGE).unwrap().chunk.len(), PAGE);
        assert_eq!(page(PAGE - 1).unwrap().chunk.len(), PAGE - 1);
        assert!(page(0).is_err());
        assert!(page(PAGE + 1).is_err());
    }
}
