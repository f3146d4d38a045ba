//! The same rules in both languages, and requests that they apply to.

use std::fmt::Write as _;

use proto::envoy::{
    extensions::common::ratelimit::v3::{RateLimitDescriptor, rate_limit_descriptor::Entry},
    service::ratelimit::v3::RateLimitRequest,
};

/// The most descriptors in a request.
const MOST: usize = 10;
/// Enough that nobody is denied.
const PLENTY: u32 = 1_000_000_000;
/// Acts per second and per minute that the overshoot is measured at.
pub(crate) const TIGHT: u32 = 1_000;
/// Acts per second of each user while the cluster fails.
pub(crate) const FEW: u32 = 10;
/// Users whose acts are spread over the cluster.
const USERS: usize = 20_000;

/// What the requests of a load look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One limit each of this many principals.
    Principals(usize),
    /// This many limits of one user.
    Classes(usize),
    /// One user, whom all acts count for.
    Hot,
    /// One user, who is far beyond the limit.
    Denied,
    /// One user with [`TIGHT`] acts per second.
    TightSecond,
    /// One user with [`TIGHT`] acts per minute.
    TightMinute,
    /// As many users with [`FEW`] acts per second.
    Few(usize),
}

impl Shape {
    /// The request with this number.
    pub(crate) fn request(self, number: usize) -> RateLimitRequest {
        let user = format!("user-{}", number % USERS);
        let descriptors = match self {
            Self::Principals(count) => (0..count).map(|index| facts(&[(&kind(index), &user)])).collect(),
            Self::Classes(count) => {
                (0..count).map(|index| facts(&[("member", &user), ("class", &kind(index))])).collect()
            }
            Self::Hot => vec![facts(&[("hot", "user")])],
            Self::Denied => vec![facts(&[("denied", "user")])],
            Self::TightSecond => vec![facts(&[("second", "user")])],
            Self::TightMinute => vec![facts(&[("minute", "user")])],
            Self::Few(users) => vec![facts(&[("few", &format!("user-{}", number % users))])],
        };
        RateLimitRequest { domain: "bench".into(), descriptors, hits_addend: 1 }
    }
}

fn kind(index: usize) -> String {
    format!("kind-{index}")
}

fn facts(entries: &[(&str, &str)]) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).into(), value: (*value).into() };
    RateLimitDescriptor { entries: entries.iter().map(entry).collect(), hits_addend: None }
}

/// Limits of one fact: its name, how much, per what.
fn simple() -> Vec<(String, u32, &'static str)> {
    let mut rules: Vec<_> = (0..MOST).map(|index| (kind(index), PLENTY, "hour")).collect();
    rules.push(("hot".into(), PLENTY, "hour"));
    rules.push(("denied".into(), TIGHT, "hour"));
    rules.push(("second".into(), TIGHT, "second"));
    rules.push(("minute".into(), TIGHT, "minute"));
    rules.push(("few".into(), FEW, "second"));
    rules
}

/// The configuration of envoyproxy/ratelimit.
pub(crate) fn of_peer() -> String {
    let limit =
        |amount: u32, unit: &str| format!("rate_limit: {{unit: {unit}, requests_per_unit: {amount}}}");
    let mut text = "domain: bench\ndescriptors:\n".to_owned();
    for (name, amount, unit) in simple() {
        let _ = writeln!(text, "- key: {name}\n  {}", limit(amount, unit));
    }
    text.push_str("- key: member\n  descriptors:\n");
    for index in 0..MOST {
        let _ = writeln!(text, "  - key: class\n    value: {}\n    {}", kind(index), limit(PLENTY, "hour"));
    }
    text
}

/// Our rules.
pub(crate) fn of_ours() -> String {
    let window = |unit: &str| match unit {
        "second" => "1s",
        "minute" => "1m",
        _ => "1h",
    };
    let mut text = "rules:\n".to_owned();
    for (name, amount, unit) in simple() {
        let _ =
            writeln!(text, "- {{name: {name}, per: [{name}], limit: {amount}, window: {}}}", window(unit));
    }
    for index in 0..MOST {
        let class = kind(index);
        let _ = writeln!(
            text,
            "- {{name: member-{class}, match: {{class: {class}}}, per: [member], limit: {PLENTY}, window: 1h}}"
        );
    }
    text
}
