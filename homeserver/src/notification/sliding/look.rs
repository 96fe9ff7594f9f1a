//! One look at everything that may be new to a connection.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    answer::Answer,
    connection::{Base, News, Told},
    extensions,
    lists::{self, Pick},
    marks::Aside,
    request::{Form, Request, Scoped},
    room::{self, Shown},
};
use crate::{
    account::{self, Wishes},
    auth::Requester,
    messaging::{Engine, tokens::SyncToken},
    notification::{Error, Sync, account_data, ahead, ephemeral},
    storage::{Id, Position, unread::ToldReceipt},
};

/// What a look is made of.
pub(super) struct Look<'a> {
    pub engine: &'a Engine,
    pub state: &'a Sync,
    pub requester: &'a Requester,
    pub request: &'a Request,
    /// What the connection was told.
    pub base: &'a Base,
    /// From where on to look: as far as the connection is, or further where nothing was found.
    pub since: Option<&'a SyncToken>,
    pub now: SyncToken,
    /// Whom the user ignores, if they ever said.
    pub wishes: Option<Arc<Wishes>>,
}

/// What is new beside the events, by room.
#[derive(Debug, Default)]
pub(super) struct Asides {
    pub receipts: HashMap<Id, Vec<ToldReceipt>>,
    pub global_data: Vec<account_data::Piece>,
    pub room_data: HashMap<String, Vec<account_data::Piece>>,
}

/// A room that an answer is about, and what the connection knows of it after the answer.
#[derive(Debug)]
pub(super) struct Looked<'c> {
    pub pick: Pick<'c>,
    pub told: Told,
    /// `None`: nothing new in its events.
    pub shown: Option<Shown>,
}

impl Look<'_> {
    /// Where the connection is.
    pub(super) fn position(&self) -> Position {
        self.since.map_or(0, |since| since.position)
    }

    /// The answer without its `pos`, and what it tells.
    pub(super) async fn assemble(self) -> Result<(Answer, News), Error> {
        let mut asides = self.asides().await?;
        let mut answer = Answer::new(self.request.form, self.request.txn_id.clone());
        let candidates = lists::candidates(&self).await?;
        let picks = lists::select(&self, &candidates, &mut answer).await?;
        // The stable form has no counts.
        if self.request.form == Form::Deployed {
            let is_new = |room: &Id| !self.base.rooms.contains_key(room);
            let memberships = picks.iter().map(|pick| pick.candidate.membership.as_ref());
            let new = memberships.filter(|membership| is_new(&membership.room));
            ahead::count_joined(self.engine, new, self.requester.user).await?;
        }
        let (mut rooms, mut members) = (Vec::with_capacity(picks.len()), Vec::new());
        for pick in picks {
            let own_receipt = asides
                .receipts
                .get(&pick.candidate.membership.room)
                .is_some_and(|told| told.iter().any(|one| one.user == self.requester.user));
            let room_id = &pick.candidate.room_id;
            match room::of(&self, &pick, own_receipt).await {
                Ok(Some((news, told, shown))) => {
                    answer.rooms.insert(room_id.clone(), news);
                    members.extend(&shown.members);
                    rooms.push(Looked { pick, told, shown: Some(shown) });
                }
                Ok(None) => {
                    let told = self.base.rooms.get(&pick.candidate.membership.room).cloned();
                    rooms.extend(told.map(|told| Looked { pick, told, shown: None }));
                }
                Err(error) if error.is_passing() => return Err(error),
                // It is not noted as told, so it comes as soon as it can be read.
                Err(error) => {
                    tracing::warn!(%room_id, %error, "a room is left out of a sliding sync");
                }
            }
        }
        self.mark(&mut rooms);
        answer.extensions = extensions::of(&self, &rooms, &mut asides).await?;
        let rooms = self.told(rooms);
        let global_data = self.request.extensions.account_data.is_some();
        Ok((answer, News { rooms, members, global_data, token: self.now }))
    }

    async fn asides(&self) -> Result<Asides, Error> {
        let (app, user) = (self.engine.app(), self.requester.user);
        let span = (self.position(), self.now.position);
        let mut asides = Asides::default();
        if self.request.extensions.account_data.is_some() {
            // Who turns it on starts with all there is.
            let since = self.base.global_data.then_some(span.0);
            for piece in account::list_account_data_since(app, user, since, span.1).await? {
                if piece.room_id.is_empty() {
                    asides.global_data.push(piece);
                } else if piece.position > span.0 {
                    asides.room_data.entry(piece.room_id.clone()).or_default().push(piece);
                }
            }
        }
        // In the deployed form one's own receipts change a room's counts.
        let receipts_matter =
            self.request.extensions.receipts.is_some() || self.request.form == Form::Deployed;
        if self.since.is_some() && receipts_matter {
            asides.receipts = ephemeral::receipts_since(self.engine, user, span).await?;
        }
        Ok(asides)
    }

    /// Notes of each room which extensions it is in scope of.
    fn mark(&self, rooms: &mut [Looked<'_>]) {
        for looked in rooms {
            let before = self.base.rooms.get(&looked.pick.candidate.membership.room);
            let is_anew = looked.shown.as_ref().is_some_and(|shown| shown.is_initial);
            let mut marks = before.filter(|_| !is_anew).map(|told| told.marks).unwrap_or_default();
            for (aside, wanted) in self.request.extensions.of_rooms() {
                let in_scope = wanted.is_some_and(|wanted| looked.pick.is_in(wanted));
                marks = marks.after(aside, in_scope, self.position());
            }
            looked.told.marks = marks;
        }
    }

    /// What is to be remembered: what changed of the rooms looked at, and that others have left every scope.
    fn told(&self, rooms: Vec<Looked<'_>>) -> Vec<(Id, Told)> {
        let before = &self.base.rooms;
        let looked_at: HashSet<Id> =
            rooms.iter().map(|looked| looked.pick.candidate.membership.room).collect();
        let mut told: Vec<(Id, Told)> = rooms
            .into_iter()
            .map(|looked| (looked.pick.candidate.membership.room, looked.told))
            .filter(|(room, told)| before.get(room) != Some(told))
            .collect();
        for (room, known) in before.iter().filter(|(room, _)| !looked_at.contains(room)) {
            let marks = known.marks.out_of_scope(self.position());
            if marks != known.marks {
                told.push((*room, Told { marks, ..known.clone() }));
            }
        }
        told
    }
}

impl Pick<'_> {
    /// Whether the room is in the scope of an extension.
    pub(super) fn is_in(&self, wanted: &Scoped) -> bool {
        wanted.scope.takes(&self.candidate.room_id, &self.lists, self.is_subscribed)
    }
}

impl super::request::Extensions {
    /// The extensions that concern rooms; `None` for those that are off.
    fn of_rooms(&self) -> [(Aside, Option<&Scoped>); 3] {
        [
            (Aside::AccountData, self.account_data.as_ref()),
            (Aside::Receipts, self.receipts.as_ref()),
            (Aside::Typing, self.typing.as_ref()),
        ]
    }
}
