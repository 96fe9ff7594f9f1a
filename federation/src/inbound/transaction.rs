//! `PUT /_matrix/federation/v1/send/{txnId}`: limits, EDUs one by one, and each transaction once.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State, routing::on};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedServerName, OwnedTransactionId,
    api::federation::transactions::{edu::Edu, send_transaction_message::v1},
    serde::Raw,
};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::{Authenticated, Reception, Refusal, authenticate::respond, routes::at};

/// PDUs in one transaction (spec: "Transactions").
pub const PDUS_MAX: usize = 50;
/// EDUs in one transaction.
pub const EDUS_MAX: usize = 100;
/// Answered transactions remembered, over all servers.
const REMEMBERED_MAX: usize = 4096;

/// What one server sent us in one request.
#[derive(Debug)]
pub struct Transaction {
    pub transaction_id: OwnedTransactionId,
    /// When the other server says it sent this.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// Events as they came: not verified, perhaps not even objects.
    pub pdus: Vec<Box<RawValue>>,
    /// The EDUs that could be read. Whether `origin` may speak for the users in them is the host's to check.
    pub edus: Vec<Edu>,
}

type Results = BTreeMap<OwnedEventId, Result<(), String>>;
type Name = (OwnedServerName, OwnedTransactionId);

/// Transactions being answered and lately answered.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<SeenTransactions>);

#[derive(Debug, Default)]
struct SeenTransactions {
    answers: HashMap<Name, Arc<OnceCell<Results>>>,
    order: VecDeque<Name>,
}

impl Seen {
    /// The place for the answer to this transaction.
    fn answer_to(&self, name: Name) -> Arc<OnceCell<Results>> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = seen.answers.get(&name) {
            return Arc::clone(answer);
        }
        if seen.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.answers.remove(&oldest);
        }
        let answer = Arc::<OnceCell<Results>>::default();
        seen.answers.insert(name.clone(), Arc::clone(&answer));
        seen.order.push_back(name);
        answer
    }
}

pub(super) fn routes(routes: Router<Arc<Reception>>) -> Router<Arc<Reception>> {
    at::<v1::Request, _>(routes, |filter| {
        on(filter, |State(reception): State<Arc<Reception>>, asked: Authenticated<_>| async move {
            respond(receive(reception, asked.origin, asked.request).await)
        })
    })
}

async fn receive(
    reception: Arc<Reception>,
    origin: OwnedServerName,
    request: v1::Request,
) -> Result<v1::Response, Refusal> {
    if request.pdus.len() > PDUS_MAX || request.edus.len() > EDUS_MAX {
        return Err(Refusal::bad_json(format!(
            "a transaction holds at most {PDUS_MAX} PDUs and {EDUS_MAX} EDUs"
        )));
    }
    let answer = reception.transactions.answer_to((origin.clone(), request.transaction_id.clone()));
    // On its own, so that a sender who hangs up does not stop us half way.
    let work = tokio::spawn(async move {
        answer.get_or_try_init(|| hand_over(&reception, origin, request)).await.cloned()
    });
    let results = work.await.map_err(|error| {
        tracing::error!(%error, "receiving a transaction failed");
        Refusal::internal()
    })??;
    Ok(v1::Response::new(results))
}

async fn hand_over(
    reception: &Reception,
    origin: OwnedServerName,
    request: v1::Request,
) -> Result<Results, Refusal> {
    let edus = request.edus.iter().filter_map(|edu| read_edu(&origin, edu)).collect();
    let transaction = Transaction {
        transaction_id: request.transaction_id,
        origin_server_ts: request.origin_server_ts,
        pdus: request.pdus,
        edus,
    };
    Ok(reception.host.receive_transaction(origin, transaction).await?.pdus)
}

/// An EDU that cannot be read is dropped alone.
fn read_edu(origin: &OwnedServerName, edu: &Raw<Edu>) -> Option<Edu> {
    edu.deserialize()
        .inspect_err(|error| tracing::debug!(%origin, %error, "malformed EDU dropped"))
        .ok()
}
