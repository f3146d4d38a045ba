//! How many calls ended in which way.

use serde::{Deserialize, Serialize};

use crate::call::Outcome;

/// Counts of outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that were due.
    pub offered: u64,
    /// Calls that were due but not sent, because too many were in flight or no user was idle.
    pub dropped: u64,
    /// Right answers.
    pub right: u64,
    /// Right answers that say no: not enough in stock, or too many reports under way.
    pub declined: u64,
    /// Refused by a limit.
    pub limited: u64,
    /// Refused by a service that has too much to do already.
    #[serde(default)]
    pub shed: u64,
    /// Errors, time-outs, lost connections.
    pub failed: u64,
    /// Wrong answers.
    pub wrong: u64,
}

impl Counts {
    /// These and those.
    pub(crate) fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.dropped += other.dropped;
        self.right += other.right;
        self.declined += other.declined;
        self.limited += other.limited;
        self.shed += other.shed;
        self.failed += other.failed;
        self.wrong += other.wrong;
    }

    /// This one, too.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Right => &mut self.right,
            Outcome::Declined => &mut self.declined,
            Outcome::Limited(_) => &mut self.limited,
            Outcome::Shed(_) => &mut self.shed,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Wrong(_) => &mut self.wrong,
        } += 1;
    }

    /// Calls that were sent and have ended.
    pub fn ended(&self) -> u64 {
        self.answered() + self.limited + self.shed + self.failed + self.wrong
    }

    /// Calls that were answered rightly.
    pub fn answered(&self) -> u64 {
        self.right + self.declined
    }

    /// The share of calls due that were answered rightly, from 0 to 1. What was dropped or refused was not.
    pub fn success(&self) -> f64 {
        let due = self.ended() + self.dropped;
        if due == 0 { 0.0 } else { self.answered() as f64 / due as f64 }
    }
}
