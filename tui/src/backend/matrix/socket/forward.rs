//! Saying a request to the server in the SDK's place, as it would be said without a door in between.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, Version, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use url::Url;

use super::door::Failed;
use crate::backend::matrix::http::Http;

/// Bodies up to this are kept whole, so that a redirect or a second try can send them again.
const WHOLE_BYTES_MAX: u64 = 64 * 1024;
/// What holds between two ends only, and what each end says for itself.
const OF_THE_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::ACCEPT_ENCODING,
];

/// Takes the whole of a small body, and streams a large one.
pub(super) async fn body(body: Incoming) -> Result<Option<reqwest::Body>, Failed> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let small = body.size_hint().upper().is_some_and(|bytes| bytes <= WHOLE_BYTES_MAX);
    Ok(Some(if small { whole(body).await?.into() } else { reqwest::Body::wrap(body) }))
}

/// All of a body.
pub(super) async fn whole(body: Incoming) -> Result<Bytes, Failed> {
    Ok(body.collect().await?.to_bytes())
}

/// Asks the server for `url`.
pub(super) async fn forward(
    http: &Http,
    url: &Url,
    parts: Parts,
    body: Option<reqwest::Body>,
) -> Result<Response<reqwest::Body>, Failed> {
    let mut request = Request::builder().method(parts.method).uri(url.as_str()).body(())?;
    *request.headers_mut() = passed_on(parts.headers);
    let mut asked = reqwest::Request::try_from(request.map(|()| reqwest::Body::from("")))?;
    *asked.body_mut() = body;
    let mut answer: Response<reqwest::Body> = http.execute(asked).await?.into();
    *answer.version_mut() = Version::HTTP_11;
    let headers = std::mem::take(answer.headers_mut());
    *answer.headers_mut() = passed_on(headers);
    Ok(answer)
}

fn passed_on(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_THE_HOP {
        headers.remove(name);
    }
    headers
}
