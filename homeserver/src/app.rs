//! `App`: the tools every floor may use. No domain methods, so it cannot become a registry.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ruma::{OwnedServerName, ServerName};
use tern_federation::{
    AddressPolicy, Client, ClientConfig, KeyRing, KeyRingConfig, PageRules, Pages, Sender,
    SenderConfig, SigningKey,
};

use crate::{
    bell::Bell,
    clock::Clock,
    config::Config,
    jobs::JobBell,
    mail::{MailError, Mailer},
    random::Random,
    stale::Stale,
    storage::{self, Database},
    tasks::Tasks,
};

/// The tools. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Tools>);

/// What `App` holds.
#[derive(Debug)]
pub struct Tools {
    pub config: Config,
    pub server_name: OwnedServerName,
    pub db: Database,
    pub clock: Clock,
    pub random: Random,
    pub bell: Bell,
    /// Users whose wishes (push rules, ignored users) changed: what is kept of them must be read again.
    pub stale: Stale,
    pub mailer: Mailer,
    /// Rung when background work was added.
    pub jobs: JobBell,
    /// Work in this process that the stop waits for.
    pub tasks: Tasks,
    /// What this server signs with.
    pub signing: Arc<SigningKey>,
    /// Signed requests to other servers.
    pub federation: Arc<Client>,
    /// Fetches pages for link previews.
    pub pages: Pages,
    /// Other servers' keys.
    pub key_ring: Arc<KeyRing>,
    /// Sends other servers what they are owed; `wake` it for a destination when there is more.
    pub outbound: Sender,
}

/// Why the tools could not be made; the text names the setting or file.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{key}: {problem}")]
    Setting { key: &'static str, problem: String },
    #[error("cannot make {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("signing key: {0}")]
    SigningKey(#[from] tern_federation::SigningError),
    #[error("federation: {0}")]
    Federation(#[from] tern_federation::ClientError),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl App {
    /// Opens the data folder, the database and the signing key, and makes the clients.
    pub async fn open(config: Config, clock: Clock, random: Random) -> Result<Self, AppError> {
        let setting = |key, problem: String| AppError::Setting { key, problem };
        let server_name = OwnedServerName::try_from(config.server_name.as_str())
            .map_err(|error| setting("server_name", error.to_string()))?;
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|source| AppError::Folder { folder: config.data_dir.clone(), source })?;
        let signing = Arc::new(SigningKey::load_or_create(&config.data_dir.join("signing.key"))?);
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let client = ClientConfig {
            policy: policy("federation.allow_networks", &config.federation.allow_networks)?,
            extra_ca_pems: extra_ca(&config)?,
            plain_http_to_loopback: config.federation.plain_http_to_loopback,
            enabled: config.federation.enabled,
            ..ClientConfig::new(server_name.clone())
        };
        let federation = Arc::new(Client::new(client, signing.clone())?);
        let pages = Pages::new(page_rules(&config)?)?;
        let key_ring = Arc::new(KeyRing::new(
            KeyRingConfig { notaries: Vec::new() },
            signing.clone(),
            federation.clone(),
            Arc::new(db.clone()),
            Arc::new(clock.clone()),
        ));
        let outbound = Sender::new(
            SenderConfig::default(),
            federation.clone(),
            Arc::new(db.clone()),
            Arc::new(clock.clone()),
        );
        if !config.federation.enabled {
            // What is owed stays owed until federation is switched on again.
            outbound.stop(Duration::ZERO).await;
        }
        let mailer = Mailer::new(&config, random.clone())?;
        Ok(Self(Arc::new(Tools {
            config,
            server_name,
            db,
            clock,
            random,
            bell: Bell::default(),
            stale: Stale::default(),
            mailer,
            jobs: JobBell::default(),
            tasks: Tasks::default(),
            signing,
            federation,
            pages,
            key_ring,
            outbound,
        })))
    }

    /// Whether a user or server name is this server's own.
    pub fn is_ours(&self, server_name: &ServerName) -> bool {
        server_name == self.server_name
    }
}

impl Deref for App {
    type Target = Tools;

    fn deref(&self) -> &Tools {
        &self.0
    }
}

#[async_trait::async_trait]
impl tern_federation::Clock for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(self.now_ms()).unwrap_or_default())
    }

    async fn sleep(&self, duration: Duration) {
        Self::sleep(self, duration).await;
    }
}

/// The addresses that may be connected to: public ones and `networks`, the value of `key`.
fn policy(key: &'static str, networks: &[String]) -> Result<AddressPolicy, AppError> {
    let parse = |network: &String| {
        network.parse().map_err(|error| AppError::Setting { key, problem: format!("{error}") })
    };
    Ok(AddressPolicy::new(networks.iter().map(parse).collect::<Result<_, _>>()?))
}

fn page_rules(config: &Config) -> Result<PageRules, AppError> {
    let previews = &config.previews;
    Ok(PageRules {
        policy: policy("previews.allow_networks", &previews.allow_networks)?,
        ports: previews.ports.clone(),
        allow_hosts: previews.allow_hosts.clone(),
        deny_hosts: previews.deny_hosts.clone(),
    })
}

/// The certificates of `federation.extra_ca`.
fn extra_ca(config: &Config) -> Result<Vec<Vec<u8>>, AppError> {
    let read = |file: &PathBuf| {
        std::fs::read(file).map_err(|error| AppError::Setting {
            key: "federation.extra_ca",
            problem: format!("{}: {error}", file.display()),
        })
    };
    config.federation.extra_ca.iter().map(read).collect()
}
