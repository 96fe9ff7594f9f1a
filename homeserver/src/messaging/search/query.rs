//! One search: the words, the searcher's rooms, and what they may see of what is found.

use std::{collections::HashMap, sync::Arc};

use ruma::{OwnedRoomId, RoomId, api::client::filter::RoomEventFilter};

use super::{
    index,
    result::{self, Hit, Results},
};
use crate::{
    auth::Requester,
    messaging::{Engine, Error, Membership, Room, event_filter, visibility::Sight},
    storage::{
        Id,
        search::{self, Fields, Match, Order, Wanted},
    },
};

/// Results of a page when the client names no number, and the most it gets.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 100;
/// Matches read at a time, and the most that are looked at for one page.
const MATCHES: u64 = 100;
const MATCHES_MAX: usize = 1_000;
/// Most rooms that are searched: those with the newest change of the user's standing.
const ROOMS_MAX: usize = 2_000;
/// Most words of a search.
const WORDS_MAX: usize = 20;

/// How results are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderBy {
    /// The best first.
    #[default]
    Rank,
    /// The newest first.
    Recent,
}

/// What results are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Room,
    Sender,
}

/// How much of what stands around a result is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    pub before: u64,
    pub after: u64,
    /// The names that people had then.
    pub profiles: bool,
}

/// What a client searches for.
#[derive(Debug, Clone)]
pub struct Criteria {
    pub term: String,
    /// Which texts are searched.
    pub fields: Fields,
    pub filter: RoomEventFilter,
    pub order_by: OrderBy,
    pub around: Option<Around>,
    pub include_state: bool,
    pub group_by: Vec<GroupBy>,
    /// The `next_batch` of the page before.
    pub from: Option<String>,
}

/// A page of results, all of which the requester may see.
///
/// # Errors
/// [`Error::InvalidParam`] for a token that is none of this search's.
pub async fn search(
    engine: &Engine,
    requester: &Requester,
    criteria: &Criteria,
) -> Result<Results, Error> {
    index::keep_up(engine).await?;
    let words = index::plain(&criteria.term);
    let words: Vec<String> =
        words.split_whitespace().take(WORDS_MAX).map(ToOwned::to_owned).collect();
    let rooms = searched_rooms(engine, requester, &criteria.filter).await?;
    let wanted = Wanted { words, fields: criteria.fields, rooms: rooms.keys().copied().collect() };
    let from = order(criteria)?;
    let limit = criteria.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let mut finding = Finding { engine, requester, criteria, rooms, loaded: HashMap::new() };
    let (hits, next) = finding.page(&wanted, from, limit).await?;
    let count = search::count_matches(&engine.app().db, &wanted).await?;
    let next_batch = next.map(token);
    result::results(engine, requester, criteria, hits, (count, next_batch, wanted.words)).await
}

fn order(criteria: &Criteria) -> Result<Order, Error> {
    let from = criteria.from.as_deref().filter(|from| !from.is_empty());
    let Some(from) = from else {
        return Ok(match criteria.order_by {
            OrderBy::Recent => Order::RecentBefore(i64::MAX),
            OrderBy::Rank => Order::RankSkip(0),
        });
    };
    let number = |prefix| from.strip_prefix(prefix).and_then(|number: &str| number.parse().ok());
    let order = match criteria.order_by {
        OrderBy::Recent => number("sp").map(Order::RecentBefore),
        OrderBy::Rank => number("sr").filter(|skip| *skip >= 0).map(Order::RankSkip),
    };
    order.ok_or_else(|| Error::InvalidParam("`next_batch` is not one of this search's".to_owned()))
}

fn token(order: Order) -> String {
    match order {
        Order::RecentBefore(position) => format!("sp{position}"),
        Order::RankSkip(skip) => format!("sr{skip}"),
    }
}

/// The rooms that the requester is or was in and that the filter takes.
async fn searched_rooms(
    engine: &Engine,
    requester: &Requester,
    filter: &RoomEventFilter,
) -> Result<HashMap<Id, OwnedRoomId>, Error> {
    let standings = engine.standings(requester.user).await?;
    let mut searched = HashMap::new();
    for standing in standings.iter().rev() {
        let membership = Membership::parse(&standing.membership);
        let was_in =
            matches!(membership, Some(Membership::Join | Membership::Leave | Membership::Ban));
        let Ok(room_id) = RoomId::parse(&standing.room_id) else { continue };
        if was_in
            && !standing.forgotten
            && event_filter::takes_room(filter, &room_id)
            && searched.len() < ROOMS_MAX
        {
            searched.insert(standing.room, room_id);
        }
    }
    Ok(searched)
}

struct Finding<'a> {
    engine: &'a Engine,
    requester: &'a Requester,
    criteria: &'a Criteria,
    rooms: HashMap<Id, OwnedRoomId>,
    loaded: HashMap<Id, Arc<Room>>,
}

impl Finding<'_> {
    /// The next `limit` results, and where the page after them begins, if there may be one.
    async fn page(
        &mut self,
        wanted: &Wanted,
        from: Order,
        limit: usize,
    ) -> Result<(Vec<Hit>, Option<Order>), Error> {
        let (mut hits, mut next, mut looked_at) = (Vec::new(), from, 0);
        loop {
            let db = &self.engine.app().db;
            let matches = search::list_matches(db, wanted, next, MATCHES).await?;
            let is_last = (matches.len() as u64) < MATCHES;
            for found in matches {
                looked_at += 1;
                next = match next {
                    Order::RecentBefore(_) => Order::RecentBefore(found.position),
                    Order::RankSkip(skip) => Order::RankSkip(skip + 1),
                };
                hits.extend(self.look(found).await?);
                if hits.len() >= limit || looked_at >= MATCHES_MAX {
                    return Ok((hits, Some(next)));
                }
            }
            if is_last {
                return Ok((hits, None));
            }
        }
    }

    /// A match as a result, if the filter takes it and the requester may see it.
    async fn look(&mut self, found: Match) -> Result<Option<Hit>, Error> {
        let Some(room) = self.room(found.room).await? else { return Ok(None) };
        let pdu = self.engine.pdu(&room, found.event).await?;
        if pdu.place.redacted_by.is_some() || !event_filter::takes(&self.criteria.filter, &pdu) {
            return Ok(None);
        }
        let seen = Sight::new(self.engine, &room, self.requester.user).sees(&pdu).await?;
        Ok(seen.then_some(Hit { room, pdu, rank: found.rank }))
    }

    async fn room(&mut self, id: Id) -> Result<Option<Arc<Room>>, Error> {
        if let Some(room) = self.loaded.get(&id) {
            return Ok(Some(room.clone()));
        }
        let Some(room_id) = self.rooms.get(&id) else { return Ok(None) };
        let room = self.engine.find_room(room_id).await?;
        if let Some(room) = &room {
            self.loaded.insert(id, room.clone());
        }
        Ok(room)
    }
}
