//! The Unix socket that the SDK's client connects to, and which request goes where.
//!
//! Addresses stay what they are: a request for `https://…` comes in TLS, as to any server, with a certificate made for this run
//! that nothing is asked of. Who may connect is decided by the folder's permissions, and by the process that connects: this one.

use std::{
    collections::HashMap,
    io::{self, Cursor},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header, request::Parts};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::{
    dns::{Name, Resolve, Resolving},
    redirect,
};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{
    ask::{self, Ask},
    forward::{body, forward, whole},
    lane::{Answer, Call, Lane},
    offer::Offer,
};
use crate::backend::matrix::{
    http::{AGENT, Http},
    sync::Retry,
};

/// The first byte of whoever begins with TLS.
const HANDSHAKE: u8 = 0x16;

/// Why a request has no answer. The connection is closed on it, which is to the SDK what a server is that can't be reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the server can't be reached: {0}")]
    Server(#[from] reqwest::Error),
    #[error("the request broke off: {0}")]
    Request(#[from] hyper::Error),
    #[error("the request makes no sense: {0}")]
    Http(#[from] http::Error),
    #[error("the request has no address")]
    NoAddress,
    #[error("another request took its place")]
    Replaced,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DoorError {
    #[error("no socket in the data folder: {0}")]
    Socket(#[from] io::Error),
    #[error("no certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("no client: {0}")]
    Client(#[from] reqwest::Error),
}

struct Door {
    http: Http,
    file: PathBuf,
    tls: TlsAcceptor,
    offer: Offer,
    lanes: Mutex<HashMap<String, mpsc::UnboundedSender<Call>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// Keeps the door open; it is held by the client that goes through it.
struct Held(Arc<Door>);

impl Drop for Held {
    fn drop(&mut self) {
        // Each task holds the door.
        drop(std::mem::take(&mut *lock(&self.0.tasks)));
        if let Err(error) = std::fs::remove_file(&self.0.file) {
            tracing::debug!(%error, "the door was gone already");
        }
    }
}

impl Resolve for Held {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("names are resolved on the other side".into()) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a door in `folder`, and makes the client that goes through it.
pub(super) fn open(http: &Http, folder: &Path) -> Result<reqwest::Client, DoorError> {
    let file = folder.join("http");
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(&file)?;
    let door = Arc::new(Door {
        http: http.clone(),
        file: file.clone(),
        tls: acceptor()?,
        offer: Offer::default(),
        lanes: Mutex::default(),
        tasks: Mutex::default(),
    });
    door.spawn(accept(door.clone(), listener));
    let client = reqwest::Client::builder()
        .user_agent(AGENT)
        .unix_socket(file)
        // Whose certificate it is does not matter: the other end is this process, and it asks for the server's.
        .tls_danger_accept_invalid_certs(true)
        .http1_only()
        // What is packed and what leads elsewhere is seen to on the other side.
        .no_gzip()
        .redirect(redirect::Policy::none())
        // Nothing is resolved; so the door is open for as long as there is a clone of this client.
        .dns_resolver(Arc::new(Held(door)));
    Ok(client.build()?)
}

fn acceptor() -> Result<TlsAcceptor, DoorError> {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(door: Arc<Door>, listener: UnixListener) {
    let mut retry = Retry::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_ours(&stream) => {
                retry = Retry::default();
                door.spawn(greet(door.clone(), stream));
            }
            Ok(_) => tracing::warn!("another process came to the door"),
            // Out of files, most likely.
            Err(error) => {
                tracing::warn!(%error, "nobody could come in");
                retry.wait().await;
            }
        }
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let ours = i32::try_from(std::process::id()).ok();
    stream.peer_cred().is_ok_and(|peer| peer.pid().is_none_or(|pid| Some(pid) == ours))
}

/// Speaks TLS with who begins with it.
async fn greet(door: Arc<Door>, stream: UnixStream) {
    let (mut reader, writer) = stream.into_split();
    let Ok(first) = reader.read_u8().await else { return };
    let stream = tokio::io::join(Cursor::new([first]).chain(reader), writer);
    if first != HANDSHAKE {
        return serve(door, stream, "http").await;
    }
    match door.tls.accept(stream).await {
        Ok(stream) => serve(door, stream, "https").await,
        Err(error) => tracing::debug!(%error, "no TLS with the SDK"),
    }
}

async fn serve(
    door: Arc<Door>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &'static str,
) {
    let service = service_fn(|request| {
        let door = door.clone();
        async move { door.answer(scheme, request).await }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(error = ?std::error::Error::source(&error), "a request was not answered");
    }
}

impl Door {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    async fn answer(
        self: Arc<Self>,
        scheme: &str,
        request: Request<Incoming>,
    ) -> Result<Response<reqwest::Body>, Failed> {
        let (parts, incoming) = request.into_parts();
        let url = address(scheme, &parts)?;
        let Some(base) = ask::base(&url) else {
            return forward(&self.http, &url, parts, body(incoming).await?).await;
        };
        let asked = whole(incoming).await?;
        if let Some(answer) = self.sync(&url, base, &parts, &asked).await? {
            return Ok(json(answer));
        }
        forward(&self.http, &url, parts, Some(asked.into())).await
    }

    /// Has a lane answer a sync.
    async fn sync(
        self: &Arc<Self>,
        url: &Url,
        base: Url,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Answer, Failed> {
        if self.offer.is_to_be_asked() {
            self.spawn(self.offer.clone().ask(self.http.clone(), base.clone()));
        }
        let (Some(ask), Some(token)) = (Ask::read(url, body), ask::token(parts)) else {
            return Ok(None);
        };
        let lane = lock(&self.lanes).get(&ask.conn_id).cloned();
        let lane = match lane {
            Some(lane) => lane,
            None if self.offer.is_made() && !ask.timeout.is_zero() => self.lane(&ask.conn_id),
            None => return Ok(None),
        };
        let (answer, told) = oneshot::channel();
        let call = Call { base, token: token.to_owned(), ask, answer };
        lane.send(call).map_err(|_| Failed::Replaced)?;
        // A newer request on the same connection leaves this one without an answer; who asked it is gone.
        told.await.map_err(|_| Failed::Replaced)
    }

    fn lane(&self, conn_id: &str) -> mpsc::UnboundedSender<Call> {
        let (calls, called) = mpsc::unbounded_channel();
        self.spawn(Lane::new(self.http.clone(), called).run());
        lock(&self.lanes).insert(conn_id.to_owned(), calls.clone());
        calls
    }
}

/// What is asked for, as a whole address.
fn address(scheme: &str, parts: &Parts) -> Result<Url, Failed> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let address = host.zip(parts.uri.path_and_query());
    let address = address.map(|(host, path)| Url::parse(&format!("{scheme}://{host}{path}")));
    address.and_then(Result::ok).ok_or(Failed::NoAddress)
}

fn json(body: Bytes) -> Response<reqwest::Body> {
    let mut response = Response::new(reqwest::Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
