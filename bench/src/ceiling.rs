//! What the load generator could do if servers cost nothing: the line below which a rate is the server's and not ours.

use std::{convert::Infallible, net::SocketAddr, process::Stdio};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::{
    client::{Address, Client, Trust},
    figures::{Line, timed},
    matrix::{self, Person, Room},
    measure::{Load, Meter, drive},
};

/// As long as a real one.
const ANSWER: &[u8] = br#"{"event_id":"$0000000000000000000000000000000000000000000"}"#;

/// Sends on `concurrency` connections to a process that answers at once.
pub(crate) async fn measure(count: usize, concurrency: usize) -> Result<Vec<Line>> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("nothing")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = server.id().context("it has ended")?;
    let output = server.stdout.take().context("no output")?;
    let url = BufReader::new(output).lines().next_line().await?.context("it said no address")?;
    let address = Address::of(&url, &Trust::new(None)?).await?;
    let person =
        Person { id: "@alice:example.org".to_owned(), bearer: Some("Bearer none".parse()?) };
    let room = Room::new("!room".to_owned());
    let mut clients = Client::many(&address, concurrency);
    let content =
        matrix::text("Shall we meet at the river at seven, or is that too early for you?");
    let meter = Meter::start(&[pid])?;
    let load = Load { count, concurrency, limit: None };
    let samples = drive(load, &mut clients, async |client, _| {
        matrix::send(client, &person, &room, content.clone()).await
    });
    timed(samples.await?, &meter.stop()?, &[pid])
}

/// Is the server that does nothing; says its URL.
pub(crate) async fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    crate::report::print(&format!("http://{}\n", listener.local_addr()?))?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer_all(stream));
    }
}

async fn answer_all(stream: TcpStream) {
    let answer = service_fn(async |request: Request<Incoming>| {
        // Read to the end, as a server must before the next request.
        drop(request.into_body().collect().await);
        let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
        let json = hyper::header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok::<_, Infallible>(response)
    });
    // A client that leaves is none of our business.
    http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok();
}
