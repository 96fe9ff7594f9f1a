//! One signed request out: find the server, sign, send, cap the answer, keep the other side's error.
//!
//! Called by the host for reads (joins, backfill, keys, media), by `outbound` for transactions, by `key_ring` for keys.

mod config;
mod error;
pub(crate) mod transport;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, header};
use ruma::{
    ServerName,
    api::{
        IncomingResponse, OutgoingRequest,
        auth_scheme::{AuthScheme, NoAuthentication},
        error::{DeserializationError, FromHttpResponseError},
        federation::{
            authenticated_media::{get_content, get_content_thumbnail},
            authentication::{ServerSignatures, ServerSignaturesInput},
        },
        path_builder::SinglePath,
    },
};
use url::Url;

use self::transport::{Transport, TransportError, Way, is_loopback_host};
pub use self::{
    config::{CallLimits, ClientConfig, ClientError},
    error::RequestError,
};
use crate::{
    clock::{Clock, SystemClock},
    discovery::{Destination, Discovery, Dns, Route, SystemDns},
    media::{self, Media},
    signing::SigningKey,
};

/// Sends requests to other servers in our name. Cheap to share behind an `Arc`; connections are kept and reused.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    signing_key: Arc<SigningKey>,
    transport: Transport,
    discovery: Discovery,
}

impl Client {
    /// A client on the system's DNS and clock.
    pub fn new(config: ClientConfig, signing_key: Arc<SigningKey>) -> Result<Self, ClientError> {
        Self::with_tools(config, signing_key, Arc::new(SystemDns::new()), Arc::new(SystemClock))
    }

    /// A client on the given DNS and clock (the clock dates the discovery cache only).
    pub fn with_tools(
        config: ClientConfig,
        signing_key: Arc<SigningKey>,
        dns: Arc<dyn Dns>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let transport = Transport::new(&config, Arc::clone(&dns))?;
        let discovery = Discovery::new(dns, clock);
        Ok(Self { config, signing_key, transport, discovery })
    }

    /// Our own name.
    pub fn server_name(&self) -> &ServerName {
        &self.config.server_name
    }

    /// The limits of a request that names none of its own.
    pub fn limits(&self) -> CallLimits {
        self.config.limits
    }

    /// Sends a signed request and returns the answer.
    pub async fn send<R>(
        &self,
        destination: &ServerName,
        request: R,
    ) -> Result<R::IncomingResponse, RequestError>
    where
        R: OutgoingRequest<
                Authentication = ServerSignatures,
                PathBuilder = SinglePath,
                EndpointError = ruma::api::error::Error,
            >,
    {
        self.send_with(destination, request, self.config.limits).await
    }

    /// As [`Client::send`], with limits of its own.
    pub async fn send_with<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: CallLimits,
    ) -> Result<R::IncomingResponse, RequestError>
    where
        R: OutgoingRequest<
                Authentication = ServerSignatures,
                PathBuilder = SinglePath,
                EndpointError = ruma::api::error::Error,
            >,
    {
        let request = build(request, self.sign_for(destination))?;
        read_answer::<R>(self.call(destination, request, limits).await?)
    }

    /// Sends a request of a kind that carries no signature (server keys, version).
    pub async fn send_unsigned<R>(
        &self,
        destination: &ServerName,
        request: R,
        limits: CallLimits,
    ) -> Result<R::IncomingResponse, RequestError>
    where
        R: OutgoingRequest<
                Authentication = NoAuthentication,
                PathBuilder = SinglePath,
                EndpointError = ruma::api::error::Error,
            >,
    {
        let request = build(request, ())?;
        read_answer::<R>(self.call(destination, request, limits).await?)
    }

    /// Starts the download of a file; its bytes come as a stream of at most `limits.response_bytes_max`.
    ///
    /// The answer may be a URL instead: see [`Client::follow_location`].
    pub async fn download(
        &self,
        destination: &ServerName,
        request: get_content::v1::Request,
        limits: CallLimits,
    ) -> Result<Media, RequestError> {
        let request = build(request, self.sign_for(destination))?;
        self.download_media(destination, request, limits).await
    }

    /// As [`Client::download`], for a thumbnail.
    pub async fn download_thumbnail(
        &self,
        destination: &ServerName,
        request: get_content_thumbnail::v1::Request,
        limits: CallLimits,
    ) -> Result<Media, RequestError> {
        let request = build(request, self.sign_for(destination))?;
        self.download_media(destination, request, limits).await
    }

    /// Fetches the file that a server keeps elsewhere (`Media::Location`): https only, unsigned, same address policy.
    pub async fn follow_location(
        &self,
        location: &str,
        limits: CallLimits,
    ) -> Result<Media, RequestError> {
        let url =
            Url::parse(location).map_err(|error| RequestError::Malformed(error.to_string()))?;
        if url.scheme() != "https" {
            return Err(RequestError::Malformed("media are only fetched over https".to_owned()));
        }
        self.check_enabled()?;
        let response = self.transport.get(url, limits.timeout).await?;
        if response.status() != http::StatusCode::OK {
            return Err(RequestError::Malformed(format!("status {}", response.status())));
        }
        media::plain(response, limits.response_bytes_max)
    }

    async fn download_media(
        &self,
        destination: &ServerName,
        request: http::Request<BytesMut>,
        limits: CallLimits,
    ) -> Result<Media, RequestError> {
        let mut response = self.dispatch(destination, request, limits).await?;
        if response.status() != http::StatusCode::OK {
            let status = response.status();
            let body = Transport::read_capped(&mut response, media::ERROR_BYTES_MAX).await?;
            return Err(remote_error(status, &body));
        }
        media::multipart(response, limits.response_bytes_max).await
    }

    fn check_enabled(&self) -> Result<(), RequestError> {
        if self.config.enabled { Ok(()) } else { Err(RequestError::Off) }
    }

    fn sign_for(&self, destination: &ServerName) -> ServerSignaturesInput<'_> {
        ServerSignaturesInput::new(
            self.config.server_name.clone(),
            destination.to_owned(),
            self.signing_key.pair(),
        )
    }

    async fn call(
        &self,
        destination: &ServerName,
        request: http::Request<BytesMut>,
        limits: CallLimits,
    ) -> Result<http::Response<Bytes>, RequestError> {
        let mut response = self.dispatch(destination, request, limits).await?;
        let body = Transport::read_capped(&mut response, limits.response_bytes_max).await?;
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    /// Sends to the first route that takes a connection.
    async fn dispatch(
        &self,
        destination: &ServerName,
        request: http::Request<BytesMut>,
        limits: CallLimits,
    ) -> Result<reqwest::Response, RequestError> {
        self.check_enabled()?;
        if destination == self.config.server_name {
            return Err(RequestError::OwnName);
        }
        let found = self.discovery.find(&self.transport, destination).await;
        let (parts, body) = request.into_parts();
        let body = body.freeze();
        let mut last = TransportError::Connect("no address".to_owned());
        for route in &found.routes {
            let (way, mut request) = self.address(&found, route, &parts, body.clone())?;
            *request.timeout_mut() = Some(limits.timeout);
            match self.transport.execute(&way, request).await {
                Ok(response) => return Ok(response),
                Err(error @ (TransportError::Connect(_) | TransportError::Denied(_))) => {
                    last = error;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.discovery.forget(destination);
        Err(last.into())
    }

    /// The request as it goes over `route`, and the pool it goes through.
    fn address(
        &self,
        found: &Destination,
        route: &Route,
        parts: &http::request::Parts,
        body: Bytes,
    ) -> Result<(Way, reqwest::Request), RequestError> {
        let plain = self.config.plain_http_to_loopback && is_loopback_host(&found.host);
        let scheme = if plain { "http" } else { "https" };
        let signed_path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = Url::parse(&format!("{scheme}://{}:{}{signed_path}", found.host, route.port))
            .map_err(|error| RequestError::Request(error.to_string()))?;
        // URL parsing folds "..": what it would change, the signature no longer fits.
        if &url[url::Position::BeforePath..] != signed_path {
            return Err(RequestError::Request("the path cannot be sent unchanged".to_owned()));
        }
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let same_host = authority == found.host_header
            || found.host_header == format!("{}:{}", found.host, route.port);
        let way = Way { via: route.via.clone(), http1_only: !same_host || route.via.is_some() };

        let mut request = reqwest::Request::new(parts.method.clone(), url);
        *request.headers_mut() = parts.headers.clone();
        if way.http1_only {
            let host = HeaderValue::from_str(&found.host_header)
                .map_err(|error| RequestError::Request(error.to_string()))?;
            request.headers_mut().insert(header::HOST, host);
        }
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        Ok((way, request))
    }
}

/// The request as HTTP, signed. Host and scheme are placeholders: only method, path, headers and body are used.
fn build<R>(
    request: R,
    authentication: <R::Authentication as AuthScheme>::Input<'_>,
) -> Result<http::Request<BytesMut>, RequestError>
where
    R: OutgoingRequest<PathBuilder = SinglePath>,
{
    request
        .try_into_http_request::<BytesMut>("https://placeholder.invalid", authentication, ())
        .map_err(|error| RequestError::Request(error.to_string()))
}

fn read_answer<R>(response: http::Response<Bytes>) -> Result<R::IncomingResponse, RequestError>
where
    R: OutgoingRequest<EndpointError = ruma::api::error::Error>,
{
    if !response.status().is_success() {
        return Err(remote_error(response.status(), response.body()));
    }
    R::IncomingResponse::try_from_http_response(response).map_err(|error| match error {
        FromHttpResponseError::Server(error) => RequestError::Remote(Box::new(error)),
        FromHttpResponseError::Deserialization(DeserializationError::Json(error))
            if error.is_syntax() || error.is_eof() =>
        {
            RequestError::NotMatrix(error.to_string())
        }
        error => RequestError::Malformed(error.to_string()),
    })
}

fn remote_error(status: http::StatusCode, body: &[u8]) -> RequestError {
    use ruma::api::EndpointError as _;

    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    RequestError::Remote(Box::new(ruma::api::error::Error::from_http_response(response)))
}
