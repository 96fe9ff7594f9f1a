//! The door of end-to-end keys. Spec: <https://spec.matrix.org/v1.19/client-server-api/#key-management-api>.

use std::collections::BTreeMap;

use axum::{Router, extract::State, http::StatusCode};
use ruma::{
    OneTimeKeyAlgorithm, OwnedOneTimeKeyId, OwnedUserId, UInt,
    api::client::keys::{claim_keys, get_key_changes, get_keys, upload_keys, upload_signatures},
    serde::Raw,
};
use serde_json::json;

use crate::{
    app::App,
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::{
        keys::{self, KeyUpload},
        tokens::SyncToken,
    },
    storage::Id,
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<upload_keys::v3::Request, _, _>(upload_keys)
        .serve::<get_keys::v3::Request, _, _>(get_keys)
        .serve::<get_key_changes::v3::Request, _, _>(get_key_changes)
        .serve::<claim_keys::v3::Request, _, _>(claim_keys)
        .serve::<upload_signatures::v3::Request, _, _>(upload_signatures)
}

/// `POST /_matrix/client/v3/keys/upload`
async fn upload_keys(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<upload_keys::v3::Request>,
) -> Result<Matrix<upload_keys::v3::Response>, ApiError> {
    let upload = KeyUpload {
        device_keys: request.device_keys.map(|keys| keys.json().get().to_owned()),
        one_time_keys: texts(request.one_time_keys),
        fallback_keys: texts(request.fallback_keys),
    };
    let counts = keys::upload_keys(&app, &requester, upload).await?;
    let counts = counts.into_iter().map(|(algorithm, count)| {
        (OneTimeKeyAlgorithm::from(algorithm), UInt::try_from(count).unwrap_or_default())
    });
    Ok(Matrix(upload_keys::v3::Response::new(counts.collect())))
}

fn texts<T>(keys: BTreeMap<OwnedOneTimeKeyId, Raw<T>>) -> BTreeMap<String, String> {
    keys.into_iter().map(|(id, key)| (id.to_string(), key.json().get().to_owned())).collect()
}

/// `POST /_matrix/client/v3/keys/query`
async fn get_keys(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_keys::v3::Request>,
) -> Result<Matrix<get_keys::v3::Response>, ApiError> {
    let found = keys::query_keys(&app, &requester, request.device_keys, request.timeout).await?;
    let mut response = get_keys::v3::Response::new();
    response.failures = found.failures;
    response.device_keys = found.device_keys;
    response.master_keys = found.master_keys;
    response.self_signing_keys = found.self_signing_keys;
    response.user_signing_keys = found.user_signing_keys;
    Ok(Matrix(response))
}

/// `GET /_matrix/client/v3/keys/changes`
async fn get_key_changes(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_key_changes::v3::Request>,
) -> Result<Matrix<get_key_changes::v3::Response>, ApiError> {
    let position = |name: &str, token: &str| {
        SyncToken::of_any_sync(token)
            .filter(|token| token.epoch == app.db.epoch())
            .map(|token| token.position)
            .ok_or_else(|| ApiError::invalid_param(format!("{name} is no token of a sync here")))
    };
    let (from, to) = (position("from", &request.from)?, position("to", &request.to)?);
    let delta = keys::device_list_delta(&app, requester.user, from, to).await?;
    let (changed, left) = (names(&app, delta.changed).await?, names(&app, delta.left).await?);
    Ok(Matrix(get_key_changes::v3::Response::new(changed, left)))
}

async fn names(app: &App, users: Vec<Id>) -> Result<Vec<OwnedUserId>, ApiError> {
    let mut names = Vec::with_capacity(users.len());
    for user in users {
        let name = app.db.user_name(user).await?;
        names.extend(OwnedUserId::try_from(name.as_str()).ok());
    }
    Ok(names)
}

/// `POST /_matrix/client/v3/keys/claim`
async fn claim_keys(
    State(app): State<App>,
    _requester: Requester,
    Matrix(request): Matrix<claim_keys::v3::Request>,
) -> Result<Matrix<claim_keys::v3::Response>, ApiError> {
    let (claimed, failures) =
        keys::claim_keys(&app, request.one_time_keys, request.timeout).await?;
    let mut response = claim_keys::v3::Response::new(claimed);
    response.failures = failures;
    Ok(Matrix(response))
}

/// `POST /_matrix/client/v3/keys/signatures/upload`
async fn upload_signatures(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<upload_signatures::v3::Request>,
) -> Result<Matrix<upload_signatures::v3::Response>, ApiError> {
    let signed = request.signed_keys.into_iter().map(|(user_id, objects)| {
        let objects =
            objects.iter().map(|(target, json)| (target.to_owned(), json.get().to_owned()));
        (user_id, objects.collect())
    });
    let failures = keys::upload_signatures(&app, &requester, signed.collect()).await?;
    let mut response = upload_signatures::v3::Response::new();
    for (user_id, targets) in failures {
        for (target, failure) in targets {
            let json = json!({ "errcode": failure.errcode, "error": failure.error });
            let failure = serde_json::from_value(json).map_err(ApiError::internal)?;
            response.failures.entry(user_id.clone()).or_default().insert(target, failure);
        }
    }
    Ok(Matrix(response))
}

impl From<keys::Error> for ApiError {
    fn from(error: keys::Error) -> Self {
        use keys::Error;

        match error {
            Error::Invalid(text) => Self::invalid_param(text),
            Error::BadSignature(text) => {
                Self::new(StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE", text)
            }
            Error::TooLarge(text) => Self::too_large(text),
            Error::NotFound(text) => Self::not_found(text),
            Error::WrongVersion { ref current } => {
                let current = current.as_str().into();
                Self::new(StatusCode::FORBIDDEN, "M_WRONG_ROOM_KEYS_VERSION", error)
                    .with("current_version", current)
            }
            Error::Forbidden(text) => Self::forbidden(text),
            Error::Remote { .. } => Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", error),
            Error::Storage(source) => source.into(),
        }
    }
}
