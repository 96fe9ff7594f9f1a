//! The sending end of the report channel, with shorthands for the reports every file makes.

use tokio::sync::mpsc;

use crate::backend::Report;

#[derive(Clone)]
pub(super) struct Reports(mpsc::UnboundedSender<Report>);

impl Reports {
    pub(super) fn new(sender: mpsc::UnboundedSender<Report>) -> Self {
        Self(sender)
    }

    pub(super) fn send(&self, report: Report) {
        if self.0.send(report).is_err() {
            tracing::debug!("a report came after the screen's end");
        }
    }

    pub(super) fn failed(&self, reason: impl Into<String>) {
        self.send(Report::Failed { reason: reason.into() });
    }

    pub(super) fn notice(&self, text: impl Into<String>) {
        self.send(Report::Notice { text: text.into() });
    }
}
