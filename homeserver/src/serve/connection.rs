//! One connection: its limits, TLS, HTTP/1 or HTTP/2, and the address behind it.

use std::{
    convert::Infallible,
    error::Error,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures_util::{TryFutureExt as _, future::BoxFuture};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{listeners::Accepted, tls::Certificate};
use crate::{
    clock::Clock,
    config::{Listen, parse_network},
    gateway::{ClientIp, Scheme, forwarded_for},
};

/// Most connections at a time; a waiting client holds one. Further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 50_000;
/// How long a new connection may say nothing, and the time in which a request's head must arrive.
const HEADER_TIME_MAX: Duration = Duration::from_secs(75);
/// How long a TLS handshake may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Requests under way on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// What all connections share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    router: Router,
    http1: http1::Builder,
    either: auto::Builder<TokioExecutor>,
    trusted_proxies: Vec<IpNet>,
    places: Arc<Semaphore>,
    clock: Clock,
    /// Said when the server stops: requests under way end, and no more are taken.
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// Who is at the other end of the socket.
#[derive(Clone, Copy)]
enum Peer {
    Plain(IpAddr),
    Tls(IpAddr),
    /// Behind a Unix socket: a proxy on this machine.
    Local,
}

/// Which HTTP the other side speaks.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    /// To be seen from what comes.
    Unknown,
}

impl Connections {
    pub(super) fn new(router: Router, listen: &Listen, clock: Clock) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_MAX);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_MAX);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(60))
            .keep_alive_timeout(Duration::from_secs(20));
        let trusted = listen.trusted_proxies.iter();
        Self(Arc::new(Inner {
            router,
            http1,
            either,
            trusted_proxies: trusted.filter_map(|network| parse_network(network)).collect(),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            clock,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Waits until one more connection may be held.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.0.places.clone().acquire_owned().await.ok()
    }

    /// Serves a connection in the background; `place` is given back at its end.
    pub(super) fn serve(&self, accepted: Accepted, place: Option<OwnedSemaphorePermit>) {
        if self.0.stopping.is_cancelled() {
            return;
        }
        let inner = self.0.clone();
        self.0.tasks.spawn(async move {
            inner.serve(accepted).await;
            drop(place);
        });
    }

    /// Lets requests under way end, at most for `time`; says whether all did.
    pub(super) async fn stop(&self, time: Duration) -> bool {
        self.0.stopping.cancel();
        self.0.tasks.close();
        timeout(time, self.0.tasks.wait()).await.is_ok()
    }
}

impl Inner {
    /// Serves a connection to its end. A waiting client holds one: what it does not need then stands on the heap and goes.
    async fn serve(self: Arc<Self>, accepted: Accepted) {
        let spoken = match accepted {
            Accepted::Unix(stream) => self.speak(stream, Peer::Local, Version::Unknown),
            Accepted::Tcp(stream, address) => {
                let heard = self.stopping.run_until_cancelled(first_bytes(&stream));
                let heard = Box::pin(heard).await;
                let Some(version) = heard.flatten() else { return };
                self.speak(stream, Peer::Plain(address), version)
            }
            Accepted::Tls(stream, address, certificate) => {
                // A failed handshake is the client's affair; scanners do it all day.
                let Some(stream) = Box::pin(shake_hands(stream, certificate)).await else { return };
                let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let version = if two { Version::Unknown } else { Version::One };
                self.speak(stream, Peer::Tls(address), version)
            }
        };
        if let Err(error) = spoken.await {
            tracing::debug!(error, "a connection ended");
        }
    }

    /// Speaks HTTP until the connection ends.
    fn speak<S>(
        self: &Arc<Self>,
        stream: S,
        peer: Peer,
        version: Version,
    ) -> BoxFuture<'static, Result<(), Box<dyn Error + Send + Sync>>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inner = self.clone();
        let service = service_fn(move |request| {
            let inner = inner.clone();
            async move { inner.answer(request, peer).await }
        });
        let (stream, stopping) = (TokioIo::new(stream), self.stopping.clone());
        match version {
            Version::One => {
                let spoken = self.http1.serve_connection(stream, service).with_upgrades();
                let stop = http1::UpgradeableConnection::graceful_shutdown;
                Box::pin(until(stopping, Box::pin(spoken), stop).map_err(Into::into))
            }
            Version::Unknown => {
                let spoken = self.either.serve_connection_with_upgrades(stream, service);
                let stop = auto::UpgradeableConnection::graceful_shutdown;
                Box::pin(until(stopping, Box::pin(spoken.into_owned()), stop))
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Result<Response, Infallible> {
        let mut request = request.map(Body::new);
        let address = self.client_address(&request, peer);
        let tls = matches!(peer, Peer::Tls(_));
        let scheme = Scheme::of(request.headers(), tls, self.is_proxy(peer));
        request.extensions_mut().insert(ClientIp(address));
        request.extensions_mut().insert(scheme);
        self.router.clone().call(request).await
    }

    /// The client's own address: the peer's, or what a trusted proxy says.
    fn client_address(&self, request: &Request, peer: Peer) -> IpAddr {
        let address = match peer {
            Peer::Plain(address) | Peer::Tls(address) => address,
            Peer::Local => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        if !self.is_proxy(peer) {
            return address;
        }
        forwarded_for(request.headers(), |address| self.trusts(address)).unwrap_or(address)
    }

    /// Whether the peer is a proxy whose word is believed.
    fn is_proxy(&self, peer: Peer) -> bool {
        match peer {
            Peer::Plain(address) | Peer::Tls(address) => self.trusts(address),
            Peer::Local => true,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// Follows a connection to its end; once the server stops, `stop` lets it come after the request under way.
async fn until<C: Future>(
    stopping: CancellationToken,
    mut connection: Pin<Box<C>>,
    stop: impl FnOnce(Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopping.cancelled() => stop(connection.as_mut()),
    }
    connection.await
}

async fn shake_hands(
    stream: TcpStream,
    certificate: Arc<Certificate>,
) -> Option<Box<TlsStream<TcpStream>>> {
    stream.set_nodelay(true).ok();
    let handshake = certificate.acceptor().accept(stream);
    let stream = timeout(HANDSHAKE_TIME_MAX, handshake).await.ok()?.ok()?;
    Some(Box::new(stream))
}

/// Waits for the first bytes: hyper's guess of the HTTP version knows no time limit. Where they cannot be HTTP/2's ("PRI"), hyper
/// need not guess: it reads 24 bytes by themselves then, and takes a buffer of twice the size for the rest.
async fn first_bytes(stream: &TcpStream) -> Option<Version> {
    stream.set_nodelay(true).ok();
    let mut bytes = [0; 2];
    match timeout(HEADER_TIME_MAX, stream.peek(&mut bytes)).await {
        Ok(Ok(0) | Err(_)) | Err(_) => None,
        Ok(Ok(count)) => {
            let may_be_two = b"PR".starts_with(bytes.get(..count)?);
            Some(if may_be_two { Version::Unknown } else { Version::One })
        }
    }
}
