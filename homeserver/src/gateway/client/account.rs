//! The door of what a user keeps: account data, tags, filters; and of what the server can do for them. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#client-config>.

use axum::{Json, Router, extract::State, http::StatusCode};
use ruma::{
    OwnedRoomId, OwnedUserId,
    api::client::{
        account::request_openid_token,
        config::{
            get_global_account_data, get_room_account_data, set_global_account_data,
            set_room_account_data,
        },
        discovery::get_capabilities,
        filter::{create_filter, get_filter},
        tag::{create_tag, delete_tag, get_tags},
        thirdparty::get_protocols,
        voip::get_turn_server_info,
    },
};
use serde_json::{Map, Value, json};

use crate::{
    account::{self, AccountError},
    admin,
    app::App,
    auth::Requester,
    gateway::{ApiError, JsonBody, MatrixRoutes, Path, Server},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_global_account_data::v3::Request, _, _>(get_global_account_data)
        .serve::<set_global_account_data::v3::Request, _, _>(set_global_account_data)
        .serve::<get_room_account_data::v3::Request, _, _>(get_room_account_data)
        .serve::<set_room_account_data::v3::Request, _, _>(set_room_account_data)
        .serve::<get_tags::v3::Request, _, _>(get_tags)
        .serve::<create_tag::v3::Request, _, _>(create_tag)
        .serve::<delete_tag::v3::Request, _, _>(delete_tag)
        .serve::<create_filter::v3::Request, _, _>(create_filter)
        .serve::<get_filter::v3::Request, _, _>(get_filter)
        .serve::<get_capabilities::v3::Request, _, _>(get_capabilities)
        .serve::<request_openid_token::v3::Request, _, _>(request_openid_token)
        .serve::<get_turn_server_info::v3::Request, _, _>(nothing_offered)
        .serve::<get_protocols::v3::Request, _, _>(nothing_offered)
}

fn own(requester: &Requester, user_id: &OwnedUserId) -> Result<(), ApiError> {
    if requester.user_id == *user_id {
        Ok(())
    } else {
        Err(ApiError::forbidden("this is somebody else's"))
    }
}

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn get_global_account_data(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, data_type)): Path<(OwnedUserId, String)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    Ok(Json(account::account_data(&app, requester.user, "", &data_type).await?))
}

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
async fn set_global_account_data(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, data_type)): Path<(OwnedUserId, String)>,
    JsonBody(content): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    account::set_account_data(&app, requester.user, "", &data_type, &content).await?;
    Ok(Json(json!({})))
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn get_room_account_data(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, room_id, data_type)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let room_id = room_id.as_str();
    Ok(Json(account::account_data(&app, requester.user, room_id, &data_type).await?))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
async fn set_room_account_data(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, room_id, data_type)): Path<(OwnedUserId, OwnedRoomId, String)>,
    JsonBody(content): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let room_id = room_id.as_str();
    account::set_account_data(&app, requester.user, room_id, &data_type, &content).await?;
    Ok(Json(json!({})))
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
async fn get_tags(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, room_id)): Path<(OwnedUserId, OwnedRoomId)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let tags = account::room_tags(&app, requester.user, room_id.as_str()).await?;
    Ok(Json(json!({ "tags": tags })))
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn create_tag(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, room_id, tag)): Path<(OwnedUserId, OwnedRoomId, String)>,
    JsonBody(content): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    account::set_tag(&app, requester.user, room_id.as_str(), &tag, Some(content)).await?;
    Ok(Json(json!({})))
}

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
async fn delete_tag(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, room_id, tag)): Path<(OwnedUserId, OwnedRoomId, String)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    account::set_tag(&app, requester.user, room_id.as_str(), &tag, None).await?;
    Ok(Json(json!({})))
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn create_filter(
    State(app): State<App>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
    JsonBody(filter): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let filter_id = account::keep_filter(&app, requester.user, filter).await?;
    Ok(Json(json!({ "filter_id": filter_id })))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
async fn get_filter(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, filter_id)): Path<(OwnedUserId, String)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    Ok(Json(account::filter(&app, requester.user, &filter_id).await?))
}

/// `GET /_matrix/client/v3/capabilities`
async fn get_capabilities(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<Value>, ApiError> {
    let available: Map<String, Value> =
        (6..=12).map(|version: u8| (version.to_string(), json!("stable"))).collect();
    let mut capabilities = json!({
        "m.change_password": { "enabled": true },
        "m.room_versions": {
            "default": app.config.rooms.default_version,
            "available": available,
        },
        "m.set_displayname": { "enabled": true },
        "m.set_avatar_url": { "enabled": true },
        "m.3pid_changes": { "enabled": true },
        "m.get_login_token": { "enabled": true },
        "m.profile_fields": { "enabled": true },
    });
    // Said to those only who may.
    if let (true, Some(all)) =
        (admin::is_admin(&app, requester.user).await?, capabilities.as_object_mut())
    {
        let may = json!({ "lock": true, "suspend": true });
        all.insert("m.account_moderation".to_owned(), may);
    }
    Ok(Json(json!({ "capabilities": capabilities })))
}

/// `GET /_matrix/client/v3/voip/turnServer` and `…/thirdparty/protocols`: none of either.
async fn nothing_offered(_requester: Requester) -> Json<Value> {
    Json(json!({}))
}

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
async fn request_openid_token(
    State(app): State<App>,
    requester: Requester,
    Path(user_id): Path<OwnedUserId>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let token = account::openid_token(&app, requester.user).await?;
    Ok(Json(json!({
        "access_token": token.token,
        "token_type": "Bearer",
        "matrix_server_name": app.server_name,
        "expires_in": token.expires_in.as_secs(),
    })))
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::UserNotFound | AccountError::NotFound(_) => Self::not_found(text),
            AccountError::InvalidParam(_) => Self::invalid_param(text),
            AccountError::ServerManaged(_) => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, "M_BAD_JSON", text)
            }
            AccountError::KeyTooLarge => {
                Self::new(StatusCode::BAD_REQUEST, "M_KEY_TOO_LARGE", text)
            }
            AccountError::ProfileTooLarge => {
                Self::new(StatusCode::BAD_REQUEST, "M_PROFILE_TOO_LARGE", text)
            }
            AccountError::TooLarge { .. } => Self::too_large(text),
            AccountError::Remote { .. } => Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", text),
            AccountError::Auth(source) => source.into(),
            AccountError::Storage(source) => source.into(),
        }
    }
}
