//! Request bodies in our own types, where ruma's would lose something: the order of parsing, fields it drops, the `auth` of
//! interactive authentication.

use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{ApiError, Server};
use crate::{
    auth::{Operation, Submission},
    storage::Id,
};

/// A JSON object as body. An empty body is an empty object.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Server> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        let object = Box::pin(read_object(request, server)).await?;
        decode(object).map(Self)
    }
}

/// The body of an operation that asks for interactive authentication, and its `auth` apart.
pub struct Interactive<T> {
    pub body: T,
    pub submission: Submission,
    method: String,
    path: String,
    digest: [u8; 32],
}

impl<T> Interactive<T> {
    /// What is to be authorised, for `user` if somebody is logged in.
    pub fn operation(&self, user: Option<Id>) -> Operation {
        let (method, path) = (self.method.clone(), self.path.clone());
        Operation { method, path, user, body: self.digest }
    }
}

impl<T: DeserializeOwned> FromRequest<Server> for Interactive<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Server) -> Result<Self, ApiError> {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let mut object = read_object(request, server).await?;
        let auth = match object.remove("auth") {
            None | Some(Value::Null) => None,
            Some(Value::Object(auth)) => Some(auth),
            Some(_) => return Err(ApiError::bad_json("auth must be an object")),
        };
        let digest = Sha256::digest(Value::Object(object.clone()).to_string()).into();
        let submission = Submission::new(auth);
        Ok(Self { body: decode(object)?, submission, method, path, digest })
    }
}

async fn read_object(request: Request, server: &Server) -> Result<Map<String, Value>, ApiError> {
    let bytes = Bytes::from_request(request, server).await.map_err(|rejection| match rejection
        .status()
    {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large("the request body is too large"),
        _ => not_json("the request body could not be read"),
    })?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::bad_json("the request body must be an object")),
        Err(error) => Err(not_json(error)),
    }
}

fn decode<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        if error.to_string().starts_with("missing field") {
            ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", error)
        } else {
            ApiError::bad_json(error)
        }
    })
}

fn not_json(text: impl ToString) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", text)
}

/// The variables of a path, decoded.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// The query string.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid_param(rejection)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid_param(rejection)
    }
}
