//! Many events at once, judged by the events that authorise them: each after those, however the sender ordered them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ruma::{OwnedEventId, events::TimelineEventType};

use crate::messaging::{Error, Pdu, Room, funnel};
use crate::storage::{self, events};

/// Events that are here already, by their names.
pub(in crate::messaging) type Known = BTreeMap<OwnedEventId, Arc<Pdu>>;

/// What became of the events.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Allowed by what authorises them, each after that.
    pub accepted: Vec<Arc<Pdu>>,
    /// Not allowed, or authorised by what is rejected.
    pub rejected: Vec<Arc<Pdu>>,
}

/// Judges verified events of one room. Those whose auth events are neither among them nor `known` are left out: nothing can be said
/// of them. Rejected already are those with the flag.
pub(super) async fn judge(
    room: &Arc<Room>,
    pdus: Vec<Pdu>,
    known: Arc<Known>,
) -> Result<Judged, Error> {
    let room = room.clone();
    // Thousands of signatures were not the last of the arithmetic: the rules too stay off the threads that serve requests.
    let judging = tokio::task::spawn_blocking(move || Judging::of(pdus, &known).run(&room, &known));
    judging.await.map_err(|_| Error::Storage(storage::Error::Stopping))
}

/// The graph of who authorises whom, as far as it is undecided.
struct Judging {
    pdus: Vec<Option<Pdu>>,
    create: Option<OwnedEventId>,
    /// How many auth events of each are not decided.
    waits: Vec<usize>,
    followers: Vec<Vec<usize>>,
    /// Those that wait for nothing, lowest depth first.
    ready: BTreeSet<(i64, usize)>,
}

impl Judging {
    fn of(pdus: Vec<Pdu>, known: &Known) -> Self {
        let is_create = |pdu: &&Pdu| pdu.event_type == TimelineEventType::RoomCreate;
        let mut creates = pdus.iter().chain(known.values().map(Arc::as_ref));
        let create = creates.find(is_create).map(|pdu| pdu.event_id.clone());
        let mut followers = vec![Vec::new(); pdus.len()];
        let mut waits = vec![0; pdus.len()];
        let mut ready = BTreeSet::new();
        let places: HashMap<&OwnedEventId, usize> =
            pdus.iter().enumerate().map(|(place, pdu)| (&pdu.event_id, place)).collect();
        for (place, (pdu, waits)) in pdus.iter().zip(&mut waits).enumerate() {
            for auth in pdu.auth_events.iter().collect::<BTreeSet<_>>() {
                let before = places.get(auth).and_then(|before| followers.get_mut(*before));
                // What nobody has is waited for in vain.
                *waits += usize::from(before.is_some() || !known.contains_key(auth));
                if let Some(followers) = before {
                    followers.push(place);
                }
            }
            if *waits == 0 {
                ready.insert((pdu.depth, place));
            }
        }
        drop(places);
        Self { pdus: pdus.into_iter().map(Some).collect(), create, waits, followers, ready }
    }

    fn run(mut self, room: &Room, known: &Known) -> Judged {
        let mut decided: HashMap<OwnedEventId, Arc<Pdu>> = HashMap::with_capacity(self.pdus.len());
        let mut judged = Judged::default();
        while let Some((_, place)) = self.ready.pop_first() {
            let Some(mut pdu) = self.pdus.get_mut(place).and_then(Option::take) else { continue };
            let names = pdu.auth_events.iter().chain(&self.create);
            let auth: Vec<Arc<Pdu>> = names
                .filter_map(|name| decided.get(name).or_else(|| known.get(name)).cloned())
                .collect();
            let is_rejected = pdu.place.flags & events::REJECTED != 0;
            if !is_rejected && let Err(reason) = funnel::check_auth(room, &pdu, &auth) {
                tracing::info!(room.id = %room.room_id, event.id = %pdu.event_id, reason, "rejected");
                pdu.place.flags |= events::REJECTED;
            }
            let pdu = Arc::new(pdu);
            let of_its_kind = if pdu.place.flags & events::REJECTED == 0 {
                &mut judged.accepted
            } else {
                &mut judged.rejected
            };
            of_its_kind.push(pdu.clone());
            decided.insert(pdu.event_id.clone(), pdu);
            for follower in self.followers.get_mut(place).map(std::mem::take).unwrap_or_default() {
                self.decide_one_of(follower);
            }
        }
        judged
    }

    /// One of what `place` waits for is decided.
    fn decide_one_of(&mut self, place: usize) {
        let Some(waits) = self.waits.get_mut(place) else { return };
        *waits = waits.saturating_sub(1);
        if *waits == 0
            && let Some(Some(pdu)) = self.pdus.get(place)
        {
            self.ready.insert((pdu.depth, place));
        }
    }
}
