//! What a run is to be.

use std::{path::PathBuf, str::FromStr, time::Duration};

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::{
    arrivals::Arrivals,
    error::{Error, Result},
    objective::Objectives,
    scenario::Scenario,
    stack::Stack,
};

/// How calls are started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// By schedule, whatever the server does: as customers come.
    #[default]
    Open,
    /// Each user calls again when the last answer has come and it has thought. A slow server then gets fewer calls, so that its
    /// slowness is hidden.
    Closed,
}

/// How long the full rate is kept before measuring begins. Meanwhile, as in the ramp, those call first whose tokens the platform has not
/// seen: it remembers a token that it has checked, so a run that begins to measure at once measures mostly first checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// So long.
    Time(Duration),
    /// Until everybody has called once, the ramp included; not at all where they have in an earlier run.
    Everyone,
}

impl Default for WarmUp {
    fn default() -> Self {
        Self::Time(Duration::ZERO)
    }
}

impl FromStr for WarmUp {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "everyone" { Ok(Self::Everyone) } else { humantime::parse_duration(text).map(Self::Time) }
    }
}

/// What a run is to be; [`Plan::to`] has the defaults.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the platform is reached, `http://host:port`: the same for gRPC and REST.
    pub url: String,
    /// Virtual users.
    pub users: u32,
    /// Calls per second of all users. `None`: what the users' think time comes to.
    pub rate: Option<f64>,
    /// How long the full rate is kept; the figures are of this time.
    pub duration: Duration,
    /// How long the rate rises before that.
    pub ramp: Duration,
    /// How long the full rate is kept before the figures begin.
    pub warm_up: WarmUp,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How calls are started.
    pub model: Model,
    /// What users do.
    pub scenario: Scenario,
    /// Users of the platform behind the virtual ones. Each costs two password hashes, once.
    pub identities: u32,
    /// Where they are kept between runs.
    pub identity_file: PathBuf,
    /// The platform's own signing keys, in a folder as `serve auth` knows it. Then users are not registered: their tokens are signed here,
    /// each for a user and a company of its own that the platform never heard of. That is no real login.
    pub signing_keys: Option<PathBuf>,
    /// The issuer that such tokens name.
    pub token_issuer: String,
    /// HTTP/2 connections, shared by all users; as many REST clients.
    pub connections: usize,
    /// Loopback addresses that connections come from, if the target is on this machine.
    pub sources: usize,
    /// The header in which each user names an address of its own, such as `x-forwarded-for`. Only a trusted hop's word is taken.
    pub client_header: Option<HeaderName>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// Calls in flight at once; what is due beyond that is dropped, and counted.
    pub most_in_flight: usize,
    /// Same seed, same calls at the same times.
    pub seed: u64,
    /// How many failed calls are kept with their messages.
    pub failures_kept: usize,
    /// What the run is judged by.
    pub objectives: Objectives,
    /// The stack whose processes are watched.
    pub stack: Option<Stack>,
    /// The version of the program that makes the load, for the report.
    pub version: String,
    /// Whether the stack's seller fills up the stock first, so that orders are not declined.
    pub restock: bool,
    /// Whether the stack's seller agrees prices with every second company of the identities first, so that each price can be judged.
    pub agree_prices: bool,
}

impl Plan {
    /// 100 users of the built-in scenario for 30 s.
    pub fn to(url: impl Into<String>) -> Self {
        let url = url.into();
        let name: String =
            url.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
        Self {
            identity_file: std::env::temp_dir().join(format!("sipup-load-{name}.json")),
            url,
            users: 100,
            rate: None,
            duration: Duration::from_secs(30),
            ramp: Duration::from_secs(5),
            warm_up: WarmUp::default(),
            arrivals: Arrivals::default(),
            model: Model::default(),
            scenario: Scenario::built_in(),
            identities: 100,
            connections: 32,
            sources: 256,
            client_header: None,
            signing_keys: None,
            token_issuer: "https://sipup.local".to_owned(),
            timeout: Duration::from_secs(10),
            most_in_flight: 10_000,
            seed: 1,
            failures_kept: 1_000,
            objectives: Objectives::default(),
            stack: None,
            version: String::new(),
            restock: false,
            agree_prices: false,
        }
    }

    /// Calls per second once the ramp is over.
    pub fn full_rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| f64::from(self.users) / self.scenario.think_time.as_secs_f64())
    }

    /// The mean time between two calls of one user that the rate comes to.
    pub fn think_time(&self) -> Duration {
        Duration::try_from_secs_f64(f64::from(self.users) / self.full_rate()).unwrap_or(Duration::MAX)
    }

    /// How long the warm-up takes if so many are to call first.
    pub(crate) fn warm_up_of(&self, unseen: usize) -> Duration {
        match (self.warm_up, self.model) {
            (WarmUp::Time(time), _) => time,
            // Users who wait for their answers begin within the ramp, or within one think time.
            (WarmUp::Everyone, Model::Closed) if self.ramp.is_zero() => self.think_time(),
            (WarmUp::Everyone, Model::Closed) => Duration::ZERO,
            (WarmUp::Everyone, Model::Open) => {
                let unseen = unseen as f64;
                // Arrivals scatter by the root of their number, so a few more are waited for.
                let due = if unseen > 0.0 { unseen + 4.0 * unseen.sqrt() } else { 0.0 };
                let in_ramp = self.full_rate() * self.ramp.as_secs_f64() / 2.0;
                Duration::from_secs_f64((due - in_ramp).max(0.0) / self.full_rate())
            }
        }
    }

    /// How long the warm-up takes if nobody has called yet.
    pub(crate) fn warm_up_time(&self) -> Duration {
        self.warm_up_of(self.identities.min(self.users) as usize)
    }

    /// When measuring begins: after the ramp and the warm-up.
    pub(crate) fn lead_in(&self) -> Duration {
        self.ramp + self.warm_up_time()
    }

    /// Refuses what can't be run.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] naming the setting.
    pub fn validate(&self) -> Result<()> {
        let positive = |field: &str, holds: bool| {
            if holds { Ok(()) } else { Err(Error::invalid(field, "must be above 0")) }
        };
        positive("users", self.users > 0)?;
        positive("rate", self.full_rate() > 0.0 && self.full_rate().is_finite())?;
        positive("duration", !self.duration.is_zero())?;
        positive("identities", self.identities > 0)?;
        positive("connections", self.connections > 0)?;
        positive("timeout", !self.timeout.is_zero())?;
        positive("most in flight", self.most_in_flight > 0)?;
        if self.full_rate() > 1e6 {
            return Err(Error::invalid("rate", "must be at most 1,000,000 calls per second"));
        }
        for (field, wanted) in [("restock", self.restock), ("agree prices", self.agree_prices)] {
            if wanted && self.stack.is_none() {
                return Err(Error::invalid(field, "needs the stack, whose seller it logs in as"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_gets_the_time_that_the_ramp_leaves_them_without() {
        let mut plan = Plan::to("http://127.0.0.1:1");
        (plan.rate, plan.ramp, plan.warm_up) = (Some(1_000.0), Duration::from_secs(10), WarmUp::Everyone);
        // The ramp has 5,000 calls.
        assert_eq!(plan.warm_up_of(10_000), Duration::from_millis(5_400));
        assert_eq!((plan.warm_up_of(4_000), plan.warm_up_of(0)), (Duration::ZERO, Duration::ZERO));
        plan.warm_up = "90s".parse().unwrap();
        assert_eq!(
            (plan.warm_up_of(10_000), plan.lead_in()),
            (Duration::from_secs(90), Duration::from_secs(100))
        );
        assert_eq!("everyone".parse(), Ok(WarmUp::Everyone));
        assert!("somebody".parse::<WarmUp>().is_err());
    }
}
