//! The backend against real homeservers, `ternd` and Synapse, in temp folders. Skips itself, saying so, where one is not installed.

#![expect(clippy::expect_used, reason = "helpers of tests: a failure here is the test's")]

mod conversation;
mod encryption;
mod person;
mod sending;
mod server;
mod synapse;
mod ternd;

/// The same on every server: `on_every_server! { name => scenario }` makes `name::on_ternd` and `name::on_synapse`.
macro_rules! on_every_server {
    ($($name:ident => $scenario:path;)*) => {$(
        mod $name {
            use crate::server::{Kind, Server};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_ternd() {
                let Some(server) = Server::start(Kind::Ternd).await else { return };
                $scenario(server).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_synapse() {
                let Some(server) = Server::start(Kind::Synapse).await else { return };
                $scenario(server).await;
            }
        }
    )*};
}
pub(crate) use on_every_server;

/// `RUST_LOG=…` shows what the SDK does.
fn log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let filter =
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
    });
}
