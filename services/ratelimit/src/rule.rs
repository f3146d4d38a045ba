//! One rule: which requests it applies to, what it counts together, how much it admits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::facts::{Facts, names};

/// A rule, checked.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct Rule {
    /// Its name: part of its counters' keys and of what clients read.
    pub name: Arc<str>,
    /// What must be the case, by the fact's name.
    pub matches: BTreeMap<String, Vec<Pattern>>,
    /// The facts that are counted together, each of which must be known. Sorted.
    pub per: Vec<String>,
    /// How many acts are admitted: in a window, or at once.
    pub limit: u32,
    /// How it counts.
    pub algorithm: Algorithm,
    /// What one act counts as.
    pub cost: u32,
    /// Reports what it would deny, and denies nothing.
    pub shadow: bool,
    /// Without Redis, all pods together stay below the limit, at the price of denying more.
    pub strict: bool,
    /// Counts failures: an act that is reported as a success is taken back.
    pub failures_only: bool,
    /// Lets networks pass that the owner of the account, which is counted or tried, came from in the last 30 days.
    pub known_networks_pass: bool,
    /// What follows repeated denials.
    pub penalty: Option<Penalty>,
}

/// How a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A ring of sub-buckets: never above the limit in any window, at most 5 % below.
    Window(Duration),
    /// The time of each act: exactly the limit.
    Exact(Duration),
    /// GCRA: one more act each time this has passed, and a burst of as many as the limit.
    Rate(Duration),
}

/// A block that doubles with each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// Denials within a window before it begins.
    pub after: u32,
    /// Length of the first; each further one is twice as long. One level is forgotten per clean day.
    pub first: Duration,
    /// The longest it gets.
    pub longest: Duration,
}

/// A value that a fact may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This one.
    Exactly(String),
    /// Every one that begins so: `/sipup.catalog.v1.*`.
    Prefix(String),
}

impl Pattern {
    /// A text with at most one `*`, at its end.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('*') {
            None => Some(Self::Exactly(text.to_owned())),
            Some((prefix, "")) => Some(Self::Prefix(prefix.to_owned())),
            Some(_) => None,
        }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exactly(expected) => value == expected,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(value) => f.write_str(value),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Rule {
    /// Whether the rule says anything about a request with these facts.
    pub fn applies_to(&self, facts: &Facts) -> bool {
        self.per.iter().all(|name| facts.get(name).is_some())
            && self.matches.iter().all(|(name, patterns)| {
                facts.get(name).is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)))
            })
    }

    /// The window; for a rate, the time in which a whole burst comes back.
    pub fn window(&self) -> Duration {
        match self.algorithm {
            Algorithm::Window(window) | Algorithm::Exact(window) => window,
            Algorithm::Rate(interval) => interval.saturating_mul(self.limit),
        }
    }

    /// Whether the outcome of an act changes anything for this rule.
    pub fn waits_for_outcome(&self) -> bool {
        self.failures_only || self.known_networks_pass
    }

    /// What a rule must not be, whatever the file looks like: the field that is wrong, and why.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let window = self.window();
        let long = window > Duration::from_hours(24 * 31);
        let by_account_alone = self.per == [names::ACCOUNT];
        let sized = matches!(self.algorithm, Algorithm::Exact(_)) && self.limit > 20;
        let checks = [
            (
                self.name.is_empty() || !self.name.chars().all(is_name),
                "name",
                "must be letters, digits and `-`",
            ),
            (self.per.is_empty(), "per", "must name at least one fact"),
            (self.limit == 0, "limit", "must be at least 1"),
            (self.cost == 0 || self.cost > self.limit, "cost", "must be 1 to the limit"),
            (window < Duration::from_millis(20) || long, "window", "must be 20 ms to 31 days"),
            (sized, "exact", "is for limits up to 20"),
            (
                by_account_alone && self.penalty.is_some(),
                "penalty",
                "would let anybody lock anybody out of an account: count per account and ip",
            ),
            (
                self.known_networks_pass && !by_account_alone && self.per != [names::IP],
                "known_networks_pass",
                "is for rules per account alone or per ip alone",
            ),
            (
                self.penalty.is_some_and(|penalty| penalty.after == 0 || penalty.first.is_zero()),
                "penalty",
                "must come after at least 1 denial and last for some time",
            ),
            (
                self.penalty.is_some_and(|penalty| {
                    penalty.longest > Duration::from_hours(24) || penalty.longest < penalty.first
                }),
                "penalty",
                "must last at least as long as the first one and at most 24 h",
            ),
        ];
        checks
            .into_iter()
            .find(|(wrong, ..)| *wrong)
            .map_or(Ok(()), |(_, field, problem)| Err((field, problem)))
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}
