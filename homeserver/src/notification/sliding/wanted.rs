//! What is wanted of a room: how many events, and which state.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Most timeline events a room may have in an answer.
pub(super) const LIMIT_MAX: usize = 100;
/// Sets of rules kept so that equal ones are one; then all are forgotten that nobody holds.
const RULES_MAX: usize = 1_000;
/// The type of the events that may be loaded lazily.
const MEMBER: &str = "m.room.member";

/// The wishes for a room of one list or subscription, or of several together.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub limit: usize,
    pub state: Rules,
}

/// Which state events are wanted: those that any rule takes. In order, each once. A set would keep place for eleven with every client
/// that waits, most of which have one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rules(Vec<Rule>);

/// One `required_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    pub include: Vec<Element>,
    pub exclude: Vec<Element>,
    /// Members come with the events they sent, not all at once.
    pub lazy_members: bool,
}

/// Some state events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// `None`: of any type.
    pub event_type: Option<String>,
    pub state_key: Key,
}

/// Which state keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Any,
    /// The user's own id. Not written out, so that the rules of all users of one client are the same.
    Me,
    Only(String),
}

impl Element {
    fn takes(&self, event_type: &str, state_key: &str, me: &str) -> bool {
        self.event_type.as_ref().is_none_or(|wanted| wanted == event_type)
            && match &self.state_key {
                Key::Any => true,
                Key::Me => state_key == me,
                Key::Only(wanted) => wanted == state_key,
            }
    }

    /// The one event it takes, if it takes only one.
    fn only<'a>(&'a self, me: &'a str) -> Option<(&'a str, &'a str)> {
        let event_type = self.event_type.as_deref()?;
        match &self.state_key {
            Key::Any => None,
            Key::Me => Some((event_type, me)),
            Key::Only(state_key) => Some((event_type, state_key)),
        }
    }
}

impl Rule {
    fn takes(&self, event_type: &str, state_key: &str, me: &str) -> bool {
        // Where members are loaded lazily, only those that are named come all the same.
        let is_lazy = self.lazy_members && event_type == MEMBER;
        let included = |element: &Element| {
            element.takes(event_type, state_key, me) && !(is_lazy && element.state_key == Key::Any)
        };
        self.include.iter().any(included)
            && !self.exclude.iter().any(|element| element.takes(event_type, state_key, me))
    }

    /// Whether `other` surely takes all that this one takes.
    fn is_within(&self, other: &Self) -> bool {
        self.lazy_members == other.lazy_members
            && self.include.iter().all(|element| other.include.contains(element))
            && other.exclude.iter().all(|element| self.exclude.contains(element))
    }
}

impl Rules {
    pub fn add(&mut self, rule: Rule) {
        if (!rule.include.is_empty() || rule.lazy_members)
            && let Err(at) = self.0.binary_search(&rule)
        {
            self.0.insert(at, rule);
        }
    }

    /// Whether they take a state event.
    pub(super) fn takes(&self, event_type: &str, state_key: &str, me: &str) -> bool {
        self.0.iter().any(|rule| rule.takes(event_type, state_key, me))
    }

    /// Whether members are wanted with the events they sent.
    pub(super) fn lazy_members(&self) -> bool {
        self.0.iter().any(|rule| rule.lazy_members)
    }

    /// The events they name, where they name all they take; `None` when they take more than they name.
    pub(super) fn named<'a>(&'a self, me: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        self.0.iter().flat_map(|rule| &rule.include).map(|element| element.only(me)).collect()
    }

    /// Whether they may take something that `before` does not.
    pub(super) fn exceed(&self, before: &Self) -> bool {
        !self.0.iter().all(|rule| before.0.iter().any(|known| rule.is_within(known)))
    }
}

impl Wanted {
    /// Takes the wishes of one more list or subscription in.
    pub(super) fn join(&mut self, other: &Self) {
        self.limit = self.limit.max(other.limit.min(LIMIT_MAX));
        other.state.0.iter().for_each(|rule| self.state.add(rule.clone()));
    }
}

/// Keeps equal rules once: a client wants the same of thousands of rooms, and all its users do.
#[derive(Debug, Default)]
pub(in crate::notification) struct SharedRules(Mutex<HashSet<Arc<Rules>>>);

impl SharedRules {
    pub(super) fn share(&self, rules: Rules) -> Arc<Rules> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = shared.get(&rules) {
            return same.clone();
        }
        if shared.len() >= RULES_MAX {
            shared.retain(|rules| Arc::strong_count(rules) > 1);
        }
        let rules = Arc::new(rules);
        if shared.len() < RULES_MAX {
            shared.insert(rules.clone());
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, Key, Rule, Rules, SharedRules};

    const ME: &str = "@alice:example.org";

    fn element(event_type: Option<&str>, state_key: Key) -> Element {
        Element { event_type: event_type.map(str::to_owned), state_key }
    }

    fn rules(rules: impl IntoIterator<Item = Rule>) -> Rules {
        let mut all = Rules::default();
        rules.into_iter().for_each(|rule| all.add(rule));
        all
    }

    #[test]
    fn an_empty_element_takes_everything_but_what_is_excluded() {
        let rules = rules([Rule {
            include: vec![element(None, Key::Any)],
            exclude: vec![element(Some("m.room.create"), Key::Only(String::new()))],
            lazy_members: false,
        }]);
        assert!(rules.takes("m.room.topic", "", ME));
        assert!(rules.takes("m.room.member", "@bob:example.org", ME));
        assert!(!rules.takes("m.room.create", "", ME));
        assert_eq!(rules.named(ME), None);
    }

    #[test]
    fn lazy_loading_leaves_out_the_members_that_are_not_named() {
        let lazy = Rule {
            include: vec![element(None, Key::Any), element(Some("m.room.member"), Key::Me)],
            lazy_members: true,
            ..Rule::default()
        };
        let all =
            Rule { include: vec![element(Some("m.room.member"), Key::Any)], ..Rule::default() };
        let only_lazy = rules([lazy.clone()]);
        assert!(only_lazy.lazy_members());
        assert!(only_lazy.takes("m.room.member", ME, ME));
        assert!(!only_lazy.takes("m.room.member", "@bob:example.org", ME));
        assert!(only_lazy.takes("m.room.topic", "", ME));
        assert!(rules([lazy, all]).takes("m.room.member", "@bob:example.org", ME), "the union");
    }

    #[test]
    fn a_key_alone_takes_events_of_any_type() {
        let rules = rules([Rule {
            include: vec![element(None, Key::Only("key".to_owned()))],
            ..Rule::default()
        }]);
        assert!(rules.takes("org.example.any", "key", ME));
        assert!(!rules.takes("org.example.any", "", ME));
    }

    #[test]
    fn fewer_rules_exceed_nothing_and_equal_ones_are_shared() {
        let rule = |event_type| Rule {
            include: vec![element(Some(event_type), Key::Only(String::new()))],
            ..Rule::default()
        };
        let (few, many) = (rules([rule("a")]), rules([rule("a"), rule("b")]));
        let both =
            Rule { include: [rule("a").include, rule("b").include].concat(), ..Rule::default() };
        assert!(!few.exceed(&rules([both.clone()])) && rules([both]).exceed(&few));
        assert!(many.exceed(&few) && !few.exceed(&many) && !few.exceed(&few));
        assert_eq!(many.named(ME), Some(vec![("a", ""), ("b", "")]));
        let shared = SharedRules::default();
        assert!(std::sync::Arc::ptr_eq(&shared.share(few.clone()), &shared.share(few)));
    }
}
