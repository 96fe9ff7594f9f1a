//! The accounts of this client: a worker for each, which request goes to which, and who is here already.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ruma::{OwnedUserId, UserId};
use tokio::{sync::mpsc, task::JoinSet};

use super::{http::Http, reports::Reports, store, store::Store, worker};
use crate::backend::{AccountId, Config, Request, Told};

/// Runs until the loop drops its handle, and then until all sessions have ended.
pub(super) async fn run(
    config: Config,
    reports: mpsc::UnboundedSender<Told>,
    mut inbox: mpsc::UnboundedReceiver<(AccountId, Request)>,
) {
    let http = match Http::new(config.extra_ca.clone(), config.socket) {
        Ok(http) => http,
        Err(error) => {
            let first = store::accounts(&config.data_dir).first().copied();
            return Reports::new(first.unwrap_or_default(), reports).failed(error.to_string());
        }
    };
    let there = store::accounts(&config.data_dir);
    let mut accounts = Accounts {
        config,
        http,
        reports,
        here: Here::default(),
        requests: BTreeMap::new(),
        tasks: JoinSet::new(),
        open: None,
    };
    for account in there {
        accounts.worker(account);
    }
    while let Some((account, request)) = inbox.recv().await {
        accounts.hand_over(account, request);
    }
    let Accounts { requests, mut tasks, .. } = accounts;
    drop(requests);
    while tasks.join_next().await.is_some() {}
}

struct Accounts {
    config: Config,
    http: Http,
    reports: mpsc::UnboundedSender<Told>,
    here: Here,
    requests: BTreeMap<AccountId, mpsc::UnboundedSender<Request>>,
    tasks: JoinSet<()>,
    /// The one whose chat was opened last.
    open: Option<AccountId>,
}

impl Accounts {
    fn hand_over(&mut self, account: AccountId, request: Request) {
        if matches!(request, Request::OpenChat { .. } | Request::OpenAround { .. })
            && let Some(before) = self.open.replace(account).filter(|before| *before != account)
        {
            self.send(before, Request::Rest);
        }
        self.send(account, request.inside());
    }

    fn send(&mut self, account: AccountId, request: Request) {
        if self.worker(account).send(request).is_err() {
            tracing::debug!("a request came after its account's end");
        }
    }

    /// The worker of an account. It is there from the first request on; who logs in there may come later.
    fn worker(&mut self, account: AccountId) -> &mpsc::UnboundedSender<Request> {
        self.requests.entry(account).or_insert_with(|| {
            let (requests, inbox) = mpsc::unbounded_channel();
            let folder = store::folder(&self.config.data_dir, account);
            let about = worker::About {
                http: self.http.clone(),
                store: Store::new(folder, self.config.store_key),
                default_server: self.config.server.clone(),
                reports: Reports::new(account, self.reports.clone()),
                here: self.here.clone(),
            };
            self.tasks.spawn(worker::run(about, inbox));
            requests
        })
    }
}

/// Whose accounts are in this client. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Here(Arc<Mutex<BTreeMap<AccountId, OwnedUserId>>>);

impl Here {
    fn users(&self) -> MutexGuard<'_, BTreeMap<AccountId, OwnedUserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account is this user's from now on.
    pub(super) fn note(&self, account: AccountId, user: OwnedUserId) {
        self.users().insert(account, user);
    }

    /// The account is nobody's any more.
    pub(super) fn forget(&self, account: AccountId) {
        self.users().remove(&account);
    }

    /// Whether another account than this one is the user's.
    pub(super) fn elsewhere(&self, account: AccountId, user: &UserId) -> bool {
        self.users().iter().any(|(other, of)| *other != account && of == user)
    }
}
