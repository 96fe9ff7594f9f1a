//! A mail server that takes every mail and keeps it: a real SMTP conversation, with STARTTLS and a login where asked for.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{mail::Mail, patience::PATIENCE};

/// Longest mail it takes, in bytes.
const MAIL_BYTES_MAX: usize = 4 << 20;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The running sink. Dropping it closes its port.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    login: Option<(String, String)>,
    tls: bool,
    mails: watch::Receiver<Vec<Mail>>,
    task: JoinHandle<()>,
}

/// What every conversation needs to know.
struct Rules {
    tls: Option<TlsAcceptor>,
    login: Option<(String, String)>,
    mails: watch::Sender<Vec<Mail>>,
}

impl SmtpSink {
    /// Listens on a free port of 127.0.0.1, without TLS and without a login.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        Self::start_with(None, None).await
    }

    /// The same, demanding STARTTLS with the certificate of `tls`, and a login where `login` names user and password.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start_with(
        tls: Option<Arc<ServerConfig>>,
        login: Option<(&str, &str)>,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, mails) = watch::channel(Vec::new());
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let secured = tls.is_some();
        let rules = Arc::new(Rules {
            tls: tls.map(TlsAcceptor::from),
            login: login.clone(),
            mails: sender,
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let rules = Arc::clone(&rules);
                // A client that hangs up in the middle has sent no mail; that is all there is to say.
                tokio::spawn(async move { converse(stream, &rules).await.ok() });
            }
        });
        Ok(Self { address, login, tls: secured, mails, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `smtp_url` for a server's configuration. With TLS the host is `localhost`, as in the certificate.
    pub fn url(&self) -> String {
        let login = self.login.as_ref();
        let login = login.map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        let port = self.address.port();
        let tls = if self.tls { "?tls=required" } else { "" };
        format!("smtp://{login}localhost:{port}{tls}")
    }

    /// Everything that came, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.borrow().clone()
    }

    /// Waits for the mail number `index` (from 0) to `address`.
    ///
    /// # Errors
    /// When it does not come within [`PATIENCE`].
    pub async fn wait_for_mail(&self, address: &str, index: usize) -> Result<Mail> {
        let mut news = self.mails.clone();
        let pick = |mails: &Vec<Mail>| {
            mails.iter().filter(|mail| mail.is_for(address)).nth(index).cloned()
        };
        let waiting = news.wait_for(|mails| pick(mails).is_some());
        let mails = timeout(PATIENCE, waiting)
            .await
            .map_err(|_| anyhow!("no mail number {index} for {address} came"))??;
        pick(&mails).context("the mail went away")
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, rules: &Rules) -> Result<()> {
    let mut plain: Box<dyn Stream> = Box::new(stream);
    plain.write_all(b"220 localhost ESMTP\r\n").await?;
    let mut conversation = Conversation::new(plain, false);
    while let Some(next) = conversation.step(rules).await? {
        if let (Next::StartTls, Some(acceptor)) = (next, &rules.tls) {
            let secured = acceptor.accept(conversation.stream.into_inner()).await?;
            conversation = Conversation::new(Box::new(secured), true);
        }
    }
    Ok(())
}

enum Next {
    Command,
    StartTls,
}

/// One conversation between two changes of its stream.
struct Conversation {
    stream: BufReader<Box<dyn Stream>>,
    secured: bool,
    logged_in: bool,
    recipients: Vec<String>,
}

impl Conversation {
    fn new(stream: Box<dyn Stream>, secured: bool) -> Self {
        let stream = BufReader::new(stream);
        Self { stream, secured, logged_in: false, recipients: Vec::new() }
    }

    /// Answers one command; `None` after the last.
    async fn step(&mut self, rules: &Rules) -> Result<Option<Next>> {
        let Some(line) = self.line().await? else { return Ok(None) };
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let must_secure = rules.tls.is_some() && !self.secured;
        let must_log_in = rules.login.is_some() && !self.logged_in;
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.greet(rules).await?,
            "HELO" | "NOOP" => self.say("250 localhost").await?,
            "STARTTLS" if must_secure => {
                self.say("220 go ahead").await?;
                return Ok(Some(Next::StartTls));
            }
            "QUIT" => {
                self.say("221 bye").await?;
                return Ok(None);
            }
            "RSET" => {
                self.recipients.clear();
                self.say("250 forgotten").await?;
            }
            _ if must_secure => self.say("530 5.7.0 STARTTLS first").await?,
            "AUTH" => self.authenticate(rest, rules).await?,
            _ if must_log_in => self.say("530 5.7.0 log in first").await?,
            "MAIL" => self.say("250 sender noted").await?,
            "RCPT" => {
                self.recipients.push(address_in(rest));
                self.say("250 recipient noted").await?;
            }
            "DATA" => self.take_mail(rules).await?,
            _ => self.say("502 5.5.1 unknown command").await?,
        }
        Ok(Some(Next::Command))
    }

    async fn greet(&mut self, rules: &Rules) -> Result<()> {
        let mut lines = vec!["localhost", "8BITMIME"];
        if rules.tls.is_some() && !self.secured {
            lines.push("STARTTLS");
        } else if rules.login.is_some() {
            lines.push("AUTH PLAIN LOGIN");
        }
        let last = lines.pop().unwrap_or_default();
        for line in lines {
            self.say(&format!("250-{line}")).await?;
        }
        self.say(&format!("250 {last}")).await
    }

    async fn authenticate(&mut self, rest: &str, rules: &Rules) -> Result<()> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let (user, password) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer =
                    if initial.is_empty() { self.ask("334 ").await? } else { initial.to_owned() };
                let decoded = decode(&answer)?;
                let mut parts = decoded.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => {
                let user = self.ask("334 VXNlcm5hbWU6").await?;
                let password = self.ask("334 UGFzc3dvcmQ6").await?;
                (decode(&user)?, decode(&password)?)
            }
            _ => return self.say("504 5.5.4 unknown mechanism").await,
        };
        self.logged_in = rules.login.as_ref() == Some(&(user, password));
        let answer =
            if self.logged_in { "235 2.7.0 welcome" } else { "535 5.7.8 wrong user or password" };
        self.say(answer).await
    }

    async fn take_mail(&mut self, rules: &Rules) -> Result<()> {
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 nobody to send it to").await;
        }
        self.say("354 end with a dot").await?;
        let mut raw = String::new();
        while let Some(line) = self.line().await? {
            if line == "." {
                break;
            }
            // A dot that begins a line was doubled on its way.
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
            if raw.len() > MAIL_BYTES_MAX {
                return self.say("552 5.3.4 too long").await;
            }
        }
        let to = std::mem::take(&mut self.recipients);
        match Mail::parse(raw.as_bytes(), to) {
            Ok(mail) => {
                rules.mails.send_modify(|mails| mails.push(mail));
                self.say("250 2.0.0 kept").await
            }
            Err(_) => self.say("554 5.6.0 not a mail").await,
        }
    }

    async fn ask(&mut self, question: &str) -> Result<String> {
        self.say(question).await?;
        self.line().await?.context("hung up")
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    async fn line(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// The address in `TO:<alice@example.org> SIZE=3`.
fn address_in(rest: &str) -> String {
    let inside = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(rest, |(address, _)| address).to_owned()
}

fn decode(text: &str) -> Result<String> {
    Ok(String::from_utf8(STANDARD.decode(text.trim())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_sent_to_the_sink_is_kept() {
        let sink = SmtpSink::start().await.unwrap();
        let mut stream = BufReader::new(TcpStream::connect(sink.address()).await.unwrap());
        let script = "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n\
            Subject: Hello\r\n\r\nOne line.\r\n..dotted\r\n.\r\nQUIT\r\n";

        stream.write_all(script.as_bytes()).await.unwrap();
        let mail = sink.wait_for_mail("alice@example.org", 0).await.unwrap();

        assert_eq!(mail.subject, "Hello");
        assert_eq!(mail.text, "One line.\r\n.dotted\r\n");
        assert_eq!(sink.mails().len(), 1);
    }

    #[tokio::test]
    async fn a_sink_with_a_login_takes_nothing_before_it() {
        let sink = SmtpSink::start_with(None, Some(("tern", "secret"))).await.unwrap();
        let mut stream = BufReader::new(TcpStream::connect(sink.address()).await.unwrap());
        let script = "MAIL FROM:<a@example.org>\r\nAUTH PLAIN AHRlcm4Ad3Jvbmc=\r\nAUTH PLAIN AHRlcm4Ac2VjcmV0\r\nQUIT\r\n";

        stream.write_all(script.as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        let mut lines = stream.lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            answers.push(line.split(' ').next().unwrap_or_default().to_owned());
        }

        assert_eq!(answers, ["220", "530", "535", "235", "221"]);
        assert_eq!(sink.url(), format!("smtp://tern:secret@localhost:{}", sink.address().port()));
    }
}
