//! Rooms that are elsewhere: joining, leaving, knocking by way of a server that is in them, and inviting its users.
//!
//! Of another server's template only prev events, auth events, depth and version are taken, after a check; the event is
//! built from our own fields, so that nothing is signed that we did not build.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, OwnedServerName, OwnedUserId, RoomId,
    RoomVersionId, ServerName, UserId,
    api::{
        error::ErrorKind,
        federation::membership::{
            RawStrippedState, create_invite, create_join_event, create_knock_event,
            create_leave_event, prepare_join_event, prepare_knock_event, prepare_leave_event,
        },
    },
    room_version_rules::RoomVersionRules,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Building, Draft, Engine, Error, Pdu, Room, build, create_room, funnel, import, inbound,
    room::Membership, stripped,
};
use crate::{
    auth::Requester,
    storage::{
        self, EventBatch, NewRoom, events,
        rooms::{self, StoredMembership},
    },
};

/// Servers asked, one after the other, before a join gives up.
const SERVERS_MAX: usize = 5;
/// The versions we can take part in, as other servers are told.
pub(super) const VERSIONS: [RoomVersionId; 7] = [
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// What a template may tell us.
#[derive(Deserialize)]
struct Template {
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    depth: i64,
    #[serde(default)]
    content: TemplateContent,
}

#[derive(Deserialize, Default)]
struct TemplateContent {
    join_authorised_via_users_server: Option<OwnedUserId>,
}

fn refused(server: &ServerName, error: impl std::fmt::Display) -> Error {
    Error::Remote { server: server.to_string(), reason: error.to_string() }
}

/// A refusal by the other server reaches our user as a refusal; everything else as trouble with that server.
fn answered(server: &ServerName, error: &tern_federation::RequestError) -> Error {
    match error.status().map(|status| status.as_u16()) {
        Some(403) => Error::Forbidden(error.to_string()),
        // A resident that cannot tell whether the user may join does not let them in.
        _ if matches!(
            error.kind(),
            Some(ErrorKind::UnableToAuthorizeJoin | ErrorKind::UnableToGrantJoin)
        ) =>
        {
            Error::Forbidden(error.to_string())
        }
        Some(404) => Error::RoomNotFound,
        _ => refused(server, error),
    }
}

/// Builds and signs the membership event that a template is for.
fn from_template(
    engine: &Engine,
    template: &RawValue,
    room_id: &RoomId,
    user_id: &UserId,
    mut content: CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    let template: Template = serde_json::from_str(template.get()).map_err(Error::bad_event)?;
    if template.prev_events.len() > 20 || template.auth_events.len() > 10 || template.depth < 0 {
        return Err(Error::BadEvent("the template of the other server is not sound".to_owned()));
    }
    if let Some(authoriser) = template.content.join_authorised_via_users_server {
        let authoriser = CanonicalJsonValue::String(authoriser.to_string());
        content.insert("join_authorised_via_users_server".to_owned(), authoriser);
    }
    let object = json!({
        "type": "m.room.member", "room_id": room_id, "sender": user_id, "state_key": user_id,
        "origin_server_ts": engine.app().clock.now_ms(), "prev_events": template.prev_events,
        "auth_events": template.auth_events, "depth": template.depth, "content": content,
    });
    match CanonicalJsonValue::try_from(object) {
        Ok(CanonicalJsonValue::Object(object)) => build::sign(engine.app(), object, rules),
        _ => Err(Error::BadEvent("the event is no object".to_owned())),
    }
}

fn raw(pdu: &Pdu) -> Result<Box<RawValue>, Error> {
    serde_json::from_slice(&pdu.json).map_err(Error::bad_event)
}

/// Who may know the room: whoever invited the user and `via`; failing both, the server in an old room id.
async fn candidates(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
) -> Result<Vec<OwnedServerName>, Error> {
    let app = engine.app();
    let mut servers: Vec<OwnedServerName> = Vec::new();
    if let Some(stored) = rooms::find_room(&app.db, room_id.as_str()).await?
        && let Some(standing) = rooms::find_membership(&app.db, requester.user, stored.id).await?
        && let Some(inviter) = inviter(engine, &standing).await?
    {
        servers.push(inviter.server_name().to_owned());
    }
    servers.extend(via.iter().cloned());
    if servers.is_empty() {
        servers.extend(room_id.server_name().map(ToOwned::to_owned));
    }
    let mut seen = std::collections::BTreeSet::new();
    servers.retain(|server| !app.is_ours(server) && seen.insert(server.clone()));
    servers.truncate(SERVERS_MAX);
    if servers.is_empty() { Err(Error::RoomNotFound) } else { Ok(servers) }
}

/// The membership event by which a user of ours went from a room that is elsewhere, as clients are shown it.
pub async fn going(engine: &Engine, membership: &StoredMembership) -> Result<Option<Value>, Error> {
    let db = &engine.app().db;
    let Some(room) = rooms::find_room(db, &membership.room_id).await? else { return Ok(None) };
    let found = events::list_events(db, &[membership.event]).await?;
    let Some(stored) = found.into_iter().next() else { return Ok(None) };
    let version = RoomVersionId::try_from(room.version.as_str()).map_err(Error::bad_event)?;
    let rules = create_room::supported(&version)?;
    let event_id = OwnedEventId::try_from(stored.event_id).map_err(Error::bad_event)?;
    let pdu = Pdu::parse(event_id, stored.json.into(), &rules).map_err(Error::bad_event)?;
    Ok(Some(stripped::event(&pdu)))
}

async fn inviter(
    engine: &Engine,
    standing: &StoredMembership,
) -> Result<Option<OwnedUserId>, Error> {
    let found = events::list_events(&engine.app().db, &[standing.event]).await?;
    let Some(stored) = found.first() else { return Ok(None) };
    #[derive(Deserialize)]
    struct Sender {
        sender: OwnedUserId,
    }
    Ok(serde_json::from_slice::<Sender>(&stored.json).ok().map(|event| event.sender))
}

/// Joins a room that no user of this server is in.
pub(super) async fn join(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let mut last = Error::RoomNotFound;
    for server in candidates(engine, requester, room_id, via).await? {
        match join_by(engine, requester, room_id, &server, content.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::info!(%server, room.id = %room_id, %error, "a join by this server failed");
                last = error;
            }
        }
    }
    Err(last)
}

/// Joins a restricted room that is here, where only users of other servers may vouch for the join.
pub(super) async fn join_through(
    engine: &Engine,
    requester: &Requester,
    room: &Arc<Room>,
    servers: &[OwnedServerName],
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let mut last = Error::UnableToGrantJoin;
    for server in servers.iter().take(SERVERS_MAX) {
        match ask_to_join(engine, requester, &room.room_id, server, content.clone()).await {
            Ok(asked) => {
                let object = serde_json::from_slice(&asked.join.json).map_err(Error::bad_event)?;
                return inbound::take(engine, room, server, object).await;
            }
            Err(error) => {
                tracing::info!(%server, room.id = %room.room_id, %error, "a join by this server failed");
                last = error;
            }
        }
    }
    Err(last)
}

/// A join that a server in the room has let in.
struct Asked {
    version: RoomVersionId,
    rules: RoomVersionRules,
    /// With the other server's signature, where one was needed.
    join: Pdu,
    answer: import::Answer,
}

async fn ask_to_join(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    server: &OwnedServerName,
    content: CanonicalJsonObject,
) -> Result<Asked, Error> {
    let app = engine.app();
    let mut request =
        prepare_join_event::v1::Request::new(room_id.to_owned(), requester.user_id.clone());
    request.ver = VERSIONS.to_vec();
    let template =
        app.federation.send(server, request).await.map_err(|error| answered(server, &error))?;
    let version = template.room_version.unwrap_or(RoomVersionId::V1);
    let rules = create_room::supported(&version)?;
    let join =
        from_template(engine, &template.event, room_id, &requester.user_id, content, &rules)?;

    let request =
        create_join_event::v2::Request::new(room_id.to_owned(), join.event_id.clone(), raw(&join)?);
    let answer = app
        .federation
        .send(server, request)
        .await
        .map_err(|error| answered(server, &error))?
        .room_state;
    let join = match answer.event {
        Some(cosigned) => cosigned_join(engine, &join, &cosigned, &rules).await?,
        None => join,
    };
    let answer = import::Answer { state: answer.state, auth_chain: answer.auth_chain };
    Ok(Asked { version, rules, join, answer })
}

async fn join_by(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    server: &OwnedServerName,
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let Asked { version, rules, join, answer } =
        ask_to_join(engine, requester, room_id, server, content).await?;
    import::joined_room(engine, requester, room_id, (version, rules), join, answer).await?;
    engine.app().bell.ring_users([requester.user]);
    Ok(())
}

/// The join with the resident server's signature under it, where a restricted room needs one.
async fn cosigned_join(
    engine: &Engine,
    join: &Pdu,
    cosigned: &RawValue,
    rules: &RoomVersionRules,
) -> Result<Pdu, Error> {
    let object = serde_json::from_str(cosigned.get()).map_err(Error::bad_event)?;
    let verified = funnel::verify(engine.app(), object, rules).await?;
    if verified.pdu().event_id != join.event_id {
        return Err(Error::BadEvent("the other server answered with another event".to_owned()));
    }
    Ok(verified.into_pdu())
}

/// Invites a user of another server: their server signs the invitation before it enters the room.
pub(super) async fn invite(engine: &Engine, room: &Arc<Room>, draft: Draft) -> Result<(), Error> {
    let app = engine.app();
    let target = draft.state_key.clone().unwrap_or_default();
    let target =
        OwnedUserId::try_from(target).map_err(|error| Error::InvalidParam(error.to_string()))?;
    let pdu = {
        let building = Building::begin(engine, room).await?;
        building.checked(draft).await?
    };
    let mut shown = Vec::new();
    for event in stripped::events(engine, room, Some(&pdu.sender)).await? {
        shown.push(RawStrippedState::Pdu(raw(&event)?));
    }
    let request = create_invite::v2::Request::new(
        room.room_id.clone(),
        pdu.event_id.clone(),
        room.version.clone(),
        raw(&pdu)?,
        shown,
    );
    let server = target.server_name();
    let answer =
        app.federation.send(server, request).await.map_err(|error| answered(server, &error))?;
    let object = serde_json::from_str(answer.event.get()).map_err(Error::bad_event)?;
    let verified = funnel::verify(app, object, &room.rules).await?;
    if verified.pdu().event_id != pdu.event_id {
        return Err(refused(server, "it answered with another event"));
    }
    match funnel::append(engine, room, verified, events::LOCAL).await? {
        funnel::Verdict::Accepted => Ok(()),
        funnel::Verdict::Rejected(reason) | funnel::Verdict::SoftFailed(reason) => {
            Err(Error::Forbidden(reason))
        }
    }
}

/// Declines an invitation, or takes back a knock, in a room that is elsewhere. When no server can be reached the user
/// is out all the same.
pub(super) async fn leave(
    engine: &Engine,
    requester: &Requester,
    standing: &StoredMembership,
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let room_id = RoomId::parse(&standing.room_id).map_err(Error::bad_event)?;
    for server in candidates(engine, requester, &room_id, &[]).await.unwrap_or_default() {
        match leave_by(engine, requester, &room_id, &server, content.clone()).await {
            Ok((version, leave)) => {
                return outside(engine, requester, &room_id, &version, leave, None).await;
            }
            Err(error) => tracing::info!(%server, %error, "declining over federation failed"),
        }
    }
    let (version, leave) = lonely_leave(engine, requester, &room_id, content).await?;
    outside(engine, requester, &room_id, &version, leave, None).await
}

/// A leave that nobody else hears of, hanging on nothing.
async fn lonely_leave(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    content: CanonicalJsonObject,
) -> Result<(RoomVersionId, Pdu), Error> {
    let stored = rooms::find_room(&engine.app().db, room_id.as_str()).await?;
    let version = stored.map(|room| room.version).ok_or(Error::RoomNotFound)?;
    let version = RoomVersionId::try_from(version.as_str()).map_err(Error::bad_event)?;
    let rules = create_room::supported(&version)?;
    let template = json!({ "prev_events": [], "auth_events": [], "depth": 1 }).to_string();
    let template = RawValue::from_string(template).map_err(Error::bad_event)?;
    let leave = from_template(engine, &template, room_id, &requester.user_id, content, &rules)?;
    Ok((version, leave))
}

async fn leave_by(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    server: &OwnedServerName,
    content: CanonicalJsonObject,
) -> Result<(RoomVersionId, Pdu), Error> {
    let app = engine.app();
    let request =
        prepare_leave_event::v1::Request::new(room_id.to_owned(), requester.user_id.clone());
    let template =
        app.federation.send(server, request).await.map_err(|error| answered(server, &error))?;
    let version = template.room_version.unwrap_or(RoomVersionId::V1);
    let rules = create_room::supported(&version)?;
    let leave =
        from_template(engine, &template.event, room_id, &requester.user_id, content, &rules)?;
    let request = create_leave_event::v2::Request::new(
        room_id.to_owned(),
        leave.event_id.clone(),
        raw(&leave)?,
    );
    app.federation.send(server, request).await.map_err(|error| answered(server, &error))?;
    Ok((version, leave))
}

/// Knocks at a room that is elsewhere.
pub(super) async fn knock(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    via: &[OwnedServerName],
    content: CanonicalJsonObject,
) -> Result<(), Error> {
    let app = engine.app();
    let mut last = Error::RoomNotFound;
    for server in candidates(engine, requester, room_id, via).await? {
        let mut request =
            prepare_knock_event::v1::Request::new(room_id.to_owned(), requester.user_id.clone());
        request.ver = VERSIONS.to_vec();
        let template = match app.federation.send(&server, request).await {
            Ok(template) => template,
            Err(error) => {
                last = answered(&server, &error);
                continue;
            }
        };
        let version = template.room_version;
        let rules = create_room::supported(&version)?;
        let knock = from_template(
            engine,
            &template.event,
            room_id,
            &requester.user_id,
            content.clone(),
            &rules,
        )?;
        let request = create_knock_event::v1::Request::new(
            room_id.to_owned(),
            knock.event_id.clone(),
            raw(&knock)?,
        );
        let answer = app
            .federation
            .send(&server, request)
            .await
            .map_err(|error| answered(&server, &error))?;
        let shown = import::shown_state(&answer.knock_room_state, &knock);
        return outside(engine, requester, room_id, &version, knock, Some(shown)).await;
    }
    Err(last)
}

/// Stores a membership event of a user of ours in a room that this server is not in, with what it was shown of the room.
async fn outside(
    engine: &Engine,
    requester: &Requester,
    room_id: &RoomId,
    version: &RoomVersionId,
    mut pdu: Pdu,
    shown: Option<Vec<Value>>,
) -> Result<(), Error> {
    let membership = build::standing(&pdu)
        .ok_or_else(|| Error::BadEvent("the event says no membership".to_owned()))?;
    let stripped_state =
        shown.map(|shown| serde_json::to_vec(&shown)).transpose().map_err(Error::bad_event)?;
    let app = engine.app();
    let known = rooms::find_room(&app.db, room_id.as_str()).await?;
    let room = known.as_ref().map_or_else(|| app.db.new_id(), |room| room.id);
    let new_room = NewRoom { room_id: room_id.to_string(), version: version.to_string() };
    pdu.id = app.db.new_id();
    pdu.sender_id = app.db.user(pdu.sender.as_str()).await?;
    let id = match events::find_event(&app.db, pdu.event_id.as_str()).await? {
        Some(stored) => stored.id,
        None => pdu.id,
    };
    let batch = EventBatch {
        room,
        new_room: known.is_none().then_some(new_room),
        events: if id == pdu.id { vec![import::outlier_row(app, &pdu).await?] } else { Vec::new() },
        memberships: vec![storage::Membership {
            user: requester.user,
            membership: membership.as_str().to_owned(),
            event: id,
            stripped_state,
        }],
        ..EventBatch::default()
    };
    app.db.append(batch).await?;
    app.bell.ring_users([requester.user]);
    Ok(())
}

/// Takes another server's word that an invitation was withdrawn or a knock refused, in a room that this server is not in
/// and whose state it cannot check. An invitation is withdrawn only by who sent it.
pub(super) async fn receive_removal(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    json: &RawValue,
) -> Result<(), Error> {
    let app = engine.app();
    let Some(room) = rooms::find_room(&app.db, room_id.as_str()).await? else { return Ok(()) };
    let version = RoomVersionId::try_from(room.version.as_str()).map_err(Error::bad_event)?;
    let rules = create_room::supported(&version)?;
    let object = serde_json::from_str(json.get()).map_err(Error::bad_event)?;
    let pdu = funnel::verify(app, object, &rules).await?.into_pdu();
    let Some(Ok(target)) = pdu.state_key.as_deref().map(OwnedUserId::try_from) else {
        return Ok(());
    };
    let removes = pdu.event_type == ruma::events::TimelineEventType::RoomMember
        && matches!(build::standing(&pdu), Some(Membership::Leave | Membership::Ban))
        && pdu.room_id == room_id
        && pdu.sender.server_name() == origin
        && app.is_ours(target.server_name());
    let user = if removes { app.db.find_user(target.as_str()).await? } else { None };
    let Some(user) = user else { return Ok(()) };
    let Some(standing) = rooms::find_membership(&app.db, user, room.id).await? else {
        return Ok(());
    };
    let may = match Membership::parse(&standing.membership) {
        Some(Membership::Knock) => true,
        Some(Membership::Invite) => {
            let inviter = inviter(engine, &standing).await?;
            inviter.is_some_and(|inviter| inviter == pdu.sender)
        }
        _ => false,
    };
    if !may {
        return Ok(());
    }
    let requester = Requester { user_id: target, user, device_id: "".into(), device: 0 };
    outside(engine, &requester, room_id, &version, pdu, None).await
}

/// Takes an invitation for a user of ours, signs it, and returns it so signed. Only an invitation of the sender's own
/// making, for a local user, in the room and under the id it was sent for, is ever signed.
pub async fn receive_invite(
    engine: &Engine,
    origin: &ServerName,
    request: create_invite::v2::Request,
) -> Result<Box<RawValue>, Error> {
    let app = engine.app();
    let rules = create_room::supported(&request.room_version)?;
    let object: CanonicalJsonObject =
        serde_json::from_str(request.event.get()).map_err(Error::bad_event)?;
    let verified = funnel::verify(app, object.clone(), &rules).await?;
    let pdu = verified.into_pdu();
    let target = pdu.state_key.clone().unwrap_or_default();
    let target = OwnedUserId::try_from(target).map_err(Error::bad_event)?;
    let sound = pdu.event_id == request.event_id
        && pdu.room_id == request.room_id
        && pdu.sender.server_name() == origin
        && pdu.event_type == ruma::events::TimelineEventType::RoomMember
        && build::standing(&pdu) == Some(Membership::Invite)
        && app.is_ours(target.server_name());
    if !sound {
        return Err(Error::BadEvent(
            "not an invitation of yours for a user of this server".to_owned(),
        ));
    }
    let Some(user) = crate::account::find_active(app, &target).await? else {
        return Err(Error::Forbidden("no such user here".to_owned()));
    };
    let mut signed: CanonicalJsonObject = object;
    app.signing.sign_event(&app.server_name, &mut signed, &rules).map_err(Error::bad_event)?;
    let in_room = match engine.find_room(&pdu.room_id).await? {
        Some(room) => !room.seen().local_joined.is_empty(),
        None => false,
    };
    if !in_room {
        let shown = import::shown_state(&request.invite_room_state, &pdu);
        let room_id = pdu.room_id.clone();
        let requester = Requester { user_id: target, user, device_id: "".into(), device: 0 };
        outside(engine, &requester, &room_id, &request.room_version, pdu, Some(shown)).await?;
    }
    RawValue::from_string(serde_json::to_string(&signed).map_err(Error::bad_event)?)
        .map_err(Error::bad_event)
}
