//! Token buckets by key: whoever counts something per somebody counts it here.
//!
//! A bucket is one number, the time at which it will be full again, so a million of them cost little; full buckets are
//! forgotten.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Buckets kept at most; one is about 60 bytes.
const BUCKETS_MAX: usize = 200_000;

/// How much a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub burst: u32,
    pub per_second: f64,
}

impl Rate {
    /// The time that one piece takes to come back, in ms.
    fn interval(self) -> f64 {
        1_000.0 / self.per_second
    }
}

/// The buckets of one kind. Cheap to clone.
#[derive(Debug)]
pub struct Buckets<K>(Arc<Mutex<HashMap<K, f64>>>);

impl<K> Clone for Buckets<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes one piece from the bucket of `key`.
    ///
    /// # Errors
    /// How long to wait, when it is empty.
    pub fn take(&self, key: K, rate: Rate, now_ms: i64) -> Result<(), Duration> {
        let (now, interval) = (as_float(now_ms), rate.interval());
        let capacity = interval * f64::from(rate.burst);
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not lock anybody out for longer than an empty bucket takes to fill.
        let old = full_at.get(&key).copied().unwrap_or(now).clamp(now, now + capacity);
        let new = old + interval;
        if new > now + capacity {
            return Err(Duration::from_secs_f64((new - now - capacity) / 1_000.0));
        }
        if full_at.len() >= BUCKETS_MAX {
            forget(&mut full_at, now);
        }
        full_at.insert(key, new);
        Ok(())
    }

    /// Puts one piece back: what it was taken for cost nothing.
    pub fn give_back(&self, key: &K, rate: Rate) {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = full_at.get_mut(key) {
            *at -= rate.interval();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit into 53 bits")]
fn as_float(ms: i64) -> f64 {
    ms as f64
}

/// Forgets full buckets; under an attack with very many keys, every second one too.
fn forget<K: Eq + Hash>(full_at: &mut HashMap<K, f64>, now: f64) {
    full_at.retain(|_, at| *at > now);
    if full_at.len() >= BUCKETS_MAX {
        let mut keep = false;
        full_at.retain(|_, _| {
            keep = !keep;
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Buckets, Rate};

    const RATE: Rate = Rate { burst: 3, per_second: 1.0 };

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let buckets = Buckets::default();
        for _ in 0..3 {
            buckets.take("alice", RATE, 1_000).unwrap();
        }
        buckets.take("alice", RATE, 1_000).unwrap_err();
        buckets.give_back(&"alice", RATE);
        buckets.take("alice", RATE, 1_000).unwrap();
        buckets.take("alice", RATE, 1_000).unwrap_err();
        buckets.take("bob", RATE, 1_000).unwrap();
    }

    #[test]
    fn giving_back_fills_a_bucket_to_its_brim_only() {
        let buckets = Buckets::default();
        buckets.take("alice", RATE, 1_000).unwrap();
        for _ in 0..10 {
            buckets.give_back(&"alice", RATE);
        }
        let taken = (0..10).filter(|_| buckets.take("alice", RATE, 1_000).is_ok()).count();
        assert_eq!(taken, 3);
    }
}
