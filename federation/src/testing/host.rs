//! A host that remembers what it received and answers a few questions; everything else it does not have.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::stream;
use http::StatusCode;
use ruma::{
    OwnedServerName, OwnedTransactionId, ServerName,
    api::error::ErrorKind,
    api::federation::{
        authenticated_media::{get_content, get_content_thumbnail},
        authorization::get_event_authorization,
        backfill::get_backfill,
        device::get_devices,
        directory::{get_public_rooms, get_public_rooms_filtered},
        discovery::get_server_version,
        event::{
            get_event, get_event_by_timestamp, get_missing_events, get_room_state,
            get_room_state_ids,
        },
        keys::{claim_keys, get_keys},
        membership::{
            create_invite, create_join_event, create_knock_event, create_leave_event,
            prepare_join_event, prepare_knock_event, prepare_leave_event,
        },
        openid::get_openid_userinfo,
        query::{get_profile_information, get_room_information},
        space::get_hierarchy,
        transactions::send_transaction_message,
    },
};
use tokio::sync::watch;

use crate::{
    inbound::{Inbound, Refusal, Transaction},
    media::{Media, MediaContent},
};

/// One transaction as the host got it.
#[derive(Debug, Clone)]
pub struct Received {
    pub origin: OwnedServerName,
    pub transaction_id: OwnedTransactionId,
    /// The JSON of each PDU.
    pub pdus: Vec<String>,
    /// How many EDUs could be read.
    pub edus: usize,
}

/// Answers transactions (unless told to refuse them), profiles, events and media.
#[derive(Debug)]
pub struct MemoryHost {
    received: watch::Sender<Vec<Received>>,
    refusals: Mutex<VecDeque<Refusal>>,
    full: Mutex<Option<(OwnedServerName, Duration)>>,
    poison: Mutex<Option<String>>,
    up: watch::Sender<bool>,
    held: watch::Sender<bool>,
}

impl Default for MemoryHost {
    fn default() -> Self {
        Self {
            received: watch::Sender::default(),
            refusals: Mutex::default(),
            full: Mutex::default(),
            poison: Mutex::default(),
            up: watch::Sender::new(true),
            held: watch::Sender::new(false),
        }
    }
}

impl MemoryHost {
    /// Lets no request of `server` in any more; it is told to wait.
    pub fn shut_out(&self, server: OwnedServerName, wait: Duration) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some((server, wait));
    }

    /// Every transaction that was accepted.
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// The accepted transactions, once there are `count` of them.
    pub async fn until_received(&self, count: usize) -> Vec<Received> {
        let mut received = self.received.subscribe();
        // The sender lives in `self`, so the channel cannot be closed.
        let _open = received.wait_for(|received| received.len() >= count).await;
        self.received()
    }

    /// While not up, every transaction is refused with 503.
    pub fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }

    /// While held, transactions are taken in but not answered.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Refuses the next transaction like this.
    pub fn refuse_next(&self, refusal: Refusal) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push_back(refusal);
    }

    /// Refuses every transaction with a PDU in which `text` occurs, with 400.
    pub fn refuse_pdus_with(&self, text: &str) {
        *self.poison.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    fn verdict(&self, pdus: &[String]) -> Result<(), Refusal> {
        if !*self.up.borrow() {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refusal::new(status, ErrorKind::Unknown, "down"));
        }
        let next = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(refusal) = next {
            return Err(refusal);
        }
        let poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match poison {
            Some(poison) if pdus.iter().any(|pdu| pdu.contains(&poison)) => {
                Err(Refusal::bad_json("poison"))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
#[rustfmt::skip] // As the trait.
impl Inbound for MemoryHost {
    fn admit(&self, origin: &ServerName) -> Result<(), Refusal> {
        match &*self.full.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((server, wait)) if server == origin => Err(Refusal::limit_exceeded(*wait)),
            _ => Ok(()),
        }
    }

    async fn version(&self) -> Result<get_server_version::v1::Response, Refusal> {
        Ok(get_server_version::v1::Response::new())
    }

    async fn receive_transaction(&self, origin: OwnedServerName, transaction: Transaction)
        -> Result<send_transaction_message::v1::Response, Refusal>
    {
        let pdus: Vec<String> = transaction.pdus.iter().map(|pdu| pdu.get().to_owned()).collect();
        self.verdict(&pdus)?;
        let (transaction_id, edus) = (transaction.transaction_id, transaction.edus.len());
        self.received.send_modify(|received| {
            received.push(Received { origin, transaction_id, pdus, edus });
        });
        let mut held = self.held.subscribe();
        drop(held.wait_for(|held| !held).await);
        Ok(send_transaction_message::v1::Response::default())
    }

    async fn profile(&self, _origin: OwnedServerName, request: get_profile_information::v1::Request)
        -> Result<get_profile_information::v1::Response, Refusal>
    {
        let name = ("displayname".to_owned(), request.user_id.localpart().into());
        Ok(get_profile_information::v1::Response::from_iter([name]))
    }

    async fn event(&self, origin: OwnedServerName, request: get_event::v1::Request)
        -> Result<get_event::v1::Response, Refusal>
    {
        let pdu = serde_json::value::to_raw_value(&request.event_id).map_err(|_| Refusal::internal())?;
        let ts = ruma::MilliSecondsSinceUnixEpoch(ruma::UInt::MIN);
        Ok(get_event::v1::Response::new(origin, ts, pdu))
    }

    /// `elsewhere` is elsewhere; any other file holds its own name a thousand times.
    async fn media(&self, _origin: OwnedServerName, request: get_content::v1::Request)
        -> Result<Media, Refusal>
    {
        if request.media_id == "elsewhere" {
            return Ok(Media::Location("https://media.example.org/file".to_owned()));
        }
        let chunks = std::iter::repeat_n(bytes::Bytes::from(request.media_id), 1000).map(Ok);
        Ok(Media::Content(MediaContent {
            content_type: Some("text/plain".to_owned()),
            content_disposition: Some("inline; filename=\"a.txt\"".to_owned()),
            body: Box::pin(stream::iter(chunks)),
        }))
    }

    async fn make_join(&self, _origin: OwnedServerName, _request: prepare_join_event::v1::Request)
        -> Result<prepare_join_event::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn send_join(&self, _origin: OwnedServerName, _request: create_join_event::v2::Request)
        -> Result<create_join_event::v2::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn make_leave(&self, _origin: OwnedServerName, _request: prepare_leave_event::v1::Request)
        -> Result<prepare_leave_event::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn send_leave(&self, _origin: OwnedServerName, _request: create_leave_event::v2::Request)
        -> Result<create_leave_event::v2::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn make_knock(&self, _origin: OwnedServerName, _request: prepare_knock_event::v1::Request)
        -> Result<prepare_knock_event::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn send_knock(&self, _origin: OwnedServerName, _request: create_knock_event::v1::Request)
        -> Result<create_knock_event::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn invite_v1(&self, _origin: OwnedServerName, _request: create_invite::v1::Request)
        -> Result<create_invite::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn invite(&self, _origin: OwnedServerName, _request: create_invite::v2::Request)
        -> Result<create_invite::v2::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn state(&self, _origin: OwnedServerName, _request: get_room_state::v1::Request)
        -> Result<get_room_state::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn state_ids(&self, _origin: OwnedServerName, _request: get_room_state_ids::v1::Request)
        -> Result<get_room_state_ids::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn event_auth(&self, _origin: OwnedServerName, _request: get_event_authorization::v1::Request)
        -> Result<get_event_authorization::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn backfill(&self, _origin: OwnedServerName, _request: get_backfill::v1::Request)
        -> Result<get_backfill::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn missing_events(&self, _origin: OwnedServerName, _request: get_missing_events::v1::Request)
        -> Result<get_missing_events::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn timestamp_to_event(&self, _origin: OwnedServerName, _request: get_event_by_timestamp::v1::Request)
        -> Result<get_event_by_timestamp::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn directory(&self, _origin: OwnedServerName, _request: get_room_information::v1::Request)
        -> Result<get_room_information::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn user_devices(&self, _origin: OwnedServerName, _request: get_devices::v1::Request)
        -> Result<get_devices::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn query_keys(&self, _origin: OwnedServerName, _request: get_keys::v1::Request)
        -> Result<get_keys::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn claim_keys(&self, _origin: OwnedServerName, _request: claim_keys::v1::Request)
        -> Result<claim_keys::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn public_rooms(&self, _origin: OwnedServerName, _request: get_public_rooms::v1::Request)
        -> Result<get_public_rooms::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn public_rooms_filtered(&self, _origin: OwnedServerName, _request: get_public_rooms_filtered::v1::Request)
        -> Result<get_public_rooms_filtered::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn hierarchy(&self, _origin: OwnedServerName, _request: get_hierarchy::v1::Request)
        -> Result<get_hierarchy::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn openid_userinfo(&self, _request: get_openid_userinfo::v1::Request)
        -> Result<get_openid_userinfo::v1::Response, Refusal> { Err(Refusal::unrecognized()) }

    async fn media_thumbnail(&self, _origin: OwnedServerName, _request: get_content_thumbnail::v1::Request)
        -> Result<Media, Refusal> { Err(Refusal::unrecognized()) }
}
