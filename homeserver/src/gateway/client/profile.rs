//! The door of profiles and of finding people. Spec: <https://spec.matrix.org/v1.19/client-server-api/#profiles>.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use ruma::{
    OwnedRoomId, OwnedUserId,
    api::client::{
        profile::{delete_profile_field, get_profile, get_profile_field, set_profile_field},
        user_directory::search_users,
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    account::{self, AccountError},
    app::App,
    auth::{Auth, Requester},
    gateway::{
        ApiError, JsonBody, Matrix, MatrixRoutes, Path, Query, Server, rate_limit::RemoteLimit,
    },
    storage,
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_profile::v3::Request, _, _>(get_profile)
        .serve::<get_profile_field::v3::Request, _, _>(get_profile_field)
        .serve::<set_profile_field::v3::Request, _, _>(set_profile_field)
        .serve::<delete_profile_field::v3::Request, _, _>(delete_profile_field)
        .serve::<search_users::v3::Request, _, _>(search_users)
        .limited("/_matrix/client/v1/mutual_rooms", get(mutual_rooms))
}

/// `GET /_matrix/client/v3/profile/{userId}`
async fn get_profile(
    State(app): State<App>,
    limit: RemoteLimit,
    Matrix(request): Matrix<get_profile::v3::Request>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    limit.charge(&app, request.user_id.server_name())?;
    Ok(Json(account::profile(&app, &request.user_id).await?))
}

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}`
async fn get_profile_field(
    State(app): State<App>,
    limit: RemoteLimit,
    Path((user_id, name)): Path<(OwnedUserId, String)>,
) -> Result<Json<Value>, ApiError> {
    limit.charge(&app, user_id.server_name())?;
    let value = account::profile_field(&app, &user_id, &name).await;
    match value {
        // A user without a name or avatar has an empty answer.
        Err(AccountError::NotFound(_)) if matches!(name.as_str(), "displayname" | "avatar_url") => {
            Ok(Json(json!({})))
        }
        value => Ok(Json(json!({ name: value? }))),
    }
}

fn own(requester: &Requester, user_id: &OwnedUserId) -> Result<(), ApiError> {
    if requester.user_id == *user_id {
        Ok(())
    } else {
        Err(ApiError::forbidden("this is somebody else's"))
    }
}

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}`
async fn set_profile_field(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, name)): Path<(OwnedUserId, String)>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    let value = body.get(&name).ok_or_else(|| {
        let text = format!("the body must have a field {name}");
        ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", text)
    })?;
    account::set_profile_field(&app, requester.user, &name, value).await?;
    Ok(Json(json!({})))
}

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
async fn delete_profile_field(
    State(app): State<App>,
    requester: Requester,
    Path((user_id, name)): Path<(OwnedUserId, String)>,
) -> Result<Json<Value>, ApiError> {
    own(&requester, &user_id)?;
    account::remove_profile_field(&app, requester.user, &name).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct SearchBody {
    search_term: String,
    #[serde(default = "ten")]
    limit: u32,
}

fn ten() -> u32 {
    10
}

/// `POST /_matrix/client/v3/user_directory/search`
async fn search_users(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    JsonBody(body): JsonBody<SearchBody>,
) -> Result<Json<Value>, ApiError> {
    let asker = requester.user;
    let (found, limited) =
        account::search_users(&app, &auth, asker, &body.search_term, body.limit).await?;
    let results: Vec<_> = found
        .into_iter()
        .map(|found| {
            let mut json = Map::new();
            json.insert("user_id".to_owned(), json!(found.user_id));
            let optional = [("display_name", found.display_name), ("avatar_url", found.avatar_url)];
            for (name, value) in optional {
                json.extend(value.map(|value| (name.to_owned(), json!(value))));
            }
            Value::Object(json)
        })
        .collect();
    Ok(Json(json!({ "results": results, "limited": limited })))
}

/// Most rooms of one page of [`mutual_rooms`].
const MUTUAL_ROOMS_MAX: u32 = 100;

#[derive(Deserialize)]
struct MutualRoomsQuery {
    user_id: OwnedUserId,
    from: Option<OwnedRoomId>,
}

/// `GET /_matrix/client/v1/mutual_rooms`, which ruma does not know.
async fn mutual_rooms(
    State(app): State<App>,
    requester: Requester,
    Query(query): Query<MutualRoomsQuery>,
) -> Result<Json<Value>, ApiError> {
    if query.user_id == requester.user_id {
        return Err(ApiError::invalid_param("all your rooms are your own"));
    }
    let Some(other) = app.db.find_user(query.user_id.as_str()).await? else {
        return Ok(Json(json!({ "joined": [], "count": 0 })));
    };
    let users = (requester.user, other);
    let after = query.from.as_ref().map_or("", |from| from.as_str());
    let rooms =
        storage::mutual_rooms::list_mutual_rooms(&app.db, users, after, MUTUAL_ROOMS_MAX + 1);
    let mut rooms = rooms.await?;
    let count = storage::mutual_rooms::count_mutual_rooms(&app.db, users).await?;
    let more = rooms.len() > usize::try_from(MUTUAL_ROOMS_MAX).unwrap_or(usize::MAX);
    if more {
        rooms.pop();
    }
    let mut answer = json!({ "joined": rooms, "count": count });
    if let (true, Some(last), Some(fields)) = (more, rooms.last(), answer.as_object_mut()) {
        fields.insert("next_batch".to_owned(), json!(last));
    }
    Ok(Json(answer))
}
