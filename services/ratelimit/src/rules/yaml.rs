//! The file's form. Everything wrong in it is told at once, each thing with its line.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Rules;
use crate::rule::{Algorithm, Conditions, Pattern, Penalty, Rule};

const FIRST_PENALTY: &str = "300s";
const LONGEST_PENALTY: &str = "24h";

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 if it is about the file as a whole.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub text: String,
}

/// Everything wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}line {}: {}", problem.line, problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    #[serde(default, rename = "match")]
    matches: BTreeMap<String, Spanned<Values>>,
    #[serde(default)]
    unless: BTreeMap<String, Spanned<Values>>,
    per: Spanned<Vec<String>>,
    limit: Option<Spanned<u32>>,
    window: Option<Spanned<String>>,
    rate: Option<Spanned<String>>,
    burst: Option<Spanned<u32>>,
    exact: Option<Spanned<bool>>,
    cost: Option<Spanned<u32>>,
    #[serde(default)]
    shadow: bool,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    failures_only: bool,
    known_networks_pass: Option<Spanned<bool>>,
    penalty: Option<Spanned<PenaltyEntry>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltyEntry {
    after: u32,
    first: Option<String>,
    longest: Option<String>,
}

pub(super) fn parse(text: &str) -> Result<Rules, Problems> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        Problems(vec![Problem { line, text: error.without_snippet().to_string() }])
    })?;
    let (mut rules, mut problems, mut names) = (Vec::new(), Vec::new(), HashSet::new());
    for entry in &file.rules {
        if !names.insert(&entry.value.name.value) {
            problems.push(problem(&entry.value.name, "name is taken by an earlier rule"));
        }
        match rule(entry) {
            Ok(rule) => rules.push(Arc::new(rule)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(Rules(rules)) } else { Err(Problems(problems)) }
}

fn rule(spanned: &Spanned<Entry>) -> Result<Rule, Problem> {
    let entry = &spanned.value;
    let (limit, algorithm) = amount(spanned)?;
    let mut per = entry.per.value.clone();
    per.sort();
    per.dedup();
    let rule = Rule {
        name: entry.name.value.as_str().into(),
        matches: conditions(&entry.matches)?,
        unless: conditions(&entry.unless)?,
        per,
        limit,
        algorithm,
        cost: entry.cost.as_ref().map_or(1, |cost| cost.value),
        shadow: entry.shadow,
        strict: entry.strict,
        failures_only: entry.failures_only,
        known_networks_pass: entry.known_networks_pass.as_ref().is_some_and(|passes| passes.value),
        penalty: entry.penalty.as_ref().map(penalty).transpose()?,
    };
    rule.check().map_err(|(field, text)| Problem {
        line: line_of(spanned, field),
        text: format!("{field} {text}"),
    })?;
    Ok(rule)
}

/// `limit` per `window`, or `rate` with `burst`.
fn amount(spanned: &Spanned<Entry>) -> Result<(u32, Algorithm), Problem> {
    let entry = &spanned.value;
    match (&entry.limit, &entry.window, &entry.rate, &entry.burst) {
        (Some(limit), Some(window), None, None) => {
            let length = duration(window)?;
            let exact = entry.exact.as_ref().is_some_and(|exact| exact.value);
            Ok((limit.value, if exact { Algorithm::Exact(length) } else { Algorithm::Window(length) }))
        }
        (None, None, Some(rate), Some(burst)) => {
            let interval =
                interval(&rate.value).ok_or_else(|| problem(rate, "rate must be like `5/s` or `100/1m`"))?;
            Ok((burst.value, Algorithm::Rate(interval)))
        }
        _ => Err(problem(&entry.name, "a rule has either `limit` and `window`, or `rate` and `burst`")),
    }
}

/// Where a field stands, or else the rule.
fn line_of(spanned: &Spanned<Entry>, field: &str) -> u64 {
    let entry = &spanned.value;
    let location = match field {
        "per" => Some(entry.per.referenced),
        "unless" => entry.unless.values().next().map(|values| values.referenced),
        "limit" => {
            entry.limit.as_ref().map(|value| value.referenced).or(entry.burst.as_ref().map(|v| v.referenced))
        }
        "window" => {
            entry.window.as_ref().map(|value| value.referenced).or(entry.rate.as_ref().map(|v| v.referenced))
        }
        "exact" => entry.exact.as_ref().map(|value| value.referenced),
        "cost" => entry.cost.as_ref().map(|value| value.referenced),
        "known_networks_pass" => entry.known_networks_pass.as_ref().map(|value| value.referenced),
        "penalty" => entry.penalty.as_ref().map(|value| value.referenced),
        _ => None,
    };
    location.unwrap_or(entry.name.referenced).line()
}

fn conditions(entries: &BTreeMap<String, Spanned<Values>>) -> Result<Conditions, Problem> {
    entries.iter().map(|(name, values)| Ok((name.clone(), patterns(values)?))).collect()
}

fn patterns(values: &Spanned<Values>) -> Result<Vec<Pattern>, Problem> {
    let texts = match &values.value {
        Values::One(text) => std::slice::from_ref(text),
        Values::Several(texts) => texts.as_slice(),
    };
    texts
        .iter()
        .map(|text| Pattern::parse(text).ok_or_else(|| problem(values, "`*` may stand only at the end")))
        .collect()
}

fn penalty(entry: &Spanned<PenaltyEntry>) -> Result<Penalty, Problem> {
    let length = |text: &Option<String>, default: &str| {
        platform::args::duration(text.as_deref().unwrap_or(default))
            .map_err(|error| problem(entry, &format!("penalty: {error}")))
    };
    Ok(Penalty {
        after: entry.value.after,
        first: length(&entry.value.first, FIRST_PENALTY)?,
        longest: length(&entry.value.longest, LONGEST_PENALTY)?,
    })
}

fn duration(text: &Spanned<String>) -> Result<Duration, Problem> {
    platform::args::duration(&text.value).map_err(|error| problem(text, &format!("window: {error}")))
}

/// The time of one act at a rate like `5/s` or `100/1m`.
fn interval(rate: &str) -> Option<Duration> {
    let (count, span) = rate.split_once('/')?;
    let count: u32 = count.trim().parse().ok().filter(|count| *count > 0)?;
    let span = span.trim();
    let span =
        if span.starts_with(|c: char| c.is_ascii_digit()) { span.to_owned() } else { format!("1{span}") };
    let interval = platform::args::duration(&span).ok()?.checked_div(count)?;
    // Counted in whole microseconds.
    (interval >= Duration::from_micros(1)).then_some(interval)
}

fn problem<T>(at: &Spanned<T>, text: &str) -> Problem {
    Problem { line: at.referenced.line(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(u64, String)> {
        parse(text).unwrap_err().0.into_iter().map(|problem| (problem.line, problem.text)).collect()
    }

    #[test]
    fn the_defaults_are_valid() {
        let rules = parse(super::super::DEFAULTS).unwrap();
        let pair = rules.get("login-pair").unwrap();
        assert_eq!((pair.limit, pair.algorithm), (10, Algorithm::Exact(Duration::from_mins(5))));
        assert_eq!(pair.per, ["account", "ip"]);
        let device = rules.get("login-device").unwrap();
        assert_eq!(
            (device.limit, device.per.as_slice()),
            (10, &["account".to_owned(), "device".to_owned()][..])
        );
    }

    #[test]
    fn a_rate_is_read_as_the_time_of_one_act() {
        assert_eq!(interval("5/s"), Some(Duration::from_millis(200)));
        assert_eq!(interval("100/ 1m"), Some(Duration::from_millis(600)));
        for wrong in ["5", "0/s", "-1/s", "5/x", "9000000/s"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "rules:\n\
                    - {name: a, per: [ip], limit: 0, window: 1m}\n\
                    - name: b\n  per: [account]\n  limit: 5\n  window: 1m\n  penalty: {after: 3}\n\
                    - {name: a, per: [ip], limit: 5, window: soon}\n\
                    - {name: c, per: [ip], rate: 5/s}\n";
        let found = problems(text);
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 7, 8, 8, 9], "{found:?}");
        assert!(found[1].1.contains("lock anybody out"), "{found:?}");
    }

    #[test]
    fn a_rule_that_could_never_apply_is_refused_with_its_line() {
        let text = "rules:\n\
                    - name: a\n  per: [ip]\n  unless: {ip: '*'}\n  limit: 5\n  window: 1m\n\
                    - name: b\n  match: {auth: anonymous}\n  unless: {class: login, auth: [x, '*']}\n  per: [ip]\n  limit: 5\n  window: 1m\n\
                    - {name: c, per: [ip], unless: {ip: '10.*', class: '*'}, limit: 5, window: 1m}\n";
        let text_of = "unless must not name any value of a fact that the rule needs";
        assert_eq!(problems(text), [(4, text_of.to_owned()), (9, text_of.to_owned())]);
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let found = problems("rules:\n- name: a\n  per: [ip]\n  limt: 5\n  window: 1m\n");
        assert!(found[0].0 >= 2 && found[0].1.contains("limt"), "{found:?}");
    }
}
