//! Knocking at a room that is elsewhere, and being out of it again: by one's own leave or by somebody else's.

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedServerName, OwnedUserId, RoomId, RoomVersionId,
    ServerName,
    api::federation::membership::{
        create_knock_event, create_leave_event, prepare_knock_event, prepare_leave_event,
    },
};
use serde_json::{Value, json, value::RawValue};

use super::{VERSIONS, answered, candidates, from_template, inviter, raw};
use crate::messaging::{
    Engine, Error, Pdu, build, create_room, funnel, import, room::Membership, stripped,
};
use crate::{
    auth::Requester,
    storage::{self, EventBatch, NewRoom, events, rooms, rooms::StoredMembership},
};

/// Knocks at a room that is elsewhere.
pub(in crate::messaging) async fn knock(
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
        let rules = create_room::joinable(&version)?;
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
        let shown = stripped::of_another_server(&answer.knock_room_state, &knock);
        return outside(engine, requester, room_id, &version, knock, Some(shown)).await;
    }
    Err(last)
}

/// Declines an invitation, or takes back a knock, in a room that is elsewhere. When no server can be reached the user
/// is out all the same.
pub(in crate::messaging) async fn leave(
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
    let rules = create_room::joinable(&version)?;
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
    let rules = create_room::joinable(&version)?;
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

/// Takes another server's word that an invitation was withdrawn or a knock refused, in a room that this server is not in
/// and whose state it cannot check. An invitation is withdrawn only by who sent it. Tells whether the event did either.
pub(in crate::messaging) async fn receive_removal(
    engine: &Engine,
    origin: &ServerName,
    room_id: &RoomId,
    object: CanonicalJsonObject,
) -> Result<bool, Error> {
    let app = engine.app();
    let Some(room) = rooms::find_room(&app.db, room_id.as_str()).await? else { return Ok(false) };
    let version = RoomVersionId::try_from(room.version.as_str()).map_err(Error::bad_event)?;
    let rules = create_room::joinable(&version)?;
    let pdu = funnel::verify(app, object, &rules).await?.into_pdu();
    let Some(Ok(target)) = pdu.state_key.as_deref().map(OwnedUserId::try_from) else {
        return Ok(false);
    };
    let removes = pdu.event_type == ruma::events::TimelineEventType::RoomMember
        && matches!(build::standing(&pdu), Some(Membership::Leave | Membership::Ban))
        && pdu.room_id == room_id
        && pdu.sender.server_name() == origin
        && app.is_ours(target.server_name());
    let user = if removes { app.db.find_user(target.as_str()).await? } else { None };
    let Some(user) = user else { return Ok(false) };
    let Some(standing) = rooms::find_membership(&app.db, user, room.id).await? else {
        return Ok(false);
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
        return Ok(false);
    }
    let requester = Requester { user_id: target, user, device_id: "".into(), device: 0 };
    outside(engine, &requester, room_id, &version, pdu, None).await?;
    Ok(true)
}

/// Stores a membership event of a user of ours in a room that this server is not in, with what it was shown of the room. What others
/// say is not taken where somebody of ours has come in meanwhile: the room's events tell it there.
pub(super) async fn outside(
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
    let _turn = engine.storing(room_id).await;
    if !app.is_ours(pdu.sender.server_name()) && engine.find_resident(room_id).await?.is_some() {
        return Ok(());
    }
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

/// The membership event by which a user of ours went from a room that is elsewhere; the event and its sender are not interned.
pub async fn going(engine: &Engine, membership: &StoredMembership) -> Result<Option<Pdu>, Error> {
    let db = &engine.app().db;
    let Some(room) = rooms::find_room(db, &membership.room_id).await? else { return Ok(None) };
    let found = events::list_events(db, &[membership.event]).await?;
    let Some(stored) = found.into_iter().next() else { return Ok(None) };
    let version = RoomVersionId::try_from(room.version.as_str()).map_err(Error::bad_event)?;
    let rules = create_room::joinable(&version)?;
    let event_id = OwnedEventId::try_from(stored.event_id).map_err(Error::bad_event)?;
    Pdu::parse(event_id, stored.json.into(), &rules).map(Some).map_err(Error::bad_event)
}
