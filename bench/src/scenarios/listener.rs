//! Somebody who waits for what is new, by a long poll or on a socket.

use std::time::Instant;

use anyhow::Result;
use memchr::memmem;

use crate::{
    client::{Client, Socket, all_rooms},
    matrix::{Follower, Person},
};

/// How somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    LongPoll,
    Socket,
}

/// Who waits.
#[derive(Debug)]
pub(super) enum Listener {
    LongPoll(Follower),
    Socket(Socket),
}

impl Listener {
    /// Begins now, in the `rooms` rooms that were active last.
    pub(super) async fn begin(
        way: Way,
        client: Client,
        person: &Person,
        rooms: usize,
    ) -> Result<Self> {
        Ok(match way {
            Way::LongPoll => Self::LongPoll(Follower::begin(client, person).await?),
            Way::Socket => Self::open(&client, person, "bench", rooms).await?,
        })
    }

    /// A socket on the connection `id`.
    pub(super) async fn open(
        client: &Client,
        person: &Person,
        id: &str,
        rooms: usize,
    ) -> Result<Self> {
        let request = all_rooms(id, rooms);
        Ok(Self::Socket(Socket::open(client.address(), &person.bearer, request).await?))
    }

    /// Waits for one answer; gives the time at which it was there, if it holds `mark`.
    pub(super) async fn hear(&mut self, mark: &str) -> Result<Option<Instant>> {
        match self {
            Self::LongPoll(follower) => follower.poll(mark).await,
            Self::Socket(socket) => {
                let delta = socket.delta().await?;
                let arrived = Instant::now();
                Ok(memmem::find(&delta, mark.as_bytes()).map(|_| arrived))
            }
        }
    }

    /// Waits until an answer holds `mark`.
    pub(super) async fn until(&mut self, mark: &str) -> Result<Instant> {
        loop {
            if let Some(arrived) = self.hear(mark).await? {
                return Ok(arrived);
            }
        }
    }
}
