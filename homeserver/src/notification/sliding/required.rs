//! The state that a sliding sync answer tells of a room: what the request names, and members as they are needed.

use std::{collections::BTreeSet, sync::Arc};

use super::{answer::StateStub, lists::Pick, look::Look, wanted::Rules};
use crate::{
    messaging::{
        Membership, Pdu,
        state::{Lineage, StateMap},
        sync_view::Slice,
        visibility::Sight,
    },
    notification::Error,
    storage::Id,
};

/// A room as an answer sees it.
pub(super) struct View<'a> {
    pub sight: &'a Sight<'a>,
    pub slice: &'a Slice,
    /// The state at the end.
    pub now: &'a Lineage,
    /// How it differs from what the connection knows.
    pub changed: StateMap,
    pub deleted: Vec<Id>,
    /// Only changes are to be told: the connection knows all else that is wanted.
    pub known: bool,
    /// What the connection knew to want so far.
    pub known_rules: Option<&'a Rules>,
}

/// State to tell.
#[derive(Debug, Default)]
pub(super) struct State {
    pub events: Vec<Arc<Pdu>>,
    pub deleted: Vec<StateStub>,
    /// Those of the events that are there because of what the members sent.
    pub lazy_members: Vec<Id>,
}

/// The state events that the request asks for: all of them, or those that are new.
pub(super) async fn of(look: &Look<'_>, pick: &Pick<'_>, view: &View<'_>) -> Result<State, Error> {
    let (engine, sight) = (look.engine, view.sight);
    let mut ids = if view.known {
        changed(look, pick, view).await?
    } else if let Some(slots) = &pick.slots {
        slots.iter().filter_map(|slot| view.now.get(*slot)).collect()
    } else {
        all(look, pick, view).await?
    };
    let lazy_members = match pick.rules.lazy_members() {
        true => lazy_members(look, view).await?,
        false => Vec::new(),
    };
    ids.extend(&lazy_members);
    // Whoever left learns it from their own membership.
    if sight.membership() != Some(Membership::Join) {
        ids.extend(view.now.get(sight.member_slot().await?));
    }
    let events = engine.pdus(sight.room, &ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(State { events, deleted: deleted(look, pick, view).await?, lazy_members })
}

/// What changed and is wanted.
async fn changed(look: &Look<'_>, pick: &Pick<'_>, view: &View<'_>) -> Result<BTreeSet<Id>, Error> {
    let (db, me) = (&look.engine.app().db, look.requester.user_id.as_str());
    let mut ids = BTreeSet::new();
    for (slot, id) in &view.changed {
        let name = db.state_key_name(*slot).await?;
        // A client that loads members lazily keeps up with all of them as long as it misses no event.
        let is_lazy =
            name.event_type == "m.room.member" && pick.rules.lazy_members() && !view.slice.limited;
        if is_lazy || pick.rules.takes(&name.event_type, &name.state_key, me) {
            ids.insert(*id);
        }
    }
    Ok(ids)
}

/// What is wanted of the whole state, but for what the connection was told under earlier rules and did not change.
async fn all(look: &Look<'_>, pick: &Pick<'_>, view: &View<'_>) -> Result<BTreeSet<Id>, Error> {
    let (db, me) = (&look.engine.app().db, look.requester.user_id.as_str());
    let mut ids = BTreeSet::new();
    for (slot, id) in view.now.state() {
        let name = db.state_key_name(slot).await?;
        let takes = |rules: &Rules| rules.takes(&name.event_type, &name.state_key, me);
        let is_told = !view.changed.contains_key(&slot) && view.known_rules.is_some_and(takes);
        if !is_told && takes(&pick.rules) {
            ids.insert(id);
        }
    }
    Ok(ids)
}

async fn deleted(
    look: &Look<'_>,
    pick: &Pick<'_>,
    view: &View<'_>,
) -> Result<Vec<StateStub>, Error> {
    let (db, me) = (&look.engine.app().db, look.requester.user_id.as_str());
    let mut stubs = Vec::new();
    for slot in &view.deleted {
        let name = db.state_key_name(*slot).await?;
        let is_lazy = name.event_type == "m.room.member" && pick.rules.lazy_members();
        if is_lazy || pick.rules.takes(&name.event_type, &name.state_key, me) {
            let (event_type, state_key) = (name.event_type.clone(), name.state_key.clone());
            stubs.push(StateStub { event_type, state_key });
        }
    }
    Ok(stubs)
}

/// The members that sent the slice's events or are their subject, but for those the connection was told of.
async fn lazy_members(look: &Look<'_>, view: &View<'_>) -> Result<Vec<Id>, Error> {
    let db = &look.engine.app().db;
    let mut needed: BTreeSet<Id> = BTreeSet::new();
    let mut senders: BTreeSet<Id> = BTreeSet::new();
    for pdu in &view.slice.events {
        if senders.insert(pdu.sender_id) {
            let name = db.user_name(pdu.sender_id).await?;
            needed.extend(db.find_state_key("m.room.member", &name).await?);
        }
        if let Some(state_key) = &pdu.state_key
            && pdu.event_type == ruma::events::TimelineEventType::RoomMember
        {
            needed.extend(db.find_state_key("m.room.member", state_key).await?);
        }
    }
    let events = needed.into_iter().filter_map(|slot| view.now.get(slot));
    // Who misses events forgets the members, so they come again.
    let is_told = |id: &Id| !view.slice.limited && look.base.members.contains(id);
    Ok(events.filter(|id| !is_told(id)).collect())
}
