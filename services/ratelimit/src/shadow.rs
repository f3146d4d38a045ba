//! What rules in shadow mode would have denied, tallied here and added up in Redis by the pulse.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Tallies since the last pulse. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shadow(Arc<Mutex<BTreeMap<String, Tally>>>);

/// What one rule in shadow mode did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that it applied to.
    pub requests: u64,
    /// Of these, the ones that it would have denied.
    pub denied: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.denied += other.denied;
    }
}

impl Shadow {
    pub(crate) fn saw(&self, rule: &str, denied: bool) {
        self.give_back([(rule.to_owned(), Tally { requests: 1, denied: u64::from(denied) })]);
    }

    /// All tallies, which begin again at zero.
    pub(crate) fn take(&self) -> BTreeMap<String, Tally> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds tallies that could not be passed on.
    pub(crate) fn give_back(&self, tallies: impl IntoIterator<Item = (String, Tally)>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (rule, tally) in tallies {
            kept.entry(rule).or_default().add(tally);
        }
    }
}
