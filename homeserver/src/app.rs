//! `App`: the tools every floor may use. No domain methods, so it cannot become a registry.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ruma::{OwnedServerName, ServerName};
use tern_federation::{
    AddressPolicy, Client, ClientConfig, KeyRing, KeyRingConfig, Sender, SenderConfig, SigningKey,
};

use crate::{
    bell::Bell,
    clock::Clock,
    config::Config,
    jobs::JobBell,
    mail::{MailError, Mailer},
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
    pub bell: Bell,
    pub mailer: Mailer,
    /// Rung when background work was added.
    pub jobs: JobBell,
    /// Work in this process that the stop waits for.
    pub tasks: Tasks,
    /// What this server signs with.
    pub signing: Arc<SigningKey>,
    /// Signed requests to other servers.
    pub federation: Arc<Client>,
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
    pub async fn open(config: Config, clock: Clock) -> Result<Self, AppError> {
        let setting = |key, problem: String| AppError::Setting { key, problem };
        let server_name = OwnedServerName::try_from(config.server_name.as_str())
            .map_err(|error| setting("server_name", error.to_string()))?;
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|source| AppError::Folder { folder: config.data_dir.clone(), source })?;
        let signing = Arc::new(SigningKey::load_or_create(&config.data_dir.join("signing.key"))?);
        let db =
            Database::open(&config.database.url, &config.data_dir, &config.server_name).await?;
        let allow = config
            .federation
            .allow_networks
            .iter()
            .map(|network| {
                network
                    .parse()
                    .map_err(|error| setting("federation.allow_networks", format!("{error}")))
            })
            .collect::<Result<_, _>>()?;
        let extra_ca_pems = config
            .federation
            .extra_ca
            .iter()
            .map(|file| {
                let problem =
                    |error| setting("federation.extra_ca", format!("{}: {error}", file.display()));
                std::fs::read(file).map_err(problem)
            })
            .collect::<Result<_, _>>()?;
        let client = ClientConfig {
            policy: AddressPolicy::new(allow),
            extra_ca_pems,
            plain_http_to_loopback: config.federation.plain_http_to_loopback,
            enabled: config.federation.enabled,
            ..ClientConfig::new(server_name.clone())
        };
        let federation = Arc::new(Client::new(client, signing.clone())?);
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
        let bell = Bell::default();
        let mailer = Mailer::new(&config)?;
        Ok(Self(Arc::new(Tools {
            config,
            server_name,
            db,
            clock,
            bell,
            mailer,
            jobs: JobBell::default(),
            tasks: Tasks::default(),
            signing,
            federation,
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
