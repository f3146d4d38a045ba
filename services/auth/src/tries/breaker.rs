//! Whether the limiter is worth a question: while it doesn't answer, only one log-in a second waits to find out.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row after which nobody asks.
const FAILURES: u32 = 3;
/// How long, until one tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches questions. Clones watch together.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed_until: Option<Instant>,
}

impl Breaker {
    /// Whether to ask. After a pause, one is told yes and the others wait for what it finds.
    pub(super) fn allows(&self) -> bool {
        let (mut state, now) = (self.state(), Instant::now());
        match state.closed_until {
            Some(until) if now < until => false,
            Some(_) => {
                state.closed_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// An answer came.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        if state.closed_until.is_some() {
            tracing::info!("the limiter answers again");
        }
        *state = State::default();
    }

    /// No answer came.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            if state.closed_until.is_none() {
                tracing::warn!("the limiter does not answer; log-ins are limited by this process alone");
            }
            state.closed_until = Some(Instant::now() + PAUSE);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_failures_in_a_row_one_a_second_finds_out_whether_it_is_back() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed();
        }
        breaker.succeeded();
        for _ in 0..2 {
            breaker.failed();
        }
        assert!(breaker.allows(), "failures that an answer parts do not add up");
        breaker.failed();
        assert!(!breaker.allows());
        tokio::time::advance(PAUSE).await;
        assert!(breaker.allows());
        assert!(!breaker.allows(), "only one");
        breaker.succeeded();
        assert!(breaker.allows() && breaker.allows());
    }
}
