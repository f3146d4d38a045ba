//! Failed log-ins that this process counts by itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use platform::Clock;

use super::Origin;
use crate::{device::Device, user::Email};

/// Failures of one account from one place, or by one device, in any window; also what the limiter's own rules grant.
const FAILURES: usize = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// As long, for the memory that they take.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);
/// Pairs that are remembered, some 300 bytes each, so that made-up ones cost no more than this.
const REMEMBERED: u64 = 100_000;

/// An account, and a device that it knows, or else a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair(String);

/// When a try was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried(Timestamp);

/// The times of tries that did not succeed, or not yet, oldest first.
type Times = Arc<Mutex<VecDeque<Timestamp>>>;

/// Counts tries by pair.
#[derive(Clone, Debug)]
pub(super) struct LocalTries {
    pairs: moka::sync::Cache<Pair, Times>,
    clock: Clock,
}

impl Pair {
    pub(super) fn new(email: &Email, origin: Origin, device: Option<Device>) -> Self {
        // No address has white space in it, and no place begins like a device.
        match device {
            Some(device) => Self(format!("{} device {}", email.key(), device.id)),
            None => Self(format!("{} {origin}", email.key())),
        }
    }
}

impl LocalTries {
    pub(super) fn new(clock: Clock) -> Self {
        let pairs =
            moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(REMEMBERED_FOR).build();
        Self { pairs, clock }
    }

    /// Counts a try of `pair` if there is room for one; else answers how long there is none.
    pub(super) fn admit(&self, pair: &Pair) -> Result<Tried, Duration> {
        let now = self.clock.now();
        self.with(pair, |times| {
            times.retain(|time| now.duration_since(*time) < WINDOW);
            if let Some(excess) = times.len().checked_sub(FAILURES) {
                let wait = times.get(excess).map_or(WINDOW, |time| WINDOW - now.duration_since(*time));
                Err(wait.try_into().unwrap_or(REMEMBERED_FOR))
            } else {
                times.push_back(now);
                Ok(Tried(now))
            }
        })
    }

    /// Counts a try that the limiter has admitted: should it go away, nobody begins anew.
    pub(super) fn count(&self, pair: &Pair) -> Tried {
        let now = self.clock.now();
        self.with(pair, |times| {
            times.push_back(now);
            if times.len() > FAILURES {
                times.pop_front();
            }
        });
        Tried(now)
    }

    /// Forgets a try.
    pub(super) fn take_back(&self, pair: &Pair, tried: Tried) {
        self.with(pair, |times| {
            if let Some(index) = times.iter().position(|time| *time == tried.0) {
                times.remove(index);
            }
        });
    }

    fn with<T>(&self, pair: &Pair, act: impl FnOnce(&mut VecDeque<Timestamp>) -> T) -> T {
        let times = self.pairs.get_with_by_ref(pair, Times::default);
        act(&mut times.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(email: &str) -> Pair {
        Pair::new(&Email::parse(email).unwrap(), Origin::of(&tonic::Request::new(())), None)
    }

    fn tries() -> (LocalTries, Clock) {
        let clock = Clock::manual("2026-03-01T09:00:00Z".parse().unwrap());
        (LocalTries::new(clock.clone()), clock)
    }

    #[test]
    fn ten_failures_fit_into_any_window_and_the_next_says_how_long_to_wait() {
        let (tries, clock) = tries();
        for _ in 0..10 {
            tries.admit(&pair("anna@x.de")).unwrap();
            clock.advance(SignedDuration::from_secs(6));
        }
        assert_eq!(tries.admit(&pair("Anna@X.de")).unwrap_err(), Duration::from_mins(4));
        assert!(tries.admit(&pair("bert@x.de")).is_ok());
        clock.advance(SignedDuration::from_mins(4) - SignedDuration::from_micros(1));
        assert!(tries.admit(&pair("anna@x.de")).is_err());
        clock.advance(SignedDuration::from_micros(1));
        assert!(tries.admit(&pair("anna@x.de")).is_ok());
        assert_eq!(tries.admit(&pair("anna@x.de")).unwrap_err(), Duration::from_secs(6));
    }

    #[test]
    fn a_device_counts_by_itself_for_each_account() {
        let (tries, clock) = tries();
        let device = |email: &str, id| {
            let device = Device::new(uuid::Uuid::from_u128(id), clock.now());
            Pair::new(&Email::parse(email).unwrap(), Origin::of(&tonic::Request::new(())), Some(device))
        };
        for _ in 0..10 {
            tries.admit(&pair("anna@x.de")).unwrap();
        }
        assert!(tries.admit(&pair("anna@x.de")).is_err());
        for _ in 0..10 {
            tries.admit(&device("anna@x.de", 1)).unwrap();
        }
        clock.advance(SignedDuration::from_mins(1));
        assert!(tries.admit(&device("anna@x.de", 1)).is_err(), "a token of another time is the same device");
        assert!(tries.admit(&device("anna@x.de", 2)).is_ok());
        assert!(tries.admit(&device("bert@x.de", 1)).is_ok());
    }

    #[test]
    fn who_gets_in_counts_for_nothing() {
        let (tries, _) = tries();
        for _ in 0..50 {
            let counted = tries.admit(&pair("anna@x.de")).unwrap();
            tries.take_back(&pair("anna@x.de"), counted);
        }
        for _ in 0..10 {
            tries.admit(&pair("anna@x.de")).unwrap();
        }
        assert!(tries.admit(&pair("anna@x.de")).is_err());
    }

    #[test]
    fn what_the_limiter_admitted_counts_once_it_is_away() {
        let (tries, _) = tries();
        for _ in 0..30 {
            tries.count(&pair("anna@x.de"));
        }
        assert!(tries.admit(&pair("anna@x.de")).is_err());
    }
}
