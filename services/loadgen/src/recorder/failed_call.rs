//! What is kept of a call that did not end well, to be read by whoever looks for the reason.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::Transport;

/// A call that did not end well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedCall {
    /// When it ended, by the clock.
    #[serde(default)]
    pub time: Timestamp,
    /// When it was due, in seconds from the start of the run.
    pub at: f64,
    /// When it ended.
    pub ended: f64,
    /// The user's number.
    pub user: u32,
    /// What the user was about, as the scenario calls it; `sessions` for what happens by itself.
    #[serde(default)]
    pub journey: String,
    /// The step, as the scenario calls it.
    pub step: String,
    /// How it travelled.
    pub transport: Transport,
    /// `limited`, `shed`, `failed` or `wrong`.
    pub outcome: String,
    /// The status, `TIMEOUT`, `CONNECTION`, or what is wrong with the answer.
    pub code: String,
    /// More words.
    pub message: String,
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, at, journey, step, transport, outcome, code, message, .. } = self;
        write!(f, "{time} ({at:.3} s): {journey} / {step} over {transport} {outcome}: {code} {message}")
    }
}
