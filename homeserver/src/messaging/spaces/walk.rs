//! A user's walk through the tree below a room: depth first, every room once, a page at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ruma::{OwnedRoomId, OwnedServerName, RoomId};

use super::{Child, Entry, Summary, access, local, remote, walks::Standing};
use crate::{
    auth::Requester,
    messaging::{Engine, Error, summary::summary},
};

/// Rooms of a page when the client names no number, and the most it gets.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;
/// Most rooms of one walk.
const ROOMS_MAX: usize = 2_000;
/// Most questions to other servers for one page; the next page goes on.
const QUESTIONS_MAX: usize = 10;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    pub room_id: OwnedRoomId,
    /// The `next_batch` of the page before.
    pub from: Option<String>,
    pub limit: Option<usize>,
    pub max_depth: Option<u64>,
    pub suggested_only: bool,
}

/// A page of the tree.
#[derive(Debug)]
pub struct Page {
    pub rooms: Vec<Entry>,
    pub next_batch: Option<String>,
}

/// Where a walk is.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk {
    /// What is to be looked at, the next one last.
    open: Vec<Step>,
    seen: HashSet<OwnedRoomId>,
}

/// A room to be looked at.
#[derive(Debug, Clone)]
struct Step {
    room_id: OwnedRoomId,
    via: Vec<OwnedServerName>,
    depth: u64,
    /// What the server that named it told of it and its siblings.
    told: Arc<HashMap<OwnedRoomId, Option<Summary>>>,
}

/// The rooms below `room_id` and itself, as far as the requester may know of them.
///
/// # Errors
/// [`Error::Forbidden`] when the requester may not know of the room, [`Error::InvalidParam`] for a token that is unknown, or was
/// given for another question.
pub async fn hierarchy(
    engine: &Engine,
    requester: &Requester,
    asked: Asked,
) -> Result<Page, Error> {
    let standing = Standing {
        user: requester.user,
        room_id: asked.room_id.clone(),
        max_depth: asked.max_depth,
        suggested_only: asked.suggested_only,
    };
    let walk = match &asked.from {
        Some(token) => engine.walks().find(token, &standing, engine.app().clock.now_ms()),
        None => Some(Walk::from(asked.room_id.clone())),
    };
    let walk = walk.ok_or_else(|| {
        Error::InvalidParam("`from` has expired or was given for another question".to_owned())
    })?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let mut walking = Walking { engine, requester, asked: &asked, walk, questions: 0 };
    let rooms = walking.page(limit).await?;
    if rooms.is_empty() && asked.from.is_none() {
        return Err(Error::Forbidden("you may not see this room".to_owned()));
    }
    let walk = walking.walk;
    let next_batch = (!walk.open.is_empty()).then(|| engine.app().random.text::<16>());
    if let Some(token) = next_batch.clone() {
        engine.walks().keep(token, standing, walk, engine.app().clock.now_ms());
    }
    Ok(Page { rooms, next_batch })
}

impl From<OwnedRoomId> for Walk {
    fn from(room_id: OwnedRoomId) -> Self {
        // An old room's id says where it was made, which is as good a server to ask as any.
        let via = room_id.server_name().map(ToOwned::to_owned).into_iter().collect();
        let first = Step { room_id, via, depth: 0, told: Arc::default() };
        Self { open: vec![first], seen: HashSet::new() }
    }
}

struct Walking<'a> {
    engine: &'a Engine,
    requester: &'a Requester,
    asked: &'a Asked,
    walk: Walk,
    questions: usize,
}

/// A room that was looked at, and what was told of its children.
type Found = (Entry, Arc<HashMap<OwnedRoomId, Option<Summary>>>);

impl Walking<'_> {
    async fn page(&mut self, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut rooms = Vec::new();
        while rooms.len() < limit
            && self.questions < QUESTIONS_MAX
            && let Some(step) = self.walk.open.pop()
        {
            if self.walk.seen.len() >= ROOMS_MAX {
                self.walk.open.clear();
                break;
            }
            if !self.walk.seen.insert(step.room_id.clone()) {
                continue;
            }
            let Some((entry, told)) = self.look(&step).await? else { continue };
            if self.asked.max_depth.is_none_or(|max| step.depth < max) {
                self.open_children(&entry.children, step.depth + 1, &told);
            }
            rooms.push(entry);
        }
        // Rooms that were told already are no reason for another page.
        let seen = &self.walk.seen;
        self.walk.open.retain(|step| !seen.contains(&step.room_id));
        Ok(rooms)
    }

    fn open_children(
        &mut self,
        children: &[Child],
        depth: u64,
        told: &Arc<HashMap<OwnedRoomId, Option<Summary>>>,
    ) {
        let unseen = children.iter().rev().filter(|child| !self.walk.seen.contains(&child.room_id));
        let steps = unseen.map(|Child { room_id, via }| Step {
            room_id: room_id.clone(),
            via: via.clone(),
            depth,
            told: told.clone(),
        });
        self.walk.open.extend(steps);
    }

    /// The room of a step, if the requester may know of it and somebody knows it.
    async fn look(&mut self, step: &Step) -> Result<Option<Found>, Error> {
        let (engine, user) = (self.engine, self.requester.user);
        let suggested_only = self.asked.suggested_only;
        if let Some(room) = local::room(engine, &step.room_id).await? {
            let summary = summary(engine, &room).await?;
            if !access::user_may_know(engine, user, &room, &summary).await? {
                return Ok(None);
            }
            let entry = local::entry(engine, &room, summary, suggested_only).await?;
            return Ok(Some((entry, Arc::default())));
        }
        match step.told.get(&step.room_id) {
            Some(None) => return Ok(None),
            // What lies below a space only a server in it can say.
            Some(Some(summary)) if !summary.is_space() => {
                let entry = Entry::new(summary.clone(), Vec::new(), suggested_only);
                return self.known(entry, Arc::default()).await;
            }
            _ => {}
        }
        self.questions += 1;
        let Some(told) = self.ask(&step.room_id, &step.via).await else { return Ok(None) };
        self.known(told.entry, Arc::new(told.children)).await
    }

    async fn ask(&self, room_id: &RoomId, via: &[OwnedServerName]) -> Option<remote::Told> {
        remote::ask(self.engine, room_id, via, self.asked.suggested_only).await
    }

    /// What another server told, if the requester may know it.
    async fn known(
        &self,
        entry: Entry,
        told: Arc<HashMap<OwnedRoomId, Option<Summary>>>,
    ) -> Result<Option<Found>, Error> {
        let user = self.requester.user;
        let known = access::user_may_know_remote(self.engine, user, &entry.summary).await?;
        Ok(known.then_some((entry, told)))
    }
}
