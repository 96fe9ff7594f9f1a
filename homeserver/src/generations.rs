//! A cache by interned id that forgets what was not used lately: two generations, the older of which is dropped when the newer is full.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::storage::Id;

/// Values with their weights. Cheap to ask; a value is copied out.
#[derive(Debug)]
pub(crate) struct Generations<V> {
    kept: Mutex<Kept<V>>,
    /// What both generations together may weigh.
    weight_max: usize,
}

#[derive(Debug)]
struct Kept<V> {
    young: HashMap<Id, (V, usize)>,
    old: HashMap<Id, (V, usize)>,
    young_weight: usize,
    old_weight: usize,
}

impl<V: Clone> Generations<V> {
    pub(crate) fn new(weight_max: usize) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        let kept = Kept { young, old, young_weight: 0, old_weight: 0 };
        Self { kept: Mutex::new(kept), weight_max }
    }

    pub(crate) fn find(&self, id: Id) -> Option<V> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = kept.young.get(&id) {
            return Some(value.clone());
        }
        let (value, weight) = kept.old.remove(&id)?;
        kept.old_weight -= weight;
        kept.insert(id, (value.clone(), weight), self.weight_max);
        Some(value)
    }

    pub(crate) fn keep(&self, id: Id, value: V, weight: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(id, (value, weight), self.weight_max);
    }

    pub(crate) fn forget(&self, ids: &[Id]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if let Some((_, weight)) = kept.young.remove(id) {
                kept.young_weight -= weight;
            }
            if let Some((_, weight)) = kept.old.remove(id) {
                kept.old_weight -= weight;
            }
        }
    }
}

impl<V> Generations<V> {
    /// Called now and then: while all weighs more than [`SLACK`] of what it may, what was not used since the call before last goes.
    pub(crate) fn age(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.young_weight + kept.old_weight > self.weight_max / SLACK {
            kept.turn();
        }
    }
}

/// Which part of its bound a cache may fill with what nobody uses: a sixteenth.
pub(crate) const SLACK: usize = 16;

impl<V> Kept<V> {
    /// The young are the old ones from here on.
    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.old_weight = std::mem::take(&mut self.young_weight);
    }

    fn insert(&mut self, id: Id, value: (V, usize), weight_max: usize) {
        self.young_weight += value.1;
        if let Some((_, weight)) = self.young.insert(id, value) {
            self.young_weight -= weight;
        }
        if self.young_weight > weight_max / 2 {
            self.turn();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Generations, SLACK};

    #[test]
    fn what_nobody_uses_goes_with_time_unless_it_is_little() {
        let cache = Generations::new(10 * SLACK);
        for id in 0..20 {
            cache.keep(id, (), 1);
        }
        for _ in 0..3 {
            cache.age();
            assert!(cache.find(7).is_some(), "used between two calls");
        }
        assert!(cache.find(8).is_none());
        // The same once more weighs no more.
        for _ in 0..20 {
            cache.keep(7, (), 1);
        }
        for _ in 0..3 {
            cache.age();
        }
        assert!(cache.find(7).is_some(), "little is left");
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let cache = Generations::new(20);
        cache.keep(1, "used", 1);
        cache.keep(2, "not used", 1);
        for id in 3..100 {
            cache.keep(id, "another", 1);
            assert_eq!(cache.find(1), Some("used"), "after {id}");
        }
        assert_eq!(cache.find(2), None);
        cache.forget(&[1]);
        assert_eq!(cache.find(1), None);
    }
}
