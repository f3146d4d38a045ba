//! Between the contract and what the limiter talks in.

use std::{collections::HashMap, time::Duration};

use platform::Invalid;
use proto::ratelimit::v1 as pb;

use crate::{
    active::{Count, RELATIVE_ERROR},
    facts::{Facts, names},
    limiter::{Limit, Request},
    penalties::Listed,
    rule::{Algorithm, Conditions, Pattern, Rule},
    shadow::Tally,
};

/// Facts or principals in one request.
const MOST: usize = 16;

/// What a service asks about.
pub(crate) fn request(request: &pb::CheckRequest) -> Result<Request, Invalid> {
    if request.action.is_empty() {
        return Err(Invalid::new("action", "must not be empty"));
    }
    if request.principals.is_empty() || request.principals.len() > MOST {
        return Err(Invalid::new("principals", "must be 1 to 16"));
    }
    let mut facts = Facts::from_iter([(names::ACTION, request.action.as_str())]);
    for (index, principal) in request.principals.iter().enumerate() {
        let name = match principal.kind() {
            pb::PrincipalKind::Ip => names::IP,
            pb::PrincipalKind::User => names::USER,
            pb::PrincipalKind::Company => names::COMPANY,
            pb::PrincipalKind::Account => names::ACCOUNT,
            pb::PrincipalKind::ApiKey => names::API_KEY,
            pb::PrincipalKind::Device => names::DEVICE,
            pb::PrincipalKind::Unspecified => {
                return Err(Invalid::new(format!("principals[{index}].kind"), "must be one of the kinds"));
            }
        };
        if principal.value.trim().is_empty() {
            return Err(Invalid::new(format!("principals[{index}].value"), "must not be empty"));
        }
        if facts.get(name).is_some() {
            return Err(Invalid::new(format!("principals[{index}].kind"), "is there already"));
        }
        facts.add(name, &principal.value);
    }
    Ok(Request { facts, cost: request.cost.max(1) })
}

/// What an operator asks about.
pub(crate) fn facts(given: &HashMap<String, String>) -> Result<Facts, Invalid> {
    if given.is_empty() || given.len() > MOST {
        return Err(Invalid::new("facts", "must be 1 to 16"));
    }
    Ok(given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

pub(crate) fn limit(limit: &Limit) -> pb::LimitStatus {
    pb::LimitStatus {
        rule: (*limit.rule.name).to_owned(),
        limit: limit.rule.limit,
        remaining: limit.remaining(),
        reset_after: Some(duration(limit.standing.reset)),
        retry_after: limit.denies().then(|| duration(limit.wait())),
        denied: limit.denies(),
        shadow: limit.rule.shadow,
        penalized: limit.penalty.is_some(),
    }
}

pub(crate) fn rule(rule: &Rule) -> pb::Rule {
    let algorithm = match rule.algorithm {
        Algorithm::Window(_) => pb::RuleAlgorithm::Window,
        Algorithm::Exact(_) => pb::RuleAlgorithm::Exact,
        Algorithm::Rate(_) => pb::RuleAlgorithm::Rate,
    };
    pb::Rule {
        name: (*rule.name).to_owned(),
        r#match: conditions(&rule.matches),
        unless: conditions(&rule.unless),
        per: rule.per.clone(),
        limit: rule.limit,
        window: Some(duration(rule.window())),
        algorithm: algorithm.into(),
        cost: rule.cost,
        shadow: rule.shadow,
    }
}

fn conditions(conditions: &Conditions) -> HashMap<String, String> {
    let values =
        |patterns: &Vec<Pattern>| patterns.iter().map(Pattern::to_string).collect::<Vec<_>>().join(" | ");
    conditions.iter().map(|(name, patterns)| (name.clone(), values(patterns))).collect()
}

pub(crate) fn penalty(listed: Listed) -> pb::Penalty {
    pb::Penalty {
        facts: listed.facts.into_iter().collect(),
        rule: listed.rule,
        level: listed.level.saturating_sub(1),
        end_time: Some(timestamp(listed.ends)),
    }
}

pub(crate) fn shadowed((rule, tally): (String, Tally)) -> pb::ShadowedRule {
    pb::ShadowedRule { rule, requests: tally.requests, denied: tally.denied }
}

pub(crate) fn active(count: Count) -> pb::ActiveUsersResponse {
    pb::ActiveUsersResponse {
        users: count.users,
        window: Some(duration(count.window)),
        relative_error: RELATIVE_ERROR,
        as_of_time: Some(timestamp(count.at)),
    }
}

pub(crate) fn timestamp(at: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}
