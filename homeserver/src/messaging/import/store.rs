//! Many events into the database, piece by piece: no piece holds the writer for long, and nobody sees anything of them until what
//! makes the room refer to them is committed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ruma::{OwnedEventId, UserId};

use super::judge::Known;
use crate::messaging::{Engine, Error, Pdu, Room, build, room, state};
use crate::storage::{self, EventBatch, Id, Membership, NewAuth, NewEvent, StateKey};

/// Most events and standings in one commit, whatever its last piece has beside them.
const PIECE: usize = 500;

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

/// What goes into the database of one room, piece by piece. Nothing of a piece is there before it is committed, and what comes last is
/// committed with whatever the caller adds: a small room is one commit.
pub(super) struct Pieces<'a> {
    engine: &'a Engine,
    batch: EventBatch,
}

impl<'a> Pieces<'a> {
    /// `batch`: what the first piece begins with.
    pub(super) fn new(engine: &'a Engine, batch: EventBatch) -> Self {
        Self { engine, batch }
    }

    /// How many rows more the piece takes, after a commit if it is full.
    async fn rows_left(&mut self) -> Result<usize, Error> {
        let rows = |batch: &EventBatch| batch.events.len() + batch.memberships.len();
        if rows(&self.batch) >= PIECE {
            self.commit().await?;
        }
        Ok(PIECE - rows(&self.batch))
    }

    /// Commits what is there, if anything is.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        let next = EventBatch { room: self.batch.room, ..EventBatch::default() };
        let EventBatch { new_room, events, memberships, .. } = &self.batch;
        if new_room.is_none() && events.is_empty() && memberships.is_empty() {
            return Ok(());
        }
        self.engine.append_aside(std::mem::replace(&mut self.batch, next)).await
    }

    /// What is not committed yet.
    pub(super) fn into_batch(self) -> EventBatch {
        self.batch
    }

    /// Events without a place. `pdus`: each after what authorises it; `wanted`: which of them have no row yet.
    pub(super) async fn outliers(
        &mut self,
        pdus: &[Arc<Pdu>],
        authors: &mut Authors,
        wanted: &BTreeSet<Id>,
    ) -> Result<(), Error> {
        let mut rest = pdus;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(self.rows_left().await?));
            rest = after;
            let db = &self.engine.app().db;
            let senders: Vec<&str> = piece.iter().map(|pdu| pdu.sender.as_str()).collect();
            let senders = db.users(&senders).await?;
            let slots = slots(self.engine, piece.iter()).await?;
            let damaged = || Error::Storage(storage::Error::Damaged { what: "user" });
            for pdu in piece {
                let auth = authors.of(pdu);
                if !wanted.contains(&pdu.id) {
                    continue;
                }
                let sender = senders.get(pdu.sender.as_str()).copied().ok_or_else(damaged)?;
                let row = build::row(pdu, slots.get(&pdu.id).copied());
                self.batch.events.push(NewEvent { sender, auth, ..row });
            }
        }
        Ok(())
    }

    /// The standings of other servers' users that member events say, and where to reach them. Returns those of our users but
    /// `joining`.
    pub(super) async fn standings(
        &mut self,
        members: &[&Arc<Pdu>],
        joining: Id,
    ) -> Result<Vec<Membership>, Error> {
        let (mut rest, mut ours) = (members, Vec::new());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(self.rows_left().await?));
            rest = after;
            let app = self.engine.app();
            let names: Vec<&str> =
                piece.iter().filter_map(|pdu| named(pdu)).map(UserId::as_str).collect();
            let users = app.db.users(&names).await?;
            for pdu in piece {
                let (Some(user_id), Some(standing)) = (named(pdu), build::standing(pdu)) else {
                    continue;
                };
                let Some(user) = users.get(user_id.as_str()).copied() else { continue };
                let membership = standing.as_str().to_owned();
                let row = Membership { user, membership, event: pdu.id, stripped_state: None };
                if app.is_ours(user_id.server_name()) {
                    ours.extend((user != joining).then_some(row));
                    continue;
                }
                if standing == room::Membership::Join {
                    self.batch.destinations.push(user_id.server_name().to_string());
                }
                self.batch.memberships.push(row);
            }
        }
        Ok(ours)
    }
}

/// Whom a member event is about.
fn named(pdu: &Pdu) -> Option<&UserId> {
    pdu.state_key.as_deref()?.try_into().ok()
}

/// Stores events without a place, in pieces, see [`Pieces::outliers`].
pub(super) async fn outliers(
    engine: &Engine,
    room: Id,
    pdus: &[Arc<Pdu>],
    authors: &mut Authors,
    wanted: &BTreeSet<Id>,
) -> Result<(), Error> {
    let mut pieces = Pieces::new(engine, EventBatch { room, ..EventBatch::default() });
    pieces.outliers(pdus, authors, wanted).await?;
    pieces.commit().await
}
