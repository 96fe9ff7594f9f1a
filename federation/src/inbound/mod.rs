//! What other servers may ask of us: the trait [`Inbound`] that the host answers, and the axum router in front of it.
//!
//! A request passes [`authenticate`] (who is it from), is parsed into ruma's type, and goes to one method of the host.
//! Paths come from ruma's metadata. Server keys are answered here, from the signing key and the key ring.

mod authenticate;
mod keys;
mod refusal;
mod routes;
mod transaction;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use ruma::{
    OwnedServerName, ServerName,
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

pub use self::{
    authenticate::{Authenticated, BODY_BYTES_MAX, Public},
    refusal::Refusal,
    routes::router,
    transaction::{EDUS_MAX, PDUS_MAX, Transaction},
};
use crate::{clock::Clock, key_ring::KeyRing, media::Media, outbound::Sender, signing::SigningKey};

/// What the router needs beside the host.
#[derive(Clone)]
pub struct InboundTools {
    pub server_name: OwnedServerName,
    pub signing_key: Arc<SigningKey>,
    pub key_ring: Arc<KeyRing>,
    pub clock: Arc<dyn Clock>,
    /// Told of every server that sends us a believed request, so that what waits for it goes out at once.
    pub sender: Option<Sender>,
}

/// The state behind every route.
pub struct Reception {
    host: Arc<dyn Inbound>,
    tools: InboundTools,
    transactions: transaction::Seen,
}

impl fmt::Debug for Reception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reception")
            .field("server_name", &self.tools.server_name)
            .finish_non_exhaustive()
    }
}

/// One method for each server-server operation, answered by the host.
///
/// `origin` is verified: it is the server that signed the request. Whether it may have what it asks for is the host's to
/// decide, for every method.
#[async_trait]
#[rustfmt::skip] // One operation in one piece reads better than in six lines.
pub trait Inbound: Send + Sync + 'static {
    /// Whether one more request of `origin` is let in, whatever it asks for; its signature is right. A refusal is
    /// [`Refusal::limit_exceeded`] as a rule.
    fn admit(&self, origin: &ServerName) -> Result<(), Refusal>;

    /// `GET /_matrix/federation/v1/version`
    async fn version(&self) -> Result<get_server_version::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v1/send/{txnId}`. PDUs are raw and unverified; malformed EDUs are gone already. A
    /// transaction that was answered, or is being answered, does not come again.
    async fn receive_transaction(&self, origin: OwnedServerName, transaction: Transaction)
        -> Result<send_transaction_message::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`
    async fn make_join(&self, origin: OwnedServerName, request: prepare_join_event::v1::Request)
        -> Result<prepare_join_event::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`
    async fn send_join(&self, origin: OwnedServerName, request: create_join_event::v2::Request)
        -> Result<create_join_event::v2::Response, Refusal>;

    /// `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`
    async fn make_leave(&self, origin: OwnedServerName, request: prepare_leave_event::v1::Request)
        -> Result<prepare_leave_event::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`
    async fn send_leave(&self, origin: OwnedServerName, request: create_leave_event::v2::Request)
        -> Result<create_leave_event::v2::Response, Refusal>;

    /// `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`
    async fn make_knock(&self, origin: OwnedServerName, request: prepare_knock_event::v1::Request)
        -> Result<prepare_knock_event::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`
    async fn send_knock(&self, origin: OwnedServerName, request: create_knock_event::v1::Request)
        -> Result<create_knock_event::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v1/invite/{roomId}/{eventId}`
    async fn invite_v1(&self, origin: OwnedServerName, request: create_invite::v1::Request)
        -> Result<create_invite::v1::Response, Refusal>;

    /// `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`
    async fn invite(&self, origin: OwnedServerName, request: create_invite::v2::Request)
        -> Result<create_invite::v2::Response, Refusal>;

    /// `GET /_matrix/federation/v1/event/{eventId}`
    async fn event(&self, origin: OwnedServerName, request: get_event::v1::Request)
        -> Result<get_event::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/state/{roomId}`
    async fn state(&self, origin: OwnedServerName, request: get_room_state::v1::Request)
        -> Result<get_room_state::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/state_ids/{roomId}`
    async fn state_ids(&self, origin: OwnedServerName, request: get_room_state_ids::v1::Request)
        -> Result<get_room_state_ids::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`
    async fn event_auth(&self, origin: OwnedServerName, request: get_event_authorization::v1::Request)
        -> Result<get_event_authorization::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/backfill/{roomId}`
    async fn backfill(&self, origin: OwnedServerName, request: get_backfill::v1::Request)
        -> Result<get_backfill::v1::Response, Refusal>;

    /// `POST /_matrix/federation/v1/get_missing_events/{roomId}`
    async fn missing_events(&self, origin: OwnedServerName, request: get_missing_events::v1::Request)
        -> Result<get_missing_events::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`
    async fn timestamp_to_event(&self, origin: OwnedServerName, request: get_event_by_timestamp::v1::Request)
        -> Result<get_event_by_timestamp::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/query/profile`
    async fn profile(&self, origin: OwnedServerName, request: get_profile_information::v1::Request)
        -> Result<get_profile_information::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/query/directory`
    async fn directory(&self, origin: OwnedServerName, request: get_room_information::v1::Request)
        -> Result<get_room_information::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/user/devices/{userId}`
    async fn user_devices(&self, origin: OwnedServerName, request: get_devices::v1::Request)
        -> Result<get_devices::v1::Response, Refusal>;

    /// `POST /_matrix/federation/v1/user/keys/query`
    async fn query_keys(&self, origin: OwnedServerName, request: get_keys::v1::Request)
        -> Result<get_keys::v1::Response, Refusal>;

    /// `POST /_matrix/federation/v1/user/keys/claim`
    async fn claim_keys(&self, origin: OwnedServerName, request: claim_keys::v1::Request)
        -> Result<claim_keys::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/publicRooms`
    async fn public_rooms(&self, origin: OwnedServerName, request: get_public_rooms::v1::Request)
        -> Result<get_public_rooms::v1::Response, Refusal>;

    /// `POST /_matrix/federation/v1/publicRooms`
    async fn public_rooms_filtered(&self, origin: OwnedServerName, request: get_public_rooms_filtered::v1::Request)
        -> Result<get_public_rooms_filtered::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/hierarchy/{roomId}`
    async fn hierarchy(&self, origin: OwnedServerName, request: get_hierarchy::v1::Request)
        -> Result<get_hierarchy::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/openid/userinfo`: unsigned, the access token says it all.
    async fn openid_userinfo(&self, request: get_openid_userinfo::v1::Request)
        -> Result<get_openid_userinfo::v1::Response, Refusal>;

    /// `GET /_matrix/federation/v1/media/download/{mediaId}`
    async fn media(&self, origin: OwnedServerName, request: get_content::v1::Request)
        -> Result<Media, Refusal>;

    /// `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`
    async fn media_thumbnail(&self, origin: OwnedServerName, request: get_content_thumbnail::v1::Request)
        -> Result<Media, Refusal>;
}
