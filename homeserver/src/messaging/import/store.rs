//! Many events into the database, piece by piece: no piece holds the writer for long, and nobody sees anything of them until what
//! makes the room refer to them is committed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ruma::OwnedEventId;

use super::judge::Known;
use crate::messaging::{Engine, Error, Pdu, Room, build, state};
use crate::storage::{self, EventBatch, Id, NewAuth, NewEvent, StateKey};

/// Most events in one commit.
pub(super) const PIECE: usize = 500;

/// The slots of the state events among `pdus`, by the events' interned ids; unknown slots are interned.
pub(super) async fn slots<'a>(
    engine: &Engine,
    pdus: impl Iterator<Item = &'a Arc<Pdu>>,
) -> Result<HashMap<Id, Id>, Error> {
    let key = |pdu: &'a Arc<Pdu>| {
        let (event_type, state_key) = (pdu.event_type.to_string(), pdu.state_key.clone()?);
        Some((pdu.id, StateKey { event_type, state_key }))
    };
    let (ids, keys): (Vec<Id>, Vec<StateKey>) = pdus.filter_map(key).unzip();
    let found = engine.app().db.state_keys(&keys).await?;
    let slot = |(id, key): (Id, StateKey)| Some((id, found.get(&key).copied()?));
    Ok(ids.into_iter().zip(keys).filter_map(slot).collect())
}

/// What authorises state events that are on their way into the database, as its rows say it.
#[derive(Debug, Default)]
pub(super) struct Authors {
    ranks: HashMap<OwnedEventId, (Id, i64)>,
}

impl Authors {
    /// From the events that are here and authorise the new ones.
    pub(super) async fn above(engine: &Engine, room: &Room, known: &Known) -> Result<Self, Error> {
        let pdus: Vec<&Arc<Pdu>> = known.values().filter(|pdu| pdu.is_state()).collect();
        let ids: Vec<Id> = pdus.iter().map(|pdu| pdu.id).collect();
        let ranks = engine.auth_ranks(room, &ids).await?;
        let named = pdus.iter().zip(ids.iter().zip(ranks));
        let ranks = named.map(|(pdu, (id, rank))| (pdu.event_id.clone(), (*id, rank))).collect();
        Ok(Self { ranks })
    }

    /// What authorises `pdu`; `None` when not all of that is here. Events are asked for after what authorises them.
    pub(super) fn of(&mut self, pdu: &Pdu) -> Option<NewAuth> {
        let auth: Option<Vec<(Id, i64)>> =
            pdu.auth_events.iter().map(|name| self.ranks.get(name).copied()).collect();
        let auth = auth.filter(|_| pdu.is_state())?;
        let rank = auth.iter().map(|(_, rank)| rank + 1).max().unwrap_or_default();
        self.ranks.insert(pdu.event_id.clone(), (pdu.id, rank));
        Some(NewAuth { rank, auth: state::pack_ids(auth.iter().map(|(id, _)| *id)) })
    }
}

/// Stores events without a place, in pieces. `pdus`: each after what authorises it; `wanted`: which of them have no row yet.
pub(super) async fn outliers(
    engine: &Engine,
    room: Id,
    pdus: &[Arc<Pdu>],
    authors: &mut Authors,
    wanted: &BTreeSet<Id>,
) -> Result<(), Error> {
    for piece in pdus.chunks(PIECE) {
        let db = &engine.app().db;
        let senders: Vec<&str> = piece.iter().map(|pdu| pdu.sender.as_str()).collect();
        let senders = db.users(&senders).await?;
        let slots = slots(engine, piece.iter()).await?;
        let damaged = || Error::Storage(storage::Error::Damaged { what: "user" });
        let mut events = Vec::with_capacity(piece.len());
        for pdu in piece {
            let auth = authors.of(pdu);
            if !wanted.contains(&pdu.id) {
                continue;
            }
            let sender = senders.get(pdu.sender.as_str()).copied().ok_or_else(damaged)?;
            let row = build::row(pdu, slots.get(&pdu.id).copied());
            events.push(NewEvent { sender, auth, ..row });
        }
        if !events.is_empty() {
            engine.append_aside(EventBatch { room, events, ..EventBatch::default() }).await?;
        }
    }
    Ok(())
}
