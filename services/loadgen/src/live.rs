//! What is seen while a run goes on: a few lines that renew themselves in a terminal, plain lines elsewhere.

use std::{collections::BTreeMap, io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::{
    histogram,
    plan::{Model, Plan},
    recorder::{Counts, Recorder},
};

/// Elsewhere than in a terminal, every so many seconds a line.
const LINE_EVERY: u64 = 5;
/// While users are prepared, a line for every so many.
const PREPARED_EVERY: usize = 250;

/// Where a run shows how it goes.
#[derive(Debug)]
pub enum Live {
    /// Nowhere.
    Silent,
    /// Lines on standard error.
    Lines,
    /// A few lines of a terminal that renew themselves.
    Terminal(ProgressBar),
    /// To whoever listens, once a second.
    Told(watch::Sender<Snapshot>),
}

/// How a run stands.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Since the start, ramp and warm-up included.
    pub elapsed: Duration,
    /// Until the planned end.
    pub left: Duration,
    /// Calls that were due in the last whole slot, per second.
    pub offered: f64,
    /// Right answers of the last whole slot, per second.
    pub achieved: f64,
    /// Median latency of the calls that ended since the snapshot before, in milliseconds.
    pub p50: f64,
    /// Its 99th percentile.
    pub p99: f64,
    /// Calls in flight.
    pub in_flight: u64,
    /// Since measuring began: after the ramp and the warm-up.
    pub counts: Counts,
    /// Errors by code.
    pub codes: BTreeMap<String, u64>,
}

impl Snapshot {
    pub(crate) fn of(recorder: &mut Recorder, elapsed: Duration, plan: &Plan) -> Self {
        let recent = recorder.take_recent();
        let whole = (elapsed.as_millis() / recorder.width.as_millis()) as usize;
        let slot = whole.checked_sub(1).and_then(|index| recorder.slots.get(index));
        let seconds = recorder.width.as_secs_f64();
        let rate = |count: fn(&Counts) -> u64| slot.map_or(0.0, |slot| count(&slot.counts) as f64 / seconds);
        let mut codes = BTreeMap::new();
        for (code, count) in recorder.rows.values().flat_map(|row| &row.codes) {
            *codes.entry(code.clone()).or_default() += count;
        }
        Self {
            elapsed,
            left: (plan.lead_in() + plan.duration).saturating_sub(elapsed),
            offered: rate(|counts| counts.offered),
            achieved: rate(Counts::answered),
            p50: histogram::milliseconds(&recent, 0.5),
            p99: histogram::milliseconds(&recent, 0.99),
            in_flight: recorder.in_flight,
            counts: recorder.counts,
            codes,
        }
    }

    fn line(&self) -> String {
        let counts = &self.counts;
        let codes: Vec<String> = self.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
        format!(
            "{:>4} s  offered {:>7.0}/s  right {:>7.0}/s  p50 {:>8.2} ms  p99 {:>8.2} ms  in flight {:>5}  limited {}  shed {}  dropped {}  wrong {}{}{}",
            self.elapsed.as_secs(),
            self.offered,
            self.achieved,
            self.p50,
            self.p99,
            self.in_flight,
            counts.limited,
            counts.shed,
            counts.dropped,
            counts.wrong,
            if codes.is_empty() { "" } else { "  " },
            codes.join(", "),
        )
    }
}

impl Live {
    /// A terminal's view if standard error is one, else lines.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() { Self::Terminal(ProgressBar::new(1)) } else { Self::Lines }
    }

    pub(crate) fn preparing(&self, done: usize, of: usize) {
        match self {
            Self::Terminal(bar) => {
                bar.set_style(style("preparing users {wide_bar} {pos}/{len}"));
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            Self::Lines if done.is_multiple_of(PREPARED_EVERY) || done == of => {
                say(&format!("{done} of {of} users prepared"));
            }
            Self::Lines | Self::Silent | Self::Told(_) => {}
        }
    }

    pub(crate) fn begin(&self, plan: &Plan) {
        let model = if plan.model == Model::Open { "open" } else { "closed" };
        let what = format!("{} users, {:.0} calls/s, {model} model", plan.users, plan.full_rate());
        match self {
            Self::Silent | Self::Told(_) => {}
            Self::Lines => say(&what),
            Self::Terminal(bar) => {
                bar.reset();
                bar.set_style(style("{prefix}\n{wide_bar} {pos}/{len} s\n{msg}"));
                bar.set_prefix(what);
                bar.set_length((plan.lead_in() + plan.duration).as_secs());
            }
        }
    }

    pub(crate) fn tick(&self, snapshot: &Snapshot) {
        match self {
            Self::Silent => {}
            Self::Told(listeners) => {
                listeners.send_replace(snapshot.clone());
            }
            Self::Lines => {
                if snapshot.elapsed.as_secs().is_multiple_of(LINE_EVERY) {
                    say(&snapshot.line());
                }
            }
            Self::Terminal(bar) => {
                bar.set_position(snapshot.elapsed.as_secs());
                bar.set_message(snapshot.line().replace("  ", "\n  ").trim_start().to_owned());
            }
        }
    }

    pub(crate) fn end(&self) {
        if let Self::Terminal(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[expect(clippy::print_stderr, reason = "a long run says that it lives")]
fn say(line: &str) {
    eprintln!("{line}");
}
