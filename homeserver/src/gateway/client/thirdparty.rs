//! The door to networks that application services bridge to: there are none here. (That there are none, `account` says.)
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#third-party-lookups>.

use axum::Router;
use ruma::api::client::thirdparty::{
    get_location_for_protocol, get_location_for_room_alias, get_protocol, get_user_for_protocol,
    get_user_for_user_id,
};

use crate::{
    auth::Requester,
    gateway::{ApiError, MatrixRoutes, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_protocol::v3::Request, _, _>(nothing)
        .serve::<get_location_for_protocol::v3::Request, _, _>(nothing)
        .serve::<get_location_for_room_alias::v3::Request, _, _>(nothing)
        .serve::<get_user_for_protocol::v3::Request, _, _>(nothing)
        .serve::<get_user_for_user_id::v3::Request, _, _>(nothing)
}

/// `GET /_matrix/client/v3/thirdparty/{protocol,location,user}/…`
async fn nothing(_requester: Requester) -> ApiError {
    ApiError::not_found("no other network is bridged to here")
}
