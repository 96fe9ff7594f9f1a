//! Somebody at a screen: asks the backend for things and waits for what it reports.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    time::Duration,
};

use tern_tui::backend::{
    AccountId, Backend, Chat, Config, Connection, Encryption, Message, Report, Request, Secret,
    Told, matrix,
};
use tokio::sync::mpsc;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Person {
    backend: Box<dyn Backend>,
    reports: mpsc::UnboundedReceiver<Told>,
    recent: VecDeque<String>,
    pub(crate) who: String,
    pub(crate) user: Option<String>,
    pub(crate) connection: Option<Connection>,
    pub(crate) chats: Vec<Chat>,
    pub(crate) messages: HashMap<String, Vec<Message>>,
    pub(crate) encryption: Option<Encryption>,
    pub(crate) dir: PathBuf,
    /// A failure that is told does not end the test.
    pub(crate) expects_failures: bool,
}

impl Person {
    pub(crate) fn new(who: &str, dir: PathBuf) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let config = Config {
            data_dir: dir.clone(),
            extra_ca: None,
            server: None,
            store_key: [7; 32],
            socket: true,
        };
        Self {
            backend: matrix::start(config, sender).0,
            reports,
            recent: VecDeque::new(),
            who: who.to_owned(),
            user: None,
            connection: None,
            chats: Vec::new(),
            messages: HashMap::new(),
            encryption: None,
            dir,
            expects_failures: false,
        }
    }

    pub(crate) fn ask(&self, request: Request) {
        self.backend.request(AccountId::FIRST, request);
    }

    /// The next report that `wanted` takes; everything before it is remembered. Panics when it does not come.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Report) -> Option<T>,
    ) -> T {
        let waiting = async {
            loop {
                let (_, report) = self.reports.recv().await.expect("the backend lives");
                self.remember(&report);
                if let Some(found) = wanted(&report) {
                    return found;
                }
            }
        };
        let got = tokio::time::timeout(PATIENCE, waiting).await;
        match got {
            Ok(found) => found,
            Err(_) => panic!("{} waited for: {what}\nlast reports:\n{}", self.who, self.told()),
        }
    }

    /// Waits until the state seen so far satisfies `wanted`.
    pub(crate) async fn state<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let waiting = async {
            loop {
                if let Some(found) = wanted(self) {
                    return found;
                }
                let (_, report) = self.reports.recv().await.expect("the backend lives");
                self.remember(&report);
            }
        };
        let got = tokio::time::timeout(PATIENCE, waiting).await;
        match got {
            Ok(found) => found,
            Err(_) => panic!("{} waited for: {what}\nlast reports:\n{}", self.who, self.told()),
        }
    }

    /// Closes the client, and waits until nothing of it runs any more.
    pub(crate) async fn leave(mut self) {
        drop(self.backend);
        let ended =
            tokio::time::timeout(PATIENCE, async { while self.reports.recv().await.is_some() {} })
                .await;
        assert!(ended.is_ok(), "{}'s backend goes on after its end", self.who);
    }

    fn told(&self) -> String {
        self.recent.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    fn remember(&mut self, report: &Report) {
        self.recent.push_back(match report {
            Report::Timeline { messages, .. } => {
                let lines = messages.iter().map(|message| {
                    format!("  {} {:?} {:?}", message.sender, message.body, message.ticks)
                });
                format!("Timeline:\n{}", lines.collect::<Vec<_>>().join("\n"))
            }
            other => format!("{other:?}"),
        });
        if self.recent.len() > 25 {
            self.recent.pop_front();
        }
        match report {
            Report::LoggedIn { user, .. } => self.user = Some(user.clone()),
            Report::Connection(connection) => self.connection = Some(*connection),
            Report::Chats(chats) => {
                self.chats = chats.iter().map(|chat| Chat::clone(chat)).collect();
            }
            Report::Encryption(encryption) => self.encryption = Some(encryption.clone()),
            Report::Timeline { chat, messages } => {
                self.messages.insert(chat.clone(), messages.clone());
            }
            Report::Failed { reason } if !self.expects_failures => {
                panic!("{} was told: {reason}", self.who)
            }
            _ => {}
        }
    }

    async fn logged_in(&mut self) -> String {
        self.until("being logged in", |report| match report {
            Report::LoggedIn { user, .. } => Some(user.clone()),
            Report::AuthFailed { reason, .. } => panic!("refused: {reason}"),
            _ => None,
        })
        .await
    }

    /// Finds the server as the first-run screen does.
    pub(crate) async fn find(&mut self, url: &str) -> tern_tui::backend::ServerInfo {
        self.ask(Request::FindServer { input: url.to_owned() });
        self.until("the server", |report| match report {
            Report::ServerFound(info) => Some(info.clone()),
            Report::ServerNotFound { reason } => panic!("not found: {reason}"),
            _ => None,
        })
        .await
    }

    /// A new account on the server at `url`, online.
    pub(crate) async fn register(who: &str, url: &str, dir: PathBuf) -> Self {
        let mut person = Self::new(who, dir);
        person.find(url).await;
        let password = Secret(PASSWORD.to_owned());
        person.ask(Request::Register {
            username: who.to_owned(),
            password,
            email: None,
            token: None,
        });
        person.logged_in().await;
        person.online().await;
        person
    }

    /// Another session of an account.
    pub(crate) async fn log_in(who: &str, url: &str, dir: PathBuf) -> Self {
        let mut person = Self::new(who, dir);
        person.find(url).await;
        person.ask(Request::LogIn { user: who.to_owned(), password: Secret(PASSWORD.to_owned()) });
        person.logged_in().await;
        person.online().await;
        person
    }

    pub(crate) async fn online(&mut self) {
        self.state("being online", |me| (me.connection == Some(Connection::Online)).then_some(()))
            .await;
    }

    /// Waits for the chat that satisfies `wanted`.
    pub(crate) async fn chat(&mut self, what: &str, wanted: impl Fn(&Chat) -> bool) -> Chat {
        self.state(what, |me| me.chats.iter().find(|chat| wanted(chat)).cloned()).await
    }

    /// Waits for a message of `chat` that satisfies `wanted`.
    pub(crate) async fn message(
        &mut self,
        chat: &str,
        what: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Message {
        self.state(what, |me| {
            me.messages.get(chat)?.iter().find(|message| wanted(message)).cloned()
        })
        .await
    }

    pub(crate) async fn chat_ready(&mut self) -> String {
        self.until("the chat", |report| match report {
            Report::ChatReady { chat } => Some(chat.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) fn say(&self, chat: &str, text: &str) {
        self.ask(Request::SendText {
            chat: chat.to_owned(),
            text: text.to_owned(),
            reply_to: None,
            edits: None,
        });
    }
}
