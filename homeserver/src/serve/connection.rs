//! One connection: its limits, TLS, HTTP/1 or HTTP/2, and the address behind it.

use std::{
    convert::Infallible,
    error::Error,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures_util::future::BoxFuture;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::server::TlsStream;
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
    http: Builder<TokioExecutor>,
    trusted_proxies: Vec<IpNet>,
    places: Arc<Semaphore>,
    clock: Clock,
    /// Taken when stopping.
    shutdown: Mutex<Option<GracefulShutdown>>,
}

/// Who is at the other end of the socket.
#[derive(Clone, Copy)]
enum Peer {
    Plain(IpAddr),
    Tls(IpAddr),
    /// Behind a Unix socket: a proxy on this machine.
    Local,
}

/// Which HTTP both sides agreed on.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
    /// To be seen from the first bytes.
    Unknown,
}

impl Connections {
    pub(super) fn new(router: Router, listen: &Listen, clock: Clock) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_MAX);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(64 * 1024)
            .keep_alive_interval(Duration::from_secs(60))
            .keep_alive_timeout(Duration::from_secs(20));
        let trusted = listen.trusted_proxies.iter();
        Self(Arc::new(Inner {
            router,
            http,
            trusted_proxies: trusted.filter_map(|network| parse_network(network)).collect(),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            clock,
            shutdown: Mutex::new(Some(GracefulShutdown::new())),
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
        let watcher = {
            let shutdown = self.0.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
            shutdown.as_ref().map(GracefulShutdown::watcher)
        };
        let Some(watcher) = watcher else { return };
        let inner = self.0.clone();
        tokio::spawn(async move {
            inner.serve(accepted, watcher).await;
            drop(place);
        });
    }

    /// Lets requests under way end, at most for `time`; says whether all did.
    pub(super) async fn stop(&self, time: Duration) -> bool {
        let shutdown = self.0.shutdown.lock().unwrap_or_else(PoisonError::into_inner).take();
        match shutdown {
            Some(shutdown) => timeout(time, shutdown.shutdown()).await.is_ok(),
            None => true,
        }
    }
}

impl Inner {
    /// Serves a connection to its end. A waiting client holds one: what it does not need then stands on the heap and goes.
    async fn serve(self: Arc<Self>, accepted: Accepted, watcher: Watcher) {
        let spoken = match accepted {
            Accepted::Unix(stream) => self.speak(stream, Peer::Local, Version::Unknown, watcher),
            Accepted::Tcp(stream, address) => {
                if !first_byte(&stream).await {
                    return;
                }
                self.speak(stream, Peer::Plain(address), Version::Unknown, watcher)
            }
            Accepted::Tls(stream, address, certificate) => {
                // A failed handshake is the client's affair; scanners do it all day.
                let Some(stream) = Box::pin(shake_hands(stream, certificate)).await else { return };
                let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let version = if two { Version::Two } else { Version::One };
                self.speak(stream, Peer::Tls(address), version, watcher)
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
        watcher: Watcher,
    ) -> BoxFuture<'static, Result<(), Box<dyn Error + Send + Sync>>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inner = self.clone();
        let service = service_fn(move |request| {
            let inner = inner.clone();
            async move { inner.answer(request, peer).await }
        });
        let http = match version {
            Version::One => self.http.clone().http1_only(),
            Version::Two => self.http.clone().http2_only(),
            Version::Unknown => self.http.clone(),
        };
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        Box::pin(watcher.watch(connection.into_owned()))
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

async fn shake_hands(
    stream: TcpStream,
    certificate: Arc<Certificate>,
) -> Option<Box<TlsStream<TcpStream>>> {
    stream.set_nodelay(true).ok();
    let handshake = certificate.acceptor().accept(stream);
    let stream = timeout(HANDSHAKE_TIME_MAX, handshake).await.ok()?.ok()?;
    Some(Box::new(stream))
}

/// Waits for the first byte: hyper's guess of the HTTP version knows no time limit.
async fn first_byte(stream: &TcpStream) -> bool {
    stream.set_nodelay(true).ok();
    let mut byte = [0];
    matches!(timeout(HEADER_TIME_MAX, stream.peek(&mut byte)).await, Ok(Ok(1)))
}
