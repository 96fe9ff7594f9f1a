//! The door of `media`: files in, files out, and what a browser may do with them.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#content-repository>.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::TryStreamExt;
use ruma::{
    MilliSecondsSinceUnixEpoch, MxcUri, OwnedMxcUri,
    api::client::{
        authenticated_media::{
            get_content, get_content_as_filename, get_content_thumbnail, get_media_config,
            get_media_preview,
        },
        media::{create_content, create_content_async, create_mxc_uri},
    },
    media::Method as RumaMethod,
};
use serde::Deserialize;
use serde_json::json;
use tern_federation::PageError;

use super::super::content::{content_response, range_of};
use crate::{
    app::App,
    auth::Requester,
    disk,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    media::{self, MediaError, Method, PreviewError, ThumbnailSize, Upload, Want},
    storage,
};

/// Longest wait for a file that is not here yet.
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<create_content::v3::Request, _, _>(upload)
        .serve::<create_mxc_uri::v1::Request, _, _>(reserve)
        .serve::<create_content_async::v3::Request, _, _>(upload_reserved)
        .serve::<get_content::v1::Request, _, _>(download)
        .serve::<get_content_as_filename::v1::Request, _, _>(download_as)
        .serve::<get_content_thumbnail::v1::Request, _, _>(thumbnail)
        .serve::<get_media_config::v1::Request, _, _>(config)
        .serve::<get_media_preview::v1::Request, _, _>(preview)
        .limited("/_matrix/media/v3/preview_url", get(preview))
        .limited("/_matrix/media/r0/preview_url", get(preview))
        .route("/_matrix/media/v3/config", get(config_v3))
        .route("/_matrix/media/r0/config", get(config_v3))
}

#[derive(Deserialize)]
struct UploadQuery {
    filename: Option<String>,
}

/// Refused while some of the file may still be on its way. That has nowhere to go, so the connection ends, and the answer says so:
/// a client that sent its next request there would get none.
struct RefusedUpload(ApiError);

impl<E: Into<ApiError>> From<E> for RefusedUpload {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for RefusedUpload {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// `POST /_matrix/media/v3/upload`, streamed to the disk.
async fn upload(
    State(server): State<Server>,
    requester: Requester,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Response, RefusedUpload> {
    let upload = incoming(request, query.filename);
    let media_id = media::upload(&server.app, &server.media, &requester, upload).await?;
    Ok(json_response(&json!({ "content_uri": uri(&server.app, &media_id) })))
}

/// `POST /_matrix/media/v1/create`
async fn reserve(
    State(app): State<App>,
    requester: Requester,
    _request: Matrix<create_mxc_uri::v1::Request>,
) -> Result<Matrix<create_mxc_uri::v1::Response>, ApiError> {
    let (media_id, ends_ms) = media::create(&app, &requester).await?;
    let mut response = create_mxc_uri::v1::Response::new(uri(&app, &media_id));
    let ends = ruma::UInt::try_from(ends_ms).ok().map(MilliSecondsSinceUnixEpoch);
    response.unused_expires_at = ends;
    Ok(Matrix(response))
}

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
async fn upload_reserved(
    State(server): State<Server>,
    requester: Requester,
    Path((server_name, media_id)): Path<(String, String)>,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Response, RefusedUpload> {
    if server_name != server.app.server_name.as_str() {
        let error = ApiError::not_found("files are uploaded to their own server only");
        return Err(error.into());
    }
    let upload = incoming(request, query.filename);
    media::put(&server.app, &server.media, &requester, &media_id, upload).await?;
    Ok(json_response(&json!({})))
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
async fn download(
    State(server): State<Server>,
    _requester: Requester,
    headers: HeaderMap,
    Matrix(request): Matrix<get_content::v1::Request>,
) -> Result<Response, ApiError> {
    let want = Want { timeout: request.timeout_ms.min(WAIT_MAX), range: range_of(&headers) };
    let (from, id) = (&request.server_name, &request.media_id);
    let content = media::open(&server.app, &server.media, from, id, want).await?;
    Ok(content_response(content))
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}`
async fn download_as(
    State(server): State<Server>,
    _requester: Requester,
    headers: HeaderMap,
    Matrix(request): Matrix<get_content_as_filename::v1::Request>,
) -> Result<Response, ApiError> {
    let want = Want { timeout: request.timeout_ms.min(WAIT_MAX), range: range_of(&headers) };
    let (from, id) = (&request.server_name, &request.media_id);
    let mut content = media::open(&server.app, &server.media, from, id, want).await?;
    content.filename = Some(request.filename);
    Ok(content_response(content))
}

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`
async fn thumbnail(
    State(server): State<Server>,
    _requester: Requester,
    Matrix(request): Matrix<get_content_thumbnail::v1::Request>,
) -> Result<Response, ApiError> {
    let side = |side: ruma::UInt| u32::try_from(u64::from(side)).unwrap_or(u32::MAX);
    let size = ThumbnailSize {
        width: side(request.width),
        height: side(request.height),
        method: match request.method {
            Some(RumaMethod::Crop) => Method::Crop,
            _ => Method::Scale,
        },
    };
    if size.width == 0 || size.height == 0 {
        return Err(ApiError::invalid_param("width and height must be at least 1"));
    }
    let (from, id) = (&request.server_name, &request.media_id);
    let wait = request.timeout_ms.min(WAIT_MAX);
    let content = media::open_thumbnail(&server.app, &server.media, from, id, size, wait).await?;
    Ok(content_response(content))
}

/// `GET /_matrix/client/v1/media/config`
async fn config(
    State(app): State<App>,
    _requester: Requester,
    _request: Matrix<get_media_config::v1::Request>,
) -> Matrix<get_media_config::v1::Response> {
    Matrix(get_media_config::v1::Response::new(upload_max(&app)))
}

/// `GET /_matrix/media/v3/config`: deprecated, the same.
async fn config_v3(State(app): State<App>, _requester: Requester) -> Response {
    json_response(&json!({ "m.upload.size": upload_max(&app) }))
}

#[derive(Deserialize)]
struct PreviewQuery {
    url: Option<String>,
}

/// `GET /_matrix/client/v1/media/preview_url`, and its deprecated forms. `ts` is not looked at: what a page said once is not kept.
async fn preview(
    State(server): State<Server>,
    _requester: Requester,
    Query(query): Query<PreviewQuery>,
) -> Result<Response, ApiError> {
    let url = query.url.ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "M_MISSING_PARAM", "url is missing")
    })?;
    let preview = media::preview(&server.app, &server.media, &url).await?;
    Ok(json_response(&serde_json::Value::Object((*preview).clone())))
}

fn upload_max(app: &App) -> ruma::UInt {
    ruma::UInt::try_from(app.config.limits.upload_bytes_max).unwrap_or(ruma::UInt::MAX)
}

fn uri(app: &App, media_id: &str) -> OwnedMxcUri {
    <&MxcUri>::from(format!("mxc://{}/{media_id}", app.server_name).as_str()).to_owned()
}

/// A request's body as an upload.
fn incoming(request: Request, filename: Option<String>) -> Upload {
    let (parts, body) = request.into_parts();
    let text = |name| {
        let value: &HeaderValue = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let size = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let content = body.into_data_stream().map_err(std::io::Error::other);
    Upload { content: Box::pin(content), content_type: text(header::CONTENT_TYPE), filename, size }
}

fn json_response(body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        let text = error.to_string();
        match error {
            // As a server that has no previews at all.
            PreviewError::Off => Self::unrecognized(),
            PreviewError::Url(_) | PreviewError::Page(PageError::NoPage) => {
                Self::invalid_param(text)
            }
            PreviewError::Page(PageError::Denied) => {
                Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", text)
            }
            PreviewError::Page(_) | PreviewError::Stopped => {
                Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", text)
            }
        }
    }
}

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        let text = error.to_string();
        match error {
            MediaError::TooLarge { .. } => Self::too_large(text),
            MediaError::NotFound => Self::not_found(text),
            MediaError::NotYetUploaded => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "M_NOT_YET_UPLOADED", text)
            }
            MediaError::AlreadyUploaded => {
                Self::new(StatusCode::CONFLICT, "M_CANNOT_OVERWRITE_MEDIA", text)
            }
            MediaError::NotYours => Self::forbidden(text),
            MediaError::TooManyPending { retry_after } => Self::limit_exceeded(retry_after),
            MediaError::NoSuchRange { .. } => {
                Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "M_INVALID_PARAM", text)
            }
            MediaError::NoThumbnail(_) | MediaError::Broken(_) => {
                Self::new(StatusCode::BAD_REQUEST, "M_UNKNOWN", text)
            }
            MediaError::Remote(_) => Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", text),
            MediaError::Storage(source) => source.into(),
            MediaError::Store(source) if disk::is_full(&source) => storage::Error::DiskFull.into(),
            MediaError::Io(source) if disk::is_full(&source) => storage::Error::DiskFull.into(),
            MediaError::Store(_) | MediaError::Io(_) => Self::internal(text),
        }
    }
}
