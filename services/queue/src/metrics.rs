//! The figures of the queue.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

/// The kind label of jobs that no code here runs: whoever enqueues must not make new time series.
pub(crate) const KIND_UNKNOWN: &str = "unknown";

/// What became of a claimed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Retried,
    Dead,
    Snoozed,
    HandedBack,
    /// Somebody else had it by then.
    Stale,
}

/// Counters and histograms of one process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    claimed: Counter<u64>,
    ended: Counter<u64>,
    moved: Counter<u64>,
    duration: Histogram<f64>,
    lag: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            claimed: meter.u64_counter("jobs.claimed").with_description("Jobs claimed, by queue").build(),
            ended: meter
                .u64_counter("jobs.ended")
                .with_description("Attempts recorded, by queue and what became of the job")
                .build(),
            moved: meter
                .u64_counter("jobs.moved")
                .with_description("Jobs made ready again because they were due (promoted) or their worker was lost (rescued)")
                .build(),
            duration: meter
                .f64_histogram("jobs.duration")
                .with_unit("s")
                .with_description("Time that one attempt took, by queue and kind")
                .with_boundaries(vec![0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0])
                .build(),
            lag: meter
                .f64_histogram("jobs.lag")
                .with_unit("s")
                .with_description("Time from ready to claimed, by queue")
                .with_boundaries(vec![0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 1_800.0])
                .build(),
        }
    }

    pub(crate) fn claimed(&self, queue: &'static str, lags: impl Iterator<Item = Duration>) {
        let queue = [KeyValue::new("queue", queue)];
        for lag in lags {
            self.claimed.add(1, &queue);
            self.lag.record(lag.as_secs_f64(), &queue);
        }
    }

    pub(crate) fn attempted(&self, queue: &'static str, kind: &'static str, took: Duration) {
        self.duration
            .record(took.as_secs_f64(), &[KeyValue::new("queue", queue), KeyValue::new("kind", kind)]);
    }

    pub(crate) fn ended(&self, queue: &'static str, ending: Ending, count: usize) {
        if count > 0 {
            let labels = [KeyValue::new("queue", queue), KeyValue::new("outcome", ending.name())];
            self.ended.add(count as u64, &labels);
        }
    }

    pub(crate) fn moved(&self, why: &'static str, count: i64) {
        if let Ok(count @ 1..) = u64::try_from(count) {
            self.moved.add(count, &[KeyValue::new("why", why)]);
        }
    }
}

impl Ending {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Snoozed => "snoozed",
            Self::HandedBack => "handed_back",
            Self::Stale => "stale",
        }
    }
}
