//! When to stop asking a server that doesn't answer, and when to try again.

use std::time::{Duration, Instant};

/// Failures in a row after which nobody asks any more.
const FAILURES: u32 = 5;
/// How long nobody asks. Then one does, and the rest wait for how that ends.
const REST: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Set while open.
    try_at: Option<Instant>,
    probing: bool,
}

/// What an outcome did to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    Not,
    Opened,
    Closed,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.try_at.is_some()
    }

    /// Whether this caller may ask. It must say how that ended.
    pub(super) fn may_try(&mut self, now: Instant) -> bool {
        match self.try_at {
            None => true,
            Some(at) if now >= at && !self.probing => {
                self.probing = true;
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn succeeded(&mut self) -> Turned {
        let was_open = self.is_open();
        *self = Self::default();
        if was_open { Turned::Closed } else { Turned::Not }
    }

    pub(super) fn failed(&mut self, now: Instant) -> Turned {
        self.failures = self.failures.saturating_add(1);
        self.probing = false;
        if self.failures < FAILURES {
            return Turned::Not;
        }
        let was_open = self.is_open();
        self.try_at = Some(now + REST);
        if was_open { Turned::Not } else { Turned::Opened }
    }

    /// The caller went away before there was an outcome.
    pub(super) fn gave_up(&mut self) -> Turned {
        self.probing = false;
        Turned::Not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        let turns: Vec<_> = (0..FAILURES).map(|_| breaker.failed(now)).collect();
        assert_eq!(turns.iter().filter(|turned| **turned == Turned::Opened).count(), 1);
        breaker
    }

    #[test]
    fn nobody_asks_while_it_is_open() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(!breaker.may_try(now));
        assert!(breaker.may_try(now + REST));
    }

    #[test]
    fn one_asks_after_a_rest_and_success_closes_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.may_try(now + REST));
        assert!(!breaker.may_try(now + REST), "the second has to wait");
        assert_eq!(breaker.succeeded(), Turned::Closed);
        assert!(breaker.may_try(now + REST));
    }

    #[test]
    fn a_probe_that_fails_begins_another_rest() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.may_try(now + REST));
        assert_eq!(breaker.failed(now + REST), Turned::Not);
        assert!(!breaker.may_try(now + REST));
        assert!(breaker.may_try(now + REST * 2));
    }

    #[test]
    fn a_probe_whose_caller_goes_away_makes_room_for_the_next() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.may_try(now + REST));
        breaker.gave_up();
        assert!(breaker.may_try(now + REST));
    }

    #[test]
    fn failures_between_successes_do_not_add_up() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES * 2 {
            breaker.failed(Instant::now());
            breaker.succeeded();
        }
        assert!(!breaker.is_open());
    }
}
