//! What a client asks of a sliding sync, whichever door it came by: both wire forms become this.

use std::{collections::BTreeMap, time::Duration};

use ruma::OwnedRoomId;

use super::{super::Error, wanted::Wanted};
use crate::messaging::presence::Status;

/// Most lists and most subscriptions of a request (MSC4186).
const LISTS_MAX: usize = 100;
pub(super) const SUBSCRIPTIONS_MAX: usize = 100;
/// Most bytes of a connection's name.
const CONN_ID_BYTES_MAX: usize = 255;

/// How requests and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/_matrix/client/unstable/org.matrix.simplified_msc3575/sync`, as it was deployed before MSC4186 was accepted.
    Deployed,
    /// `/_matrix/client/v4/sync`, as MSC4186 was accepted.
    Stable,
}

/// A sliding sync request.
#[derive(Debug, Clone)]
pub struct Request {
    pub form: Form,
    pub conn_id: String,
    /// An earlier answer's `pos`; `None` begins the connection.
    pub pos: Option<String>,
    /// Echoed in the deployed form.
    pub txn_id: Option<String>,
    /// How long to wait for news.
    pub timeout: Duration,
    /// How the user is while this waits.
    pub set_presence: Status,
    /// By name, each once; not a map, which would keep place for eleven with every client that waits.
    pub lists: Box<[(String, List)]>,
    pub subscriptions: BTreeMap<OwnedRoomId, Wanted>,
    pub extensions: Extensions,
}

/// A window, or several, over the rooms that a filter takes.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// First and last index, both included; `None` for all rooms.
    pub ranges: Option<Vec<(usize, usize)>>,
    pub filters: Filters,
    pub wanted: Wanted,
}

/// Which rooms a list takes: those that pass every filter set.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    pub is_dm: Option<bool>,
    pub is_encrypted: Option<bool>,
    pub is_invited: Option<bool>,
    /// Spaces of which a room must be a child.
    pub spaces: Option<Vec<OwnedRoomId>>,
    /// Types of rooms; `None` inside is a room without one.
    pub room_types: Option<Vec<Option<String>>>,
    pub not_room_types: Vec<Option<String>>,
    pub tags: Option<Vec<String>>,
    pub not_tags: Vec<String>,
}

/// What a client wants beside rooms; what is `None` is off.
#[derive(Debug, Clone, Default)]
pub struct Extensions {
    pub to_device: Option<ToDevice>,
    pub e2ee: Option<Plain>,
    pub account_data: Option<Scoped>,
    pub receipts: Option<Scoped>,
    pub typing: Option<Scoped>,
}

/// Messages to the device.
#[derive(Debug, Clone)]
pub struct ToDevice {
    /// The key the client knows the extension by; the answer uses it too.
    pub key: &'static str,
    pub limit: Option<i64>,
    /// The `next_batch` of the last messages the client handled.
    pub since: Option<String>,
}

/// An extension without settings.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    pub key: &'static str,
}

/// An extension that concerns rooms.
#[derive(Debug, Clone)]
pub struct Scoped {
    pub key: &'static str,
    pub scope: Scope,
}

/// Which rooms an extension concerns: those within the lists, and the subscribed ones. `None` stands for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub lists: Option<Vec<String>>,
    pub rooms: Option<Vec<OwnedRoomId>>,
}

impl Request {
    /// Whether no room can appear in the answer.
    pub(super) fn is_roomless(&self) -> bool {
        self.lists.is_empty() && self.subscriptions.is_empty()
    }

    /// Refuses what is over the limits.
    pub(super) fn check(self) -> Result<Self, Error> {
        let refused = |text: String| Err(Error::InvalidParam(text));
        if self.lists.len() > LISTS_MAX {
            return refused(format!("at most {LISTS_MAX} lists"));
        }
        if self.subscriptions.len() > SUBSCRIPTIONS_MAX {
            return refused(format!("at most {SUBSCRIPTIONS_MAX} room subscriptions"));
        }
        if self.conn_id.len() > CONN_ID_BYTES_MAX {
            return refused(format!("a conn_id has at most {CONN_ID_BYTES_MAX} bytes"));
        }
        Ok(self)
    }
}

impl Scope {
    /// Whether a room is concerned that is within `lists` and, if `is_subscribed`, a subscription.
    pub(super) fn takes(
        &self,
        room_id: &OwnedRoomId,
        lists: &[String],
        is_subscribed: bool,
    ) -> bool {
        let by_list = match &self.lists {
            None => !lists.is_empty(),
            Some(named) => lists.iter().any(|list| named.contains(list)),
        };
        by_list
            || (is_subscribed && self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room_id)))
    }
}

#[cfg(test)]
mod tests {
    use ruma::OwnedRoomId;

    use super::Scope;

    #[test]
    fn a_scope_takes_what_it_names_and_everything_where_it_names_nothing() {
        let room_id = OwnedRoomId::try_from("!pond:example.org").unwrap();
        let lists = ["all".to_owned()];
        let takes = |scope: &Scope| {
            [scope.takes(&room_id, &lists, false), scope.takes(&room_id, &[], true)]
        };
        assert_eq!(takes(&Scope::default()), [true, true]);
        let none = Scope { lists: Some(Vec::new()), rooms: Some(Vec::new()) };
        assert_eq!(takes(&none), [false, false]);
        let by_list = Scope { lists: Some(vec!["all".to_owned()]), rooms: Some(Vec::new()) };
        assert_eq!(takes(&by_list), [true, false]);
        let by_room = Scope { lists: Some(Vec::new()), rooms: Some(vec![room_id.clone()]) };
        assert_eq!(takes(&by_room), [false, true]);
        assert!(!Scope::default().takes(&room_id, &[], false), "left: in no list any more");
    }
}
