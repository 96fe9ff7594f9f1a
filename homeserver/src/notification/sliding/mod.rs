//! Sliding sync as deployed: windows over the user's rooms, and per connection what was told of each.
//!
//! Spec: MSC4186, `/_matrix/client/unstable/org.matrix.simplified_msc3575/sync`.

mod connection;
mod extensions;
mod lists;
mod response;
mod room;

use std::{collections::HashMap, time::Duration};

use ruma::{OwnedRoomId, api::client::sync::sync_events::v5::Request};

pub(super) use connection::Connections;
pub use response::Response;

use self::{
    connection::{Told, ToldRooms},
    lists::{Candidate, Config},
};
use super::{Error, Sync, account_data, ephemeral, wait};
use crate::{
    auth::Requester,
    messaging::{Engine, tokens::SyncToken},
    storage::{Id, unread::ToldReceipt},
};

/// Answers a sliding sync: at once without a `pos`, otherwise when there is news or at the end of the timeout.
///
/// # Errors
/// [`Error::UnknownPos`] for a `pos` that this process cannot continue from.
pub async fn sliding_sync(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: Request,
) -> Result<Response, Error> {
    let app = engine.app();
    let conn_id = request.conn_id.clone().unwrap_or_default();
    let key = (requester.device, conn_id);
    let is_roomless = request.lists.is_empty() && request.room_subscriptions.is_empty();
    let first = state.now(engine).await;
    let base = match request.pos.as_deref().filter(|pos| !pos.is_empty()) {
        None => state.0.connections.begin(&key),
        Some(pos) => match state.0.connections.resume(&key, pos) {
            Some(base) => base,
            // Nothing of such a connection is in memory but its position, and that it brings along.
            None if is_roomless => connection::roomless(state, engine, pos, &first)?,
            None => return Err(Error::UnknownPos),
        },
    };
    extensions::acknowledge(app, requester, &request).await?;
    let at_once = base.token.is_none();
    let timeout = if at_once { Duration::ZERO } else { request.timeout.unwrap_or(Duration::ZERO) };
    let poll = wait::Poll::new(&app.bell, requester.user, timeout);
    loop {
        let turn = poll.turn();
        let now = state.now(engine).await;
        let look = Look {
            engine,
            state,
            requester,
            request: &request,
            since: base.token.as_ref(),
            told: &base.rooms,
            now,
        };
        // On the heap, so that a waiting client does not hold the space of a working one.
        let (mut response, told, now) = Box::pin(look.assemble()).await?;
        if turn.is_last || at_once || !response.is_empty() {
            response.pos = state.0.connections.advance(&key, &base, told, now);
            return Ok(response);
        }
        turn.wait().await;
    }
}

/// One look at everything that may be new to a connection.
struct Look<'a> {
    engine: &'a Engine,
    state: &'a Sync,
    requester: &'a Requester,
    request: &'a Request,
    since: Option<&'a SyncToken>,
    told: &'a ToldRooms,
    now: SyncToken,
}

/// What is new beside the events, by room.
#[derive(Debug, Default)]
struct Asides {
    receipts: HashMap<Id, Vec<ToldReceipt>>,
    global_data: Vec<account_data::Piece>,
    room_data: HashMap<String, Vec<account_data::Piece>>,
}

impl Look<'_> {
    /// The answer, what it tells of rooms, and the token it goes up to.
    async fn assemble(self) -> Result<(Response, Vec<(Id, Told)>, SyncToken), Error> {
        let asides = self.asides().await?;
        let mut response = Response { txn_id: self.request.txn_id.clone(), ..Response::default() };
        let candidates = lists::candidates(&self).await?;
        let wanted = lists::select(&self, &candidates, &mut response).await?;
        let mut told = Vec::new();
        let mut shown: Vec<(&Candidate, bool)> = Vec::with_capacity(wanted.len());
        for (candidate, config) in wanted {
            let has_receipt = asides
                .receipts
                .get(&candidate.membership.room)
                .is_some_and(|told| told.iter().any(|one| one.user == self.requester.user));
            match self.add_room(candidate, &config, has_receipt, &mut response).await {
                Ok(None) => shown.push((candidate, false)),
                Ok(Some(news)) => {
                    shown.push((candidate, news.is_initial));
                    told.push((candidate.membership.room, news));
                }
                Err(error) if error.is_passing() => return Err(error),
                // It is not noted as told, so it comes as soon as it can be read.
                Err(error) => {
                    let room_id = candidate.room_id.as_str();
                    tracing::warn!(room_id, %error, "a room is left out of a sliding sync");
                }
            }
        }
        response.extensions = extensions::of(&self, &shown, asides).await?;
        Ok((response, told, self.now))
    }

    async fn add_room(
        &self,
        candidate: &Candidate,
        config: &Config,
        has_receipt: bool,
        response: &mut Response,
    ) -> Result<Option<Told>, Error> {
        let Some((room, told)) = room::of(self, candidate, config, has_receipt).await? else {
            return Ok(None);
        };
        let room_id: OwnedRoomId = candidate.room_id.clone();
        response.rooms.insert(room_id, room);
        Ok(Some(told))
    }

    async fn asides(&self) -> Result<Asides, Error> {
        let (app, user) = (self.engine.app(), self.requester.user);
        let span = (self.since.map_or(0, |since| since.position), self.now.position);
        let mut asides = Asides::default();
        for piece in account_data::changed(app, user, span).await? {
            if piece.room_id.is_empty() {
                asides.global_data.push(piece);
            } else {
                asides.room_data.entry(piece.room_id.clone()).or_default().push(piece);
            }
        }
        if self.since.is_some() {
            asides.receipts = ephemeral::receipts_since(self.engine, user, span).await?;
        }
        Ok(asides)
    }
}
