//! This run beside an earlier one.

use super::Report;

/// One figure of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is, with its unit.
    pub figure: &'static str,
    /// In the earlier run.
    pub before: f64,
    /// In this one.
    pub now: f64,
}

impl Change {
    /// By how much it rose, as a share of the earlier figure; absent where that was 0.
    pub fn share(&self) -> Option<f64> {
        (self.before != 0.0).then(|| (self.now - self.before) / self.before)
    }
}

/// A figure's name, and how it is read.
type Figure = (&'static str, fn(&Report) -> f64);

/// The figures that runs are compared by.
pub fn changes(before: &Report, now: &Report) -> Vec<Change> {
    let figures: [Figure; 9] = [
        ("offered, calls/s", |report| report.asked.rate),
        ("right, calls/s", |report| report.rate),
        ("success, %", |report| report.counts.success() * 100.0),
        ("limited", |report| report.counts.limited as f64),
        ("p50, ms", |report| report.latency.p50),
        ("p90, ms", |report| report.latency.p90),
        ("p99, ms", |report| report.latency.p99),
        ("p99.9, ms", |report| report.latency.p999),
        ("CPU of the generator, s", |report| report.generator.cpu_seconds.unwrap_or(0.0)),
    ];
    figures.into_iter().map(|(figure, of)| Change { figure, before: of(before), now: of(now) }).collect()
}

/// The run of `earlier` that `report` is compared with: one that asked for the same, else the only one.
pub fn counterpart<'a>(earlier: &'a [Report], report: &Report) -> Option<&'a Report> {
    let same =
        |other: &&Report| other.asked.users == report.asked.users && other.asked.model == report.asked.model;
    earlier.iter().find(same).or_else(|| earlier.first().filter(|_| earlier.len() == 1))
}
