//! One client's use of a connection: a request that stands, what it builds on, and looks at what is new.
//!
//! A long poll is a session of one answer; a socket's goes on after each acknowledgement.

use super::{
    super::{Error, Sync},
    answer::Answer,
    connection::{self, Base, Key, News},
    extensions,
    look::Look,
    request::Request,
};
use crate::{
    auth::Requester,
    messaging::{Engine, tokens::SyncToken, wishes},
};

/// Who looks, and at what.
#[derive(Debug, Clone, Copy)]
pub(in crate::notification) struct Viewer<'a> {
    pub engine: &'a Engine,
    pub state: &'a Sync,
    pub requester: &'a Requester,
}

/// A request that stands.
#[derive(Debug)]
pub(in crate::notification) struct Session {
    key: Key,
    request: Request,
    base: Base,
    /// As far as was looked without finding anything.
    since: Option<SyncToken>,
}

/// What a look found.
#[derive(Debug)]
pub(in crate::notification) struct Found {
    pub answer: Answer,
    news: News,
}

impl Session {
    /// Begins a connection, or goes on with it at the request's `pos`; deletes the messages to the device that the client
    /// says it has.
    ///
    /// # Errors
    /// [`Error::UnknownPos`] for a `pos` that this process cannot continue from, [`Error::InvalidParam`].
    pub(in crate::notification) async fn begin(
        viewer: Viewer<'_>,
        request: Request,
    ) -> Result<Self, Error> {
        let Viewer { engine, state, requester } = viewer;
        let request = request.check()?;
        extensions::check(&request)?;
        let key = (requester.device, request.conn_id.clone());
        let now = state.now(engine).await;
        let base = match request.pos.as_deref() {
            None => state.0.connections.begin(&key),
            Some(pos) => match state.0.connections.resume(&key, pos) {
                Some(base) => base,
                // Nothing of such a connection is in memory but its position, and that it brings along.
                None if request.is_roomless() => {
                    connection::roomless(state, engine, (&key, pos), &now)?
                }
                None => return Err(Error::UnknownPos),
            },
        };
        extensions::acknowledge(engine.app(), state, requester, &request).await?;
        let since = base.token.clone();
        Ok(Self { key, request, base, since })
    }

    /// Whether the connection begins: then the first answer is due whatever it says.
    pub(in crate::notification) fn is_new(&self) -> bool {
        self.base.token.is_none()
    }

    /// Looks at what is new.
    pub(in crate::notification) async fn look(&self, viewer: Viewer<'_>) -> Result<Found, Error> {
        let Viewer { engine, state, requester } = viewer;
        let now = SyncToken { to_device: 0, ..state.now(engine).await };
        let look = Look {
            engine,
            state,
            requester,
            request: &self.request,
            base: &self.base,
            since: self.since.as_ref(),
            now,
            wishes: wishes::of(engine, requester.user).await?,
        };
        // On the heap, so that a waiting client does not hold the space of a working one.
        let (answer, news) = Box::pin(look.assemble()).await?;
        Ok(Found { answer, news })
    }

    /// Takes what was found as the connection's next answer, and gives it its `pos`.
    pub(in crate::notification) fn answer(&self, state: &Sync, found: Found) -> Answer {
        let Found { mut answer, news } = found;
        answer.pos = state.0.connections.advance(&self.key, &self.base, news);
        answer
    }

    /// Takes note that nothing was found: the next look begins where this one ended.
    pub(in crate::notification) fn pass(&mut self, found: &Found) {
        // What is to be remembered holds as of the connection's own place: then that stays.
        let knows_global = self.base.global_data || !found.news.global_data;
        if self.since.is_some() && found.news.rooms.is_empty() && knows_global {
            self.since = Some(found.news.token.clone());
        }
    }

    /// The client has the answer with this `pos`, with everything in it: the messages to the device up to `to_device` are
    /// deleted, and the session goes on from there.
    pub(in crate::notification) async fn acknowledge(
        &mut self,
        viewer: Viewer<'_>,
        pos: &str,
        to_device: Option<String>,
    ) -> Result<(), Error> {
        let Viewer { engine, state, requester } = viewer;
        // Let go first, so that what was told can be added in place.
        self.base = Base::default();
        self.base = state.0.connections.resume(&self.key, pos).ok_or(Error::UnknownPos)?;
        self.since = self.base.token.clone();
        if let (Some(wanted), Some(cursor)) = (&mut self.request.extensions.to_device, to_device) {
            wanted.since = Some(cursor);
            extensions::acknowledge(engine.app(), state, requester, &self.request).await?;
        }
        Ok(())
    }
}
