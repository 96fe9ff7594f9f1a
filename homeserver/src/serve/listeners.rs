//! The listeners: TCP, TLS and Unix sockets; bound all before any serves, and written to `listening.json`.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::{ServeError, connection::Connections, tls::Certificate};
use crate::{config::Listen, tasks::Tasks};

/// How long to wait after an accept failed (no file descriptors left, mostly) before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Where the addresses are written, inside the data folder.
const ADDRESSES_FILE: &str = "listening.json";

/// One bound listener.
enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<Certificate>),
    Unix(UnixListener),
}

/// A connection just accepted.
pub(super) enum Accepted {
    Tcp(TcpStream, IpAddr),
    Tls(TcpStream, IpAddr, Arc<Certificate>),
    Unix(UnixStream),
}

/// All bound listeners.
pub(super) struct Listeners {
    bound: Vec<Listener>,
    addresses: Addresses,
}

/// Where the server can be reached; the content of `listening.json`.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Addresses {
    /// `127.0.0.1:1234` or `unix:/path`.
    http: Vec<String>,
    tls: Vec<String>,
}

impl Listeners {
    /// Binds all, or none.
    pub(super) async fn bind(listen: &Listen) -> Result<Self, ServeError> {
        let mut listeners = Self { bound: Vec::new(), addresses: Addresses::default() };
        for address in &listen.http {
            let failed = |source| ServeError::Listen { address: address.clone(), source };
            if let Some(path) = address.strip_prefix("unix:") {
                let listener = bind_unix(Path::new(path)).map_err(failed)?;
                listeners.bound.push(Listener::Unix(listener));
                listeners.addresses.http.push(address.clone());
            } else {
                let listener = TcpListener::bind(address.as_str()).await.map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                listeners.bound.push(Listener::Tcp(listener));
                listeners.addresses.http.push(bound.to_string());
            }
        }
        for tls in &listen.tls {
            let failed = |source| ServeError::Listen { address: tls.address.to_string(), source };
            let certificate = Arc::new(Certificate::load(&tls.certificate, &tls.private_key)?);
            let listener = TcpListener::bind(tls.address).await.map_err(failed)?;
            let bound: SocketAddr = listener.local_addr().map_err(failed)?;
            listeners.bound.push(Listener::Tls(listener, certificate));
            listeners.addresses.tls.push(bound.to_string());
        }
        Ok(listeners)
    }

    /// The certificates in use, to be read again on SIGHUP.
    pub(super) fn certificates(&self) -> Vec<Arc<Certificate>> {
        let certificate = |listener: &Listener| match listener {
            Listener::Tls(_, certificate) => Some(certificate.clone()),
            Listener::Tcp(_) | Listener::Unix(_) => None,
        };
        self.bound.iter().filter_map(certificate).collect()
    }

    pub(super) fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// Starts accepting on all.
    pub(super) fn serve(self, connections: &Connections, tasks: &Tasks) {
        for listener in self.bound {
            let (connections, stopping) = (connections.clone(), tasks.stopping());
            tasks.start("listener", async move {
                tokio::select! {
                    () = accept_all(&listener, &connections) => {}
                    () = stopping.cancelled() => {}
                }
            });
        }
    }
}

async fn accept_all(listener: &Listener, connections: &Connections) {
    loop {
        // A place is taken first: what cannot be served now waits in the kernel's queue.
        let place = connections.place().await;
        match listener.accept().await {
            Ok(accepted) => connections.serve(accepted, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                connections.clock().sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Accepted::Tcp(stream, peer.ip().to_canonical())
            }
            Self::Tls(listener, certificate) => {
                let (stream, peer) = listener.accept().await?;
                Accepted::Tls(stream, peer.ip().to_canonical(), certificate.clone())
            }
            Self::Unix(listener) => Accepted::Unix(listener.accept().await?.0),
        })
    }
}

/// Binds a Unix socket, in the place of one that nobody listens on any more.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let left_over = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if left_over {
        fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

impl Addresses {
    /// Writes `listening.json`: whole or not at all, so that who waits for it reads it whole.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), ServeError> {
        let path = data_dir.join(ADDRESSES_FILE);
        let half = data_dir.join(format!("{ADDRESSES_FILE}.new"));
        let text = serde_json::to_vec(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(&half, text))
            .and_then(|()| fs::rename(&half, &path))
            .map_err(|source| ServeError::File { what: "cannot write", path, source })
    }

    /// Removes the file again: nobody listens there any more.
    pub(super) fn remove(&self, data_dir: &Path) {
        let path: PathBuf = data_dir.join(ADDRESSES_FILE);
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(%error, "removing {}", path.display());
        }
        for socket in self.http.iter().filter_map(|address| address.strip_prefix("unix:")) {
            fs::remove_file(socket).ok();
        }
    }

    /// One line a listener.
    pub(super) fn log(&self) {
        for address in &self.http {
            match address.strip_prefix("unix:") {
                Some(_) => tracing::info!("listening on {address}"),
                None => tracing::info!("listening on http://{address}"),
            }
        }
        for address in &self.tls {
            tracing::info!("listening on https://{address}");
        }
    }
}
