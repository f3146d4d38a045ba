//! Time and ids by parameter, so that tests decide what time it is.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use uuid::{ContextV7, Uuid};

/// Where the time comes from. Cheap to clone; clones of a manual clock share their time.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// Ids of one process rise strictly, also within a millisecond.
    ids: Arc<std::sync::Mutex<ContextV7>>,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_source(Source::System)
    }

    /// A clock that stands at `start` until it is told to advance.
    pub fn manual(start: Timestamp) -> Self {
        Self::from_source(Source::Manual(Arc::new(AtomicI64::new(start.as_microsecond()))))
    }

    fn from_source(source: Source) -> Self {
        Self { source, ids: Arc::default() }
    }

    /// The time, in whole microseconds: what PostgreSQL keeps, so that a value read back equals the one written.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let micros = match &self.source {
            Source::System => Timestamp::now().as_microsecond(),
            Source::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }

    /// Moves a manual clock forward. The system's clock stays as it is.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(micros) = &self.source {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// A new UUIDv7 of this moment, above every one that this clock gave before in the same millisecond.
    pub fn uuid_v7(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        let context = self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.clone().advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now().as_second(), 5);
    }

    #[test]
    fn ids_of_one_clock_rise_strictly() {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let ids: Vec<Uuid> = (0..1_000).map(|_| clock.uuid_v7()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
