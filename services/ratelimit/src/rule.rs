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
    pub matches: Conditions,
    /// What must not be the case: one of these keeps the rule away.
    pub unless: Conditions,
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
    /// Lets networks pass that the owner of the account, which is counted or tried, came from in the last 30 days, and known devices.
    pub known_networks_pass: bool,
    /// What follows repeated denials.
    pub penalty: Option<Penalty>,
}

/// Values that facts may have, by their names.
pub type Conditions = BTreeMap<String, Vec<Pattern>>;

/// What is wrong with a rule: the field, and why.
type Wrong = (&'static str, &'static str);

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
    /// Every one that begins so: `/sipup.catalog.v1.*`, or any for `*`.
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
        let is_so = |(name, patterns): (&String, &Vec<Pattern>)| {
            facts.get(name).is_some_and(|value| patterns.iter().any(|pattern| pattern.matches(value)))
        };
        self.per.iter().all(|name| facts.get(name).is_some())
            && self.matches.iter().all(is_so)
            && !self.unless.iter().any(is_so)
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
        self.check_amount()?;
        self.check_scope()?;
        self.penalty.map_or(Ok(()), Penalty::check)
    }

    fn check_amount(&self) -> Result<(), Wrong> {
        let window = self.window();
        let long = window > Duration::from_hours(24 * 31);
        let sized = matches!(self.algorithm, Algorithm::Exact(_)) && self.limit > 20;
        first_of([
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
        ])
    }

    /// What must not be counted together, or be let pass.
    fn check_scope(&self) -> Result<(), Wrong> {
        let needed = |name: &String| self.per.contains(name) || self.matches.contains_key(name);
        let any = Pattern::Prefix(String::new());
        let never = self.unless.iter().any(|(name, patterns)| needed(name) && patterns.contains(&any));
        let by_account_alone = self.per == [names::ACCOUNT];
        let by_ip = self.per == [names::IP] || self.per == [names::ACTION, names::IP];
        first_of([
            (never, "unless", "must not name any value of a fact that the rule needs"),
            (
                by_account_alone && self.penalty.is_some(),
                "penalty",
                "would let anybody lock anybody out of an account: count per account and ip",
            ),
            (
                self.known_networks_pass && !by_account_alone && !by_ip,
                "known_networks_pass",
                "is for rules per account alone, or per ip with or without action",
            ),
        ])
    }
}

impl Penalty {
    fn check(self) -> Result<(), Wrong> {
        first_of([
            (
                self.after == 0 || self.first.is_zero(),
                "penalty",
                "must come after at least 1 denial and last for some time",
            ),
            (
                self.longest > Duration::from_hours(24) || self.longest < self.first,
                "penalty",
                "must last at least as long as the first one and at most 24 h",
            ),
        ])
    }
}

/// The first of the checks that finds something wrong.
fn first_of<const N: usize>(checks: [(bool, &'static str, &'static str); N]) -> Result<(), Wrong> {
    let wrong = checks.into_iter().find(|(wrong, ..)| *wrong);
    wrong.map_or(Ok(()), |(_, field, problem)| Err((field, problem)))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

#[cfg(test)]
mod tests {
    use crate::{facts::Facts, rules::Rules};

    #[test]
    fn a_rule_applies_where_all_of_match_and_per_and_nothing_of_unless_is_so() {
        let text = "rules:\n- {name: a, match: {action: login}, unless: {device: '*', ip: ['10.*', 192.0.2.7]}, \
                    per: [account], limit: 1, window: 1m}\n";
        let rules = Rules::parse(text).unwrap();
        let applies = |facts: &[(&'static str, &'static str)]| {
            let known =
                [("action", "login"), ("account", "anna@x.de")].into_iter().chain(facts.iter().copied());
            rules.get("a").unwrap().applies_to(&known.collect::<Facts>())
        };
        assert!(applies(&[]) && applies(&[("ip", "192.0.2.70")]));
        assert!(!applies(&[("device", "7")]) && !applies(&[("device", "7"), ("ip", "192.0.2.70")]));
        assert!(!applies(&[("ip", "10.1.2.3")]) && !applies(&[("ip", "192.0.2.7")]));
        assert!(!rules.get("a").unwrap().applies_to(&Facts::from_iter([("action", "login")])));
    }
}
