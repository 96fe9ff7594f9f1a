//! The one long-lived task of an account: takes requests in order, walks the way in, and holds the running session.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    accounts::Here,
    entry::{Entry, Unrestored},
    http::Http,
    reports::Reports,
    session::{Session, SessionEnd},
    store::Store,
};
use crate::backend::{AccountId, Report, Request};

/// What a worker is about.
pub(super) struct About {
    pub(super) http: Http,
    pub(super) store: Store,
    /// The server to use until another is found.
    pub(super) default_server: Option<String>,
    pub(super) reports: Reports,
    pub(super) here: Here,
}

/// Runs until nobody can ask it for anything any more.
pub(super) async fn run(about: About, mut inbox: mpsc::UnboundedReceiver<Request>) {
    let (ends, mut ended) = mpsc::unbounded_channel();
    let (reports, here) = (about.reports.clone(), about.here.clone());
    let (arrivals, mut arrived) = mpsc::unbounded_channel();
    let entry = Entry::new(about, arrivals);
    let mut worker = Worker { entry, reports, here, ends, session: None };
    worker.restore().await;
    loop {
        tokio::select! {
            request = inbox.recv() => match request {
                Some(request) => worker.handle(request).await,
                None => break,
            },
            Some(end) = ended.recv() => worker.end(end).await,
            Some(arrived) = arrived.recv() => {
                let client = worker.entry.arrived(&arrived).await;
                worker.begin_if_in(client);
            }
        }
    }
    if let Some(session) = worker.session.take() {
        session.stop().await;
    }
    worker.clear_away();
}

struct Worker {
    entry: Entry,
    reports: Reports,
    here: Here,
    ends: mpsc::UnboundedSender<SessionEnd>,
    session: Option<Arc<Session>>,
}

impl Worker {
    async fn restore(&mut self) {
        match self.entry.restore().await {
            Ok(Some(client)) => {
                if let Err(reason) = self.begin(client) {
                    self.reports.send(Report::CantOpen { reason });
                }
            }
            Ok(None) => {}
            Err(Unrestored::LogInAgain(reason)) => {
                self.reports.send(Report::LoggedOut { soft: true, reason: Some(reason) });
            }
            Err(Unrestored::CantOpen(reason)) => self.reports.send(Report::CantOpen { reason }),
        }
    }

    fn begin(&mut self, client: matrix_sdk::Client) -> Result<(), String> {
        if let Some(user) = client.user_id() {
            self.here.note(self.reports.account(), user.to_owned());
        }
        let (store, reports) = (self.entry.store().clone(), self.reports.clone());
        self.session = Some(Session::begin(client, store, reports, self.ends.clone())?);
        Ok(())
    }

    /// Begins the session of whoever has got in.
    fn begin_if_in(&mut self, client: Option<matrix_sdk::Client>) {
        if let Some(client) = client
            && let Err(reason) = self.begin(client)
        {
            self.reports.send(Report::AuthFailed { reason, about: None });
        }
    }

    async fn handle(&mut self, request: Request) {
        if matches!(request, Request::LogOut) {
            return self.log_out().await;
        }
        if matches!(request, Request::Restore) {
            if self.session.is_none() {
                self.restore().await;
            }
            return;
        }
        if Entry::takes(&request) {
            if self.session.is_some()
                && matches!(
                    request,
                    Request::LogIn { .. } | Request::Register { .. } | Request::FinishSso { .. }
                )
            {
                let reason = "You are logged in already. Log out first.".to_owned();
                return self.reports.send(Report::AuthFailed { reason, about: None });
            }
            let client = self.entry.handle(request).await;
            return self.begin_if_in(client);
        }
        match &self.session {
            Some(session) => session.handle(request),
            None => self.refuse(request),
        }
    }

    /// Nobody is logged in. What was written goes back to where it was written.
    fn refuse(&self, request: Request) {
        let reason = "You are not logged in. Log in first.".to_owned();
        self.reports.send(match request {
            Request::Rest => return,
            Request::SendText { chat, text, .. } => Report::NotQueued { chat, text, reason },
            _ => Report::Failed { reason },
        });
    }

    /// A further account's folder goes when nobody is logged in there, unless something was set aside in it.
    fn clear_away(&self) {
        if self.reports.account() != AccountId::FIRST {
            self.entry.store().clear_away();
        }
    }

    /// Ends the session on the server (best effort) and wipes what is on disk. One that waits for another login, or can't be opened,
    /// is left to the server.
    async fn log_out(&mut self) {
        let told = match self.session.take() {
            Some(session) => {
                let said = session.client.logout().await;
                session.stop().await;
                said.is_ok()
            }
            None if matches!(self.entry.store().load(), Ok(None)) => {
                return self.reports.failed("You are not logged in.");
            }
            None => false,
        };
        let wiped = self.entry.store().wipe();
        self.here.forget(self.reports.account());
        self.clear_away();
        let reason = match (told, wiped) {
            (_, Err(error)) => Some(format!("Some files could not be removed: {error}")),
            (false, Ok(())) => Some(
                "The server could not be told; remove this session from another of your sessions."
                    .to_owned(),
            ),
            (true, Ok(())) => None,
        };
        self.reports.send(Report::LoggedOut { soft: false, reason });
    }

    /// The server ended the session: keep keys after a soft logout, wipe everything after a hard one.
    async fn end(&mut self, end: SessionEnd) {
        let Some(session) = self.session.take() else { return };
        session.stop().await;
        drop(session);
        let kept = if end.soft {
            self.entry.store().mark_soft_logged_out()
        } else {
            self.here.forget(self.reports.account());
            self.entry.store().wipe()
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the stored session could not be updated");
        }
        self.clear_away();
        self.entry.remember_server().await;
        let reason = if end.soft {
            "The server wants you to log in again. Your keys and history are kept."
        } else {
            "This session was ended from another device. Log in again."
        };
        self.reports.send(Report::LoggedOut { soft: end.soft, reason: Some(reason.to_owned()) });
    }
}
