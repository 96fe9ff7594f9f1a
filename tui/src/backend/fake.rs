//! A backend for tests and examples: remembers every request, and answers with what its script says.

use super::{AccountId, Backend, Report, Request, Told};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

type Script = Box<dyn Fn(&Request) -> Vec<Report> + Send + Sync>;

/// Records requests and plays reports. Clones share the record.
#[derive(Clone)]
pub struct Fake {
    requests: Arc<Mutex<Vec<(AccountId, Request)>>>,
    script: Arc<Script>,
    reports: Option<UnboundedSender<Told>>,
}

impl Fake {
    /// One that only records.
    pub fn silent() -> Fake {
        Fake { requests: Arc::default(), script: Arc::new(Box::new(|_| Vec::new())), reports: None }
    }

    /// One that answers each request with what `script` makes of it.
    pub fn scripted(
        reports: UnboundedSender<Told>,
        script: impl Fn(&Request) -> Vec<Report> + Send + Sync + 'static,
    ) -> Fake {
        Fake {
            requests: Arc::default(),
            script: Arc::new(Box::new(script)),
            reports: Some(reports),
        }
    }

    /// The requests so far; the record begins anew.
    pub fn take_requests(&self) -> Vec<Request> {
        self.take_asked().into_iter().map(|(_, request)| request).collect()
    }

    /// The requests so far and the accounts they were for; the record begins anew.
    pub fn take_asked(&self) -> Vec<(AccountId, Request)> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Backend for Fake {
    fn request(&self, account: AccountId, request: Request) {
        let answers = (self.script)(&request);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push((account, request));
        if let Some(reports) = &self.reports {
            for report in answers {
                // A client that has quit no longer listens.
                drop(reports.send((account, report)));
            }
        }
    }
}
