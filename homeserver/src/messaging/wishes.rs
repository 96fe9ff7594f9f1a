//! What users of this server wish for, kept in memory: asked for every event, so read from the database once.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Engine, Error, Room};
use crate::{
    account::{self, AccountError, Wishes},
    app::App,
    generations::Generations,
    storage::{self, Id, account_data},
};

/// Bytes of wishes that are kept.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The wishes that were read, and who has any of their own.
#[derive(Debug)]
pub(super) struct Known {
    users: Mutex<Users>,
    read: Generations<Arc<Wishes>>,
}

/// Who ever wished for anything but the usual.
#[derive(Debug, Default)]
struct Users {
    users: Arc<BTreeSet<Id>>,
    is_loaded: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self { users: Mutex::default(), read: Generations::new(BYTES_MAX) }
    }
}

impl Known {
    /// Forgets what is out of date; answers who has wishes, if that was loaded.
    fn refresh(&self, app: &App) -> Option<Arc<BTreeSet<Id>>> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = app.stale.take();
        if !stale.is_empty() {
            let forgotten: Vec<Id> = stale.iter().copied().collect();
            self.read.forget(&forgotten);
            Arc::make_mut(&mut users.users).extend(stale);
        }
        users.is_loaded.then(|| users.users.clone())
    }

    async fn users(&self, app: &App) -> Result<Arc<BTreeSet<Id>>, Error> {
        if let Some(users) = self.refresh(app) {
            return Ok(users);
        }
        let stored = account_data::list_users_with_wishes(app.db.read()).await?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut users.users).extend(stored);
        users.is_loaded = true;
        Ok(users.users.clone())
    }

    async fn read(&self, app: &App, user: Id) -> Result<Arc<Wishes>, Error> {
        let marks = app.stale.marks();
        if let Some(wishes) = self.read.find(user) {
            return Ok(wishes);
        }
        let wishes = match account::wishes(app, user).await {
            Ok(wishes) => Arc::new(wishes),
            Err(AccountError::Storage(error)) => return Err(Error::Storage(error)),
            Err(error) => return Err(Error::InvalidParam(error.to_string())),
        };
        // Unless they changed since: who marked them may have been heard already.
        let _turn = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if app.stale.marks() == marks {
            self.read.keep(user, wishes.clone(), wishes.weight());
        }
        Ok(wishes)
    }
}

/// A user's wishes; `None` for who never had any of their own.
pub async fn of(engine: &Engine, user: Id) -> Result<Option<Arc<Wishes>>, Error> {
    let (app, known) = (engine.app(), engine.wishes());
    if !known.users(app).await?.contains(&user) {
        return Ok(None);
    }
    match known.read(app, user).await {
        Ok(wishes) => Ok(Some(wishes)),
        Err(error) if is_damaged(&error) => {
            tracing::warn!(%error, "a user's push rules do not read: the defaults stand");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn is_damaged(error: &Error) -> bool {
    matches!(error, Error::Storage(storage::Error::Damaged { .. }))
}

/// The joined users of this server whose wishes about what `sender` sends to the room are not the usual, by interned id.
pub(super) async fn differing(
    engine: &Engine,
    room: &Room,
    sender: &ruma::UserId,
) -> Result<Vec<(Id, Arc<Wishes>)>, Error> {
    let users = engine.wishes().users(engine.app()).await?;
    let here: Vec<Id> = room.seen().local_joined.intersection(&users).copied().collect();
    let mut differing = Vec::new();
    for user in here {
        if let Some(wishes) = of(engine, user).await?
            && wishes.differ(&room.room_id, sender)
        {
            differing.push((user, wishes));
        }
    }
    Ok(differing)
}
