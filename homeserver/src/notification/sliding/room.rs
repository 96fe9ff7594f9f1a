//! One room in a sliding sync answer.

use std::sync::Arc;

use super::{
    answer::RoomNews,
    connection::Told,
    describe,
    lists::{self, Pick},
    look::Look,
    marks::Marks,
    request::Form,
    required::{self, View},
};
use crate::{
    messaging::{
        Membership, Pdu, Room,
        client_event::{self, Form as EventForm},
        remote,
        state::Lineage,
        stripped,
        sync_view::{self, Slice, Span},
        tokens::TimelineToken,
        unread,
        visibility::Sight,
    },
    notification::{Error, response::Event, room},
    storage::{Id, Position},
};
use serde_json::value::to_raw_value;

/// What the extensions need to know of a room's news.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub is_initial: bool,
    pub is_expanded: bool,
    /// The events of the timeline.
    pub event_ids: Vec<String>,
    /// Member events that were loaded lazily.
    pub members: Vec<Id>,
}

/// A room's news, and what the connection then knows of it.
pub(super) type News = (RoomNews, Told, Shown);

/// The room's news; `None` when there are none. `own_receipt`: the user has read on.
pub(super) async fn of(
    look: &Look<'_>,
    pick: &Pick<'_>,
    own_receipt: bool,
) -> Result<Option<News>, Error> {
    let candidate = pick.candidate;
    let before = look.base.rooms.get(&candidate.membership.room);
    let is_told = |told: &Told| {
        told.position >= candidate.membership.position && told.membership == candidate.standing
    };
    match (candidate.standing, &candidate.room) {
        (Membership::Join, Some(room)) => inside(look, pick, room, (before, own_receipt)).await,
        (Membership::Join, None) => Ok(None),
        _ if before.is_some_and(is_told) => Ok(None),
        (Membership::Invite | Membership::Knock, _) => outside(look, pick).await.map(Some),
        (Membership::Leave | Membership::Ban, Some(room)) => {
            let was_inside = match before.map(|told| told.membership) {
                None | Some(Membership::Join) => true,
                Some(Membership::Invite | Membership::Knock) => {
                    lists::was_joined_before(look, room, candidate.membership.event).await?
                }
                Some(Membership::Leave | Membership::Ban) => false,
            };
            match was_inside {
                true => inside(look, pick, room, (before, own_receipt)).await,
                false => gone(look, pick).await.map(Some),
            }
        }
        (Membership::Leave | Membership::Ban, None) => gone(look, pick).await.map(Some),
    }
}

fn news(pick: &Pick<'_>) -> RoomNews {
    let candidate = pick.candidate;
    let mut news = RoomNews::new(candidate.standing, candidate.is_dm, candidate.bump_stamp);
    news.lists.clone_from(&pick.lists);
    news
}

/// What a connection knows of a room whose events it does not follow.
fn told_from_outside(pick: &Pick<'_>) -> Told {
    Told {
        position: pick.candidate.membership.position,
        snapshot: None,
        membership: pick.candidate.standing,
        is_dm: pick.candidate.is_dm,
        limit: 0,
        rules: Arc::default(),
        marks: Marks::default(),
    }
}

/// A room that the user only sees from outside.
async fn outside(look: &Look<'_>, pick: &Pick<'_>) -> Result<News, Error> {
    let candidate = pick.candidate;
    let mut news = news(pick);
    let stripped = room::stripped(look.engine, &candidate.room_id, &candidate.membership).await?;
    (news.is_initial, news.stripped_state) = (true, Some(stripped));
    let shown = Shown { is_initial: true, ..Shown::default() };
    Ok((news, told_from_outside(pick), shown))
}

/// A room that the user turned down, was never let into, or was out of already: only the end of it is told.
async fn gone(look: &Look<'_>, pick: &Pick<'_>) -> Result<News, Error> {
    let (engine, candidate) = (look.engine, pick.candidate);
    let mut news = news(pick);
    news.is_initial = true;
    let event: Option<Event> = match &candidate.room {
        Some(room) => {
            let pdu = engine.pdu(room, candidate.membership.event).await?;
            news.stripped_state = Some(to_raw_value(&stripped::event(&pdu)).into_iter().collect());
            let now_ms = engine.app().clock.now_ms();
            Some(client_event::plain_event(room, &pdu, EventForm::Sync, now_ms)?)
        }
        None => {
            let event = remote::going(engine, &candidate.membership).await?;
            let event = event.and_then(|pdu| to_raw_value(&stripped::event(&pdu)).ok());
            news.stripped_state = Some(event.iter().cloned().collect());
            event
        }
    };
    news.required_state.extend(event);
    let shown = Shown { is_initial: true, ..Shown::default() };
    Ok((news, told_from_outside(pick), shown))
}

/// What a look at a room from inside goes by.
struct Inside<'a> {
    look: &'a Look<'a>,
    pick: &'a Pick<'a>,
    sight: Sight<'a>,
    /// What the connection knows, if it follows the room.
    known: Option<&'a Told>,
    is_wider: bool,
    has_more_rules: bool,
    upto: Position,
}

/// A room the user is in, or was in until now: everything up to their going, nothing after it.
async fn inside(
    look: &Look<'_>,
    pick: &Pick<'_>,
    room: &Arc<Room>,
    (before, own_receipt): (Option<&Told>, bool),
) -> Result<Option<News>, Error> {
    let candidate = pick.candidate;
    let is_in = candidate.standing == Membership::Join;
    // Whoever comes in from an invite, or comes back, begins with the room anew.
    let known = before.filter(|told| told.membership == Membership::Join);
    let is_wider = known.is_some_and(|told| pick.limit > told.limit);
    let has_more_rules = known.is_some_and(|told| pick.rules.exceed(&told.rules));
    // The stable form has no unread counts.
    let has_counts = own_receipt && look.request.form == Form::Deployed;
    let must = is_wider
        || has_more_rules
        || has_counts
        || known.is_some_and(|told| told.is_dm != candidate.is_dm || !is_in);
    if known.is_some_and(|told| room.seen().position <= told.position) && !must {
        return Ok(None);
    }
    let end = if is_in { Position::MAX } else { candidate.membership.position };
    let sight = Sight::new(look.engine, room, look.requester.user);
    let upto = look.now.position.min(end);
    let inside = Inside { look, pick, sight, known, is_wider, has_more_rules, upto };
    inside.news(must).await
}

impl Inside<'_> {
    async fn news(&self, must: bool) -> Result<Option<News>, Error> {
        let (look, engine, known) = (self.look, self.look.engine, self.known);
        let since = known.filter(|_| !self.is_wider).map(|told| told.position);
        let slice = self.slice(Span { since, upto: self.upto, limit: self.pick.limit }).await?;
        let now = self.state_at(&slice).await?;
        let before = match known {
            Some(told) => Some(engine.known_state_at(told.snapshot).await?),
            None => None,
        };
        let view = View {
            sight: &self.sight,
            slice: &slice,
            now: &now,
            changed: before.as_ref().map(|before| now.changes_since(before)).unwrap_or_default(),
            deleted: before.as_ref().map(|before| now.deleted_since(before)).unwrap_or_default(),
            known: known.filter(|_| !self.has_more_rules).is_some(),
            known_rules: known.map(|told| &*told.rules),
        };
        // The room may have gone on since this look began: that is the next look's.
        let is_quiet = slice.events.is_empty()
            && !slice.limited
            && view.changed.is_empty()
            && view.deleted.is_empty();
        if known.is_some() && is_quiet && !must {
            return Ok(None);
        }
        let state = required::of(look, self.pick, &view).await?;
        let mut news = self.head(&slice).await?;
        let now_ms = engine.app().clock.now_ms();
        for pdu in &state.events {
            let event = client_event::plain_event(self.sight.room, pdu, EventForm::Sync, now_ms)?;
            news.required_state.push(event);
        }
        news.deleted_state = state.deleted;
        describe::describe(look, &view, known.is_none(), &mut news).await?;
        let shown = Shown {
            is_initial: known.is_none(),
            is_expanded: self.is_wider,
            event_ids: slice.events.iter().map(|pdu| pdu.event_id.to_string()).collect(),
            members: state.lazy_members,
        };
        Ok(Some((news, self.told(now.id()), shown)))
    }

    /// What is told of the room's events and standing.
    async fn head(&self, slice: &Slice) -> Result<RoomNews, Error> {
        let (look, known) = (self.look, self.known);
        let mut news = news(self.pick);
        let live_since = known
            .map_or(look.since.map_or(self.upto, |since| since.position), |told| told.position);
        let is_live = |pdu: &&Arc<Pdu>| pdu.place.position.is_some_and(|at| at > live_since);
        news.is_initial = known.is_none();
        news.is_dm_news = known.is_some_and(|told| told.is_dm != news.is_dm);
        news.is_expanded = self.is_wider;
        news.num_live = Some(slice.events.iter().filter(is_live).count());
        news.is_limited = slice.limited;
        news.prev_batch = (slice.limited || !slice.events.is_empty())
            .then(|| TimelineToken::here(look.engine, slice.start).to_string());
        if look.request.form == Form::Deployed {
            let counts = unread::counts(look.engine, self.sight.room, look.requester.user).await?;
            news.unread = counts.whole();
        }
        let device = look.requester.device;
        news.timeline =
            client_event::list_for(&self.sight, device, &slice.events, EventForm::Sync).await?;
        Ok(news)
    }

    fn told(&self, snapshot: Option<Id>) -> Told {
        let (pick, known) = (self.pick, self.known);
        Told {
            position: self.upto,
            snapshot,
            membership: pick.candidate.standing,
            is_dm: pick.candidate.is_dm,
            limit: known.map_or(0, |told| told.limit).max(pick.limit),
            rules: pick.rules.clone(),
            marks: known.map(|told| told.marks).unwrap_or_default(),
        }
    }

    async fn slice(&self, span: Span) -> Result<Slice, Error> {
        let (engine, room) = (self.sight.engine, self.sight.room);
        let wishes = self.look.wishes.as_ref();
        let takes =
            |pdu: &Pdu| pdu.is_state() || !wishes.is_some_and(|wishes| wishes.ignores(&pdu.sender));
        let mut slice = sync_view::slice(engine, room, span, &takes).await?;
        slice.events = self.sight.filter(std::mem::take(&mut slice.events)).await?;
        Ok(slice)
    }

    /// The state that goes with the end of the look: today's, unless the room or the user has gone on since.
    async fn state_at(&self, slice: &Slice) -> Result<Lineage, Error> {
        let (engine, room) = (self.sight.engine, self.sight.room);
        if room.seen().position <= self.upto {
            return Ok(sync_view::state_now(engine, room).await?);
        }
        let last = match slice.events.last() {
            Some(last) => Some(last.clone()),
            None => sync_view::last_event_at(engine, room, self.upto).await?,
        };
        Ok(sync_view::state_after(engine, last.as_deref()).await?)
    }
}
