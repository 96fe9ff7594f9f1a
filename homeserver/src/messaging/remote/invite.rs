//! Invitations to users of other servers, and theirs to ours.

use std::sync::Arc;

use ruma::{
    CanonicalJsonObject, OwnedUserId, ServerName,
    api::federation::membership::{RawStrippedState, create_invite},
};
use serde_json::value::RawValue;

use super::{answered, leave::outside, raw, refused};
use crate::messaging::{
    Building, Draft, Engine, Error, Room, build, create_room, funnel, invite_permission,
    room::Membership, stripped,
};
use crate::{auth::Requester, storage::events};

/// Invites a user of another server: their server signs the invitation before it enters the room.
pub(in crate::messaging) async fn invite(
    engine: &Engine,
    room: &Arc<Room>,
    draft: Draft,
) -> Result<(), Error> {
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

/// Takes an invitation for a user of ours, signs it, and returns it so signed. Only an invitation of the sender's own
/// making, for a local user, in the room and under the id it was sent for, is ever signed.
pub async fn receive_invite(
    engine: &Engine,
    origin: &ServerName,
    request: create_invite::v2::Request,
) -> Result<Box<RawValue>, Error> {
    let app = engine.app();
    let rules = create_room::joinable(&request.room_version)
        .map_err(|_| Error::IncompatibleRoomVersion(request.room_version.clone()))?;
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
    invite_permission::check(engine, &target, &pdu.sender).await?;
    let mut signed: CanonicalJsonObject = object;
    app.signing.sign_event(&app.server_name, &mut signed, &rules).map_err(Error::bad_event)?;
    if engine.find_resident(&pdu.room_id).await?.is_none() {
        let shown = stripped::of_another_server(&request.invite_room_state, &pdu);
        let room_id = pdu.room_id.clone();
        let requester = Requester { user_id: target, user, device_id: "".into(), device: 0 };
        outside(engine, &requester, &room_id, &request.room_version, pdu, Some(shown)).await?;
    }
    RawValue::from_string(serde_json::to_string(&signed).map_err(Error::bad_event)?)
        .map_err(Error::bad_event)
}
