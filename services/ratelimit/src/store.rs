//! Where acts are counted: what is asked for one principal in one step, and what is answered.

mod batch;
mod blocks;
mod denials;
mod local;
mod redis;

use std::{future::Future, sync::Arc, time::Duration};

pub use self::{
    batch::CHECK_MANY,
    local::LocalStore,
    redis::{CHECK, LEARN, RedisStore},
};
use crate::{
    facts::Principal,
    rule::{Algorithm, Rule},
};

/// All limits of one principal that a request is held to.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose limits.
    pub principal: Principal,
    /// Its text in keys.
    pub tag: String,
    /// Where an account's owner may come from, for rules that let known networks pass. None for other principals.
    pub network: Option<String>,
    /// The limits.
    pub items: Vec<Item>,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct Item {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What the act counts as.
    pub cost: u32,
}

/// Whether the act is to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// If it is admitted.
    Count,
    /// In no case.
    Peek,
}

/// The answer for one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether all its limits admit the act, and no penalty holds.
    pub admitted: bool,
    /// The penalty that holds.
    pub penalty: Option<Held>,
    /// Whether the network that was asked for is one that the account's owner came from.
    pub network_known: bool,
    /// One per item.
    pub standings: Vec<Standing>,
    /// Counted in this process, not for all pods.
    pub local: bool,
}

/// A penalty that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How long it lasts.
    pub left: Duration,
    /// How many there have been, less one for each clean day; 1 for the first.
    pub level: u32,
    /// Whether it began with this act.
    pub began: bool,
}

/// Where one limit stands after the act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What this limit alone says.
    pub verdict: Verdict,
    /// Acts that are left.
    pub remaining: u32,
    /// Until the limit is as without any act.
    pub reset: Duration,
    /// Until there is room for the act; zero where there is.
    pub wait: Duration,
    /// Takes the act back.
    pub stamp: i64,
}

/// What one limit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is room.
    Within,
    /// There is none.
    Beyond,
    /// There is none, but the account's owner comes from this network.
    Known,
}

/// An admitted act, to be taken back.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Refund {
    /// The principal's text in keys.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The rule's name.
    #[prost(string, tag = "2")]
    pub rule: String,
    /// `w`, `e` or `g`.
    #[prost(string, tag = "3")]
    pub kind: String,
    /// What it counted as.
    #[prost(uint32, tag = "4")]
    pub cost: u32,
    /// Window in milliseconds, or for a rate microseconds of one act.
    #[prost(uint64, tag = "5")]
    pub span: u64,
    /// The stamp of its standing.
    #[prost(int64, tag = "6")]
    pub stamp: i64,
}

/// Counts acts.
pub trait Store {
    /// Decides over all limits of `ask` in one step.
    ///
    /// # Errors
    ///
    /// [`Away`]: nobody knows whether the act was counted.
    fn check(&self, ask: &Ask, mode: Mode) -> impl Future<Output = Result<Answer, Away>> + Send;

    /// Takes acts of one principal back, as far as their windows have not passed.
    ///
    /// # Errors
    ///
    /// [`Away`].
    fn refund(&self, refunds: &[Refund]) -> impl Future<Output = Result<(), Away>> + Send;
}

/// The counters can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the counters can't be reached")]
pub struct Away;

impl Refund {
    /// Takes back what `item` of the principal `tag` counted at `stamp`.
    pub fn of(tag: &str, item: &Item, stamp: i64) -> Self {
        Self {
            tag: tag.to_owned(),
            rule: (*item.rule.name).to_owned(),
            kind: kind(item.rule.algorithm).to_owned(),
            cost: item.cost,
            span: span(item.rule.algorithm),
            stamp,
        }
    }
}

/// The algorithm's letter in scripts and keys.
fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Window(_) => "w",
        Algorithm::Exact(_) => "e",
        Algorithm::Rate(_) => "g",
    }
}

/// The algorithm's length in scripts and keys.
fn span(algorithm: Algorithm) -> u64 {
    let span = match algorithm {
        Algorithm::Window(window) | Algorithm::Exact(window) => window.as_millis(),
        Algorithm::Rate(interval) => interval.as_micros(),
    };
    u64::try_from(span).unwrap_or(u64::MAX).max(1)
}

/// The key of a counter. Its form depends on kind and span, not on the limit, so a changed limit holds for acts already counted.
fn counter_key(tag: &str, rule: &str, kind: &str, span: u64) -> String {
    format!("limit:{{{tag}}}:{rule}:{kind}{span}")
}
