//! The time for which a candidate leads.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::time::{Duration, Instant};

/// Who leads, as one candidate knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// Not this candidate.
    Following {
        /// Who does, where that is known.
        holder: Option<String>,
    },
    /// This candidate, for as long as [`Tenure::holds`].
    Leading(Tenure),
}

impl Leadership {
    /// Whether this candidate leads at this very moment.
    pub fn leads(&self) -> bool {
        matches!(self, Self::Leading(tenure) if tenure.holds())
    }
}

/// A time at the head. Clones end together.
#[derive(Clone, Debug)]
pub struct Tenure {
    term: i32,
    began: Instant,
    /// Microseconds after `began`; 0 when it is over.
    until: Arc<AtomicU64>,
}

impl Tenure {
    pub(super) fn new(term: i32, until: Instant) -> Self {
        let tenure = Self { term, began: Instant::now(), until: Arc::default() };
        tenure.extend(until);
        tenure
    }

    /// Rises whenever the lease changes hands: what a later leader wrote can be told from what an earlier one wrote late.
    pub fn term(&self) -> i32 {
        self.term
    }

    /// Whether it still lasts, by the clock of this moment. To be asked before each act that only a leader may do: a process that was
    /// paused finds out by this before its timers tell it.
    pub fn holds(&self) -> bool {
        !self.remaining().is_zero()
    }

    pub(super) fn remaining(&self) -> Duration {
        let until = Duration::from_micros(self.until.load(Ordering::SeqCst));
        until.saturating_sub(self.began.elapsed())
    }

    pub(super) fn extend(&self, until: Instant) {
        let micros = until.saturating_duration_since(self.began).as_micros();
        self.until.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }
}

/// The same time at the head, not one that looks the same.
impl PartialEq for Tenure {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.until, &other.until)
    }
}

impl Eq for Tenure {}
