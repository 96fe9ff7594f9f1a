//! The door for servers: the crate `tern-federation` decodes and authenticates, this file asks the floors.
//!
//! Spec: <https://spec.matrix.org/v1.19/server-server-api/>.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, http::StatusCode};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, ServerName, UInt,
    api::{
        Direction,
        error::ErrorKind,
        federation::{
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
                RawStrippedState, create_invite, create_join_event, create_knock_event,
                create_leave_event, prepare_join_event, prepare_knock_event, prepare_leave_event,
            },
            openid::get_openid_userinfo,
            query::{get_profile_information, get_room_information},
            space::get_hierarchy,
            transactions::{
                edu::{Edu, ReceiptContent, TypingContent},
                send_transaction_message,
            },
        },
    },
};
use serde_json::value::RawValue;
use tern_federation::{
    Inbound, InboundTools, Media as FederationMedia, MediaContent, Refusal, Transaction, router,
};
use tokio::task::JoinHandle;

use super::{
    Server, client::directory, client::messaging_errors::refusal, content, rate_limit::RateLimiter,
};
use crate::{
    account,
    app::App,
    media::{self, ThumbnailSize, Want},
    messaging::{
        self, Engine, Membership, Pdu,
        aliases::{self, DirectoryQuery},
        federation_reads as reads, keys, presence,
        receipts::{self, Reported},
        reception, remote, resident, spaces, typing,
    },
};

/// How long another server waits for a file of ours that is being uploaded.
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(20);

/// The federation API's routes; none when federation is off.
pub(super) fn routes(server: Server, limiter: RateLimiter) -> Router {
    let app = server.app.clone();
    if !app.config.federation.enabled {
        return Router::new();
    }
    let tools = InboundTools {
        server_name: app.server_name.clone(),
        signing_key: app.signing.clone(),
        key_ring: app.key_ring.clone(),
        clock: Arc::new(app.clock.clone()),
        sender: Some(app.outbound.clone()),
    };
    router(Arc::new(Door(server, limiter)), tools)
}

struct Door(Server, RateLimiter);

/// Events as they are sent.
fn raw(pdu: &Pdu) -> Result<Box<RawValue>, Refusal> {
    serde_json::from_slice(&pdu.json).map_err(|_| Refusal::internal())
}

fn raw_all(pdus: &[Arc<Pdu>]) -> Result<Vec<Box<RawValue>>, Refusal> {
    pdus.iter().map(|pdu| raw(pdu)).collect()
}

fn keys_refusal(error: keys::Error) -> Refusal {
    match error {
        keys::Error::NotFound(text) => Refusal::not_found(text),
        keys::Error::Forbidden(text) => Refusal::forbidden(text),
        other => {
            tracing::error!(%other, "a federation request for keys failed");
            Refusal::internal()
        }
    }
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a federation request failed");
    Refusal::internal()
}

/// A typed answer from JSON that has its shape.
fn typed<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(internal)
}

/// Fetches the device lists again that are known to be out of date.
async fn resync_stale(app: App) {
    if let Err(error) = keys::resync_stale(&app).await {
        tracing::info!(%error, "device lists could not be fetched again");
    }
}

/// Takes what passes, after the events of the same transaction: a receipt is for one of them as a rule.
async fn receive_passing(
    engine: Engine,
    origin: OwnedServerName,
    events: Vec<JoinHandle<()>>,
    edus: Vec<Edu>,
) {
    for work in events {
        // Cut off by a stop, it is done again; so would be nothing of this.
        work.await.ok();
    }
    for edu in edus {
        let received = match edu {
            Edu::Typing(typed) => {
                let TypingContent { room_id, user_id, typing, .. } = typed;
                typing::receive(&engine, &origin, &room_id, &user_id, typing).await
            }
            Edu::Receipt(content) => receive_receipts(&engine, &origin, content).await,
            Edu::Presence(content) => presence::receive(&engine, &origin, content.push).await,
            _ => Ok(()),
        };
        if let Err(error) = received {
            tracing::info!(%origin, %error, "an EDU was dropped");
        }
    }
}

async fn receive_receipts(
    engine: &Engine,
    origin: &ServerName,
    content: ReceiptContent,
) -> Result<(), messaging::Error> {
    for (room_id, read) in content.receipts {
        let reported = read.read.into_iter().flat_map(|(user_id, receipt)| {
            let thread = receipt.data.thread.as_str().unwrap_or_default().to_owned();
            let at_ms = receipt.data.ts.map_or(0, |ts| i64::from(ts.0));
            receipt.event_ids.into_iter().map(move |event_id| Reported {
                user_id: user_id.clone(),
                thread: thread.clone(),
                event_id,
                at_ms,
            })
        });
        receipts::receive(engine, origin, &room_id, reported.collect()).await?;
    }
    Ok(())
}

impl Door {
    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn now(&self) -> MilliSecondsSinceUnixEpoch {
        let now = u64::try_from(self.0.app.clock.now_ms()).unwrap_or_default();
        MilliSecondsSinceUnixEpoch(UInt::new_saturating(now))
    }

    /// What must arrive of another server's users. One bad EDU costs only itself.
    async fn receive_edu(&self, origin: &ServerName, edu: Edu) -> Result<(), Refusal> {
        let app = &self.0.app;
        match edu {
            Edu::DeviceListUpdate(update) => {
                let received = keys::receive_device_list_update(app, origin, update).await;
                if received.map_err(keys_refusal)? {
                    app.tasks
                        .start_interruptible("device lists of others", resync_stale(app.clone()));
                }
                Ok(())
            }
            Edu::SigningKeyUpdate(update) => {
                keys::receive_signing_key_update(app, origin, update).await.map_err(keys_refusal)
            }
            Edu::DirectToDevice(message) => {
                keys::receive_direct_to_device(app, origin, message).await.map_err(keys_refusal)
            }
            _ => Ok(()),
        }
    }

    async fn public_page(&self, query: DirectoryQuery) -> Result<serde_json::Value, Refusal> {
        let (summaries, total) =
            aliases::directory(self.engine(), &query).await.map_err(refusal)?;
        Ok(directory::page(&summaries, &query, total))
    }
}

fn directory_query(
    limit: Option<UInt>,
    since: Option<&str>,
    search: Option<String>,
) -> DirectoryQuery {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    DirectoryQuery {
        search,
        limit,
        skip: since.and_then(|since| since.parse().ok()).unwrap_or_default(),
    }
}

#[async_trait]
#[rustfmt::skip] // One operation in one piece, as in the trait.
impl Inbound for Door {
    fn admit(&self, origin: &ServerName) -> Result<(), Refusal> {
        self.1.take_for_server(origin).map_err(Refusal::limit_exceeded)
    }

    async fn version(&self) -> Result<get_server_version::v1::Response, Refusal> {
        let mut server = get_server_version::v1::Server::new();
        server.name = Some("Tern".to_owned());
        server.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        let mut response = get_server_version::v1::Response::new();
        response.server = Some(server);
        Ok(response)
    }

    async fn receive_transaction(&self, origin: OwnedServerName, transaction: Transaction)
        -> Result<send_transaction_message::v1::Response, Refusal> {
        let received = reception::receive(self.engine(), &origin, &transaction.pdus).await.map_err(refusal)?;
        let is_passing = |edu: &Edu| matches!(edu, Edu::Typing(_) | Edu::Receipt(_) | Edu::Presence(_));
        let (passing, lasting): (Vec<Edu>, Vec<Edu>) = transaction.edus.into_iter().partition(is_passing);
        for edu in lasting {
            if let Err(error) = self.receive_edu(&origin, edu).await {
                tracing::info!(%origin, reason = error.message, "an EDU was dropped");
            }
        }
        if !passing.is_empty() {
            let work = receive_passing(self.engine().clone(), origin, received.work, passing);
            self.0.app.tasks.start_interruptible("passing EDUs", work);
        }
        Ok(send_transaction_message::v1::Response::new(received.results))
    }

    async fn make_join(&self, origin: OwnedServerName, request: prepare_join_event::v1::Request)
        -> Result<prepare_join_event::v1::Response, Refusal> {
        let (room_id, user_id, ver) = (&request.room_id, &request.user_id, Some(&*request.ver));
        let (version, event) =
            resident::template(self.engine(), &origin, room_id, user_id, Membership::Join, ver).await.map_err(refusal)?;
        let mut response = prepare_join_event::v1::Response::new(event);
        response.room_version = Some(version);
        Ok(response)
    }

    async fn send_join(&self, origin: OwnedServerName, request: create_join_event::v2::Request)
        -> Result<create_join_event::v2::Response, Refusal> {
        let joined = resident::accept_join(self.engine(), &origin, &request.room_id, &request.event_id, &request.pdu)
            .await.map_err(refusal)?;
        let mut state = create_join_event::v2::RoomState::new();
        state.state = raw_all(&joined.state)?;
        state.auth_chain = raw_all(&joined.auth_chain)?;
        state.event = Some(joined.event);
        Ok(create_join_event::v2::Response::new(state))
    }

    async fn make_leave(&self, origin: OwnedServerName, request: prepare_leave_event::v1::Request)
        -> Result<prepare_leave_event::v1::Response, Refusal> {
        let (room_id, user_id) = (&request.room_id, &request.user_id);
        let (version, event) =
            resident::template(self.engine(), &origin, room_id, user_id, Membership::Leave, None).await.map_err(refusal)?;
        Ok(prepare_leave_event::v1::Response::new(Some(version), event))
    }

    async fn send_leave(&self, origin: OwnedServerName, request: create_leave_event::v2::Request)
        -> Result<create_leave_event::v2::Response, Refusal> {
        resident::accept_leave(self.engine(), &origin, &request.room_id, &request.event_id, &request.pdu)
            .await.map_err(refusal)?;
        Ok(create_leave_event::v2::Response::new())
    }

    async fn make_knock(&self, origin: OwnedServerName, request: prepare_knock_event::v1::Request)
        -> Result<prepare_knock_event::v1::Response, Refusal> {
        let (room_id, user_id, ver) = (&request.room_id, &request.user_id, Some(&*request.ver));
        let (version, event) =
            resident::template(self.engine(), &origin, room_id, user_id, Membership::Knock, ver).await.map_err(refusal)?;
        Ok(prepare_knock_event::v1::Response::new(version, event))
    }

    async fn send_knock(&self, origin: OwnedServerName, request: create_knock_event::v1::Request)
        -> Result<create_knock_event::v1::Response, Refusal> {
        let shown = resident::accept_knock(self.engine(), &origin, &request.room_id, &request.event_id, &request.pdu)
            .await.map_err(refusal)?;
        let shown: Result<_, Refusal> = shown.iter().map(|pdu| Ok(RawStrippedState::Pdu(raw(pdu)?))).collect();
        Ok(create_knock_event::v1::Response::new(shown?))
    }

    async fn invite_v1(&self, _origin: OwnedServerName, _request: create_invite::v1::Request)
        -> Result<create_invite::v1::Response, Refusal> {
        // Only rooms of versions 1 and 2, which this server does not take part in, are invited to so.
        Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorKind::UnsupportedRoomVersion, "use the v2 endpoint"))
    }

    async fn invite(&self, origin: OwnedServerName, request: create_invite::v2::Request)
        -> Result<create_invite::v2::Response, Refusal> {
        let event = remote::receive_invite(self.engine(), &origin, request).await.map_err(refusal)?;
        Ok(create_invite::v2::Response::new(event))
    }

    async fn event(&self, origin: OwnedServerName, request: get_event::v1::Request)
        -> Result<get_event::v1::Response, Refusal> {
        let pdu = reads::event(self.engine(), &origin, &request.event_id).await.map_err(refusal)?;
        Ok(get_event::v1::Response::new(self.0.app.server_name.clone(), self.now(), raw(&pdu)?))
    }

    async fn state(&self, origin: OwnedServerName, request: get_room_state::v1::Request)
        -> Result<get_room_state::v1::Response, Refusal> {
        let (state, chain) =
            reads::state(self.engine(), &origin, &request.room_id, &request.event_id).await.map_err(refusal)?;
        Ok(get_room_state::v1::Response::new(raw_all(&chain)?, raw_all(&state)?))
    }

    async fn state_ids(&self, origin: OwnedServerName, request: get_room_state_ids::v1::Request)
        -> Result<get_room_state_ids::v1::Response, Refusal> {
        let (state, chain) =
            reads::state(self.engine(), &origin, &request.room_id, &request.event_id).await.map_err(refusal)?;
        let ids = |pdus: &[Arc<Pdu>]| pdus.iter().map(|pdu| pdu.event_id.clone()).collect();
        Ok(get_room_state_ids::v1::Response::new(ids(&chain), ids(&state)))
    }

    async fn event_auth(&self, origin: OwnedServerName, request: get_event_authorization::v1::Request)
        -> Result<get_event_authorization::v1::Response, Refusal> {
        let chain =
            reads::event_auth(self.engine(), &origin, &request.room_id, &request.event_id).await.map_err(refusal)?;
        Ok(get_event_authorization::v1::Response::new(raw_all(&chain)?))
    }

    async fn backfill(&self, origin: OwnedServerName, request: get_backfill::v1::Request)
        -> Result<get_backfill::v1::Response, Refusal> {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let pdus =
            reads::backfill(self.engine(), &origin, &request.room_id, &request.v, limit).await.map_err(refusal)?;
        Ok(get_backfill::v1::Response::new(self.0.app.server_name.clone(), self.now(), raw_all(&pdus)?))
    }

    async fn missing_events(&self, origin: OwnedServerName, request: get_missing_events::v1::Request)
        -> Result<get_missing_events::v1::Response, Refusal> {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let ends = (&*request.earliest_events, &*request.latest_events);
        let bounds = (i64::from(request.min_depth), limit);
        let pdus = reads::missing_events(self.engine(), &origin, &request.room_id, ends, bounds).await.map_err(refusal)?;
        Ok(get_missing_events::v1::Response::new(raw_all(&pdus)?))
    }

    async fn timestamp_to_event(&self, origin: OwnedServerName, request: get_event_by_timestamp::v1::Request)
        -> Result<get_event_by_timestamp::v1::Response, Refusal> {
        let (at_ms, forward) = (i64::from(request.ts.0), request.dir == Direction::Forward);
        let pdu =
            reads::event_by_time(self.engine(), &origin, &request.room_id, at_ms, forward).await.map_err(refusal)?;
        Ok(get_event_by_timestamp::v1::Response::new(pdu.event_id.clone(), pdu.origin_server_ts))
    }

    async fn profile(&self, _origin: OwnedServerName, request: get_profile_information::v1::Request)
        -> Result<get_profile_information::v1::Response, Refusal> {
        if !self.0.app.is_ours(request.user_id.server_name()) {
            return Err(Refusal::not_found("no such user here"));
        }
        let profile = account::profile(&self.0.app, &request.user_id).await;
        let profile = profile.map_err(|_| Refusal::not_found("no such user here"))?;
        let wanted = request.field.map(|field| field.to_string());
        Ok(profile.into_iter().filter(|(field, _)| wanted.as_ref().is_none_or(|wanted| wanted == field)).collect())
    }

    async fn directory(&self, _origin: OwnedServerName, request: get_room_information::v1::Request)
        -> Result<get_room_information::v1::Response, Refusal> {
        if !self.0.app.is_ours(request.room_alias.server_name()) {
            return Err(Refusal::not_found("that alias is another server's"));
        }
        let (room_id, servers) = aliases::resolve(self.engine(), &request.room_alias).await.map_err(refusal)?;
        Ok(get_room_information::v1::Response::new(room_id, servers))
    }

    async fn user_devices(&self, _origin: OwnedServerName, request: get_devices::v1::Request)
        -> Result<get_devices::v1::Response, Refusal> {
        keys::federation_devices(&self.0.app, &request.user_id).await.map_err(keys_refusal)
    }

    async fn query_keys(&self, _origin: OwnedServerName, request: get_keys::v1::Request)
        -> Result<get_keys::v1::Response, Refusal> {
        let found = keys::federation_query_keys(&self.0.app, request.device_keys).await.map_err(keys_refusal)?;
        let mut response = get_keys::v1::Response::new(found.device_keys);
        response.master_keys = found.master_keys;
        response.self_signing_keys = found.self_signing_keys;
        Ok(response)
    }

    async fn claim_keys(&self, _origin: OwnedServerName, request: claim_keys::v1::Request)
        -> Result<claim_keys::v1::Response, Refusal> {
        let keys = keys::federation_claim_keys(&self.0.app, request.one_time_keys).await.map_err(keys_refusal)?;
        Ok(claim_keys::v1::Response::new(keys))
    }

    async fn public_rooms(&self, _origin: OwnedServerName, request: get_public_rooms::v1::Request)
        -> Result<get_public_rooms::v1::Response, Refusal> {
        let page = self.public_page(directory_query(request.limit, request.since.as_deref(), None)).await?;
        let mut response = get_public_rooms::v1::Response::new();
        response.chunk = typed(page.get("chunk").cloned().unwrap_or_default())?;
        response.next_batch = page.get("next_batch").and_then(|next| next.as_str()).map(str::to_owned);
        Ok(response)
    }

    async fn public_rooms_filtered(&self, _origin: OwnedServerName, request: get_public_rooms_filtered::v1::Request)
        -> Result<get_public_rooms_filtered::v1::Response, Refusal> {
        let search = request.filter.generic_search_term;
        let page = self.public_page(directory_query(request.limit, request.since.as_deref(), search)).await?;
        let mut response = get_public_rooms_filtered::v1::Response::new();
        response.chunk = typed(page.get("chunk").cloned().unwrap_or_default())?;
        response.next_batch = page.get("next_batch").and_then(|next| next.as_str()).map(str::to_owned);
        Ok(response)
    }

    async fn hierarchy(&self, origin: OwnedServerName, request: get_hierarchy::v1::Request)
        -> Result<get_hierarchy::v1::Response, Refusal> {
        let (room_id, suggested_only) = (&request.room_id, request.suggested_only);
        let told = spaces::for_server(self.engine(), &origin, room_id, suggested_only).await.map_err(refusal)?;
        let room = typed(serde_json::to_value(&told.room).map_err(internal)?)?;
        let mut response = get_hierarchy::v1::Response::new(room);
        // A room whose state does not read is left out, for it is not this server's fault.
        let typed = |child| serde_json::from_value(serde_json::to_value(child).ok()?).ok();
        response.children = told.children.iter().filter_map(typed).collect();
        response.inaccessible_children = told.inaccessible;
        Ok(response)
    }

    async fn openid_userinfo(&self, request: get_openid_userinfo::v1::Request)
        -> Result<get_openid_userinfo::v1::Response, Refusal> {
        let user = account::openid_user(&self.0.app, &request.access_token).await.map_err(internal)?;
        let user = user.ok_or_else(|| Refusal::unknown_token("the token is unknown or has ended"))?;
        Ok(get_openid_userinfo::v1::Response::new(user))
    }

    async fn media(&self, _origin: OwnedServerName, request: get_content::v1::Request)
        -> Result<FederationMedia, Refusal> {
        let want = Want { timeout: request.timeout_ms.min(UPLOAD_WAIT_MAX), range: None };
        let content = media::open_local(&self.0.app, &self.0.media, &request.media_id, want).await;
        Ok(served(content.map_err(media_refusal)?))
    }

    async fn media_thumbnail(&self, _origin: OwnedServerName, request: get_content_thumbnail::v1::Request)
        -> Result<FederationMedia, Refusal> {
        let pixels = |length: UInt| u32::try_from(length).unwrap_or(u32::MAX);
        let method = match request.method {
            Some(ruma::media::Method::Crop) => media::Method::Crop,
            _ => media::Method::Scale,
        };
        let size = ThumbnailSize { width: pixels(request.width), height: pixels(request.height), method };
        let (app, timeout) = (&self.0.app, request.timeout_ms.min(UPLOAD_WAIT_MAX));
        let content =
            media::open_thumbnail(app, &self.0.media, &app.server_name, &request.media_id, size, timeout).await;
        Ok(served(content.map_err(media_refusal)?))
    }
}

fn media_refusal(error: media::MediaError) -> Refusal {
    match error {
        media::MediaError::NotFound | media::MediaError::NoThumbnail(_) => {
            Refusal::not_found("no such file")
        }
        other => internal(other),
    }
}

fn served(content: media::Content) -> FederationMedia {
    let content_type =
        content.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    let content_disposition = Some(content::disposition(&content_type, content.filename));
    let content_type = Some(content_type);
    FederationMedia::Content(MediaContent {
        content_type,
        content_disposition,
        body: content.stream,
    })
}
