//! `ternd init`: a commented config and a signing key, from options or from answers at the terminal.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    net::{IpAddr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use tern_federation::SigningKey;

use super::{CliError, print};
use crate::{
    config::{Config, Listen, MailTransport, fill},
    disk,
    serve::make_folder,
};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The part after the colon in @alice:example.org; it can never be changed later.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Where to listen for plain HTTP.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The folder for everything the server keeps.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The config file to write.
    #[arg(long, value_name = "FILE", default_value = "tern.toml")]
    config: PathBuf,
    /// Who may register.
    #[arg(long)]
    registration: Option<Mode>,
    /// Rate limits; "off" is for load tests and conformance only.
    #[arg(long)]
    limits: Option<Limits>,
    /// Whom to tell about trouble.
    #[arg(long, value_name = "ADDRESS")]
    admin_email: Option<String>,
    /// "file", or the smtp:// or smtps:// URL to send mail through.
    #[arg(long, value_name = "file|SMTP-URL")]
    mail: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Email,
    Token,
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Limits {
    Default,
    Off,
}

pub(super) fn run(options: Init) -> Result<(), CliError> {
    if options.config.exists() {
        return Err(CliError::Exists(options.config));
    }
    let options = if io::stdin().is_terminal() { ask_for_missing(options)? } else { options };
    let text = config_text(&options)?;
    // What is written must be readable by `ternd serve`; a bad answer is told before anything is on the disk.
    Config::parse(&text, &options.config)?;
    if let Some(folder) = options.config.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // Others may look into it: what is private is the file.
        disk::make_folder(folder, 0o777).map_err(|source| CliError::File {
            what: "cannot make the folder",
            path: folder.to_owned(),
            source,
        })?;
    }
    write_new(&options.config, &text)?;
    let config = Config::load(&options.config)?;
    make_folder(&config.data_dir)?;
    // The server would make it at its first start; made now, it can be backed up before anyone relies on it.
    SigningKey::load_or_create(&config.data_dir.join("signing.key"))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    print(&format!(
        "wrote {}; run the server with\n\n    ternd serve --config {}\n\n",
        options.config.display(),
        options.config.display()
    ))
}

/// Writes a file that may hold passwords and must not exist.
fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| disk::sync_name(path))
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => CliError::Exists(path.to_owned()),
            _ => CliError::File { what: "cannot write", path: path.to_owned(), source },
        })
}

/// The example with the answers filled in.
fn config_text(options: &Init) -> Result<String, CliError> {
    let Some(server_name) = &options.server_name else {
        return Err(CliError::Usage("--server-name NAME is needed".to_owned()));
    };
    let host = server_name.rsplit_once(':').map_or(server_name.as_str(), |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { server_name }
    });
    let mut values = vec![("server_name", quoted(server_name))];
    if host.contains(|char: char| char.is_ascii_alphabetic()) && !host.starts_with('[') {
        values.push(("mail.from", quoted(&format!("Tern <noreply@{host}>"))));
    }
    if let Some(base_url) = loopback_url(host, options.listen.as_deref()) {
        values.push(("client.base_url", quoted(&base_url)));
    }
    if let Some(listen) = &options.listen {
        values.push(("listen.http", format!("[{}]", quoted(listen))));
    }
    if let Some(data) = &options.data {
        let data = std::path::absolute(data)?;
        let Some(data) = data.to_str() else {
            return Err(CliError::Usage("--data: the path must be valid UTF-8".to_owned()));
        };
        values.push(("data_dir", quoted(data)));
    }
    if let Some(mode) = options.registration.and_then(|mode| mode.to_possible_value()) {
        values.push(("registration.mode", quoted(mode.get_name())));
    }
    if let Some(limits) = options.limits.and_then(|limits| limits.to_possible_value()) {
        values.push(("limits.rate", quoted(limits.get_name())));
    }
    if let Some(address) = &options.admin_email {
        values.push(("admin.email", quoted(address)));
    }
    match options.mail.as_deref() {
        None | Some("file" | "") => {}
        Some(url) => {
            values.push(("mail.transport", quoted("smtp")));
            values.push(("mail.smtp_url", quoted(url)));
        }
    }
    Ok(fill(&values))
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Where a server that only this machine reaches is reached: nobody has a certificate for `https://localhost`. `None` for every
/// other name, and where the port is not known yet.
fn loopback_url(host: &str, listen: Option<&str>) -> Option<String> {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let loopback = host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback());
    let default = Listen::default().http;
    let listen = listen.or(default.first().map(String::as_str))?.parse::<SocketAddr>().ok()?;
    if !loopback || listen.port() == 0 {
        return None;
    }
    Some(if listen.ip().is_unspecified() {
        format!("http://{host}:{}", listen.port())
    } else {
        format!("http://{listen}")
    })
}

/// Asks for each option that was not given; an empty answer takes what stands in brackets.
fn ask_for_missing(mut options: Init) -> Result<Init, CliError> {
    if options.server_name.is_some() {
        // Whoever gives the one thing that has no default gives all they want to.
        return Ok(options);
    }
    let question = "server name (the part after the colon in @alice:example.org)";
    options.server_name = ask(question, "", |name| {
        usable("server_name", |config| name.clone_into(&mut config.server_name))
    })?;
    if options.listen.is_none() {
        options.listen = ask("listen for plain HTTP on", "127.0.0.1:8008", |listen| {
            usable("listen.http", |config| config.listen.http = vec![listen.to_owned()])
        })?;
    }
    if options.data.is_none() {
        options.data = ask("folder for the data", "data", |_| Ok(()))?.map(PathBuf::from);
    }
    if options.registration.is_none() {
        let question = "who may register: email, token, open or closed";
        let mode = ask(question, "email", |mode| Mode::from_str(mode, true).map(drop))?;
        options.registration = mode.and_then(|mode| Mode::from_str(&mode, true).ok());
    }
    if options.mail.is_none() {
        let question = "mail: file (shown by `ternd mail`) or an smtp:// URL";
        options.mail = ask(question, "file", |mail| {
            usable("mail.smtp_url", |config| {
                if mail != "file" {
                    config.mail.transport = MailTransport::Smtp;
                    mail.clone_into(&mut config.mail.smtp_url);
                }
            })
        })?;
    }
    if options.admin_email.is_none() {
        options.admin_email = ask("mail address of the administrator (may be empty)", "", |it| {
            usable("admin.email", |config| it.clone_into(&mut config.admin.email))
        })?;
    }
    Ok(options)
}

/// Whether a config with this change has no problem at `key`.
fn usable(key: &str, change: impl FnOnce(&mut Config)) -> Result<(), String> {
    let mut config = Config::for_server("example.org");
    change(&mut config);
    match config.problems().into_iter().find(|problem| problem.key == key) {
        Some(problem) => Err(problem.problem),
        None => Ok(()),
    }
}

/// Asks until the answer passes `check`: one bad answer does not throw the others away.
fn ask(
    question: &str,
    default: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Option<String>, CliError> {
    let mut terminal = io::stderr();
    loop {
        if default.is_empty() {
            write!(terminal, "{question}: ")?;
        } else {
            write!(terminal, "{question} [{default}]: ")?;
        }
        terminal.flush()?;
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer)? == 0 {
            return Err(CliError::Usage("no answer: nothing was written".to_owned()));
        }
        let answer = if answer.trim().is_empty() { default } else { answer.trim() };
        match check(answer) {
            Ok(()) => return Ok((!answer.is_empty()).then(|| answer.to_owned())),
            Err(problem) => writeln!(terminal, "  {problem}")?,
        }
    }
}
