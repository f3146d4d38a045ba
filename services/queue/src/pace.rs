//! How soon a worker looks again: at once while there is more, ever more rarely while there is nothing.

use std::time::Duration;

/// The shortest wait when a claim didn't fill all free slots.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest wait: how late a job may be seen on an idle queue.
const LONGEST: Duration = Duration::from_secs(1);

/// The wait before the next claim.
#[derive(Debug, Default)]
pub(crate) struct Pace(Duration);

impl Pace {
    /// A claim for `asked` jobs found `found`.
    pub(crate) fn claimed(&mut self, found: usize, asked: usize) {
        self.0 = match found {
            0 => (self.0 * 2).clamp(SHORTEST, LONGEST),
            found if found < asked => SHORTEST,
            _ => Duration::ZERO,
        };
    }

    /// A claim failed: the database needs time.
    pub(crate) fn failed(&mut self) {
        self.0 = LONGEST;
    }

    /// How long to wait.
    pub(crate) fn delay(&self) -> Duration {
        self.0
    }

    /// Whether there probably is more than there are slots.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_queue_is_looked_at_once_a_second_and_a_full_one_at_once() {
        let mut pace = Pace::default();
        assert!(pace.is_busy());
        for _ in 0..10 {
            pace.claimed(0, 8);
        }
        assert_eq!(pace.delay(), LONGEST);
        pace.claimed(3, 8);
        assert_eq!(pace.delay(), SHORTEST);
        pace.claimed(8, 8);
        assert!(pace.is_busy());
        pace.failed();
        assert_eq!(pace.delay(), LONGEST);
    }
}
