//! Mail goes out here: over SMTP, or as files that `ternd mail` shows.
//!
//! What is written in a mail stands on the floor that sends it. Nobody calls [`Mailer::send`] but the job runner, so that a
//! request never waits for a mail server.

use std::path::{Path, PathBuf};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::client::{Certificate, Tls, TlsParameters},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    app::App,
    config::{Config, MailTransport},
    disk,
    jobs::{JobError, Runner},
    random::Random,
    storage::{self, Txn},
};

/// The job kind of an outgoing mail.
const KIND: &str = "mail";

/// One mail. `html` is escaped already.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl std::fmt::Debug for Mail {
    /// Texts hold codes and links.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("mail.{key}: {problem}")]
    Config { key: &'static str, problem: String },
    /// An address or header that no mail may have.
    #[error("the mail is malformed: {0}")]
    Malformed(String),
    /// The mail server said no, for good.
    #[error("the mail server refused it: {0}")]
    Refused(String),
    /// The mail server, or the disk, could not take it now.
    #[error("it could not be sent: {0}")]
    Unsent(String),
}

/// Sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
    random: Random,
}

#[derive(Clone)]
enum Transport {
    File(PathBuf),
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer as configured. Talks to nobody yet.
    pub fn new(config: &Config, random: Random) -> Result<Self, MailError> {
        let from = config
            .mail
            .from
            .parse::<Mailbox>()
            .map_err(|error| MailError::Config { key: "from", problem: error.to_string() })?;
        let transport = match config.mail.transport {
            MailTransport::File => Transport::File(config.data_dir.join("mail")),
            MailTransport::Smtp => Transport::Smtp(smtp(config)?),
        };
        Ok(Self { from, transport, random })
    }

    /// Sends one mail now.
    pub async fn send(&self, mail: &Mail, now_ms: i64) -> Result<(), MailError> {
        let message = self.message(mail)?;
        match &self.transport {
            Transport::File(folder) => {
                let (folder, mail) = (folder.clone(), mail.clone());
                let name = format!("{now_ms:013}-{:08x}", u32::from_be_bytes(self.random.bytes()));
                let write =
                    tokio::task::spawn_blocking(move || write_file(&folder, &name, &mail, now_ms));
                let written = write.await.map_err(|error| MailError::Unsent(error.to_string()))?;
                written.map_err(|error| MailError::Unsent(error.to_string()))
            }
            Transport::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(MailError::Refused(error.to_string())),
                Err(error) => Err(MailError::Unsent(error.to_string())),
            },
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        if mail.subject.contains(['\r', '\n']) || mail.to.contains(['\r', '\n']) {
            return Err(MailError::Malformed("a header holds a line break".to_owned()));
        }
        let to: lettre::Address =
            mail.to.parse().map_err(|_| MailError::Malformed("not a mail address".to_owned()))?;
        let id = format!("<{}@{}>", self.random.text::<16>(), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.as_str())
            .message_id(Some(id))
            .date_now()
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| MailError::Malformed(error.to_string()))
    }
}

/// The way to the mail server, as its URL and the trusted authorities say.
fn smtp(config: &Config) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    // The error text of a URL can hold its password: it is left out.
    let bad_url = || MailError::Config {
        key: "smtp_url",
        problem: "not a valid smtp:// or smtps:// URL".to_owned(),
    };
    let url = Url::parse(&config.mail.smtp_url).map_err(|_| bad_url())?;
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str()).map_err(|_| bad_url())?;
    if !config.mail.smtp_ca.is_empty() {
        let host = url.host_str().ok_or_else(bad_url)?;
        let trust = trust(host, &config.mail.smtp_ca)?;
        let tls = url.query_pairs().find(|(name, _)| name == "tls");
        let tls = tls.as_ref().map(|(_, value)| &**value);
        transport = transport.tls(match (url.scheme(), tls) {
            ("smtps", _) => Tls::Wrapper(trust),
            (_, Some("required")) => Tls::Required(trust),
            (_, Some("opportunistic")) => Tls::Opportunistic(trust),
            _ => Tls::None,
        });
    }
    Ok(transport.build())
}

/// TLS with `host`, whose certificate one of these authorities may have signed too.
fn trust(host: &str, authorities: &[PathBuf]) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    for file in authorities {
        let problem = |error: String| MailError::Config {
            key: "smtp_ca",
            problem: format!("{}: {error}", file.display()),
        };
        let certificates = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| problem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(problem("holds no certificate".to_owned()));
        }
        for certificate in certificates {
            let certificate = Certificate::from_der(certificate.to_vec())
                .map_err(|error| problem(error.to_string()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
    }
    parameters
        .build()
        .map_err(|error| MailError::Config { key: "smtp_ca", problem: error.to_string() })
}

/// Writes `<ms>-<random>.json` into `folder`, whole or not at all.
fn write_file(folder: &Path, name: &str, mail: &Mail, now_ms: i64) -> std::io::Result<()> {
    use std::io::Write as _;

    disk::make_folder(folder, disk::PRIVATE)?;
    let unfinished = folder.join(format!(".{name}.tmp"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let json = serde_json::json!({
        "to": mail.to, "subject": mail.subject, "text": mail.text, "html": mail.html, "date": now_ms,
    });
    file.write_all(json.to_string().as_bytes())?;
    file.sync_all()?;
    let finished = folder.join(format!("{name}.json"));
    std::fs::rename(&unfinished, &finished)?;
    // The mail's job is gone next: by then its name has to be on the disk too.
    disk::sync_name(&finished)
}

/// Queues a mail in the caller's transaction. The caller rings `app.jobs` after the commit.
pub async fn queue(app: &App, txn: &Txn, mail: &Mail) -> Result<(), storage::Error> {
    let payload = serde_json::to_string(mail).unwrap_or_default();
    let now = app.clock.now_ms();
    storage::jobs::insert_job(txn.db(), app.db.new_id(), KIND, &payload, now).await
}

/// Teaches the runner to send queued mails.
#[must_use]
pub fn register_jobs(runner: Runner) -> Runner {
    runner.with(KIND, |app, payload| async move {
        let mail: Mail = serde_json::from_str(&payload)
            .map_err(|error| JobError::Never(format!("unreadable mail: {error}")))?;
        match app.mailer.send(&mail, app.clock.now_ms()).await {
            Ok(()) => Ok(()),
            Err(error @ (MailError::Malformed(_) | MailError::Refused(_))) => {
                Err(JobError::Never(error.to_string()))
            }
            Err(error) => Err(JobError::Later(error.to_string())),
        }
    })
}
