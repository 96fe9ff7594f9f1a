//! One test's private corner of the loopback network: a folder, a certificate authority and what is started in it.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    header::CONTENT_TYPE,
};
use tempfile::TempDir;
use url::Url;

use crate::{
    certificates::Authority,
    http::Api,
    patience::PATIENCE,
    postgres::Database,
    smtp_sink::SmtpSink,
    synapse::{Synapse, SynapseBuilder},
    ternd::TerndBuilder,
};

/// Where a test begins. When the test panics, or with `TERN_TEST_KEEP` set, the folder with all logs stays and its path is printed.
pub struct Loopback {
    folder: Option<TempDir>,
    path: PathBuf,
    authority: Authority,
}

impl Loopback {
    /// A new folder and a new certificate authority.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("tern-").tempdir()?;
        let path = folder.path().to_owned();
        let authority = Authority::new(&path)?;
        Ok(Self { folder: Some(folder), path, authority })
    }

    /// The folder everything lives in.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// The certificate authority that servers and clients here trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A `ternd` to be, named `host:PORT`; `host` is `localhost` or a name below it such as `alpha.localhost`. The database is
    /// what `TERN_TEST_DATABASE` says.
    pub fn ternd(&self, host: &str) -> TerndBuilder<'_> {
        TerndBuilder::new(self, host, Database::from_env())
    }

    /// Starts a Synapse named `localhost:PORT`.
    ///
    /// # Errors
    /// When it is not installed ([`Synapse::available`] says so beforehand) or does not start.
    pub async fn synapse(&self) -> Result<Synapse> {
        self.synapse_builder().start().await
    }

    /// A Synapse to be, named `localhost:PORT`.
    pub fn synapse_builder(&self) -> SynapseBuilder<'_> {
        SynapseBuilder::new(self)
    }

    /// An HTTP client for `base_url` that trusts the authority here and sends every name to loopback.
    ///
    /// # Errors
    /// When `base_url` is none.
    pub fn api(&self, base_url: &str) -> Result<Api> {
        Api::new(base_url, self.http_client()?)
    }

    /// Opens a link of a mail as a person does: looks at the page, and presses its button where it has one.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open_link(&self, link: &str) -> Result<()> {
        let (http, link) = (self.http_client()?, Url::parse(link)?);
        let page = http.get(link.clone()).send().await?.error_for_status()?.text().await?;
        if !page.contains("<form") {
            return Ok(());
        }
        // The page's hidden fields are what stands in the link.
        let fields = link.query().unwrap_or_default().to_owned();
        let pressed = http.post(link).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        pressed.body(fields).send().await?.error_for_status()?;
        Ok(())
    }

    /// The same as [`Loopback::synapse`], with registration by email only; its mails go to `sink`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn synapse_with_mail(&self, sink: &SmtpSink) -> Result<Synapse> {
        self.synapse_builder().mail(sink).start().await
    }

    /// An HTTP client that trusts the authority here and sends every name to loopback.
    ///
    /// # Errors
    /// When the authority's certificate is none.
    pub fn http_client(&self) -> Result<reqwest::Client> {
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured(self.authority.client_config()?)
            .dns_resolver(OnlyLoopback)
            .no_proxy()
            .timeout(PATIENCE.saturating_add(Duration::from_secs(30)))
            .build()?)
    }

    /// A folder below [`Loopback::folder`], made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        if thread::panicking() || env::var_os("TERN_TEST_KEEP").is_some() {
            eprintln!("logs and data are kept in {}", folder.keep().display());
        }
    }
}

/// A TCP port of 127.0.0.1 that nobody had a moment ago. Somebody may take it before it is used: whoever binds it tries again.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Not every system resolver knows that `*.localhost` is loopback; and no test may reach anything else.
#[derive(Debug)]
struct OnlyLoopback;

impl Resolve for OnlyLoopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let addresses: Addrs = Box::new(std::iter::once(address));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
