//! Lists that are asked for: each is made whole, and the one on the screen again whenever something of it changed.

use std::sync::{Mutex, PoisonError};

use super::{devices, directory, members, persons, search, session::Session};
use crate::backend::{Item, Listed, Report};

/// The list on the screen.
#[derive(Default)]
pub(super) struct Listing(Mutex<Option<Listed>>);

impl Listing {
    pub(super) fn set(&self, of: Option<Listed>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = of;
    }

    pub(super) fn shown(&self) -> Option<Listed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes a list and reports it. A failure is reported by who makes it.
pub(super) async fn report(session: &Session, of: Listed) {
    let items: Option<Vec<Item>> = match &of {
        Listed::Members(chat) => members::list(session, chat).await,
        Listed::Rights(chat) => members::rights(session, chat).await,
        Listed::People(typed) => persons::find(session, typed).await,
        Listed::Directory(typed) => directory::find(session, typed).await,
        Listed::Space(space) => directory::rooms_of(session, space).await,
        Listed::Sessions => devices::list(session).await,
        Listed::Ignored => Some(persons::ignored(session).await),
        Listed::Messages(typed) => search::messages(session, typed).await,
    };
    if let Some(items) = items {
        session.reports.send(Report::Rows { of, items });
    }
}

/// Something changed: makes the list on the screen anew if it is such a one.
pub(super) async fn refresh(session: &Session, such: impl Fn(&Listed) -> bool) {
    if let Some(of) = session.listing.shown().filter(|of| such(of)) {
        report(session, of).await;
    }
}
