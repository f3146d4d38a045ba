//! What users do: journeys of steps, from a small file.

use std::{fmt, path::Path, time::Duration};

use rand::{RngExt as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What users do when nothing else is said.
const BUILT_IN: &str = include_str!("scenario.toml");

/// Journeys, and how users go through them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The mean time between two clicks of a user.
    #[serde(deserialize_with = "duration")]
    pub think_time: Duration,
    /// The share of users that speak REST, from 0 to 1; the others speak gRPC.
    pub rest_share: f64,
    /// Zipf's exponent of the demand for products; 0 makes all alike.
    pub sku_skew: f64,
    /// How long a user who watches an order keeps the stream open.
    #[serde(default = "watch_time", deserialize_with = "duration")]
    pub watch_time: Duration,
    /// What users do; each begins its next journey by weight.
    #[serde(rename = "journey")]
    pub journeys: Vec<Journey>,
}

/// Steps that follow each other.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// How reports call it.
    pub name: String,
    /// How often it is begun, relative to the others.
    pub weight: f64,
    /// One call each.
    pub steps: Vec<Step>,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// A page of a category, by SKU.
    List,
    /// A page of products up to a price, the dearest first.
    Search,
    /// One product.
    View,
    /// What one to five units of ten products cost the company. An order that comes next in the journey is of these.
    Prices,
    /// Places an order of one to three lines, with an idempotency key.
    Order,
    /// Sends the last order again under its key: the same order must come back. Without one, places one.
    #[serde(rename = "repeat order")]
    RepeatOrder,
    /// Reads the last order back. Without one, reads the history.
    #[serde(rename = "read order")]
    ReadOrder,
    /// Watches the last order: the call ends with the first event, and the stream stays open beside it. Without an order, places one.
    Watch,
    /// A page of the company's orders, newest first.
    History,
    /// Asks for a report of the company's orders, with an idempotency key.
    Report,
    /// Looks whether the report is ready; takes as many clicks as that takes. Without a report under way, reads the list of reports.
    #[serde(rename = "await report")]
    AwaitReport,
    /// Fetches the report's file. Without a report that is ready, reads the list of reports.
    #[serde(rename = "download report")]
    DownloadReport,
    /// A page of the company's reports, newest first.
    Reports,
    /// Who the user is.
    Me,
    /// The next pair of tokens, when the access token nears its end. Not for scenarios: it happens by itself.
    #[serde(skip_deserializing)]
    Refresh,
    /// A stream that is kept open, from its first event to its end. Not for scenarios: a watch goes on with it.
    #[serde(skip_deserializing)]
    Watching,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Search => "search",
            Self::View => "view",
            Self::Prices => "prices",
            Self::Order => "order",
            Self::RepeatOrder => "repeat order",
            Self::ReadOrder => "read order",
            Self::History => "history",
            Self::Report => "report",
            Self::AwaitReport => "await report",
            Self::DownloadReport => "download report",
            Self::Reports => "reports",
            Self::Me => "me",
            Self::Refresh => "refresh",
            Self::Watch => "watch",
            Self::Watching => "watching",
        })
    }
}

impl Scenario {
    /// The scenario that comes with the tool.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("a test reads the built-in scenario")
    }

    /// The text of the built-in scenario, as a start for one's own.
    pub const fn built_in_text() -> &'static str {
        BUILT_IN
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// The file can't be read, or holds no valid scenario.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::parse(&text)
            .map_err(|error| Error::Content { path: path.to_owned(), problem: error.to_string() })
    }

    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] naming the field.
    pub fn parse(text: &str) -> Result<Self> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| Error::invalid("scenario", error.to_string()))?;
        scenario.validate()?;
        Ok(scenario)
    }

    fn validate(&self) -> Result<()> {
        let within = |field: &str, value: f64, least: f64, most: f64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(Error::invalid(field, format!("must be {least} to {most}, is {value}")))
            }
        };
        within("think_time", self.think_time.as_secs_f64(), 0.001, 3_600.0)?;
        within("rest_share", self.rest_share, 0.0, 1.0)?;
        within("sku_skew", self.sku_skew, 0.0, 3.0)?;
        within("watch_time", self.watch_time.as_secs_f64(), 0.0, 3_600.0)?;
        within("number of journeys", self.journeys.len() as f64, 1.0, 100.0)?;
        for journey in &self.journeys {
            within(&format!("weight of journey `{}`", journey.name), journey.weight, 0.0, 1e6)?;
            within(
                &format!("number of steps of journey `{}`", journey.name),
                journey.steps.len() as f64,
                1.0,
                100.0,
            )?;
        }
        let sum: f64 = self.journeys.iter().map(|journey| journey.weight).sum();
        within("sum of weights", sum, f64::MIN_POSITIVE, 1e8)
    }

    /// The index of the journey that a user begins next.
    pub(crate) fn pick(&self, random: &mut StdRng) -> usize {
        let sum: f64 = self.journeys.iter().map(|journey| journey.weight).sum();
        let mut target = random.random::<f64>() * sum;
        for (index, journey) in self.journeys.iter().enumerate() {
            target -= journey.weight;
            if target < 0.0 {
                return index;
            }
        }
        self.journeys.len() - 1
    }
}

fn watch_time() -> Duration {
    Duration::from_secs(20)
}

fn duration<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn the_built_in_scenario_is_valid_and_has_every_step_but_the_list_of_reports() {
        let scenario = Scenario::built_in();
        let steps: std::collections::BTreeSet<Step> =
            scenario.journeys.iter().flat_map(|journey| journey.steps.clone()).collect();
        assert_eq!(steps.len(), 13, "{steps:?}");
    }

    #[test]
    fn mistakes_are_refused_with_the_field() {
        let built_in = Scenario::built_in_text();
        for (wrong, field) in [
            (built_in.replace("rest_share = 0.2", "rest_share = 2"), "rest_share"),
            (built_in.replace("weight = 45", "weight = -1"), "weight of journey `browse`"),
            (built_in.replace("\"me\"", "\"fly\""), "fly"),
            (built_in.replace("rest_share", "rest_chare"), "rest_chare"),
            (built_in.replace("\"me\"", "\"refresh\""), "refresh"),
            (built_in.replace("\"me\"", "\"watching\""), "watching"),
            (built_in.replace("watch_time = \"20s\"", "watch_time = \"2h\""), "watch_time"),
        ] {
            let error = Scenario::parse(&wrong).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    #[test]
    fn journeys_are_begun_by_weight() {
        let (scenario, mut random) = (Scenario::built_in(), StdRng::seed_from_u64(5));
        let first = (0..10_000).filter(|_| scenario.pick(&mut random) == 0).count();
        assert!(first.abs_diff(4_500) < 200, "{first}");
    }
}
