//! One room in a v3 answer: its timeline slice, the state around it, and what goes beside.

use std::{collections::BTreeSet, sync::Arc};

use ruma::{RoomId, events::TimelineEventType};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Error,
    account_data::{self, Piece},
    ephemeral, filter,
    response::{Event, Events, JoinedRoom, LeftRoom, Timeline},
    summary,
    sync::Look,
};
use crate::{
    account::{self, Wishes},
    messaging::{
        Engine, Membership, Pdu, Room,
        client_event::{self, Form},
        remote,
        state::{Lineage, StateMap},
        stripped,
        sync_view::{self, Slice, Span},
        tokens::TimelineToken,
        unread,
        visibility::Sight,
    },
    storage::{
        Id, Position, rooms::StoredMembership, unread as stored_unread, unread::ToldReceipt,
    },
};

/// What is known to be new in a room before looking at it.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The user's membership event is another than before.
    pub standing_changed: bool,
    pub receipts: Option<Vec<ToldReceipt>>,
    pub account_data: Option<Vec<Piece>>,
    /// These are all there are, not only what is new.
    pub has_all_receipts: bool,
    pub has_all_data: bool,
}

impl News {
    /// Leaves out what the filter does not take: it is no news. The user's own receipts stay, for they change the counts.
    fn taken(mut self, look: &Look<'_>, room_id: &RoomId) -> Self {
        let filter = &look.request.filter.room;
        let takes_receipts = filter::takes_passing(&filter.ephemeral, room_id, "m.receipt");
        let is_own = |receipt: &ToldReceipt| receipt.user == look.requester.user;
        self.receipts = self.receipts.filter(|told| takes_receipts || told.iter().any(is_own));
        if let Some(pieces) = &mut self.account_data {
            pieces.retain(|piece| takes_piece(look, room_id, piece));
        }
        self.account_data = self.account_data.filter(|pieces| !pieces.is_empty());
        self
    }
}

/// From where a room is told.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// `None`: the device knows nothing of the room.
    since: Option<Position>,
    upto: Position,
    full_state: bool,
}

/// A joined room, if there is news.
pub(super) async fn joined(
    look: &Look<'_>,
    room_id: &RoomId,
    news: News,
) -> Result<Option<JoinedRoom>, Error> {
    let engine = look.engine;
    let news = news.taken(look, room_id);
    let room = engine.room(room_id).await?;
    let sight = Sight::new(engine, &room, look.requester.user);
    let mut since = look.since.map(|since| since.position);
    if let Some(position) = since
        && news.standing_changed
        && membership_at(&sight, position).await? != Some(Membership::Join)
    {
        since = None;
    }
    let typing_since = look.since.filter(|_| since.is_some()).map(|since| since.serial);
    let takes_typing =
        filter::takes_passing(&look.request.filter.room.ephemeral, room_id, "m.typing");
    let typing = ephemeral::typing(engine, room_id, typing_since).filter(|_| takes_typing);
    let full_state = look.request.full_state;
    let has_events = since.is_none_or(|since| room.seen().position > since);
    let has_asides =
        typing.is_some() || news.receipts.is_some() || news.account_data.is_some() || full_state;
    if !has_events && !has_asides {
        return Ok(None);
    }
    let from = Extent { since, upto: look.now.position, full_state };
    let mut part = timeline(look, &sight, from).await?;
    part.limited |= is_told_anew(look, from);
    let state = state(look, &sight, &part, from).await?;
    // The room may have gone on since this look began: that is the next look's.
    if since.is_some() && !has_asides && part.events.is_empty() && !part.limited && state.is_empty()
    {
        return Ok(None);
    }
    let mut joined = JoinedRoom {
        timeline: write_timeline(look, &sight, &part).await?,
        ..JoinedRoom::default()
    };
    let is_member = |pdu: &Arc<Pdu>| pdu.event_type == TimelineEventType::RoomMember;
    if since.is_none() || full_state || part.events.iter().chain(&state).any(is_member) {
        joined.summary = summary::summary(engine, &room, look.requester.user).await?;
    }
    let told = plain(look, &room, &state)?;
    match look.request.use_state_after {
        true => joined.state_after = Some(told),
        false if told.is_empty() => {}
        false => joined.state = Some(told),
    }
    let counts = unread::counts(engine, &room, look.requester.user).await?;
    if look.request.filter.room.timeline.unread_thread_notifications {
        joined.unread_notifications = counts.main.into();
        let threads = counts.threads.into_iter().map(|(root, unread)| (root, unread.into()));
        joined.unread_thread_notifications = Some(threads.collect());
    } else {
        joined.unread_notifications = counts.whole().into();
    }
    joined.ephemeral =
        passing(look, &room, since, typing, (news.receipts, news.has_all_receipts)).await?.into();
    let is_complete = since.is_some() || news.has_all_data;
    joined.account_data = room_data(look, room_id, news.account_data, is_complete).await?.into();
    Ok(Some(joined))
}

/// A room the user is no longer in: everything up to their going, nothing after it.
pub(super) async fn left(
    look: &Look<'_>,
    room_id: &RoomId,
    membership: &StoredMembership,
) -> Result<LeftRoom, Error> {
    let engine = look.engine;
    let Some(room) = engine.find_room(room_id).await? else {
        return only_going(look, membership).await;
    };
    let going = engine.pdu(&room, membership.event).await?;
    let slot = engine.app().db.state_key("m.room.member", look.requester.user_id.as_str()).await?;
    let before = engine.state_at(going.place.state_before).await?;
    // Who turned an invitation down, or took back a knock, was never in the room.
    if sync_view::membership_in(engine, &room, &before, slot).await? != Some(Membership::Join) {
        return only_going(look, membership).await;
    }
    let sight = Sight::new(engine, &room, look.requester.user);
    let mut since = look.since.map(|since| since.position);
    if let Some(position) = since
        && membership_at(&sight, position).await? != Some(Membership::Join)
    {
        since = None;
    }
    let upto = membership.position.min(look.now.position);
    let from = Extent { since, upto, full_state: look.request.full_state };
    let mut part = timeline(look, &sight, from).await?;
    part.limited |= is_told_anew(look, from);
    let mut left =
        LeftRoom { timeline: write_timeline(look, &sight, &part).await?, ..LeftRoom::default() };
    let state = state(look, &sight, &part, from).await?;
    let told = plain(look, &room, &state)?;
    if look.request.use_state_after {
        left.state_after = Some(told);
    } else {
        left.state = Some(told);
    }
    Ok(left)
}

/// A room of which the user is told no more than that they are out.
async fn only_going(look: &Look<'_>, membership: &StoredMembership) -> Result<LeftRoom, Error> {
    let wanted = &look.request.filter.room.timeline;
    let is_wanted =
        |pdu: &Pdu| filter::takes_part(wanted, &pdu.room_id) && filter::takes(wanted, pdu);
    let event = match remote::going(look.engine, membership).await?.filter(is_wanted) {
        Some(pdu) if look.shape.is_raw => Some(client_event::raw_event(&pdu)?),
        Some(pdu) => to_raw_value(&stripped::event(&pdu)).ok(),
        None => None,
    };
    let events = look.shape.cut(event.into_iter().collect());
    let timeline = Timeline { events, limited: false, prev_batch: None };
    Ok(LeftRoom { timeline, ..LeftRoom::default() })
}

/// Whether an invitation comes from somebody whom the user ignores.
pub(super) async fn is_ignored(
    engine: &Engine,
    wishes: Option<&Wishes>,
    membership: &StoredMembership,
) -> Result<bool, Error> {
    let Some(wishes) = wishes.filter(|wishes| wishes.ignores_anybody()) else { return Ok(false) };
    let inviter = remote::inviter(engine, membership).await?;
    Ok(inviter.is_some_and(|inviter| wishes.ignores(&inviter)))
}

/// The stripped state of a room the user is invited to or knocks on.
pub(super) async fn stripped(
    engine: &Engine,
    room_id: &RoomId,
    membership: &StoredMembership,
) -> Result<Vec<Event>, Error> {
    if let Some(stored) = &membership.stripped_state {
        // Other servers wrote it: whatever does not read is nothing.
        let events: Vec<Box<RawValue>> = serde_json::from_slice(stored).unwrap_or_default();
        return Ok(events);
    }
    let Some(room) = engine.find_room(room_id).await? else { return Ok(Vec::new()) };
    let own = engine.pdu(&room, membership.event).await?;
    let inviter = (membership.membership == "invite").then_some(&*own.sender);
    let mut events = stripped::events(engine, &room, inviter).await?;
    events.push(own);
    Ok(events.iter().filter_map(|pdu| to_raw_value(&stripped::event(pdu)).ok()).collect())
}

/// The user's membership at a position.
async fn membership_at(sight: &Sight<'_>, position: Position) -> Result<Option<Membership>, Error> {
    let (engine, room) = (sight.engine, sight.room);
    let last = sync_view::last_event_at(engine, room, position).await?;
    let state = sync_view::state_after(engine, last.as_deref()).await?;
    let slot = sight.member_slot().await?;
    Ok(sync_view::membership_in(engine, room, &state, slot).await?)
}

/// The newest events that the filter and the room let the user see.
async fn timeline(look: &Look<'_>, sight: &Sight<'_>, from: Extent) -> Result<Slice, Error> {
    let wanted = &look.request.filter.room.timeline;
    let limit = filter::limit(wanted);
    let takes_any = filter::takes_any(wanted, &sight.room.room_id);
    // Where no event is taken none is looked through.
    let since = if takes_any { from.since } else { Some(from.upto) };
    let span = Span { since, upto: from.upto, limit };
    let takes = |pdu: &Pdu| !look.ignores(pdu) && filter::takes(wanted, pdu);
    let mut slice = sync_view::slice(sight.engine, sight.room, span, &takes).await?;
    slice.before = slice.before.filter(|_| takes_any);
    show(sight, &mut slice).await?;
    Ok(slice)
}

/// Whether a device that follows is told a room from its beginning: because it came into it, or because its token is of a future that
/// is lost. What it knows of the room must not be taken for what comes right before.
fn is_told_anew(look: &Look<'_>, from: Extent) -> bool {
    look.request.since.is_some() && from.since.is_none()
}

/// Leaves of a slice what the user may see. Where that hides a change of the state, what is before it goes too: a client adds up the
/// state from the slice's start on.
async fn show(sight: &Sight<'_>, slice: &mut Slice) -> Result<(), Error> {
    let all = std::mem::take(&mut slice.events);
    let mut visible = sight.filter(all.clone()).await?;
    let is_hidden =
        |pdu: &&Arc<Pdu>| pdu.is_state() && !visible.iter().any(|shown| shown.id == pdu.id);
    let hidden = match visible.len() == all.len() {
        true => None,
        false => all.iter().rev().find(is_hidden).and_then(|pdu| pdu.place.order),
    };
    if let Some(hidden) = hidden
        && visible.first().is_some_and(|first| first.place.order < Some(hidden))
    {
        visible.retain(|pdu| pdu.place.order > Some(hidden));
        (slice.limited, slice.start, slice.before) = (true, hidden + 1, None);
    }
    slice.events = visible;
    Ok(())
}

async fn write_timeline(
    look: &Look<'_>,
    sight: &Sight<'_>,
    slice: &Slice,
) -> Result<Timeline, Error> {
    let device = look.requester.device;
    let events = match look.shape.is_raw {
        true => raw(&slice.events)?,
        false => client_event::list_for(sight, device, &slice.events, Form::Sync).await?,
    };
    let events = look.shape.cut(events);
    let has_before = slice.limited || !events.is_empty();
    let prev_batch = has_before.then(|| TimelineToken::here(look.engine, slice.start).to_string());
    Ok(Timeline { events, limited: slice.limited, prev_batch })
}

fn raw(pdus: &[Arc<Pdu>]) -> Result<Vec<Event>, Error> {
    Ok(pdus.iter().map(|pdu| client_event::raw_event(pdu)).collect::<Result<_, _>>()?)
}

/// The state events that go with a slice.
async fn state(
    look: &Look<'_>,
    sight: &Sight<'_>,
    slice: &Slice,
    from: Extent,
) -> Result<Vec<Arc<Pdu>>, Error> {
    let (engine, room) = (sight.engine, sight.room);
    let wanted = &look.request.filter.room.state;
    if !filter::takes_part(wanted, &room.room_id) {
        return Ok(Vec::new());
    }
    let end = end_state(sight, from.upto).await?;
    let start = match slice.events.first() {
        Some(first) => engine.state_at(first.place.state_before).await?,
        None => end.clone(),
    };
    let after = look.request.use_state_after;
    let base = if after { &end } else { &start };
    let is_full = from.since.is_none() || from.full_state;
    let mut changed = match from.since {
        Some(since) if !is_full => {
            let last = match &slice.before {
                Some(before) => Some(before.clone()),
                None => sync_view::last_event_at(engine, room, since).await?,
            };
            let previous = sync_view::state_after(engine, last.as_deref()).await?;
            if after {
                end.changes_since(&previous)
            } else {
                sync_view::state_before_slice(slice, &previous, &start, &end)
            }
        }
        _ if after => end.state(),
        _ => {
            // A filtered timeline does not tell all that changed in it.
            let mut state = start.state();
            state.extend(untold(slice, end.changes_since(&start)));
            state
        }
    };
    if let Some(repeat) = filter::lazy(&look.request.filter.room) {
        lazy_members(look, sight, slice, (base, &end), &mut changed, (is_full, repeat)).await?;
    }
    let ids: Vec<Id> = changed.into_values().collect();
    let events = engine.pdus(room, &ids).await?;
    Ok(events.into_iter().filter(|pdu| filter::takes(wanted, pdu)).collect())
}

/// Of changes those that a slice does not tell itself.
fn untold(slice: &Slice, changes: StateMap) -> impl Iterator<Item = (Id, Id)> {
    let is_told = |id: Id| slice.events.iter().any(|pdu| pdu.id == id);
    changes.into_iter().filter(move |(_, id)| !is_told(*id))
}

/// The room's state at `upto`.
async fn end_state(sight: &Sight<'_>, upto: Position) -> Result<Lineage, Error> {
    let (engine, room) = (sight.engine, sight.room);
    if room.seen().position <= upto {
        return Ok(sync_view::state_now(engine, room).await?);
    }
    let last = sync_view::last_event_at(engine, room, upto).await?;
    Ok(sync_view::state_after(engine, last.as_deref()).await?)
}

/// Puts the members that the slice needs into `changed`; out of a full state it takes all others.
async fn lazy_members(
    look: &Look<'_>,
    sight: &Sight<'_>,
    slice: &Slice,
    (base, end): (&Lineage, &Lineage),
    changed: &mut StateMap,
    (is_full, repeat): (bool, bool),
) -> Result<(), Error> {
    let (db, device) = (&look.engine.app().db, look.requester.device);
    let mut needed: BTreeSet<Id> = slice.events.iter().map(|pdu| pdu.sender_id).collect();
    if is_full {
        for slot in changed.keys().copied().collect::<Vec<_>>() {
            if db.state_key_name(slot).await?.event_type == "m.room.member" {
                changed.remove(&slot);
            }
        }
        needed.insert(look.requester.user);
        needed.extend(summary::heroes(sight.room, look.requester.user));
    }
    // What the filter leaves out is not told, and must not be noted as if it were.
    if !filter::takes_members(&look.request.filter.room.state) {
        return Ok(());
    }
    let mut told = Vec::with_capacity(needed.len());
    let since = look.since.map_or(-1, |since| since.position);
    for user in needed {
        let slot = db.state_key("m.room.member", &db.user_name(user).await?).await?;
        let in_slice = |event: Id| slice.events.iter().any(|pdu| pdu.id == event);
        // A filtered timeline may not tell how its sender came in.
        let untold = end.get(slot).filter(|event| !in_slice(*event));
        let Some(event) = untold.or_else(|| base.get(slot)) else { continue };
        let in_slice = in_slice(event);
        if is_full || repeat || !(in_slice || look.state.0.lazy.knows(device, event, since)) {
            changed.insert(slot, event);
        }
        told.push(event);
    }
    look.state.0.lazy.note(device, told.into_iter(), look.now.position);
    Ok(())
}

fn plain(look: &Look<'_>, room: &Room, pdus: &[Arc<Pdu>]) -> Result<Events, Error> {
    let now_ms = look.engine.app().clock.now_ms();
    let plain = |pdu: &Arc<Pdu>| client_event::plain_event(room, pdu, Form::Sync, now_ms);
    let events = match look.shape.is_raw {
        true => raw(pdus)?,
        false => pdus.iter().map(plain).collect::<Result<_, _>>()?,
    };
    Ok(look.shape.cut(events).into())
}

/// The ephemeral events the filter takes.
async fn passing(
    look: &Look<'_>,
    room: &Room,
    since: Option<Position>,
    typing: Option<Event>,
    (receipts, has_all): (Option<Vec<ToldReceipt>>, bool),
) -> Result<Vec<Event>, Error> {
    let wanted = &look.request.filter.room.ephemeral;
    let receipts = match since {
        _ if !filter::takes_passing(wanted, &room.room_id, "m.receipt") => Vec::new(),
        None if !has_all => {
            let (db, user) = (&look.engine.app().db, look.requester.user);
            stored_unread::list_room_receipts_for(db, user, room.id, look.now.position).await?
        }
        _ => receipts.unwrap_or_default(),
    };
    Ok(typing.into_iter().chain(ephemeral::receipts(receipts)).collect())
}

/// The account data of a room that the filter takes; unless `known` is complete, all there is.
async fn room_data(
    look: &Look<'_>,
    room_id: &RoomId,
    known: Option<Vec<Piece>>,
    is_complete: bool,
) -> Result<Vec<Event>, Error> {
    let (app, user) = (look.engine.app(), look.requester.user);
    let pieces = match is_complete {
        true => known.unwrap_or_default(),
        false => account::list_room_account_data(app, user, room_id.as_str()).await?,
    };
    let taken = pieces.iter().filter(|piece| takes_piece(look, room_id, piece));
    Ok(taken.filter_map(account_data::event).collect())
}

fn takes_piece(look: &Look<'_>, room_id: &RoomId, piece: &Piece) -> bool {
    let wanted = &look.request.filter.room.account_data;
    filter::takes_room_data(wanted, room_id, &piece.data_type, &piece.content)
}
