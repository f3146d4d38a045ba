//! What happened, counted once: by journey and step, over time, and in sum. The ramp and the warm-up are shown over time but not
//! summed up.

mod counts;
mod failed_call;
mod sight;

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use jiff::Timestamp;

pub(crate) use self::sight::Sight;
pub use self::{counts::Counts, failed_call::FailedCall, sight::FirstSights};
use crate::{
    call::{Outcome, Transport},
    histogram,
    plan::Plan,
    scenario::Step,
};

/// At most this many slots of time: a report stays small however long the run.
const MOST_SLOTS: u64 = 300;
/// The journey of what happens by itself.
pub(crate) const SESSIONS: &str = "sessions";
/// A start that is later than this is a late one.
pub(crate) const LATE: Duration = Duration::from_millis(1);

/// What calls are counted by. The journey is its number in the scenario; `None` for what happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) journey: Option<usize>,
    pub(crate) step: Step,
    pub(crate) transport: Transport,
}

/// A call that has ended. Times are distances from the start of the run.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) key: Key,
    pub(crate) user: u32,
    /// When the call was due.
    pub(crate) intended: Duration,
    /// When it was sent.
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) sight: Sight,
}

impl Sample {
    /// From when the call was due, so that a wait before sending counts.
    pub(crate) fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.intended)
    }
}

/// Outcomes and latencies of one kind of call.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) counts: Counts,
    pub(crate) latency: Histogram<u64>,
    pub(crate) codes: BTreeMap<String, u64>,
}

/// A slot of time.
#[derive(Debug)]
pub(crate) struct Slot {
    /// `offered` and `dropped` by when calls were due, outcomes by when they ended.
    pub(crate) counts: Counts,
    /// By when calls were due: a stall shows where it happened.
    pub(crate) latency: Histogram<u32>,
}

/// Everything that is counted in a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Timestamp,
    journeys: Vec<String>,
    /// When measuring begins.
    lead_in: Duration,
    pub(crate) width: Duration,
    pub(crate) slots: Vec<Slot>,
    pub(crate) rows: BTreeMap<Key, Row>,
    pub(crate) counts: Counts,
    pub(crate) first_sights: FirstSights,
    pub(crate) latency: Histogram<u64>,
    pub(crate) service: Histogram<u64>,
    pub(crate) lag: Histogram<u64>,
    pub(crate) late: u64,
    /// Latencies of calls that ended since somebody last took them.
    recent: Histogram<u32>,
    pub(crate) in_flight: u64,
    pub(crate) most_in_flight: u64,
    pub(crate) failures: Vec<FailedCall>,
    failures_kept: usize,
}

impl Recorder {
    /// Counts a run of `plan` that begins at `began`.
    pub(crate) fn of(plan: &Plan, began: Timestamp) -> Self {
        let journeys = plan.scenario.journeys.iter().map(|journey| journey.name.clone()).collect();
        Self { began, journeys, ..Self::new(plan.lead_in(), plan.duration, plan.failures_kept) }
    }

    pub(crate) fn new(lead_in: Duration, duration: Duration, failures_kept: usize) -> Self {
        let seconds = (lead_in + duration).as_secs();
        Self {
            began: Timestamp::UNIX_EPOCH,
            journeys: Vec::new(),
            lead_in,
            width: Duration::from_secs(seconds.div_ceil(MOST_SLOTS).max(1)),
            slots: Vec::new(),
            rows: BTreeMap::new(),
            counts: Counts::default(),
            first_sights: FirstSights::default(),
            latency: histogram::fine(),
            service: histogram::fine(),
            lag: histogram::fine(),
            late: 0,
            recent: histogram::coarse(),
            in_flight: 0,
            most_in_flight: 0,
            failures: Vec::new(),
            failures_kept,
        }
    }

    /// A call is due and goes out.
    pub(crate) fn sent(&mut self, intended: Duration) {
        self.due(intended).offered += 1;
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
    }

    /// A call is due but can't go out.
    pub(crate) fn dropped(&mut self, intended: Duration) {
        let slot = self.due(intended);
        slot.offered += 1;
        slot.dropped += 1;
        if intended >= self.lead_in {
            self.counts.dropped += 1;
        }
    }

    fn due(&mut self, intended: Duration) -> &mut Counts {
        if intended >= self.lead_in {
            self.counts.offered += 1;
        }
        &mut self.slot(intended).counts
    }

    /// A call of the schedule has ended.
    pub(crate) fn ended(&mut self, sample: &Sample) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let (latency, lag) = (sample.latency(), sample.started.saturating_sub(sample.intended));
        self.slot(sample.ended).counts.count(&sample.outcome);
        if sample.outcome.has_latency() {
            histogram::add(&mut self.slot(sample.intended).latency, latency);
            histogram::add(&mut self.recent, latency);
        }
        if sample.intended >= self.lead_in {
            self.counts.count(&sample.outcome);
            self.first_sights.count(sample.sight);
            histogram::add(&mut self.lag, lag);
            self.late += u64::from(lag > LATE);
            if sample.outcome.has_latency() {
                histogram::add(&mut self.latency, latency);
                histogram::add(&mut self.service, sample.ended.saturating_sub(sample.started));
            }
            self.row(sample, latency);
        }
        self.keep(sample);
    }

    /// The latencies of calls that ended since this was asked last. By when they ended: of those that were due lately, only the
    /// quick ones have.
    pub(crate) fn take_recent(&mut self) -> Histogram<u32> {
        std::mem::replace(&mut self.recent, histogram::coarse())
    }

    /// Something beside the schedule has ended. What went wrong counts in the sum, too; what went well would only flatter it.
    pub(crate) fn beside(&mut self, sample: &Sample) {
        if sample.outcome.failure().is_some() && sample.ended >= self.lead_in {
            self.counts.offered += 1;
            self.counts.count(&sample.outcome);
        }
        self.row(sample, sample.latency());
        self.keep(sample);
    }

    fn row(&mut self, sample: &Sample, latency: Duration) {
        let row = self.rows.entry(sample.key).or_insert_with(|| Row {
            counts: Counts::default(),
            latency: histogram::fine(),
            codes: BTreeMap::new(),
        });
        row.counts.offered += 1;
        row.counts.count(&sample.outcome);
        if sample.outcome.has_latency() {
            histogram::add(&mut row.latency, latency);
        }
        if let Some(failure) = sample.outcome.failure() {
            *row.codes.entry(failure.code.clone().into_owned()).or_default() += 1;
        }
    }

    fn keep(&mut self, sample: &Sample) {
        let Some(failure) = sample.outcome.failure() else { return };
        if self.failures.len() >= self.failures_kept {
            return;
        }
        let outcome = match sample.outcome {
            Outcome::Limited(_) => "limited",
            Outcome::Shed(_) => "shed",
            Outcome::Wrong(_) => "wrong",
            _ => "failed",
        };
        let journey = sample.key.journey.and_then(|index| self.journeys.get(index)).cloned();
        self.failures.push(FailedCall {
            time: self.began + sample.ended,
            journey: journey.unwrap_or_else(|| SESSIONS.to_owned()),
            at: sample.intended.as_secs_f64(),
            ended: sample.ended.as_secs_f64(),
            user: sample.user,
            step: sample.key.step.to_string(),
            transport: sample.key.transport,
            outcome: outcome.to_owned(),
            code: failure.code.clone().into_owned(),
            message: failure.message.clone(),
        });
    }

    fn slot(&mut self, time: Duration) -> &mut Slot {
        let index = (time.as_millis() / self.width.as_millis()) as usize;
        while self.slots.len() <= index {
            self.slots.push(Slot { counts: Counts::default(), latency: histogram::coarse() });
        }
        &mut self.slots[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Failure;

    const MS: Duration = Duration::from_millis(1);

    fn sample(intended: u32, started: u32, ended: u32, outcome: Outcome) -> Sample {
        let key = Key { journey: Some(0), step: Step::View, transport: Transport::Grpc };
        let (intended, started, ended) = (MS * intended, MS * started, MS * ended);
        Sample { key, user: 0, intended, started, ended, outcome, sight: Sight::Known }
    }

    #[test]
    fn latency_counts_from_when_a_call_was_due_and_service_time_from_when_it_was_sent() {
        let mut recorder = Recorder::new(Duration::ZERO, 10 * MS * 1_000, 10);
        recorder.sent(MS * 100);
        recorder.ended(&sample(100, 600, 700, Outcome::Right));
        assert!((histogram::milliseconds(&recorder.latency, 1.0) - 600.0).abs() < 1.0);
        assert!((histogram::milliseconds(&recorder.service, 1.0) - 100.0).abs() < 1.0);
        assert_eq!((recorder.late, recorder.in_flight, recorder.most_in_flight), (1, 0, 1));
    }

    #[test]
    fn what_comes_before_measuring_is_not_summed_up() {
        let mut recorder = Recorder::new(MS * 1_000, MS * 1_000, 10);
        for intended in [500, 1_500] {
            recorder.sent(MS * intended);
            let sample = sample(intended, intended, intended + 1, Outcome::Right);
            recorder.ended(&Sample { sight: Sight::New, ..sample });
        }
        assert_eq!((recorder.counts.offered, recorder.counts.right), (1, 1));
        assert_eq!(recorder.first_sights, FirstSights { tokens: 1, calls: 1 });
        assert_eq!(recorder.slots.iter().map(|slot| slot.counts.right).sum::<u64>(), 2);
    }

    #[test]
    fn what_was_dropped_or_refused_is_no_success_and_refusals_have_no_latency() {
        let mut recorder = Recorder::new(Duration::ZERO, MS * 1_000, 1);
        recorder.dropped(MS);
        recorder.ended(&sample(1, 1, 2, Outcome::Right));
        for _ in 0..2 {
            recorder.ended(&sample(1, 1, 2, Outcome::of(Failure::new("RESOURCE_EXHAUSTED", ""))));
        }
        assert!((recorder.counts.success() - 0.25).abs() < 1e-9);
        assert_eq!((recorder.latency.len(), recorder.failures.len()), (1, 1));
        assert_eq!(recorder.rows.values().next().unwrap().codes["RESOURCE_EXHAUSTED"], 2);
    }

    #[test]
    fn a_service_that_has_too_much_to_do_is_told_apart_from_a_limit() {
        let mut recorder = Recorder::new(Duration::ZERO, MS * 1_000, 10);
        for reason in ["TOO_MANY_CALLS", "LIMIT"] {
            let failure =
                Failure { reason: reason.to_owned(), ..Failure::new("RESOURCE_EXHAUSTED", "not now") };
            recorder.ended(&sample(1, 1, 2, Outcome::of(failure)));
        }
        assert_eq!((recorder.counts.shed, recorder.counts.limited), (1, 1));
        let outcomes: Vec<&str> = recorder.failures.iter().map(|call| call.outcome.as_str()).collect();
        assert_eq!(outcomes, ["shed", "limited"]);
    }

    #[test]
    fn a_stream_that_breaks_counts_and_one_that_lasts_does_not() {
        let mut recorder = Recorder::new(Duration::ZERO, MS * 1_000, 10);
        recorder.beside(&sample(1, 1, 2, Outcome::Right));
        assert_eq!(recorder.counts, Counts::default());
        recorder.beside(&sample(1, 1, 2, Outcome::Failed(Failure::new("UNAVAILABLE", "gone"))));
        assert_eq!((recorder.counts.failed, recorder.counts.offered), (1, 1));
        assert_eq!(recorder.rows.values().next().unwrap().counts.right, 1);
    }

    #[test]
    fn a_long_run_has_wider_slots() {
        let recorder = Recorder::new(Duration::ZERO, Duration::from_hours(1), 0);
        assert_eq!(recorder.width, Duration::from_secs(12));
    }
}
