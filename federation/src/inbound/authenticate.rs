//! From an HTTP request to a parsed Matrix request with a verified origin, or a refusal.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRef, FromRequest, OriginalUri, RawPathParams, Request},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use ruma::{
    OwnedServerName,
    api::{
        IncomingRequest, OutgoingResponse,
        auth_scheme::NoAuthentication,
        error::{DeserializationError, ErrorKind, FromHttpRequestError},
        federation::authentication::ServerSignatures,
    },
};

use super::{Reception, Refusal};
use crate::x_matrix;

/// The largest request body: 50 PDUs and 100 EDUs of the largest size fit.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest body of a request that nobody has to sign.
const PUBLIC_BODY_BYTES_MAX: usize = 256 * 1024;

/// A request whose X-Matrix signature is right. Any axum state that an `Arc<Reception>` can be had from will do.
#[derive(Debug)]
pub struct Authenticated<R> {
    /// The server that signed the request.
    pub origin: OwnedServerName,
    pub request: R,
}

/// A request of a kind that carries no signature.
#[derive(Debug)]
pub struct Public<R>(pub R);

impl<S, R> FromRequest<S> for Authenticated<R>
where
    S: Send + Sync,
    Arc<Reception>: FromRef<S>,
    R: IncomingRequest<Authentication = ServerSignatures>,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let reception = Arc::<Reception>::from_ref(state);
        let (origin, request, path_args) = authenticate(request, &reception).await?;
        let request = parse::<R>(request, &path_args)?;
        Ok(Self { origin, request })
    }
}

impl<S, R> FromRequest<S> for Public<R>
where
    S: Send + Sync,
    R: IncomingRequest<Authentication = NoAuthentication>,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let (request, path_args) = read(request, PUBLIC_BODY_BYTES_MAX).await?;
        Ok(Self(parse::<R>(request, &path_args)?))
    }
}

/// The answer, or the refusal, as HTTP.
pub(super) fn respond<A: OutgoingResponse>(answer: Result<A, Refusal>) -> Response {
    let answer = match answer {
        Ok(answer) => answer.try_into_http_response::<BytesMut>(),
        Err(refusal) => return refusal.into_response(),
    };
    match answer {
        Ok(response) => response.map(|body| Body::from(body.freeze())),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Refusal::internal().into_response()
        }
    }
}

/// Everything before the types: header first, so that nobody sends 16 MiB without saying who they are.
async fn authenticate(
    request: Request,
    reception: &Reception,
) -> Result<(OwnedServerName, http::Request<Bytes>, Vec<String>), Refusal> {
    let tools = &reception.tools;
    let claim = x_matrix::read(request.headers(), &tools.server_name)?;
    let (request, path_args) = read(request, BODY_BYTES_MAX).await?;
    if let Err(error) =
        x_matrix::verify(&claim, &request, &tools.server_name, &tools.key_ring).await
    {
        tracing::info!(origin = %claim.origin, %error, "request refused");
        return Err(error.into());
    }
    if let Some(sender) = &tools.sender {
        sender.heard_from(&claim.origin);
    }
    // Not before: who only claims to be somebody must not use up what that somebody may ask.
    reception.host.admit(&claim.origin)?;
    Ok((claim.origin, request, path_args))
}

/// Reads the body and the decoded path arguments; the URI becomes the one the other side signed.
async fn read(
    request: Request,
    body_bytes_max: usize,
) -> Result<(http::Request<Bytes>, Vec<String>), Refusal> {
    use axum::RequestExt as _;

    let mut request = request;
    let params = request.extract_parts::<RawPathParams>().await;
    let path_args = params
        .map_err(|_| Refusal::invalid_param("the path is not valid UTF-8"))?
        .iter()
        .map(|(_, value)| value.to_owned())
        .collect();
    if let Some(OriginalUri(uri)) = request.extensions().get::<OriginalUri>().cloned() {
        *request.uri_mut() = uri;
    }
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, body_bytes_max).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::too_large("the body is too large")
        } else {
            Refusal::bad_json("the body could not be read")
        }
    })?;
    Ok((http::Request::from_parts(parts, body.to_bytes()), path_args))
}

fn parse<R: IncomingRequest>(
    request: http::Request<Bytes>,
    path_args: &[String],
) -> Result<R, Refusal> {
    R::try_from_http_request(request, path_args).map_err(|error| {
        let message = error.to_string();
        match error {
            FromHttpRequestError::MethodMismatch { .. } => {
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unrecognized, message)
            }
            FromHttpRequestError::Deserialization(DeserializationError::Json(error))
                if error.is_syntax() || error.is_eof() =>
            {
                Refusal::not_json(message)
            }
            FromHttpRequestError::Deserialization(DeserializationError::Query(_)) => {
                Refusal::invalid_param(message)
            }
            _ => Refusal::bad_json(message),
        }
    })
}
