//! A client of the notification socket (`docs/socket.md`): prints what is said in the user's rooms as it is said, and finds
//! back after every interruption without losing or repeating anything.
//!
//! ```text
//! TERN_PASSWORD=… cargo run --bin socket -- --server https://example.org --user bob
//! ```

#![expect(clippy::print_stdout, reason = "it talks to who started it")]

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tern_testkit::Api;
use tern_tui::backend::matrix::http;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, interval_at},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use url::Url;

const PATH: &str = "/_matrix/client/unstable/chat.tern.socket/v1/sync";
/// Closes after which another socket would not help: no valid token, and taken over by another client.
const FINAL: [u16; 2] = [4401, 4409];

/// Prints what is said in the rooms of a user.
#[derive(Parser)]
struct Arguments {
    /// Base URL of the homeserver.
    #[arg(long)]
    server: Url,
    /// The username.
    #[arg(long)]
    user: String,
    /// The password; better given by the environment, where other users don't see it.
    #[arg(long, env = "TERN_PASSWORD", hide_env_values = true)]
    password: String,
    /// A PEM file with certificates to trust besides the usual ones.
    #[arg(long)]
    ca: Option<PathBuf>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
type Socket = WebSocketStream<Box<dyn Stream>>;

/// Where the client is. A client that ends in between would keep this on its disk.
#[derive(Default)]
struct Place {
    /// The last delta it dealt with.
    pos: Option<String>,
    /// The last messages to the device it dealt with.
    to_device: Option<String>,
    /// What was printed.
    seen: HashSet<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    http::install_crypto_provider();
    let arguments = Arguments::parse();
    let api = Api::new(arguments.server.as_str(), http::build(arguments.ca.as_deref())?)?;
    let api = api.session(api.login(&arguments.user, &arguments.password).await?)?;
    let (mut place, mut failures) = (Place::default(), 0);
    loop {
        let before = place.pos.clone();
        match follow(&arguments, api.token(), &mut place).await {
            Ok(code) if FINAL.contains(&code) => bail!("the server closed with {code}"),
            Ok(code) => eprintln!("the server closed with {code}"),
            Err(error) => eprintln!("{error:#}"),
        }
        failures = if place.pos == before { failures + 1 } else { 0 };
        // Twice as long each time, up to a minute, and not all clients at once.
        let most = Duration::from_secs(60).min(Duration::from_secs(1) * 2u32.pow(failures.min(6)));
        let wait = most.mul_f64(rand::random_range(0.5..1.0));
        interval_at(Instant::now() + wait, wait).tick().await;
    }
}

/// What the client wants to see, from where it is.
fn request(place: &Place) -> Value {
    let mut request = json!({
        "lists": { "all": { "timeline_limit": 20, "range": [0, 99], "required_state": {} } },
        "extensions": { "to_device": { "enabled": true } },
    });
    if let (Some(pos), Some(request)) = (&place.pos, request.as_object_mut()) {
        request.insert("pos".to_owned(), json!(pos));
    }
    if let (Some(since), Some(to_device)) =
        (&place.to_device, request.pointer_mut("/extensions/to_device"))
    {
        *to_device = json!({ "enabled": true, "since": since });
    }
    request
}

/// Opens a socket and follows it to its end; returns the code it was closed with.
async fn follow(arguments: &Arguments, token: &str, place: &mut Place) -> Result<u16> {
    let mut socket = connect(arguments).await?;
    let open = json!({ "type": "open", "access_token": token, "request": request(place) });
    socket.send(Message::text(open.to_string())).await?;
    while let Some(message) = socket.next().await {
        let text = match message? {
            Message::Text(text) => text,
            Message::Close(frame) => return Ok(frame.map_or(1005, |frame| frame.code.into())),
            _ => continue,
        };
        let frame: Value = serde_json::from_str(&text)?;
        let field = |pointer: &str| frame.pointer(pointer).and_then(Value::as_str);
        let answer = match (field("/type"), field("/errcode")) {
            (Some("delta"), _) => {
                show(&frame, place);
                place.pos = field("/response/pos").map(str::to_owned);
                let next = field("/response/extensions/to_device/next_batch");
                place.to_device = next.map(str::to_owned).or(place.to_device.take());
                json!({ "type": "ack", "pos": place.pos })
            }
            // The server has forgotten the connection: it begins anew.
            (Some("error"), Some("M_UNKNOWN_POS")) => {
                place.pos = None;
                json!({ "type": "request", "request": request(place) })
            }
            (Some("error"), _) => {
                eprintln!("{}", field("/error").unwrap_or("refused"));
                continue;
            }
            _ => continue,
        };
        socket.send(Message::text(answer.to_string())).await?;
    }
    bail!("the connection is gone")
}

/// Prints the messages of a delta.
fn show(frame: &Value, place: &mut Place) {
    let rooms = frame.pointer("/response/rooms").and_then(Value::as_object);
    for (room_id, room) in rooms.into_iter().flatten() {
        for event in room.get("timeline").and_then(Value::as_array).into_iter().flatten() {
            let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
            let is_new = field("/event_id").is_some_and(|id| place.seen.insert(id.to_owned()));
            if let (true, Some(sender), Some(body)) =
                (is_new, field("/sender"), field("/content/body"))
            {
                // What others wrote must not steer the terminal.
                let line = format!("{room_id} {sender}: {body}");
                println!("{}", line.replace(char::is_control, " "));
            }
        }
    }
}

async fn connect(arguments: &Arguments) -> Result<Socket> {
    let server = &arguments.server;
    let host = server.host_str().context("the server's URL has no host")?;
    let port = server.port_or_known_default().context("the server's URL has no port")?;
    let tcp = TcpStream::connect((host, port)).await?;
    let (stream, scheme): (Box<dyn Stream>, _) = if server.scheme() == "https" {
        let name = ServerName::try_from(host.to_owned())?;
        (Box::new(tls(arguments)?.connect(name, tcp).await?), "wss")
    } else {
        (Box::new(tcp), "ws")
    };
    Ok(client_async(format!("{scheme}://{host}:{port}{PATH}"), stream).await?.0)
}

fn tls(arguments: &Arguments) -> Result<TlsConnector> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &arguments.ca {
        for certificate in CertificateDer::pem_file_iter(path)? {
            roots.add(certificate?)?;
        }
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
