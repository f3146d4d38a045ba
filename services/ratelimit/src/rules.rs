//! The rules in force: read from one YAML file, checked with line numbers, replaced while the service runs.

mod watch;
mod yaml;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::{
    watch::RuleBook,
    yaml::{Problem, Problems},
};
use crate::rule::Rule;

/// The rules that hold where no file says otherwise.
pub const DEFAULTS: &str = include_str!("rules/defaults.yaml");

/// A set of rules, in the order of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules(Vec<Arc<Rule>>);

impl Rules {
    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its line.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        yaml::parse(text)
    }

    /// The rules, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.0.iter()
    }

    /// The rule of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Rule>> {
        self.0.iter().find(|rule| &*rule.name == name)
    }
}

/// What is in force, since when, and whether the file has changed to something that can't be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: Arc<Rules>,
    /// Since when they are in force here.
    pub at: Timestamp,
    /// Why the file as it is now is not in force.
    pub problem: Option<String>,
}
