//! `Building`: one room's next events, from draft or from another server, until they are handed to the writer.
//!
//! It holds the room's turn. Nothing of the room changes until [`Building::commit`]; dropping it changes nothing.

use std::{collections::HashMap, sync::Arc};

use ruma::{
    OwnedEventId, OwnedUserId,
    events::{StateEventType, TimelineEventType},
    state_res::{
        auth_types_for_event, check_state_dependent_auth_rules, check_state_independent_auth_rules,
    },
};
use tokio::sync::MutexGuard;

use super::{
    Draft, Engine, Error, Transaction, applied, exceptions,
    pdu::{Pdu, Place},
    redact,
    resolve::Merged,
    room::{Extremity, Head, Member, Membership, Room},
    state::{self, NOTHING, StateMap},
};
use crate::storage::{self, EventBatch, Id, NewEvent, RoomUpdate, TransactionKey, events};

/// The events that authorise another, by slot.
pub(super) type AuthState = HashMap<(StateEventType, String), Arc<Pdu>>;

/// A room's turn and what is being made in it.
pub struct Building<'a> {
    pub(super) engine: &'a Engine,
    pub(super) room: Arc<Room>,
    pub(super) head: MutexGuard<'a, Head>,
    /// What changes in `head` at the commit.
    changes: StateMap,
    pub(super) next: Head,
    pub(super) batch: EventBatch,
    change: applied::Change,
    pub(super) own: HashMap<Id, Arc<Pdu>>,
    /// What the event stands on, for the room to remember.
    pub(super) merged: Option<Merged>,
}

impl<'a> Building<'a> {
    /// Takes the room's turn.
    pub async fn begin(engine: &'a Engine, room: &'a Arc<Room>) -> Result<Building<'a>, Error> {
        let head = room.head.lock().await;
        if room.is_broken() {
            return Err(Error::Storage(storage::Error::Undone));
        }
        let next = head.without_state();
        let batch =
            EventBatch { room: room.id, broken: room.broken.clone(), ..EventBatch::default() };
        let change = applied::Change::new(room.clone());
        let (changes, own) = (StateMap::new(), HashMap::new());
        let merged = None;
        Ok(Building { engine, room: room.clone(), head, changes, next, batch, change, own, merged })
    }

    /// The batch, for what only a new room or a remote join sets.
    pub(super) fn batch_mut(&mut self) -> &mut EventBatch {
        &mut self.batch
    }

    pub(super) fn next(&self) -> &Head {
        &self.next
    }

    /// The event in a slot of the state that the next event builds on.
    pub(super) async fn state_event(
        &self,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Arc<Pdu>>, Error> {
        let slot = self.engine.app().db.state_key(event_type, state_key).await?;
        let found = self.changes.get(&slot).or_else(|| self.head.state.get(&slot)).copied();
        let Some(id) = found.filter(|id| *id != NOTHING) else { return Ok(None) };
        match self.own.get(&id) {
            Some(pdu) => Ok(Some(pdu.clone())),
            None => self.engine.pdu(&self.room, id).await.map(Some),
        }
    }

    /// Builds, signs and authorises an event from a draft. Its room's state and graph go on from it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the rule's words, [`Error::TooLarge`], [`Error::BadEvent`].
    pub async fn add(&mut self, draft: Draft) -> Result<OwnedEventId, Error> {
        let pdu = self.signed(draft.clone()).await?;
        let auth = self.auth_state(&pdu).await?;
        self.authorize(&pdu, &auth)?;
        if pdu.event_type == TimelineEventType::RoomRedaction {
            redact::check(self, &pdu, &auth).await?;
        }
        let event_id = pdu.event_id.clone();
        let id = self.place(pdu, events::LOCAL).await?;
        if let Some(transaction) = draft.transaction {
            self.engine.sent().note(&transaction, id);
            let Transaction { device, endpoint, txn_id } = transaction;
            let at_ms = self.engine.app().clock.now_ms();
            self.batch.transaction =
                Some(TransactionKey { device, endpoint, txn_id, event: id, at_ms });
        }
        Ok(event_id)
    }

    /// Builds, signs and authorises an event without giving it a place.
    pub(super) async fn checked(&self, draft: Draft) -> Result<Pdu, Error> {
        let pdu = self.signed(draft).await?;
        let auth = self.auth_state(&pdu).await?;
        self.authorize(&pdu, &auth)?;
        Ok(pdu)
    }

    /// Places the create event that [`super::create_room`] built and signed.
    pub(super) async fn place_create(&mut self, create: Pdu) -> Result<Id, Error> {
        let nothing = |_: &ruma::EventId| None::<Arc<Pdu>>;
        check_state_independent_auth_rules(&self.room.rules.authorization, &create, nothing)
            .map_err(|text| Error::InvalidParam(format!("the room cannot be made so: {text}")))?;
        self.place(create, events::LOCAL).await
    }

    /// The state the next event builds on, as far as the rules for `pdu` look at it.
    pub(super) async fn auth_state(&self, pdu: &Pdu) -> Result<AuthState, Error> {
        let mut state = AuthState::new();
        for (event_type, state_key) in auth_slots(pdu, &self.room)? {
            if let Some(event) = self.state_event(&event_type.to_string(), &state_key).await? {
                state.insert((event_type, state_key), event);
            }
        }
        Ok(state)
    }

    /// Checks an event of our own against both halves of the rules.
    fn authorize(&self, pdu: &Pdu, auth: &AuthState) -> Result<(), Error> {
        let by_id =
            |event_id: &ruma::EventId| auth.values().find(|pdu| pdu.event_id == event_id).cloned();
        check_state_independent_auth_rules(&self.room.rules.authorization, pdu, by_id)
            .map_err(Error::Forbidden)?;
        allowed(&self.room, pdu, auth).map_err(Error::Forbidden)
    }

    /// Gives an authorised event its place at the end of the timeline.
    pub(super) async fn place(&mut self, mut pdu: Pdu, flags: i64) -> Result<Id, Error> {
        let app = self.engine.app();
        if pdu.id == 0 {
            pdu.id = app.db.new_id();
        }
        pdu.place = Place { state_before: self.next.lineage.id(), flags, ..Place::default() };
        self.stand_on_head();
        self.count(&mut pdu).await?;
        if let Some(state_key) = &pdu.state_key {
            let slot = app.db.state_key(&pdu.event_type.to_string(), state_key).await?;
            let snapshot =
                self.next.lineage.advance(app.db.new_id(), &StateMap::from([(slot, pdu.id)]));
            self.batch.snapshots.push(snapshot);
            self.changes.insert(slot, pdu.id);
        }
        pdu.place.state_after = self.next.lineage.id();
        // Where a room has more ends than an event may name, the others stay: nobody else knows yet that they are dealt with.
        self.next.extremities.retain(|end| !pdu.prev_events.contains(&end.event_id));
        self.next.extremities.push(Extremity::from(&pdu));
        self.record(pdu).await
    }

    /// An event refers to the snapshot that the room goes on from, wherever in the graph it stands: it is kept for good.
    pub(super) fn stand_on_head(&mut self) {
        self.next.provisional = None;
    }

    /// Lets a resolution look up an event of this batch before it is recorded.
    pub(super) async fn own_event(&mut self, pdu: &Pdu) -> Result<(), Error> {
        if let Some(slot) = self.slot(pdu).await? {
            self.engine.note_auth(&self.room, pdu, slot).await?;
        }
        let pdu = Arc::new(pdu.clone());
        self.room.in_flight().insert(pdu.id, pdu.clone());
        self.own.insert(pdu.id, pdu);
        Ok(())
    }

    /// The state slot that an event fills.
    async fn slot(&self, pdu: &Pdu) -> Result<Option<Id>, Error> {
        let Some(state_key) = &pdu.state_key else { return Ok(None) };
        Ok(Some(self.engine.app().db.state_key(&pdu.event_type.to_string(), state_key).await?))
    }

    /// The lineage of a snapshot, which may be in flight.
    pub(super) async fn lineage_of(&self, snapshot: Id) -> Result<state::Lineage, Error> {
        if self.next.lineage.id() == Some(snapshot) {
            return Ok(self.next.lineage.clone());
        }
        self.engine.state_at(Some(snapshot)).await
    }

    /// Adds an event that already has its place, and its rows, to the batch.
    pub(super) async fn record(&mut self, pdu: Pdu) -> Result<Id, Error> {
        let slot = self.slot(&pdu).await?;
        let current = slot.is_some_and(|slot| self.changes.get(&slot) == Some(&pdu.id));
        if current && pdu.event_type == TimelineEventType::RoomMember {
            self.record_membership(&pdu).await?;
        }
        if pdu.place.order.is_some() {
            let waiting = match pdu.event_type {
                TimelineEventType::RoomRedaction => redact::apply(self, &pdu).await?,
                _ => None,
            };
            self.batch.relations.extend(waiting.or_else(|| relation(&pdu)));
            // The rules may ask for the power levels, and this may be them.
            self.own.insert(pdu.id, Arc::new(pdu.clone()));
            let actions = exceptions::of(self, &pdu).await?;
            self.batch.actions.extend(actions);
        }
        let auth = match slot {
            Some(slot) => self.engine.note_auth(&self.room, &pdu, slot).await?,
            None => None,
        };
        self.batch.events.push(NewEvent { auth, ..row(&pdu, slot) });
        let id = pdu.id;
        self.own.insert(id, Arc::new(pdu.clone()));
        self.change.events.push(pdu);
        Ok(id)
    }

    pub(super) fn prune(&mut self, pruned: Pdu, redaction: Id) {
        let json = pruned.json.to_vec();
        self.batch.redactions.push(storage::Redaction { event: pruned.id, redaction, json });
        self.change.pruned.push(Arc::new(pruned));
    }

    async fn record_membership(&mut self, pdu: &Pdu) -> Result<(), Error> {
        let Some(standing) = standing(pdu) else { return Ok(()) };
        self.record_standing(pdu, standing).await
    }

    async fn record_standing(&mut self, pdu: &Pdu, standing: Membership) -> Result<(), Error> {
        let app = self.engine.app();
        let Some(Ok(user_id)) = pdu.state_key.as_deref().map(OwnedUserId::try_from) else {
            return Ok(());
        };
        let user = app.db.user(user_id.as_str()).await?;
        let membership = standing.as_str().to_owned();
        self.batch.memberships.push(storage::Membership {
            user,
            membership,
            event: pdu.id,
            stripped_state: None,
        });
        let is_ours = app.is_ours(user_id.server_name());
        // Who is only invited is not written to, but learns of it when that ends.
        let is_removed =
            matches!(standing, Membership::Leave | Membership::Ban) && pdu.sender != user_id;
        if (standing == Membership::Join || is_removed) && !is_ours {
            self.batch.destinations.push(user_id.server_name().to_string());
        }
        let member = Member { user_id, membership: standing, event: pdu.id, position: 0 };
        self.change.members.push((user, member, is_ours));
        Ok(())
    }

    /// Goes on from other ends and, where a resolution says so, from another state. The snapshot of a resolution on which no event came
    /// to stand is replaced by the next one's, so that a contested room does not collect them.
    pub(super) fn go_on_from(&mut self, extremities: Vec<Extremity>, changes: &StateMap) {
        self.next.extremities = extremities;
        if changes.is_empty() {
            return;
        }
        let state = self.next.lineage.clone().with_changes(changes.clone());
        let standing = match self.next.provisional.take() {
            Some((snapshot, standing)) => {
                self.batch.dropped_snapshots.push(snapshot);
                standing
            }
            None => self.next.lineage.clone(),
        };
        let id = self.engine.app().db.new_id();
        let changed = standing.changes_to(&state);
        let (lineage, row) = standing.clone().with_changes(changed).attach(id);
        self.next.provisional = row.is_some().then_some((id, standing));
        self.batch.snapshots.extend(row);
        self.next.lineage = lineage;
        self.changes.extend(changes);
    }

    /// Standing changes that a resolution brought: members whose state event is another now, or none.
    pub(super) async fn refresh_memberships(&mut self, changes: &StateMap) -> Result<(), Error> {
        let ids: Vec<Id> = changes.values().copied().filter(|id| *id != NOTHING).collect();
        for pdu in self.engine.pdus(&self.room, &ids).await? {
            if pdu.event_type == TimelineEventType::RoomMember {
                self.record_membership(&pdu).await?;
            }
        }
        let emptied = changes.iter().filter(|(_, id)| **id == NOTHING);
        let lost: Vec<Id> =
            emptied.filter_map(|(slot, _)| self.head.state.get(slot).copied()).collect();
        for pdu in self.engine.pdus(&self.room, &lost).await? {
            if pdu.event_type == TimelineEventType::RoomMember {
                self.record_standing(&pdu, Membership::Leave).await?;
            }
        }
        Ok(())
    }

    /// Hands everything to the writer; answers after the commit, with the events as committed. The room's turn ends as
    /// soon as the batch is in the queue, so that the next writer builds on it at once.
    pub async fn commit(mut self) -> Result<Vec<Arc<Pdu>>, Error> {
        state::apply(&mut self.head.state, &self.changes);
        self.change.state = std::mem::take(&mut self.changes);
        let next = std::mem::take(&mut self.next);
        let Head { lineage, provisional, extremities, last_order, first_order, countable, .. } =
            next;
        let changed_threads = next.threads;
        self.change.snapshot = lineage.newest();
        self.batch.head = lineage.id().map(|snapshot| RoomUpdate {
            snapshot,
            standing_snapshot: provisional.as_ref().and_then(|(_, standing)| standing.id()),
            extremities: state::pack_ids(extremities.iter().map(|end| end.id)),
            last_order,
            countable,
        });
        // Readers stand on what is dropped until the commit is applied.
        if !self.batch.dropped_snapshots.is_empty()
            && let Some(dropped) = self.head.lineage.newest()
        {
            self.engine.keep_snapshot(dropped);
        }
        let state = std::mem::take(&mut self.head.state);
        let threads = self.next_threads(changed_threads);
        *self.head = Head {
            state,
            lineage,
            provisional,
            extremities,
            last_order,
            first_order,
            countable,
            threads,
        };
        // What is appended next may stand on these before they are committed.
        for snapshot in &self.batch.snapshots {
            self.engine.keep_new_snapshot(snapshot);
        }
        if let Some(merged) = self.merged.filter(|merged| !merged.of.is_empty()) {
            self.room.merges.note(merged);
        }
        self.room.in_flight().extend(std::mem::take(&mut self.own));
        let answered = self.engine.commit(self.change, self.batch);
        drop(self.head);
        answered.await.unwrap_or(Err(Error::Storage(storage::Error::Stopping)))
    }
}

/// Places left free in the timeline for the events of a gap.
pub(super) const GAP_ROOM: i64 = 1 << 20;

/// The slots of state that the rules for `pdu` look at, the create event's among them.
pub(super) fn auth_slots(pdu: &Pdu, room: &Room) -> Result<Vec<(StateEventType, String)>, Error> {
    let (state_key, rules) = (pdu.state_key.as_deref(), &room.rules.authorization);
    let mut slots =
        auth_types_for_event(&pdu.event_type, &pdu.sender, state_key, &pdu.content, rules)
            .map_err(Error::BadEvent)?;
    slots.push((StateEventType::RoomCreate, String::new()));
    Ok(slots)
}

/// The state-dependent rules, against `state`.
pub(super) fn allowed(room: &Room, pdu: &Pdu, state: &AuthState) -> Result<(), String> {
    check_state_dependent_auth_rules(&room.rules.authorization, pdu, |event_type, state_key| {
        state.get(&(event_type.clone(), state_key.to_owned())).cloned()
    })
}

/// The row of an event's relation to another.
pub(super) fn relation(pdu: &Pdu) -> Option<storage::Relation> {
    let relation = pdu.relation()?;
    let (rel_type, parent_event_id) = (relation.rel_type?, relation.event_id?.to_string());
    // That one is ours to make.
    if rel_type == storage::relations::WAITING_REDACTION {
        return None;
    }
    Some(storage::Relation { child: pdu.id, parent_event_id, rel_type })
}

/// What a membership event says.
pub(super) fn standing(pdu: &Pdu) -> Option<Membership> {
    #[derive(serde::Deserialize)]
    struct Content {
        membership: String,
    }
    Membership::parse(&pdu.content_as::<Content>()?.membership)
}

pub(super) fn row(pdu: &Pdu, slot: Option<Id>) -> NewEvent {
    NewEvent {
        id: pdu.id,
        event_id: pdu.event_id.to_string(),
        event_type: pdu.event_type.to_string(),
        sender: pdu.sender_id,
        state_key: slot,
        depth: pdu.depth,
        at_ms: i64::from(pdu.origin_server_ts.0),
        timeline_order: pdu.place.order,
        state_before: pdu.place.state_before,
        state_after: pdu.place.state_after,
        countable: pdu.place.countable,
        thread: pdu.place.thread,
        thread_countable: pdu.place.thread_countable,
        flags: pdu.place.flags,
        json: pdu.json.to_vec(),
        auth: None,
    }
}
