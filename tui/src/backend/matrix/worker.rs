//! The backend's one long-lived task: takes requests in order, walks the way in, and holds the running session.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    entry::{Entry, Unrestored},
    http,
    reports::Reports,
    session::{Session, SessionEnd},
    store::Store,
};
use crate::backend::{Config, Report, Request};

/// Runs until the loop drops its handle.
pub(super) async fn run(
    config: Config,
    reports: Reports,
    mut inbox: mpsc::UnboundedReceiver<Request>,
) {
    let http = match http::build(config.extra_ca.as_deref()) {
        Ok(http) => http,
        Err(error) => return reports.failed(error.to_string()),
    };
    let store = Store::new(config.data_dir.clone(), config.store_key);
    let (ends, mut ended) = mpsc::unbounded_channel();
    let entry = Entry::new(http, store, config.server.clone(), reports.clone());
    let mut worker = Worker { entry, reports, ends, session: None };
    worker.restore().await;
    loop {
        tokio::select! {
            request = inbox.recv() => match request {
                Some(request) => worker.handle(request).await,
                None => break,
            },
            Some(end) = ended.recv() => worker.end(end).await,
        }
    }
    if let Some(session) = worker.session.take() {
        session.stop().await;
    }
}

struct Worker {
    entry: Entry,
    reports: Reports,
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
        let (store, reports) = (self.entry.store().clone(), self.reports.clone());
        self.session = Some(Session::begin(client, store, reports, self.ends.clone())?);
        Ok(())
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
                && matches!(request, Request::LogIn { .. } | Request::Register { .. })
            {
                let reason = "You are logged in already. Log out first.".to_owned();
                return self.reports.send(Report::AuthFailed { reason, about: None });
            }
            if let Some(client) = self.entry.handle(request).await
                && let Err(reason) = self.begin(client)
            {
                self.reports.send(Report::AuthFailed { reason, about: None });
            }
            return;
        }
        match &self.session {
            Some(session) => session.handle(request),
            None => self.reports.failed("You are not logged in. Log in first."),
        }
    }

    /// Ends the session on the server (best effort) and wipes what is on disk.
    async fn log_out(&mut self) {
        let Some(session) = self.session.take() else {
            return self.reports.failed("You are not logged in.");
        };
        let said = session.client.logout().await;
        session.stop().await;
        drop(session);
        let wiped = self.entry.store().wipe();
        let reason = match (said, wiped) {
            (_, Err(error)) => Some(format!("Some files could not be removed: {error}")),
            (Err(_), Ok(())) => Some(
                "The server could not be told; remove this session from another of your sessions."
                    .to_owned(),
            ),
            (Ok(()), Ok(())) => None,
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
            self.entry.store().wipe()
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the stored session could not be updated");
        }
        self.entry.remember_server().await;
        let reason = if end.soft {
            "The server wants you to log in again. Your keys and history are kept."
        } else {
            "This session was ended from another device. Log in again."
        };
        self.reports.send(Report::LoggedOut { soft: end.soft, reason: Some(reason.to_owned()) });
    }
}
