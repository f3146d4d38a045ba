//! A run of failures of something that is tried for ever: told when it begins, now and then while it lasts, and when it is over.

use std::time::Duration;

use tokio::time::Instant;

/// How often a run that goes on is told.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// The failures since the last success.
#[derive(Debug, Default)]
pub(super) struct Outage {
    tries: u32,
    told: Option<Instant>,
}

impl Outage {
    /// One more try has failed, at `now`. How many have so far, if it is time to tell.
    pub(super) fn failed(&mut self, now: Instant) -> Option<u32> {
        self.tries = self.tries.saturating_add(1);
        if self.told.is_some_and(|told| now.duration_since(told) < TOLD_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(self.tries)
    }

    /// A try went well. How many had failed before it, if any had.
    pub(super) fn ended(&mut self) -> Option<u32> {
        let tries = std::mem::take(self).tries;
        (tries > 0).then_some(tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_try_each_second_the_first_is_told_and_then_one_in_thirty() {
        let (mut outage, begun) = (Outage::default(), Instant::now());
        let told = (0..=65).filter_map(|second| outage.failed(begun + Duration::from_secs(second)));
        assert_eq!(told.collect::<Vec<_>>(), [1, 31, 61]);
    }

    #[test]
    fn the_end_is_told_once_and_the_next_one_begins_anew() {
        let (mut outage, now) = (Outage::default(), Instant::now());
        assert_eq!(outage.ended(), None);
        outage.failed(now);
        outage.failed(now);
        assert_eq!((outage.ended(), outage.ended()), (Some(2), None));
        assert_eq!(outage.failed(now), Some(1));
    }
}
