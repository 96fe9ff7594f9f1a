//! A proxy in front of a server, as many operators have one: it speaks TLS for a server that speaks plain HTTP behind it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::loopback::Loopback;

/// The running proxy. Dropping it breaks its connections.
pub(crate) struct Front {
    task: JoinHandle<()>,
}

impl Front {
    /// Listens on `port` of 127.0.0.1 as `host`, and leads to the server at `to`, an address with a port.
    pub(crate) async fn start(
        loopback: &Loopback,
        host: &str,
        port: u16,
        to: &str,
    ) -> Result<Self> {
        let acceptor = TlsAcceptor::from(loopback.authority().server_config(host)?);
        let to: SocketAddr = to.parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // Whoever hangs up has hung up.
                connections.spawn(lead(acceptor.clone(), client, to));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { task })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn lead(acceptor: TlsAcceptor, client: TcpStream, to: SocketAddr) -> Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(to).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
