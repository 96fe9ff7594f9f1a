//! The backend against a real Synapse in a temp folder. Skips itself, saying so, where Synapse is not installed.

mod conversation;
mod encryption;
mod person;
mod synapse;

/// `RUST_LOG=…` shows what the SDK does.
fn log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let filter =
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
    });
}
