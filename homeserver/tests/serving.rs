//! The real binary: listeners, TLS, the addresses file, systemd's socket, proxies, stopping.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

use std::{
    fs,
    io::Read as _,
    net::TcpStream,
    os::unix::net::{UnixDatagram, UnixStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running `ternd`, killed when dropped.
struct Server {
    child: Child,
    folder: TempDir,
    http: Vec<String>,
}

impl Server {
    /// Starts with further config lines and waits, at systemd's socket, until it is ready.
    fn start(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = config.replace("FOLDER", folder.path().to_str().unwrap());
        let text = format!("server_name = \"localhost\"\n{config}");
        fs::write(folder.path().join("tern.toml"), text).unwrap();
        let notify = folder.path().join("notify.sock");
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ternd"))
            .args(["serve", "--config", "tern.toml"])
            .current_dir(folder.path())
            .env("NOTIFY_SOCKET", &notify)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut message = [0; 64];
        let length = socket.recv(&mut message).expect("ternd did not say that it is ready");
        assert_eq!(&message[..length], b"READY=1");
        let text = fs::read(folder.path().join("data/listening.json")).unwrap();
        let addresses: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let http = addresses["http"].as_array().unwrap();
        let http = http.iter().map(|address| address.as_str().unwrap().to_owned()).collect();
        Self { child, folder, http }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the end; returns whether it was a good one, and the log.
    fn wait(&mut self) -> (bool, String) {
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.success(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One request over a connection that ends with it.
fn ask(mut stream: impl std::io::Read + std::io::Write) -> String {
    stream
        .write_all(b"GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_kind_of_listener_answers() {
    let server = Server::start(
        "[listen]\nhttp = [\"127.0.0.1:0\", \"[::1]:0\", \"unix:FOLDER/tern.sock\"]\n",
    );
    assert_eq!(server.http.len(), 3);
    for address in &server.http {
        let answer = match address.strip_prefix("unix:") {
            Some(path) => ask(UnixStream::connect(path).unwrap()),
            None => ask(TcpStream::connect(address).unwrap()),
        };
        assert!(answer.starts_with("HTTP/1.1 200"), "{address}: {answer}");
    }
}

#[test]
fn sigterm_stops_it_and_takes_the_addresses_away() {
    let mut server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let addresses = server.folder.path().join("data/listening.json");
    // A connection that says nothing must not hold the server up.
    let _idle = TcpStream::connect(&server.http[0]).unwrap();
    let start = Instant::now();
    server.signal("-TERM");
    let (good, log) = server.wait();
    assert!(good, "{log}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(log.contains("listening on http://127.0.0.1:") && log.contains("stopped"), "{log}");
    assert!(server.folder.path().exists() && !addresses.exists());
}

#[test]
fn a_data_folder_has_one_server() {
    let server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let second = Command::new(env!("CARGO_BIN_EXE_ternd"))
        .args(["serve", "--config", "tern.toml"])
        .current_dir(server.folder.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.contains("another ternd is using"), "{error}");
}

#[test]
fn limits_that_are_off_are_said_at_start() {
    let mut server =
        Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n[limits]\nrate = \"off\"\n");
    server.signal("-TERM");
    let (_, log) = server.wait();
    assert!(log.contains("rate limits are off"), "{log}");
}

/// Writes a certificate for localhost signed by itself, and returns it as PEM.
fn certify(folder: &std::path::Path) -> String {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    pair.cert.pem()
}

/// Asks over TLS, trusting one certificate only; the version of HTTP, or none when it is not trusted.
async fn ask_tls(address: &str, certificate: &str) -> Option<http::Version> {
    let port = address.rsplit_once(':').unwrap().1;
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let url = format!("https://localhost:{port}/_matrix/client/versions");
    client.get(url).send().await.ok().map(|answer| answer.version())
}

#[tokio::test]
async fn tls_speaks_http_2_and_takes_a_new_certificate_at_sighup() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let certificates = TempDir::new().unwrap();
    let first = certify(certificates.path());
    let folder = certificates.path().display();
    let mut server = Server::start(&format!(
        "[listen]\nhttp = []\n[[listen.tls]]\naddress = \"127.0.0.1:0\"\n\
         certificate = \"{folder}/cert.pem\"\nprivate_key = \"{folder}/key.pem\"\n"
    ));
    let text = fs::read(server.folder.path().join("data/listening.json")).unwrap();
    let addresses: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let address = addresses["tls"][0].as_str().unwrap();
    assert_eq!(ask_tls(address, &first).await, Some(http::Version::HTTP_2));

    let second = certify(certificates.path());
    assert_eq!(ask_tls(address, &second).await, None);
    server.signal("-HUP");
    let log = std::io::BufReader::new(server.child.stderr.take().unwrap());
    let read_again = |line: &Result<String, _>| line.as_ref().unwrap().contains("read again");
    assert!(std::io::BufRead::lines(log).any(|line| read_again(&line)));
    assert_eq!(ask_tls(address, &second).await, Some(http::Version::HTTP_2));
    assert_eq!(ask_tls(address, &first).await, None);
}

#[test]
fn sigterm_says_goodbye_on_open_sockets() {
    use tokio_tungstenite::tungstenite::{self, Message};

    let mut server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let address = &server.http[0];
    let url = format!("ws://{address}/_matrix/client/unstable/chat.tern.socket/v1/sync");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut socket, answer) = tungstenite::client(url, stream).unwrap();
    assert_eq!(answer.status(), 101);
    server.signal("-TERM");
    match socket.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?} instead of a close"),
    }
    while socket.read().is_ok() {}
    let (good, log) = server.wait();
    assert!(good && !log.contains("cut off"), "{log}");
}
