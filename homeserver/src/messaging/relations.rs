//! What the server aggregates to an event for clients: its newest edit, its thread, its references.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events>. Called by `client_event`.

use std::{collections::HashMap, sync::Arc};

use ruma::OwnedEventId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Error, Pdu,
    client_event::{self, Form},
    visibility::Sight,
};
use crate::storage::{Id, relations};

/// The aggregations of one event.
#[derive(Debug, Default, Serialize)]
pub struct Bundle {
    #[serde(rename = "m.replace", skip_serializing_if = "Option::is_none")]
    replace: Option<Box<RawValue>>,
    #[serde(rename = "m.thread", skip_serializing_if = "Option::is_none")]
    thread: Option<Thread>,
    #[serde(rename = "m.reference", skip_serializing_if = "Option::is_none")]
    reference: Option<References>,
}

#[derive(Debug, Serialize)]
struct Thread {
    latest_event: Box<RawValue>,
    count: usize,
    current_user_participated: bool,
}

#[derive(Debug, Default, Serialize)]
struct References {
    chunk: Vec<Reference>,
}

#[derive(Debug, Serialize)]
struct Reference {
    event_id: OwnedEventId,
}

/// A child with its relation, oldest first in the lists of [`children`].
struct Child {
    rel_type: String,
    pdu: Arc<Pdu>,
}

/// The aggregations of those of `pdus` that have any, by interned id; only children the viewer may see count.
pub(super) async fn bundle(
    sight: &Sight<'_>,
    pdus: &[Arc<Pdu>],
    form: Form,
) -> Result<HashMap<Id, Bundle>, Error> {
    let mut bundles = HashMap::new();
    let parents: Vec<&Arc<Pdu>> =
        pdus.iter().filter(|pdu| !pdu.is_state() && pdu.place.redacted_by.is_none()).collect();
    let mut children = children(sight, &parents).await?;
    for parent in parents {
        let Some(children) = children.remove(&parent.event_id) else { continue };
        if let Some(bundle) = bundle_one(sight, parent, children, form).await? {
            bundles.insert(parent.id, bundle);
        }
    }
    Ok(bundles)
}

/// The children of `parents`: from memory when all of them are among the room's newest events, as children come later.
async fn children(
    sight: &Sight<'_>,
    parents: &[&Arc<Pdu>],
) -> Result<HashMap<OwnedEventId, Vec<Child>>, Error> {
    let mut children: HashMap<OwnedEventId, Vec<Child>> = HashMap::new();
    let Some(oldest) = parents.iter().filter_map(|pdu| pdu.place.order).min() else {
        return Ok(children);
    };
    {
        let seen = sight.room.seen();
        let front = seen.recent.front().and_then(|pdu| pdu.place.order);
        // What was fetched since for a gap among them is not there.
        let newer = || seen.recent.iter().filter(|pdu| pdu.place.order > Some(oldest));
        let is_whole = !newer().any(|pdu| pdu.place.is_after_gap());
        if is_whole && front.is_some_and(|front| front <= oldest) {
            for pdu in newer() {
                let relation = pdu.relation().and_then(|to| Some((to.rel_type?, to.event_id?)));
                let Some((rel_type, parent)) = relation else { continue };
                if pdu.place.redacted_by.is_none() {
                    children.entry(parent).or_default().push(Child { rel_type, pdu: pdu.clone() });
                }
            }
            return Ok(children);
        }
    }
    let names: Vec<&str> = parents.iter().map(|pdu| pdu.event_id.as_str()).collect();
    let found = relations::list_children(&sight.engine.app().db, sight.room.id, &names).await?;
    let ids: Vec<Id> = found.iter().map(|relation| relation.child).collect();
    let pdus: HashMap<Id, Arc<Pdu>> =
        sight.engine.pdus(sight.room, &ids).await?.into_iter().map(|pdu| (pdu.id, pdu)).collect();
    for relations::ChildRow { parent, rel_type, child } in found {
        let (Ok(parent), Some(pdu)) = (OwnedEventId::try_from(parent), pdus.get(&child)) else {
            continue;
        };
        children.entry(parent).or_default().push(Child { rel_type, pdu: pdu.clone() });
    }
    Ok(children)
}

async fn bundle_one(
    sight: &Sight<'_>,
    parent: &Pdu,
    children: Vec<Child>,
    form: Form,
) -> Result<Option<Bundle>, Error> {
    let now_ms = sight.engine.app().clock.now_ms();
    let plain = |pdu: &Pdu| client_event::plain_event(sight.room, pdu, form, now_ms);
    let mut bundle = Bundle::default();
    let (mut newest, mut count, mut participated) = (None, 0, parent.sender_id == sight.user);
    for Child { rel_type, pdu } in children {
        if !sight.sees(&pdu).await? {
            continue;
        }
        match rel_type.as_str() {
            // An edit by anybody else is none.
            "m.replace" if pdu.sender == parent.sender && pdu.event_type == parent.event_type => {
                bundle.replace = Some(plain(&pdu)?);
            }
            "m.thread" => {
                count += 1;
                participated |= pdu.sender_id == sight.user;
                newest = Some(pdu);
            }
            "m.reference" => bundle
                .reference
                .get_or_insert_default()
                .chunk
                .push(Reference { event_id: pdu.event_id.clone() }),
            _ => {}
        }
    }
    if let Some(newest) = newest {
        let latest_event = plain(&newest)?;
        bundle.thread =
            Some(Thread { latest_event, count, current_user_participated: participated });
    }
    let is_empty =
        bundle.replace.is_none() && bundle.thread.is_none() && bundle.reference.is_none();
    Ok((!is_empty).then_some(bundle))
}
