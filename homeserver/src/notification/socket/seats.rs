//! Who sits where: a device has few sockets, and a connection one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use super::Close;
use crate::{notification::Sync, storage::Id};

/// Most sockets of a device; the oldest goes.
const DEVICE_SOCKETS_MAX: usize = 8;

/// The seats of all devices.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<Id, Vec<Taken>>>);

#[derive(Debug)]
struct Taken {
    /// The connection it serves, once it serves one.
    conn_id: Option<String>,
    told: Arc<AtomicU8>,
}

const STAY: u8 = 0;
const REPLACED: u8 = 1;
const TOO_MANY: u8 = 2;

/// A socket's seat, given back at its end.
#[derive(Debug)]
pub(super) struct Seat {
    sync: Sync,
    device: Id,
    told: Arc<AtomicU8>,
}

impl Seat {
    /// Takes a seat of `device`. Tells whether somebody had to get up for it; they hear it when the user's bell rings.
    pub(super) fn take(sync: &Sync, device: Id) -> (Self, bool) {
        let told = Arc::new(AtomicU8::new(STAY));
        let mut seats = sync.0.sockets.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_device = seats.entry(device).or_default();
        let is_full = of_device.len() >= DEVICE_SOCKETS_MAX;
        if is_full {
            of_device.remove(0).told.store(TOO_MANY, Ordering::Release);
        }
        of_device.push(Taken { conn_id: None, told: told.clone() });
        (Self { sync: sync.clone(), device, told }, is_full)
    }

    /// Serves this connection from now on, in place of whoever did. Tells whether somebody did.
    pub(super) fn serve(&self, conn_id: &str) -> bool {
        let mut seats = self.sync.0.sockets.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_device) = seats.get_mut(&self.device) else { return false };
        let before = of_device.len();
        of_device.retain(|taken| {
            let stays = self.is(taken) || taken.conn_id.as_deref() != Some(conn_id);
            if !stays {
                taken.told.store(REPLACED, Ordering::Release);
            }
            stays
        });
        if let Some(own) = of_device.iter_mut().find(|taken| self.is(taken)) {
            own.conn_id = Some(conn_id.to_owned());
        }
        of_device.len() < before
    }

    /// Whether the socket had to get up, and for whom.
    pub(super) fn lost(&self) -> Option<Close> {
        match self.told.load(Ordering::Acquire) {
            REPLACED => Some(Close::REPLACED),
            TOO_MANY => Some(Close::TOO_MANY),
            _ => None,
        }
    }

    fn is(&self, taken: &Taken) -> bool {
        Arc::ptr_eq(&taken.told, &self.told)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.sync.0.sockets.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_device) = seats.get_mut(&self.device) {
            of_device.retain(|taken| !self.is(taken));
            if of_device.is_empty() {
                seats.remove(&self.device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Close, DEVICE_SOCKETS_MAX, Seat};
    use crate::notification::Sync;

    #[test]
    fn a_connection_has_one_socket_and_a_device_few() {
        let sync = Sync::new(1);
        let (old, _) = Seat::take(&sync, 1);
        assert!(!old.serve("main"));
        let (new, _) = Seat::take(&sync, 1);
        assert!(!new.serve("other") && new.serve("main"));
        assert_eq!((old.lost(), new.lost()), (Some(Close::REPLACED), None));
        let (elsewhere, _) = Seat::take(&sync, 2);
        assert!(!elsewhere.serve("main"), "another device's");
        let many: Vec<_> = (0..DEVICE_SOCKETS_MAX).map(|_| Seat::take(&sync, 1)).collect();
        assert_eq!(new.lost(), Some(Close::TOO_MANY));
        assert_eq!(many.iter().filter(|(_, has_displaced)| *has_displaced).count(), 1);
        assert!(many.iter().all(|(seat, _)| seat.lost().is_none()));
        drop((old, new, many, elsewhere));
        assert!(sync.0.sockets.seats.0.lock().unwrap().is_empty(), "all given back");
    }
}
