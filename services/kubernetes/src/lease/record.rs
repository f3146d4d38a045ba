//! What a candidate makes of the record of a lease. Pure: it is told the time, and does nothing itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{api::coordination::v1::LeaseSpec, apimachinery::pkg::apis::meta::v1::MicroTime};

use super::Timing;

/// One candidate, and what it has seen. Its times are durations since any moment of its choice, by a clock that only goes forward.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    timing: Timing,
    /// The record of somebody else, and when it was first seen to be so.
    seen: Option<(LeaseSpec, Duration)>,
}

/// What to do about a record.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Write this in its place, if it is still there. With it the lease is held.
    Write(LeaseSpec),
    /// Somebody else holds it.
    Wait {
        /// Who.
        holder: String,
    },
}

impl Candidate {
    pub(super) fn new(identity: String, timing: Timing) -> Self {
        Self { identity, timing, seen: None }
    }

    /// Looks at `record`, read at `now` or later. `wall` is only written down for people to read.
    pub(super) fn consider(&mut self, record: &LeaseSpec, now: Duration, wall: Timestamp) -> Step {
        let holder = record.holder_identity.as_deref().unwrap_or_default();
        if holder == self.identity {
            return Step::Write(self.renewed(record, wall));
        }
        if holder.is_empty() {
            return Step::Write(self.taken(record, wall));
        }
        match &self.seen {
            Some((before, since)) if before == record => {
                if now.saturating_sub(*since) > self.promised(record) {
                    return Step::Write(self.taken(record, wall));
                }
            }
            _ => self.seen = Some((record.clone(), now)),
        }
        Step::Wait { holder: holder.to_owned() }
    }

    /// Until when a renewal that was sent at `sent` lets this candidate act. Counted from before it was sent: whatever the network
    /// did, others have seen the record change later than that.
    pub(super) fn holds_until(&self, sent: Duration) -> Duration {
        sent + self.timing.renew_deadline
    }

    /// The record of a lease that its holder gives up, or `None` if somebody else holds it.
    pub(super) fn released(&self, record: &LeaseSpec, wall: Timestamp) -> Option<LeaseSpec> {
        (record.holder_identity.as_deref() == Some(&self.identity)).then(|| LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(after(record, wall)),
            ..record.clone()
        })
    }

    fn renewed(&self, record: &LeaseSpec, wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            lease_duration_seconds: Some(self.timing.seconds()),
            renew_time: Some(after(record, wall)),
            ..record.clone()
        }
    }

    fn taken(&self, record: &LeaseSpec, wall: Timestamp) -> LeaseSpec {
        let now = after(record, wall);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.timing.seconds()),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(term(record).saturating_add(1)),
            ..record.clone()
        }
    }

    /// How long the holder may be silent by its own word; by ours, if it gave none.
    fn promised(&self, record: &LeaseSpec) -> Duration {
        let seconds = record.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.filter(|seconds| *seconds > 0).map_or(self.timing.duration, Duration::from_secs)
    }
}

/// How often the lease has changed hands.
pub(super) fn term(record: &LeaseSpec) -> i32 {
    record.lease_transitions.unwrap_or(0).max(0)
}

/// The time to write: later than the one that stands there, whatever the clock says. The API server drops an update that changes
/// nothing, and then nobody would see that the holder is alive.
fn after(record: &LeaseSpec, wall: Timestamp) -> MicroTime {
    let least = record
        .renew_time
        .as_ref()
        .and_then(|before| before.0.checked_add(SignedDuration::from_micros(1)).ok());
    let time = least.map_or(wall, |least| wall.max(least));
    // The API server keeps six decimals.
    MicroTime(Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn candidate(identity: &str) -> Candidate {
        Candidate::new(identity.to_owned(), Timing::default())
    }

    fn held_by(identity: &str) -> LeaseSpec {
        let Step::Write(record) = candidate(identity).consider(&LeaseSpec::default(), SECOND, wall(0)) else {
            panic!("nobody held it")
        };
        record
    }

    #[test]
    fn a_lease_without_a_record_is_taken_at_once() {
        let record = held_by("a");
        assert_eq!(record.holder_identity.as_deref(), Some("a"));
        assert_eq!((record.lease_duration_seconds, record.lease_transitions), (Some(15), Some(1)));
        assert_eq!(record.acquire_time, record.renew_time);
    }

    #[test]
    fn a_lease_is_taken_when_its_record_has_not_changed_for_longer_than_its_holder_promised() {
        let (record, mut other) = (held_by("a"), candidate("b"));
        let wait = Step::Wait { holder: "a".to_owned() };
        // The wall clock says that it ran out long ago; it doesn't count.
        assert_eq!(other.consider(&record, 100 * SECOND, wall(9_999)), wait);
        assert_eq!(other.consider(&record, 115 * SECOND, wall(9_999)), wait);
        let Step::Write(taken) = other.consider(&record, 116 * SECOND, wall(20)) else {
            panic!("it ran out")
        };
        assert_eq!((taken.holder_identity.as_deref(), taken.lease_transitions), (Some("b"), Some(2)));
    }

    #[test]
    fn every_renewal_begins_the_wait_anew_even_with_a_clock_that_stands_still() {
        let (mut holder, mut other) = (candidate("a"), candidate("b"));
        let mut record = held_by("a");
        for round in 0..20 {
            let now = 10 * SECOND * round;
            assert!(matches!(other.consider(&record, now, wall(0)), Step::Wait { .. }), "round {round}");
            let Step::Write(renewed) = holder.consider(&record, now, wall(0)) else {
                panic!("it is its own")
            };
            assert_ne!(renewed, record);
            assert_eq!((renewed.lease_transitions, &renewed.acquire_time), (Some(1), &record.acquire_time));
            record = renewed;
        }
    }

    #[test]
    fn a_lease_that_was_given_up_is_taken_at_once() {
        let released = candidate("a").released(&held_by("a"), wall(3)).unwrap();
        assert_eq!(
            (released.holder_identity.as_deref(), released.lease_duration_seconds),
            (Some(""), Some(1))
        );
        let step = candidate("b").consider(&released, SECOND, wall(4));
        assert!(matches!(step, Step::Write(record) if record.lease_transitions == Some(2)));
        assert_eq!(candidate("b").released(&held_by("a"), wall(3)), None);
    }
}
