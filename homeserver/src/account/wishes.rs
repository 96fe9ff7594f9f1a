//! `Wishes`: what a user wants to be told of, ready to judge events by: push rules and ignored users.
//!
//! Judging is a pure function of event and room; `messaging` asks for each event and keeps what differs from the usual. Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#push-rules>, <https://spec.matrix.org/v1.19/client-server-api/#ignoring-users>.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedUserId, RoomId, UserId,
    push::{AnyPushRuleRef, FlattenedJson, PushCondition, PushConditionRoomCtx, Ruleset},
};
use serde_json::Value;

use super::{AccountError, push_rules};
use crate::{
    app::App,
    storage::{self, Id},
};

/// The account data in which ignored users stand.
pub(super) const IGNORED_USERS: &str = "m.ignored_user_list";

/// What an event means to a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    pub notify: bool,
    /// It has their attention more than others; never without `notify`.
    pub highlight: bool,
}

/// A user's wishes, with how far they differ from everybody's.
#[derive(Debug)]
pub struct Wishes {
    rules: Ruleset,
    /// Rules that differ concern events of any room and sender.
    is_everywhere: bool,
    /// Rooms, in lower case, that rules of the user's own are about.
    rooms: BTreeSet<String>,
    senders: BTreeSet<OwnedUserId>,
    ignored: BTreeSet<OwnedUserId>,
    needs_name: bool,
}

/// The wishes of `user`.
pub async fn wishes(app: &App, user: Id) -> Result<Wishes, AccountError> {
    let rules = push_rules(app, user).await?;
    let user_id = app.db.user_name(user).await?;
    let user_id = <&UserId>::try_from(user_id.as_str())
        .map_err(|_| AccountError::from(storage::Error::Damaged { what: "user id" }))?;
    let db = app.db.read();
    let ignored = storage::account_data::find_account_data(db, user, "", IGNORED_USERS).await?;
    let mut wishes = Wishes::of(rules, user_id);
    wishes.ignored = ignored.as_deref().map(ignored_users).unwrap_or_default();
    wishes.ignored.remove(user_id);
    Ok(wishes)
}

/// Who is named; the client wrote it, so what does not read names nobody.
fn ignored_users(content: &str) -> BTreeSet<OwnedUserId> {
    let content: Value = serde_json::from_str(content).unwrap_or_default();
    let named = content.get("ignored_users").and_then(Value::as_object);
    named.into_iter().flatten().filter_map(|(name, _)| UserId::parse(name).ok()).collect()
}

impl Wishes {
    fn of(rules: Ruleset, user_id: &UserId) -> Self {
        let defaults = Ruleset::server_default(user_id);
        let usual: BTreeMap<&str, (bool, Outcome)> =
            defaults.iter().map(|rule| (rule.rule_id(), (rule.enabled(), outcome(rule)))).collect();
        let mut wishes = Self {
            is_everywhere: false,
            rooms: BTreeSet::new(),
            senders: BTreeSet::new(),
            ignored: BTreeSet::new(),
            needs_name: false,
            rules: Ruleset::new(),
        };
        for rule in rules.iter() {
            let is_usual = usual.get(rule.rule_id()) == Some(&(rule.enabled(), outcome(rule)));
            // One that is off does nothing, unless it is one of those that everybody has.
            let is_off = !rule.enabled() && !rule.is_server_default();
            let is_as_everybodys = rule.is_server_default() && is_usual;
            if !is_off && !is_as_everybodys {
                wishes.add(rule);
            }
        }
        wishes.rules = rules;
        wishes
    }

    /// Notes what a rule that differs from the usual is about.
    fn add(&mut self, rule: AnyPushRuleRef<'_>) {
        let conditions = match rule {
            AnyPushRuleRef::Room(rule) => {
                self.rooms.insert(rule.rule_id.as_str().to_ascii_lowercase());
                return;
            }
            AnyPushRuleRef::Sender(rule) => {
                self.senders.insert(rule.rule_id.clone());
                return;
            }
            AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => &rule.conditions,
            _ => {
                self.is_everywhere = true;
                return;
            }
        };
        self.needs_name |= conditions.iter().any(|one| one.kind() == "contains_display_name");
        let room = conditions.iter().find_map(|condition| match condition {
            PushCondition::EventMatch(only)
                if only.key == "room_id" && !only.pattern.contains(['*', '?']) =>
            {
                Some(only.pattern.to_ascii_lowercase())
            }
            _ => None,
        });
        match room {
            Some(room) => drop(self.rooms.insert(room)),
            None => self.is_everywhere = true,
        }
    }

    /// Whether anything but the default rules may decide about what `sender` sends to a room.
    pub fn differ(&self, room_id: &RoomId, sender: &UserId) -> bool {
        self.is_everywhere
            || self.ignored.contains(sender)
            || self.senders.contains(sender)
            || (!self.rooms.is_empty()
                && self.rooms.contains(&room_id.as_str().to_ascii_lowercase()))
    }

    /// Whether the user wants to know nothing of `sender`.
    pub fn ignores(&self, sender: &UserId) -> bool {
        self.ignored.contains(sender)
    }

    /// Whether the user ignores anybody.
    pub fn ignores_anybody(&self) -> bool {
        !self.ignored.is_empty()
    }

    /// Whether the context must have the user's display name.
    pub fn needs_name(&self) -> bool {
        self.needs_name
    }

    /// What they weigh in memory, in bytes, about.
    pub fn weight(&self) -> usize {
        500 + self.rules.iter().count() * 300 + (self.rooms.len() + self.ignored.len()) * 100
    }

    /// What an event means to the user.
    pub async fn judge(
        &self,
        sender: &UserId,
        event: &FlattenedJson,
        context: &PushConditionRoomCtx,
    ) -> Outcome {
        if self.ignores(sender) {
            return Outcome::default();
        }
        judge(&self.rules, event, context).await
    }
}

/// What an event means to a user who has changed nothing.
pub async fn judge_by_defaults(event: &FlattenedJson, context: &PushConditionRoomCtx) -> Outcome {
    judge(&Ruleset::server_default(&context.user_id), event, context).await
}

/// What the first rule that applies says, as the specification orders them.
async fn judge(rules: &Ruleset, event: &FlattenedJson, context: &PushConditionRoomCtx) -> Outcome {
    for rule in rules.iter() {
        if rule.applies(event, context).await {
            return outcome(rule);
        }
    }
    Outcome::default()
}

fn outcome(rule: AnyPushRuleRef<'_>) -> Outcome {
    let notify = rule.triggers_notification();
    Outcome { notify, highlight: notify && rule.triggers_highlight() }
}

#[cfg(test)]
mod tests {
    use ruma::{
        push::{
            Action, NewConditionalPushRule, NewPushRule, NewSimplePushRule, PushCondition, RuleKind,
        },
        room_id, user_id,
    };

    use super::{Ruleset, Wishes, ignored_users};

    fn with(change: impl FnOnce(&mut Ruleset)) -> Wishes {
        let user_id = user_id!("@alice:example.org");
        let mut rules = Ruleset::server_default(user_id);
        change(&mut rules);
        Wishes::of(rules, user_id)
    }

    fn differ(wishes: &Wishes, room: &str) -> bool {
        let room_id = ruma::RoomId::parse(room).unwrap();
        wishes.differ(&room_id, user_id!("@bob:example.org"))
    }

    #[test]
    fn the_defaults_differ_nowhere_and_a_changed_one_everywhere() {
        assert!(!differ(&with(|_| {}), "!a:example.org"));
        let off = |rules: &mut Ruleset| {
            rules.set_enabled(RuleKind::Override, ".m.rule.suppress_notices", false).unwrap();
        };
        assert!(differ(&with(off), "!a:example.org"));
        // Only how it sounds is another.
        let silent = |rules: &mut Ruleset| {
            rules
                .set_actions(RuleKind::Underride, ".m.rule.room_one_to_one", vec![Action::Notify])
                .unwrap();
        };
        assert!(!differ(&with(silent), "!a:example.org"));
    }

    #[test]
    fn a_rule_about_a_room_differs_in_that_room_only() {
        let muted = room_id!("!a:example.org");
        let by_room = with(|rules| {
            let rule = NewSimplePushRule::new(muted.to_owned(), Vec::new());
            rules.insert(NewPushRule::Room(rule), None, None).unwrap();
        });
        let by_condition = with(|rules| {
            let data =
                ruma::push::EventMatchConditionData::new("room_id".into(), muted.to_string());
            let only = PushCondition::EventMatch(data);
            let rule = NewConditionalPushRule::new("mute".to_owned(), vec![only], Vec::new());
            rules.insert(NewPushRule::Override(rule), None, None).unwrap();
        });
        for wishes in [by_room, by_condition] {
            assert!(differ(&wishes, "!a:example.org"));
            assert!(!differ(&wishes, "!b:example.org"));
        }
    }

    #[test]
    fn who_is_ignored_is_read_leniently() {
        let read = |content: &str| ignored_users(content).len();
        assert_eq!(read(r#"{"ignored_users":{"@bob:example.org":{},"nobody":{}}}"#), 1);
        assert_eq!(read(r#"{"ignored_users":[]}"#), 0);
        assert_eq!(read("[]"), 0);
    }
}
