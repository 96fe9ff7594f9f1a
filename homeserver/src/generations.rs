//! A cache by interned id that forgets what was not used lately: two generations, the older of which is dropped when the newer is full.
//! What is dropped may be much: that happens where nobody waits for it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::runtime::Handle;

use crate::storage::Id;

/// Values with their weights. Cheap to ask; a value is copied out.
#[derive(Debug)]
pub(crate) struct Generations<V> {
    kept: Mutex<Kept<V>>,
    /// What both generations together may weigh.
    weight_max: usize,
}

/// Values by their id, each with its weight.
type Generation<V> = HashMap<Id, (V, usize)>;

#[derive(Debug)]
struct Kept<V> {
    young: Generation<V>,
    old: Generation<V>,
    young_weight: usize,
    old_weight: usize,
}

/// Drops something large in a thread where that holds nobody up: hundreds of megabytes take a tenth of a second. Never holding a lock.
pub(crate) fn drop_aside(dropped: impl Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn_blocking(move || drop(dropped));
    }
}

impl<V: Clone + Send + 'static> Generations<V> {
    pub(crate) fn new(weight_max: usize) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        let kept = Kept { young, old, young_weight: 0, old_weight: 0 };
        Self { kept: Mutex::new(kept), weight_max }
    }

    pub(crate) fn find(&self, id: Id) -> Option<V> {
        let mut kept = self.lock();
        if let Some((value, _)) = kept.young.get(&id) {
            return Some(value.clone());
        }
        let (value, weight) = kept.old.remove(&id)?;
        kept.old_weight -= weight;
        let oldest = kept.insert(id, (value.clone(), weight), self.weight_max);
        drop(kept);
        if let Some(oldest) = oldest {
            drop_aside(oldest);
        }
        Some(value)
    }

    pub(crate) fn keep(&self, id: Id, value: V, weight: usize) {
        let oldest = self.lock().insert(id, (value, weight), self.weight_max);
        if let Some(oldest) = oldest {
            drop_aside(oldest);
        }
    }

    pub(crate) fn forget(&self, ids: &[Id]) {
        let mut kept = self.lock();
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

impl<V: Send + 'static> Generations<V> {
    /// Called now and then: while all weighs more than [`SLACK`] of what it may, what was not used since the call before last goes.
    pub(crate) fn age(&self) {
        let mut kept = self.lock();
        if kept.young_weight + kept.old_weight > self.weight_max / SLACK {
            let oldest = kept.turn();
            drop(kept);
            drop_aside(oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which part of its bound a cache may fill with what nobody uses: a sixteenth.
pub(crate) const SLACK: usize = 16;

impl<V> Kept<V> {
    /// The young are the old ones from here on. Returns those that are to be dropped, without the lock.
    #[must_use]
    fn turn(&mut self) -> Generation<V> {
        self.old_weight = std::mem::take(&mut self.young_weight);
        let young = std::mem::take(&mut self.young);
        std::mem::replace(&mut self.old, young)
    }

    /// Returns what is to be dropped, as [`Kept::turn`] does.
    #[must_use]
    fn insert(&mut self, id: Id, value: (V, usize), weight_max: usize) -> Option<Generation<V>> {
        self.young_weight += value.1;
        if let Some((_, weight)) = self.young.insert(id, value) {
            self.young_weight -= weight;
        }
        (self.young_weight > weight_max / 2).then(|| self.turn())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread::{self, ThreadId},
        time::Duration,
    };

    use super::{Generations, SLACK};

    /// Says in which thread it is dropped.
    struct Probe(mpsc::Sender<ThreadId>);

    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).ok();
        }
    }

    #[tokio::test]
    async fn nobody_waits_until_what_goes_is_dropped() {
        let cache = Generations::new(2 * SLACK);
        let (sender, dropped) = mpsc::channel();
        for id in 0..6 {
            cache.keep(id, Arc::new(Probe(sender.clone())), SLACK / 2);
        }
        cache.age();
        cache.age();
        for id in 0..6 {
            let thread = dropped.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_ne!(thread, thread::current().id(), "{id}");
        }
    }

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
