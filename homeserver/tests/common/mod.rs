//! `TestServer`: the whole server in this process, behind its router, on a database of its own.
//!
//! SQLite in a temporary folder; with `TERN_TEST_DATABASE=postgres://…` (a URL that may create databases) a fresh PostgreSQL
//! database, dropped at the end. Mails are files; background work runs when a test asks for it.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may stop at anything unforeseen; the module is shared by test files"
)]
#![allow(dead_code, reason = "every test file uses its own part of this")]

pub mod backup;
pub mod mail;
pub mod rooms;
pub mod socket;

use std::path::PathBuf;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tempfile::TempDir;
use tern_homeserver::{
    app::App,
    auth::Auth,
    clock::Clock,
    config::{Config, RateLimits, RegistrationMode},
    gateway::{self, Server},
    jobs::Runner,
    media::Media,
    messaging::Engine,
    notification::Sync,
    random::Random,
};
use tower::ServiceExt as _;

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery staple";

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct User {
    pub user_id: String,
    pub device_id: String,
    pub token: String,
}

/// An answer: status and JSON (null when the body is none).
pub type Answer = (StatusCode, Value);

/// One server.
pub struct TestServer {
    pub app: App,
    pub auth: Auth,
    pub engine: Engine,
    pub sync: Sync,
    pub router: Router,
    runner: Runner,
    folder: TempDir,
    postgres: Option<Postgres>,
}

impl TestServer {
    /// A server called example.org with open registration and no rate limits.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::from_dump("example.org", "", change).await
    }

    /// The server of this name, on a database that the SQL of `dump` fills first.
    pub async fn from_dump(name: &str, dump: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let postgres = Postgres::create().await;
        if !dump.is_empty() {
            let sqlite = format!("sqlite:{}?mode=rwc", folder.path().join("tern.db").display());
            let db = Database::connect(postgres.as_ref().map_or(&sqlite, |made| &made.url));
            let db = db.await.unwrap();
            db.execute_unprepared(dump).await.unwrap();
            db.close().await.unwrap();
        }
        let mut config = Config::for_server(name);
        config.data_dir = folder.path().to_owned();
        config.registration.mode = RegistrationMode::Open;
        config.limits.rate = RateLimits::Off;
        if let Some(postgres) = &postgres {
            config.database.url = postgres.url.clone();
        }
        change(&mut config);
        Self::open(config, folder, postgres).await
    }

    /// The same server after a stop: nothing is left of it but its folder and database.
    pub async fn restarted(self) -> Self {
        let Self { app, folder, postgres, .. } = self;
        let config = app.config.clone();
        Self::open(config, folder, postgres).await
    }

    async fn open(config: Config, folder: TempDir, postgres: Option<Postgres>) -> Self {
        let app = App::open(config, Clock::default(), Random::default()).await.unwrap();
        let media = Media::open(&app).unwrap();
        let server = Server::start(app.clone(), media).await.unwrap();
        let (auth, engine, sync) =
            (server.auth.clone(), server.engine.clone(), server.sync.clone());
        let runner = server.jobs();
        let router = gateway::router(server);
        Self { app, auth, engine, sync, router, runner, folder, postgres }
    }

    /// Sends a request with any body and reads the whole answer.
    pub async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    /// Sends JSON. `path` begins with `/`; `token`: empty for nobody.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap();
        let (status, _, bytes) = self.send(request).await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, token, Some(body)).await
    }

    pub async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("PUT", path, token, Some(body)).await
    }

    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call("DELETE", path, token, None).await
    }

    /// Registers `name` with [`PASSWORD`] where registration is open.
    pub async fn register(&self, name: &str) -> User {
        let body = json!({
            "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" },
        });
        let answer = self.post("/_matrix/client/v3/register", "", body).await;
        User::from_answer(&answer)
    }

    /// Logs `name` in on a new device.
    pub async fn login(&self, name: &str) -> User {
        User::from_answer(&self.try_login(name, PASSWORD).await)
    }

    /// Logs `name` in, or not.
    pub async fn try_login(&self, name: &str, password: &str) -> Answer {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": name },
            "password": password,
        });
        self.post("/_matrix/client/v3/login", "", body).await
    }

    /// Runs all background work that is due.
    pub async fn run_jobs(&self) {
        self.runner.run_due().await.unwrap();
    }

    /// Runs the background work that is due, then reads all mails so far, oldest first.
    pub async fn mails(&self) -> Vec<Value> {
        self.run_jobs().await;
        let Ok(folder) = std::fs::read_dir(self.folder.path().join("mail")) else {
            return Vec::new();
        };
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|f| serde_json::from_slice(&std::fs::read(f).unwrap()).unwrap()).collect()
    }

    /// The folder of everything the server keeps.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl User {
    /// Reads the answer to a login or registration.
    pub fn from_answer((status, body): &Answer) -> Self {
        assert_eq!(*status, StatusCode::OK, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self { user_id: text("user_id"), device_id: text("device_id"), token: text("access_token") }
    }
}

/// Asserts the status and errcode of an answer.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, errcode: &str) {
    assert_eq!(
        (answer.0.as_u16(), answer.1["errcode"].as_str()),
        (status, Some(errcode)),
        "{}",
        answer.1
    );
}

/// A database made for one test.
struct Postgres {
    admin_url: String,
    name: String,
    url: String,
}

impl Postgres {
    async fn create() -> Option<Self> {
        let admin_url =
            std::env::var("TERN_TEST_DATABASE").ok().filter(|url| url.contains("://"))?;
        let name = format!("tern_test_{:016x}", rand::random::<u64>());
        let mut url = url::Url::parse(&admin_url).unwrap();
        url.set_path(&name);
        let admin = Database::connect(&admin_url).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        Some(Self { admin_url, name, url: url.to_string() })
    }
}

impl Drop for Postgres {
    /// On a thread of its own, for the test's runtime may be ending.
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let admin = Database::connect(&admin_url).await.unwrap();
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                admin.execute_unprepared(&sql).await.ok();
            });
        });
        dropping.join().ok();
    }
}
