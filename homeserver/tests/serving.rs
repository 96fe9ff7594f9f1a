//! The real binary: listeners, TLS, the addresses file, systemd's socket, proxies, stopping.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

use std::{
    fs,
    io::{BufRead as _, Read as _, Write as _},
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

    /// The text of the only mail, once it is written.
    fn mail(&self) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        let folder = self.folder.path().join("data/mail");
        let json = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "json");
        while Instant::now() < end {
            let files = fs::read_dir(&folder).into_iter().flatten();
            if let Some(file) = files.map(|file| file.unwrap().path()).find(json) {
                let mail: serde_json::Value =
                    serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
                return mail["text"].as_str().unwrap().to_owned();
            }
            std::thread::yield_now();
        }
        panic!("no mail came");
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

fn http_client() -> reqwest::Client {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap()
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
fn plain_http_is_of_the_version_that_its_first_bytes_say() {
    let server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let begin = |pieces: &[&[u8]]| {
        let mut stream = TcpStream::connect(&server.http[0]).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        for piece in pieces {
            stream.write_all(piece).unwrap();
        }
        let mut answer = [0; 9];
        stream.read_exact(&mut answer).unwrap();
        answer
    };
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let two = |preface: &[&[u8]]| {
        // The head of a frame: three bytes of length, its kind (4: settings), flags, the stream.
        let head = begin(&[preface, &[&settings[..]]].concat());
        assert_eq!((head[3], &head[5..]), (4, &[0; 4][..]), "{head:?}");
    };
    two(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
    two(&[b"P", b"RI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"]);
    for one in [
        &[&b"P"[..], b"UT / HTTP/1.1\r\nHost: localhost\r\n\r\n"][..],
        &[b"GET / HTTP/1.1\r\n\r\n"],
    ] {
        assert_eq!(&begin(one), b"HTTP/1.1 ");
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
fn a_request_under_way_at_sigterm_is_answered() {
    let mut server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let mut stream = TcpStream::connect(&server.http[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let body = r#"{"username":"alice","password":"correct horse battery staple"}"#;
    let head = format!(
        "POST /_matrix/client/v3/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The handler asks for the body: the request is under way for certain.
    let mut going_on = [0; 25];
    stream.read_exact(&mut going_on).unwrap();
    assert_eq!(&going_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("-TERM");
    // Its log says that it has begun to stop.
    let mut log = std::io::BufReader::new(server.child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("stopping")));

    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("m.login.email.identity"), "{answer}");
    assert!(server.child.wait().unwrap().success());
}

#[tokio::test]
async fn an_account_is_made_by_mail_over_plain_http() {
    let server = Server::start("[listen]\nhttp = [\"127.0.0.1:0\"]\n");
    let (base, client) = (format!("http://{}", server.http[0]), http_client());
    let post = async |url: String, body: serde_json::Value| {
        let request = client.post(url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, body)
    };
    let register = format!("{base}/_matrix/client/v3/register");
    let mut body =
        serde_json::json!({ "username": "alice", "password": "correct horse battery staple" });
    let (_, challenge) = post(register.clone(), body.clone()).await;
    let request = serde_json::json!({ "client_secret": "s", "email": "alice@example.org", "send_attempt": 1 });
    let (status, session) = post(format!("{register}/email/requestToken"), request).await;
    assert_eq!(status, 200, "{session}");
    let submit_url = session["submit_url"].as_str().unwrap();
    assert!(submit_url.starts_with(&format!("{base}/_matrix/")), "{submit_url}");

    let text = server.mail();
    let code = text.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
    let token = serde_json::json!({ "sid": session["sid"], "client_secret": "s", "token": code });
    assert_eq!(
        post(submit_url.to_owned(), token).await,
        (200, serde_json::json!({ "success": true }))
    );
    body["auth"] = serde_json::json!({
        "type": "m.login.email.identity", "session": challenge["session"],
        "threepid_creds": { "sid": session["sid"], "client_secret": "s" },
    });
    let (status, made) = post(register, body).await;

    assert_eq!((status, made["user_id"].as_str()), (200, Some("@alice:localhost")), "{made}");
    // What is mailed leads where the config says, whatever the asker called this server.
    assert!(text.contains("https://localhost/_matrix/"), "{text}");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_how_clients_reach_the_server() {
    for (trusted, expected) in
        [("[\"127.0.0.1\"]", "https://chat.example.org/"), ("[]", "https://localhost/")]
    {
        let server = Server::start(&format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\ntrusted_proxies = {trusted}\n"
        ));
        let url =
            format!("http://{}/_matrix/client/v3/register/email/requestToken", server.http[0]);
        let body = r#"{"client_secret":"s","email":"alice@example.org","send_attempt":1}"#;
        let request = http_client()
            .post(url)
            .header("host", "chat.example.org")
            .header("x-forwarded-proto", "https")
            .body(body);
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();

        let submit_url = answer["submit_url"].as_str().unwrap();
        assert!(submit_url.starts_with(expected), "{submit_url}");
        assert!(server.mail().contains("https://localhost/_matrix/"));
    }
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
    assert!(log.lines().any(|line| read_again(&line)));
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
