//! v3 sync: which rooms have news for a user, and the answer around them.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#syncing>. One room is `room`'s.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ruma::{OwnedRoomId, RoomId, api::client::filter::FilterDefinition};

use super::{
    Error, Sync, account_data, ahead, devices, ephemeral,
    fields::Shape,
    filter, presence as told_presence,
    response::{InvitedRoom, KnockedRoom, Response},
    room::{self, News},
    wait,
};
use crate::{
    account::{self, Wishes},
    auth::Requester,
    messaging::{
        Ahead, Engine, Membership, Pdu,
        presence::{self, Status},
        tokens::SyncToken,
        wishes,
    },
    storage::{Id, Topic, rooms::StoredMembership, unread::ToldReceipt},
};

/// What a client asks for.
#[derive(Debug, Default)]
pub struct SyncRequest {
    /// An earlier answer's `next_batch`.
    pub since: Option<String>,
    pub filter: FilterDefinition,
    pub full_state: bool,
    /// State after the timeline instead of before it (spec v1.16).
    pub use_state_after: bool,
    /// How long to wait for news.
    pub timeout: Duration,
    /// How the user is while this waits.
    pub set_presence: Status,
}

/// Answers a v3 sync: at once when there is news or no `since`, otherwise when there is, or at the end of the timeout.
///
/// # Errors
/// Only what asking again may cure; a damaged room is left out.
pub async fn sync(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: Box<SyncRequest>,
) -> Result<Box<Response>, Error> {
    let _connected = presence::connect(engine, requester, request.set_presence).await;
    // What looks stands on the heap, so that a waiting client does not hold the space of a working one.
    let mut since = Box::pin(begin(engine, state, requester, &request)).await?;
    let at_once = since.is_none() || request.full_state;
    let timeout = if at_once { Duration::ZERO } else { request.timeout };
    let poll = wait::Poll::new(&engine.app().bell, requester.user, timeout);
    loop {
        let turn = poll.turn();
        let look = Look::now(engine, state, requester, &request, since.as_ref());
        let (response, told) = Box::pin(look).await?;
        if turn.is_last || at_once || !response.is_empty() {
            return Ok(response);
        }
        // Nothing happened up to here: the next look begins here.
        since = Some(told);
        turn.wait().await;
    }
}

/// From where on to tell, if what the client says it has is known; that it has it, is noted.
async fn begin(
    engine: &Engine,
    state: &Sync,
    requester: &Requester,
    request: &SyncRequest,
) -> Result<Option<SyncToken>, Error> {
    let now = state.now(engine).await;
    let since = request.since.as_deref().and_then(|since| state.known(engine, since, &now));
    match &since {
        Some(since) => {
            devices::acknowledge(engine.app(), state, requester.device, since.to_device).await?;
        }
        None => state.0.lazy.forget(requester.device),
    }
    Ok(since)
}

/// One look at everything that may be new to a device.
pub(super) struct Look<'a> {
    pub engine: &'a Engine,
    pub state: &'a Sync,
    pub requester: &'a Requester,
    pub request: &'a SyncRequest,
    pub since: Option<&'a SyncToken>,
    pub now: SyncToken,
    /// Whom the user ignores, if they ever said.
    pub wishes: Option<Arc<Wishes>>,
    pub shape: Shape,
}

/// What is new beside the events, by room.
#[derive(Debug, Default)]
struct Asides {
    receipts: HashMap<Id, Vec<ToldReceipt>>,
    account_data: HashMap<String, Vec<account_data::Piece>>,
    /// They are all there are, not only what is new.
    has_all_receipts: bool,
    has_all_data: bool,
}

impl Look<'_> {
    /// Whether the user wants no such event of its sender: messages of ignored users, not what they change.
    pub(super) fn ignores(&self, pdu: &Pdu) -> bool {
        !pdu.is_state() && self.wishes.as_ref().is_some_and(|wishes| wishes.ignores(&pdu.sender))
    }

    /// Looks: the answer, and the token it goes up to.
    async fn now(
        engine: &Engine,
        state: &Sync,
        requester: &Requester,
        request: &SyncRequest,
        since: Option<&SyncToken>,
    ) -> Result<(Box<Response>, SyncToken), Error> {
        let now = state.now(engine).await;
        let wishes = wishes::of(engine, requester.user).await?;
        let shape = Shape::of(&request.filter);
        let look = Look { engine, state, requester, request, since, now, wishes, shape };
        let (response, told) = look.assemble().await?;
        Ok((Box::new(response), told))
    }

    /// The answer, and the token it goes up to.
    async fn assemble(mut self) -> Result<(Response, SyncToken), Error> {
        let (app, requester) = (self.engine.app(), self.requester);
        let mut response = Response::default();
        let since = self.since.map_or(0, |since| since.position);
        let span = (since, self.now.position);
        let to_device_since = self.since.map_or(0, |since| since.to_device);
        let to_device = devices::to_device(
            app,
            self.state,
            requester,
            (to_device_since, self.now.position),
            devices::TO_DEVICE_MAX,
        )
        .await?;
        self.now.to_device = to_device.upto;
        response.to_device = to_device.events.into();
        if self.since.is_some() {
            response.device_lists =
                devices::device_lists(self.engine, requester.user, span).await?;
        }
        response.presence =
            told_presence::told(&self, &response.device_lists.changed).await?.into();
        let keys = devices::keys(app, self.state, requester).await?;
        response.device_one_time_keys_count = keys.one_time.clone();
        response.device_unused_fallback_key_types = keys.unused_fallback.clone();
        let mut asides = Asides::default();
        let since = self.since.map(|since| since.position);
        let pieces = account::list_account_data_since(app, requester.user, since, span.1).await?;
        asides.has_all_data = since.is_none() && pieces.len() < account::LIST_MAX as usize;
        for piece in pieces {
            if piece.room_id.is_empty() {
                let wanted =
                    filter::takes_data(&self.request.filter.account_data, &piece.data_type);
                let event = account_data::event(&piece).filter(|_| wanted);
                response.account_data.events.extend(event);
            } else {
                asides.account_data.entry(piece.room_id.clone()).or_default().push(piece);
            }
        }
        match since {
            Some(_) => {
                let receipts = ephemeral::receipts_since(self.engine, requester.user, span);
                asides.receipts = receipts.await?;
            }
            None => {
                let all = ephemeral::all_receipts(self.engine, requester.user, span.1).await?;
                asides.has_all_receipts = all.is_some();
                asides.receipts = all.unwrap_or_default();
            }
        }
        self.add_rooms(&mut asides, &mut response).await?;
        response.next_batch = self.now.to_string();
        Ok((response, self.now))
    }

    /// Adds the rooms that have news.
    async fn add_rooms(&self, asides: &mut Asides, response: &mut Response) -> Result<(), Error> {
        let standings = self.engine.standings(self.requester.user).await?;
        let told: Vec<&StoredMembership> = standings
            .iter()
            .map(AsRef::as_ref)
            .filter(|membership| self.may_have_news(membership, asides))
            .collect();
        for some in told.chunks(ahead::ROOMS_AT_ONCE) {
            self.load_rooms(some).await?;
            for membership in some {
                match self.add_room(membership, asides, response).await {
                    Ok(()) => {}
                    Err(error) if error.is_passing() => return Err(error),
                    Err(error) => {
                        let room_id = &membership.room_id;
                        tracing::warn!(room_id, %error, "a room is left out of a sync");
                    }
                }
            }
        }
        Ok(())
    }

    /// Loads the rooms that these are about, together.
    async fn load_rooms(&self, memberships: &[&StoredMembership]) -> Result<(), Error> {
        let filter = &self.request.filter.room;
        let is_taken = |membership: &&StoredMembership| {
            let room_id = <&RoomId>::try_from(membership.room_id.as_str());
            room_id.is_ok_and(|room_id| filter::takes_room(filter, room_id))
        };
        let taken = memberships.iter().copied().filter(is_taken);
        // A client that is told everything from the beginning is told the state of each room.
        let is_whole = self.since.is_none() && filter::lazy(filter).is_none();
        let ahead = if is_whole { Ahead::State } else { Ahead::Ends };
        ahead::load_joined(self.engine, taken.clone(), ahead).await?;
        if self.since.is_none() {
            ahead::count_joined(self.engine, taken, self.requester.user).await?;
        }
        Ok(())
    }

    /// Whether there may be news of a room. Nothing is read for one without: a user's rooms are more than those where something happens.
    fn may_have_news(&self, membership: &StoredMembership, asides: &Asides) -> bool {
        let Some(since) = self.since.filter(|_| !self.request.full_state) else { return true };
        membership.position > since.position
            || self
                .engine
                .app()
                .db
                .changes()
                .any_since(Topic::Room(membership.room), since.position)
            || self.engine.typing().any_since(since.serial)
            || asides.receipts.contains_key(&membership.room)
            || asides.account_data.contains_key(&membership.room_id)
    }

    /// Adds a room if it has news.
    async fn add_room(
        &self,
        membership: &StoredMembership,
        asides: &mut Asides,
        response: &mut Response,
    ) -> Result<(), Error> {
        let Ok(room_id) = OwnedRoomId::try_from(membership.room_id.as_str()) else {
            return Ok(());
        };
        let filter = &self.request.filter.room;
        if !filter::takes_room(filter, &room_id) || membership.position > self.now.position {
            return Ok(());
        }
        let is_new = self.since.is_none_or(|since| membership.position > since.position);
        let rooms = &mut response.rooms;
        match Membership::parse(&membership.membership) {
            Some(Membership::Join) => {
                let news = News {
                    standing_changed: is_new,
                    receipts: asides.receipts.remove(&membership.room),
                    account_data: asides.account_data.remove(&membership.room_id),
                    has_all_receipts: asides.has_all_receipts,
                    has_all_data: asides.has_all_data,
                };
                if let Some(room) = room::joined(self, &room_id, news).await? {
                    rooms.join.insert(room_id, room);
                }
            }
            Some(Membership::Invite) if is_new => {
                if room::is_ignored(self.engine, self.wishes.as_deref(), membership).await? {
                    return Ok(());
                }
                let events = room::stripped(self.engine, &room_id, membership).await?;
                rooms.invite.insert(room_id, InvitedRoom { invite_state: events.into() });
            }
            Some(Membership::Knock) if is_new => {
                let events = room::stripped(self.engine, &room_id, membership).await?;
                rooms.knock.insert(room_id, KnockedRoom { knock_state: events.into() });
            }
            Some(Membership::Leave | Membership::Ban) => {
                let wanted = match self.since {
                    None => filter.include_leave && !membership.forgotten,
                    Some(_) => is_new,
                };
                if wanted {
                    let room = room::left(self, &room_id, membership).await?;
                    rooms.leave.insert(room_id, room);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
