//! What a Synapse of the tests is told: open registration, no limits, and neighbours that are loopback addresses.

use std::{net::SocketAddr, path::Path};

use serde_json::json;

use crate::{cas::Cas, certificates::ServerCertificate};

/// Where one Synapse differs from another.
#[derive(Debug)]
pub(crate) struct Choices {
    /// Whether people see who is there.
    pub(crate) presence: bool,
    /// As Python's logging names it.
    pub(crate) log_level: String,
    /// A second listener, without TLS.
    pub(crate) plain_port: Option<u16>,
    /// A mail server: people register by email only. Without it anybody may register.
    pub(crate) mail: Option<SocketAddr>,
    /// Where somebody vouches for people.
    pub(crate) cas: Option<String>,
}

/// `homeserver.yaml`.
pub(crate) fn config(
    name: &str,
    folder: &Path,
    certificate: &ServerCertificate,
    authority: &Path,
    choices: &Choices,
) -> serde_json::Value {
    let port = name.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let listeners: Vec<serde_json::Value> = port
        .map(|port| (port, true))
        .into_iter()
        .chain(choices.plain_port.map(|port| (port, false)))
        .map(listener)
        .collect();
    let mut config = json!({
        "server_name": name,
        "public_baseurl": format!("https://{name}/"),
        "pid_file": folder.join("homeserver.pid"),
        "listeners": listeners,
        "tls_certificate_path": certificate.certificate,
        "tls_private_key_path": certificate.private_key,
        "federation_verify_certificates": true,
        "federation_custom_ca_list": [authority],
        "ip_range_blacklist": [],
        "federation_ip_range_blacklist": [],
        "ip_range_whitelist": ["127.0.0.0/8", "::1/128"],
        "database": { "name": "sqlite3", "args": { "database": folder.join("homeserver.db") } },
        "log_config": folder.join("log.yaml"),
        "media_store_path": folder.join("media"),
        "signing_key_path": folder.join("signing.key"),
        "macaroon_secret_key": "only for a test",
        "form_secret": "only for a test",
        "registration_shared_secret": "only for a test",
        "report_stats": false,
        "trusted_key_servers": [],
        "suppress_key_server_warning": true,
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "presence": { "enabled": choices.presence },
        "experimental_features": { "msc3575_enabled": true, "msc4186_enabled": true },
        // A neighbour that was down for a moment is tried again at once.
        "federation": {
            "destination_min_retry_interval": 100,
            "destination_max_retry_interval": "1s",
            "destination_retry_multiplier": 1,
            "client_timeout": "10s",
        },
        "rc_federation": {
            "window_size": 1, "sleep_limit": 100_000, "sleep_delay": 1, "reject_limit": 100_000, "concurrent": 100,
        },
    });
    if let Some(fields) = config.as_object_mut() {
        lift_limits(fields);
        if let Some(url) = &choices.cas {
            let cas = json!({ "enabled": true, "server_url": url, "idp_name": Cas::NAME });
            fields.insert("cas_config".to_owned(), cas);
        }
        if let Some(address) = choices.mail {
            fields.remove("enable_registration_without_verification");
            fields.insert("registrations_require_3pid".to_owned(), json!(["email"]));
            fields.insert("email".to_owned(), email(address));
        }
    }
    config
}

/// No rate limits: the tests are in a hurry.
fn lift_limits(fields: &mut serde_json::Map<String, serde_json::Value>) {
    let unlimited = json!({ "per_second": 1e6, "burst_count": 1_000_000 });
    let limits = [
        "rc_message",
        "rc_registration",
        "rc_admin_redaction",
        "rc_3pid_validation",
        "rc_registration_token_validity",
        "rc_joins_per_room",
        "rc_room_creation",
        "rc_key_requests",
        "rc_presence",
    ];
    for limit in limits {
        fields.insert(limit.to_owned(), unlimited.clone());
    }
    fields.insert(
        "rc_login".to_owned(),
        json!({ "address": unlimited, "account": unlimited, "failed_attempts": unlimited }),
    );
    fields.insert("rc_joins".to_owned(), json!({ "local": unlimited, "remote": unlimited }));
    fields.insert(
        "rc_invites".to_owned(),
        json!({ "per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited }),
    );
    fields.insert("rc_presence".to_owned(), json!({ "per_user": unlimited }));
}

fn email(address: SocketAddr) -> serde_json::Value {
    json!({
        "smtp_host": address.ip().to_string(),
        "smtp_port": address.port(),
        "enable_tls": false,
        "require_transport_security": false,
        "notif_from": "%(app)s <synapse@example.org>",
    })
}

fn listener((port, tls): (u16, bool)) -> serde_json::Value {
    let resources = json!([{ "names": ["client", "federation"] }]);
    json!({ "port": port, "type": "http", "tls": tls, "bind_addresses": ["127.0.0.1"], "resources": resources })
}

/// `log.yaml`.
pub(crate) fn logging(folder: &Path, level: &str) -> serde_json::Value {
    json!({
        "version": 1,
        "formatters": { "plain": { "format": "%(asctime)s %(name)s %(levelname)s %(request)s %(message)s" } },
        "handlers": {
            "file": { "class": "logging.FileHandler", "formatter": "plain", "filename": folder.join("homeserver.log") },
        },
        "root": { "level": level, "handlers": ["file"] },
        "disable_existing_loggers": false,
    })
}
