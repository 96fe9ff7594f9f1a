//! The settings: one struct a section, defaults beside them, unknown keys refused with their line.
//!
//! `config.example.toml` shows every setting with its default; a test holds the two together.

mod check;
mod load;
mod text;

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use check::{Problem, parse_network};
pub use load::ConfigError;
pub use text::{EXAMPLE, fill};

/// Everything a server can be told.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The part after the colon in @alice:example.org. It can never be changed later.
    pub server_name: String,
    /// Everything the server keeps, the signing key too.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    #[serde(default)]
    pub listen: Listen,
    #[serde(default)]
    pub database: DatabaseConfig,
    #[serde(default)]
    pub registration: Registration,
    #[serde(default)]
    pub mail: Mail,
    #[serde(default)]
    pub encryption: Encryption,
    #[serde(default)]
    pub rooms: Rooms,
    #[serde(default)]
    pub presence: Presence,
    #[serde(default)]
    pub federation: Federation,
    #[serde(default)]
    pub previews: Previews,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub client: Client,
    #[serde(default)]
    pub admin: Admin,
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("data")
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// `address:port` or `unix:/path`, plain HTTP.
    pub http: Vec<String>,
    /// Addresses of proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<String>,
    pub tls: Vec<TlsListener>,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            http: vec!["127.0.0.1:8008".to_owned()],
            trusted_proxies: Vec::new(),
            tls: Vec::new(),
        }
    }
}

/// One TLS listener, client and federation API alike. The files are PEM.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsListener {
    pub address: SocketAddr,
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// Which database.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:FILE` or `postgres://user:password@host/database`.
    pub url: String,
    /// Mebibytes of memory that rooms, events and states in use may take.
    pub cache_mib: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite:tern.db".to_owned(), cache_mib: 384 }
    }
}

impl std::fmt::Debug for DatabaseConfig {
    /// The URL can hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig").finish_non_exhaustive()
    }
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationMode {
    /// Whoever reads a mail to their address.
    #[default]
    Email,
    /// Whoever holds a registration token.
    Token,
    /// Anyone.
    Open,
    /// Nobody.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    pub mode: RegistrationMode,
    pub email_domains: EmailDomains,
}

/// Domains whose addresses may (not) register. An empty allow list allows all.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmailDomains {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// Files in `data_dir/mail`, shown by `ternd mail`.
    #[default]
    File,
    Smtp,
}

#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    pub transport: MailTransport,
    pub from: String,
    /// May hold a password.
    pub smtp_url: String,
    /// PEM files with further certificate authorities for the mail server.
    pub smtp_ca: Vec<PathBuf>,
}

impl Default for Mail {
    fn default() -> Self {
        let from = "Tern <noreply@example.org>".to_owned();
        Self { transport: MailTransport::File, from, smtp_url: String::new(), smtp_ca: Vec::new() }
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("transport", &self.transport)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Which new rooms are encrypted when their creator says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EncryptionDefault {
    /// Rooms made with private_chat or trusted_private_chat.
    #[default]
    Private,
    All,
    Off,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encryption {
    pub default: EncryptionDefault,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rooms {
    /// The version of new rooms, "6" to "12".
    pub default_version: String,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { default_version: "12".to_owned() }
    }
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether people see of each other who is there, here and on other servers.
    pub enabled: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    pub enabled: bool,
    /// Private networks that may be asked all the same, e.g. `127.0.0.0/8`.
    pub allow_networks: Vec<String>,
    /// PEM files with further certificate authorities.
    pub extra_ca: Vec<PathBuf>,
    /// Whether other servers are told what our users call their devices.
    pub share_device_names: bool,
    /// For tests on loopback only: no TLS to destinations that are loopback addresses.
    pub plain_http_to_loopback: bool,
}

impl Default for Federation {
    fn default() -> Self {
        Self {
            enabled: true,
            allow_networks: Vec::new(),
            extra_ca: Vec::new(),
            share_device_names: false,
            plain_http_to_loopback: false,
        }
    }
}

/// Fetching pages for the previews of links.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Previews {
    pub enabled: bool,
    /// If not empty, only these hosts and those below them.
    pub allow_hosts: Vec<String>,
    /// Never these hosts and those below them.
    pub deny_hosts: Vec<String>,
    /// Ports that pages are fetched from. Empty: any.
    pub ports: Vec<u16>,
    /// Private networks that may be asked all the same; those of federation are not.
    pub allow_networks: Vec<String>,
}

impl Default for Previews {
    fn default() -> Self {
        Self {
            enabled: true,
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            ports: vec![80, 443],
            allow_networks: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimits {
    #[default]
    Default,
    /// Load tests and conformance only.
    Off,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub rate: RateLimits,
    pub upload_bytes_max: u64,
    /// Room for other servers' files and the pictures of link previews; those not asked for longest go first.
    pub remote_media_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: RateLimits::Default,
            upload_bytes_max: 100 * 1024 * 1024,
            remote_media_bytes_max: 10 * 1024 * 1024 * 1024,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// Where clients reach this server, if not at `https://<server_name>`.
    pub base_url: String,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Told about trouble; served in `/.well-known/matrix/support`.
    pub email: String,
}

impl Config {
    /// A config with all defaults, for tests and as the start of `ternd init`.
    pub fn for_server(server_name: &str) -> Self {
        Self {
            server_name: server_name.to_owned(),
            data_dir: default_data_dir(),
            listen: Listen::default(),
            database: DatabaseConfig::default(),
            registration: Registration::default(),
            mail: Mail::default(),
            encryption: Encryption::default(),
            rooms: Rooms::default(),
            presence: Presence::default(),
            federation: Federation::default(),
            previews: Previews::default(),
            limits: Limits::default(),
            client: Client::default(),
            admin: Admin::default(),
        }
    }
}
