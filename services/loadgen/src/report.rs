//! What a run came to: figures for programs, a page for people, lines for the terminal.

mod build;
pub mod compare;
mod html;
mod svg;
mod text;

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

pub(crate) use self::build::Evidence;
pub use self::html::page;
pub use self::text::summary;
use crate::{
    arrivals::Arrivals,
    call::Transport,
    error::{Error, Result},
    overlay::Overlay,
    plan::Model,
    recorder::{Counts, FailedCall, FirstSights},
};

/// Where a page keeps the data of its runs.
const DATA_OPEN: &str = "<script type=\"application/json\" id=\"data\">";
/// The end of it.
const DATA_CLOSE: &str = "</script>";

/// Everything about one run. Latencies are in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What the run was called.
    pub title: String,
    /// When it began.
    pub started: String,
    /// How long it lasted with its ramp, in seconds.
    pub lasted: f64,
    /// Whether it was ended before its time.
    pub ended_early: bool,
    /// Why the figures are not to be believed; empty if they are.
    pub invalid: Vec<String>,
    /// What a reader must know to judge the figures.
    pub cautions: Vec<String>,
    /// Each objective, what was reached, and whether that is enough.
    pub verdicts: Vec<Verdict>,
    /// What was asked for.
    pub asked: Asked,
    /// Calls after the ramp and the warm-up.
    pub counts: Counts,
    /// How many of them carried a token for the first time.
    #[serde(default)]
    pub first_sights: FirstSights,
    /// Right answers per second of that time.
    pub rate: f64,
    /// From when calls were due.
    pub latency: Percentiles,
    /// From when calls were sent.
    pub service: Percentiles,
    /// The tool itself.
    pub generator: GeneratorUse,
    /// By journey, step and transport.
    pub rows: Vec<RowReport>,
    /// Over time, ramp and warm-up included.
    pub timeline: Timeline,
    /// The server's side.
    pub overlay: Overlay,
    /// Where it ran.
    pub environment: BTreeMap<String, String>,
    /// Calls that did not end well; the first ones, if there were very many.
    pub failures: Vec<FailedCall>,
    /// Histograms in `HdrHistogram`'s V2 compressed form (base64), in microseconds: `latency`, `service`, `lag`.
    pub hdr: BTreeMap<String, String>,
}

/// An objective after the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As it was given.
    pub objective: String,
    /// What was reached.
    pub reached: String,
    /// Whether that is enough.
    pub holds: bool,
}

/// What a run was to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Where the platform is.
    pub url: String,
    /// Virtual users.
    pub users: u32,
    /// Users of the platform behind them.
    pub identities: u32,
    /// Calls per second once the ramp is over.
    pub rate: f64,
    /// Mean time between two calls of a user, in seconds.
    pub think_time: f64,
    /// Measured at the full rate, in seconds.
    pub duration: f64,
    /// While the rate rose, in seconds.
    pub ramp: f64,
    /// At the full rate before measuring, in seconds.
    #[serde(default)]
    pub warm_up: f64,
    /// How arrivals were spread.
    pub arrivals: Arrivals,
    /// How calls were started.
    pub model: Model,
    /// The share of users that speak REST.
    pub rest_share: f64,
    /// HTTP/2 connections, and as many REST clients.
    pub connections: usize,
    /// The seed.
    pub seed: u64,
}

/// A distribution in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it: the percentiles")]
pub struct Percentiles {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub p9999: f64,
    pub max: f64,
}

/// How the tool itself did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorUse {
    /// How much later than due calls were sent, in milliseconds.
    pub lag: Percentiles,
    /// Calls that were sent more than 1 ms late.
    pub late: u64,
    /// The share of its threads' CPU time that it used, from 0 to 1; absent where that can't be told.
    pub cpu: Option<f64>,
    /// Threads that do the work.
    pub threads: usize,
    /// CPU time in seconds.
    pub cpu_seconds: Option<f64>,
    /// The most memory that the process held, in bytes.
    pub peak_memory: Option<u64>,
    /// The most calls in flight.
    pub most_in_flight: u64,
}

/// One kind of call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowReport {
    /// The journey; `sessions` for what happens by itself.
    pub journey: String,
    /// The step.
    pub step: String,
    /// How it travelled.
    pub transport: Transport,
    /// What became of the calls.
    pub counts: Counts,
    /// How long they took from when they were due.
    pub latency: Percentiles,
    /// Errors by code.
    pub codes: BTreeMap<String, u64>,
}

/// Figures over time, one of each per slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of a slot in seconds.
    pub width: f64,
    /// What became of calls; `offered` and `dropped` by when they were due, the others by when they ended.
    pub counts: Vec<Counts>,
    /// Percentiles by when calls were due: 50, 90, 99, 99.9 and the largest; absent in slots without answers.
    pub percentiles: Vec<Option<[f64; 5]>>,
    /// Upper bounds of the heat map's rows, in milliseconds.
    pub heat_bounds: Vec<f64>,
    /// Calls by slot and row of the heat map.
    pub heat: Vec<Vec<u64>>,
}

impl Asked {
    /// Before measuring began, in seconds.
    fn lead_in(&self) -> f64 {
        self.ramp + self.warm_up
    }
}

impl Report {
    /// Whether the figures can be believed.
    pub fn is_valid(&self) -> bool {
        self.invalid.is_empty()
    }

    /// Whether all objectives hold and no answer was wrong. Says nothing about validity.
    pub fn passed(&self) -> bool {
        self.counts.wrong == 0 && self.verdicts.iter().all(|verdict| verdict.holds)
    }

    /// What became of the calls of each journey; of the whole time, as are the rows.
    pub fn by_journey(&self) -> BTreeMap<&str, Counts> {
        let mut journeys = BTreeMap::<&str, Counts>::new();
        for row in &self.rows {
            journeys.entry(&row.journey).or_default().add(&row.counts);
        }
        journeys
    }

    /// How many calls met a service that had not seen their token, in words.
    fn first_sights(&self) -> String {
        let FirstSights { tokens, calls } = self.first_sights;
        let share = 100.0 * calls as f64 / self.counts.ended().max(1) as f64;
        format!(
            "{tokens} users were seen for the first time since their token was made; {calls} calls ({share:.1} %) were the first of \
             their token at a service"
        )
    }

    /// Every call that did not end well, one on a line, for the message of a failing test. Empty if there is none.
    pub fn problems(&self) -> String {
        let lines: Vec<String> = self.failures.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// `INVALID`, `FAILED` or `PASSED`, in this order of weight.
    pub fn word(&self) -> &'static str {
        match (self.is_valid(), self.passed()) {
            (false, _) => "INVALID",
            (true, false) => "FAILED",
            (true, true) => "PASSED",
        }
    }
}

/// The runs in a file: JSON as written beside, or a page that holds it.
///
/// # Errors
///
/// The file can't be read, or holds no runs.
pub fn read(path: &Path) -> Result<Vec<Report>> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let json = match text.split_once(DATA_OPEN) {
        Some((_, rest)) => rest.split_once(DATA_CLOSE).map_or(rest, |(data, _)| data),
        None => &text,
    };
    serde_json::from_str(json)
        .map_err(|error| Error::Content { path: path.to_owned(), problem: error.to_string() })
}
