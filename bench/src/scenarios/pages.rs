//! Reading history.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, de::IgnoredAny};
use tern_testkit::encode;

use crate::{
    client::{Client, read},
    figures::{Line, timed},
    matrix::{Person, Room},
    measure::{Meter, drive},
    site::{Site, turn},
};

/// Messages a page.
const PAGE: usize = 50;

/// How many full pages each room has at least.
const PAGES: u64 = 4;

/// A reader on the way back through one room after another.
struct Reader<'a> {
    client: Client,
    person: &'a Person,
    rooms: &'a [Room],
    /// How many rooms were begun.
    room: usize,
    pages: u64,
    from: Option<String>,
}

impl Reader<'_> {
    /// Turns one full page; gives how long it took.
    async fn turn_page(&mut self) -> Result<Duration> {
        #[derive(Deserialize)]
        struct Page {
            chunk: Vec<IgnoredAny>,
            end: Option<String>,
        }
        if self.pages == PAGES {
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
        let page: Page = read(&body)?;
        ensure!(page.chunk.len() == PAGE, "a page of {}", page.chunk.len());
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
    };
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut readers = [reader];
    let samples =
        drive(site.plan.in_turn(), &mut readers, async |reader, _| reader.turn_page().await);
    timed(samples.await?, &meter.stop()?, &pids)
}
