//! Alice, before the client opens: the same backend that `tern` runs, on the data folder that `tern` then finds.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tern_testkit::{Loopback, Ternd};
use tern_tui::{
    backend::{
        AccountId, Backend, Body, Config, Connection, MailStep, Recovery, Report, Request, Secret,
        Told, matrix,
    },
    keys,
};
use tokio::{sync::mpsc, time::timeout};

/// The name of her data folder.
pub(crate) const FOLDER: &str = "alice";
/// How long any one step may take, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Alice {
    backend: Box<dyn Backend>,
    reports: mpsc::UnboundedReceiver<Told>,
    user: String,
}

impl Alice {
    /// From the first-run screen's first question to being online, with the code from the mail.
    ///
    /// # Errors
    /// When the server refuses or a step takes too long.
    pub(crate) async fn register(
        loopback: &Loopback,
        server: &Ternd,
        password: &str,
    ) -> Result<Self> {
        let data_dir = loopback.subfolder(FOLDER)?;
        let store_key = keys::store_key(&data_dir)?;
        let extra_ca = Some(loopback.authority().file().to_owned());
        let (sender, reports) = mpsc::unbounded_channel();
        let config = Config { data_dir, extra_ca, server: None, store_key, socket: true };
        let mut alice = Self {
            backend: matrix::start(config, sender).0,
            reports,
            user: server.user_id("alice"),
        };
        alice.ask(Request::FindServer { input: server.name().to_owned() });
        alice
            .wait("the server", |report| matches!(report, Report::ServerFound(_)).then_some(()))
            .await?;
        let email = "alice@example.org";
        alice.ask(Request::Register {
            username: "alice".to_owned(),
            password: Secret(password.to_owned()),
            email: Some(email.to_owned()),
            token: None,
        });
        let mail_sent = |report: &Report| {
            let sent = Report::RegistrationStep(MailStep::MailSent {
                email: email.to_owned(),
                code: true,
            });
            (*report == sent).then_some(())
        };
        alice.wait("the mail", mail_sent).await?;
        let code = server.wait_for_mail(email, 0).await?.code()?;
        alice.ask(Request::SubmitMailCode { code: Secret(code) });
        alice
            .wait("being online", |report| {
                (*report == Report::Connection(Connection::Online)).then_some(())
            })
            .await?;
        Ok(alice)
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Cross-signing, key backup and secret storage; gives the recovery key.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn set_up_recovery(&mut self) -> Result<Secret> {
        self.ask(Request::EnableRecovery);
        let key = self.wait("the recovery key", |report| match report {
            Report::RecoveryKey(key) => Some(key.clone()),
            _ => None,
        });
        let key = key.await?;
        self.wait("recovery being set up", |report| match report {
            Report::Encryption(state) if state.recovery == Recovery::Enabled => Some(()),
            _ => None,
        })
        .await?;
        Ok(key)
    }

    /// A new encrypted chat with `user`, opened.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn start_chat(&mut self, user: &str) -> Result<String> {
        self.ask(Request::NewDirectChat { user: user.to_owned(), encrypted: true });
        let ready = self.wait("the chat", |report| match report {
            Report::ChatReady { chat } => Some(chat.clone()),
            _ => None,
        });
        let chat = ready.await?;
        self.ask(Request::OpenChat { chat: chat.clone() });
        Ok(chat)
    }

    /// The first message of `user` in the open chat.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn wait_for_message_of(&mut self, user: &str) -> Result<String> {
        self.wait("a message", |report| texts_of(report, user).into_iter().next()).await
    }

    /// Says `text` in `chat`, and gives what `user` says to it.
    ///
    /// # Errors
    /// When it takes too long.
    pub(crate) async fn ask_in(&mut self, chat: &str, user: &str, text: &str) -> Result<String> {
        self.ask(Request::SendText {
            chat: chat.to_owned(),
            text: text.to_owned(),
            reply_to: None,
            edits: None,
        });
        let answer = |report: &Report| {
            texts_of(report, user).into_iter().find(|answer| answer.contains(text))
        };
        self.wait("the answer", answer).await
    }

    /// Ends the backend and waits until it has let go of its files.
    ///
    /// # Errors
    /// When it goes on all the same.
    pub(crate) async fn close(self) -> Result<()> {
        let Self { backend, mut reports, .. } = self;
        drop(backend);
        let ended = timeout(PATIENCE, async { while reports.recv().await.is_some() {} }).await;
        ended.context("the client does not end")
    }

    fn ask(&self, request: Request) {
        self.backend.request(AccountId::FIRST, request);
    }

    async fn wait<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Report) -> Option<T>,
    ) -> Result<T> {
        let waiting = async {
            while let Some((_, report)) = self.reports.recv().await {
                if let Report::AuthFailed { reason, .. }
                | Report::ServerNotFound { reason }
                | Report::Failed { reason } = report
                {
                    bail!("{reason}");
                }
                if let Some(found) = wanted(&report) {
                    return Ok(found);
                }
            }
            bail!("the client ended")
        };
        let waited = timeout(PATIENCE, waiting).await;
        waited.with_context(|| format!("alice waited too long for {what}"))?
    }
}

/// What `user` has said in a timeline, oldest first.
fn texts_of(report: &Report, user: &str) -> Vec<String> {
    let Report::Timeline { messages, .. } = report else { return Vec::new() };
    let of_user = messages.iter().filter(|message| message.sender == user);
    let texts = of_user.filter_map(|message| match &message.body {
        Body::Text { text, .. } => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}
