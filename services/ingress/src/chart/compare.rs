//! Finds what a variable decides, by comparing two configurations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::chart::{
    ChartError,
    variables::{Form, Variable},
};

/// What stands where in the files, by path (`/rds.yaml/resources/0/name`).
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Values that are written as an expression.
    pub(super) expressions: BTreeMap<String, String>,
    /// Lists whose first element is written once for each element of a variable.
    pub(super) loops: BTreeMap<String, String>,
    /// What is left out without a variable.
    pub(super) conditions: BTreeMap<String, String>,
    used: BTreeSet<(String, String)>,
}

impl Marks {
    /// Whether a part of the configuration depends on a variable.
    pub(super) fn is_used(&self, part: &str, name: &str) -> bool {
        self.used.contains(&(part.to_owned(), name.to_owned()))
    }

    /// Marks what differs between `base` and `probe`, which has another value of `variable`.
    pub(super) fn add(&mut self, variable: &Variable, base: &Value, probe: &Value) -> Result<(), ChartError> {
        let mut found = Vec::new();
        match variable.form {
            Form::If => missing(base, probe, "", &mut found),
            Form::Plain(_) | Form::Each(_) => changed(base, probe, "", &mut found),
        }
        if found.is_empty() {
            return Err(ChartError::Unused { name: variable.name.clone() });
        }
        for Difference { at, base, probe } in found {
            let part = at.split('/').nth(1).unwrap_or_default().to_owned();
            self.used.insert((part, variable.name.clone()));
            let name = &variable.name;
            match &variable.form {
                Form::If if probe.is_none() => {
                    self.conditions.insert(at, name.clone());
                }
                Form::Plain(expected) if probe == Some(expected) => {
                    let how = if expected.is_number() { "int64" } else { "toJson" };
                    self.expressions.insert(at, format!("{{{{ {name} | {how} }}}}"));
                }
                Form::Each(sample) if base.is_array() => {
                    self.mark_samples(base, sample, &at);
                    self.loops.insert(at, name.clone());
                }
                Form::If | Form::Plain(_) | Form::Each(_) => {
                    let found = probe.map_or_else(|| "nothing".to_owned(), Value::to_string);
                    return Err(ChartError::Derived { name: name.clone(), at, found });
                }
            }
        }
        Ok(())
    }

    fn mark_samples(&mut self, value: &Value, sample: &str, at: &str) {
        if value == sample {
            self.expressions.insert(at.to_owned(), "{{ . | toJson }}".to_owned());
        }
        for (step, child) in children(value) {
            self.mark_samples(child, sample, &format!("{at}/{step}"));
        }
    }
}

/// A place where two configurations differ.
struct Difference<'a> {
    at: String,
    base: &'a Value,
    /// `None` if there is nothing.
    probe: Option<&'a Value>,
}

/// Finds values that differ: a list whole when its length differs, else the innermost value.
fn changed<'a>(base: &'a Value, probe: &'a Value, at: &str, found: &mut Vec<Difference<'a>>) {
    let (ours, theirs) = (children(base), children(probe));
    let same_shape =
        !ours.is_empty() && ours.iter().map(|(step, _)| step).eq(theirs.iter().map(|(step, _)| step));
    if same_shape {
        for ((step, base), (_, probe)) in ours.into_iter().zip(theirs) {
            changed(base, probe, &format!("{at}/{step}"), found);
        }
    } else if base != probe {
        found.push(Difference { at: at.to_owned(), base, probe: Some(probe) });
    }
}

/// Finds what `base` has and `probe` has not. What differs otherwise is found as a difference between two values.
fn missing<'a>(base: &'a Value, probe: &'a Value, at: &str, found: &mut Vec<Difference<'a>>) {
    match (base, probe) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, base) in ours {
                let at = format!("{at}/{key}");
                match theirs.get(key) {
                    Some(probe) => missing(base, probe, &at, found),
                    None => found.push(Difference { at, base, probe: None }),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (base, probe)) in ours.iter().zip(theirs).enumerate() {
                missing(base, probe, &format!("{at}/{index}"), found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            let mut theirs = theirs.iter().peekable();
            for (index, base) in ours.iter().enumerate() {
                let at = format!("{at}/{index}");
                match theirs.next_if(|probe| is_same(base, probe)) {
                    Some(probe) => missing(base, probe, &at, found),
                    None => found.push(Difference { at, base, probe: None }),
                }
            }
        }
        _ if base == probe => {}
        _ => found.push(Difference { at: at.to_owned(), base, probe: Some(probe) }),
    }
}

/// Whether two elements of lists are the same thing, maybe with other contents.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || one.get("name").is_some_and(|name| other.get("name") == Some(name))
}

/// The values inside a value, each with its step in the path.
pub(super) fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(nth, item)| (nth.to_string(), item)).collect(),
        _ => Vec::new(),
    }
}
