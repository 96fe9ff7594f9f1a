//! A backend for tests and examples: remembers every request, and answers with what its script says.

use super::{Backend, Report, Request};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

type Script = Box<dyn Fn(&Request) -> Vec<Report> + Send + Sync>;

/// Records requests and plays reports. Clones share the record.
#[derive(Clone)]
pub struct Fake {
    requests: Arc<Mutex<Vec<Request>>>,
    script: Arc<Script>,
    reports: Option<UnboundedSender<Report>>,
}

impl Fake {
    /// One that only records.
    pub fn silent() -> Fake {
        Fake { requests: Arc::default(), script: Arc::new(Box::new(|_| Vec::new())), reports: None }
    }

    /// One that answers each request with what `script` makes of it.
    pub fn scripted(
        reports: UnboundedSender<Report>,
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
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Backend for Fake {
    fn request(&self, request: Request) {
        let answers = (self.script)(&request);
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        if let Some(reports) = &self.reports {
            for report in answers {
                // A client that has quit no longer listens.
                drop(reports.send(report));
            }
        }
    }
}
