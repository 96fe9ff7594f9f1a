//! The sending end of the report channel, with shorthands for the reports every file makes.

use tokio::sync::mpsc;

use crate::backend::{AccountId, Report, Told};

/// Says of which account each report is, and names its rooms as the world outside of the account does.
#[derive(Clone)]
pub(super) struct Reports {
    account: AccountId,
    sender: mpsc::UnboundedSender<Told>,
}

impl Reports {
    pub(super) fn new(account: AccountId, sender: mpsc::UnboundedSender<Told>) -> Self {
        Self { account, sender }
    }

    /// Whose reports these are.
    pub(super) fn account(&self) -> AccountId {
        self.account
    }

    pub(super) fn send(&self, report: Report) {
        self.send_outside(report.outside(self.account));
    }

    /// The same for what has the ids of outside already.
    pub(super) fn send_outside(&self, report: Report) {
        if self.sender.send((self.account, report)).is_err() {
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
