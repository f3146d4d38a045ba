//! Envoy's side: `RateLimitService`, asked before each call that Envoy passes on.

use proto::envoy::{
    config::core::v3::HeaderValue,
    extensions::common::ratelimit::v3::RateLimitDescriptor,
    service::ratelimit::v3::{
        RateLimitRequest, RateLimitResponse,
        rate_limit_response::{Code, DescriptorStatus, RateLimit, rate_limit::Unit},
        rate_limit_service_server::RateLimitService,
    },
};
use tonic::{Request, Response, Status};

use crate::{
    active::ActiveUsers,
    facts::{Facts, names},
    headers,
    limiter::{self, Decision, Limit, Limiter, deciding},
    store::Mode,
};

/// Answers Envoy.
#[derive(Clone, Debug)]
pub struct Envoy {
    limiter: Limiter,
    active: Option<ActiveUsers>,
}

impl Envoy {
    /// Decides by `limiter`, and lets `active` know whose requests were admitted.
    pub fn new(limiter: Limiter, active: Option<ActiveUsers>) -> Self {
        Self { limiter, active }
    }

    fn note_users(&self, requests: &[limiter::Request]) {
        let Some(active) = &self.active else { return };
        if let Some(user) = requests.iter().find_map(|request| request.facts.get(names::USER)) {
            active.saw(user);
        }
    }
}

#[tonic::async_trait]
impl RateLimitService for Envoy {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let request = request.into_inner();
        let usual = request.hits_addend.max(1);
        let requests: Vec<_> = request.descriptors.iter().map(|descriptor| read(descriptor, usual)).collect();
        let decision = self.limiter.decide(&requests, Mode::Count).await;
        if decision.allowed {
            self.note_users(&requests);
        }
        Ok(Response::new(answer(&decision)))
    }
}

fn read(descriptor: &RateLimitDescriptor, usual_cost: u32) -> limiter::Request {
    let cost = descriptor.hits_addend.map_or(usual_cost, |hits| u32::try_from(hits).unwrap_or(u32::MAX));
    let facts: Facts =
        descriptor.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    limiter::Request { facts, cost }
}

fn answer(decision: &Decision) -> RateLimitResponse {
    let mut seen = std::collections::HashSet::new();
    let enforced = decision.limits.iter().flatten().filter(|limit| !limit.rule.shadow);
    let limits: Vec<&Limit> = enforced.filter(|limit| seen.insert(&limit.rule.name)).collect();
    let mut response = RateLimitResponse {
        overall_code: if decision.allowed { Code::Ok } else { Code::OverLimit }.into(),
        statuses: decision.limits.iter().map(|limits| status(limits)).collect(),
        ..RateLimitResponse::default()
    };
    let mut add = |key: &str, value: String| {
        response.response_headers_to_add.push(HeaderValue { key: key.to_owned(), value });
    };
    if !limits.is_empty() {
        add("ratelimit-policy", headers::policy(&limits));
        add("ratelimit", headers::state(&limits));
    }
    if !decision.allowed
        && let Some(limit) = deciding(limits)
    {
        let message = headers::message(limit);
        add("grpc-status-details-bin", headers::details(limit, &message));
        response.raw_body = message.into_bytes();
    }
    response
}

fn status(limits: &[Limit]) -> DescriptorStatus {
    let Some(limit) = deciding(limits) else {
        return DescriptorStatus { code: Code::Ok.into(), ..DescriptorStatus::default() };
    };
    let after = if limit.denies() { limit.wait() } else { limit.standing.reset };
    DescriptorStatus {
        code: if limit.denies() { Code::OverLimit } else { Code::Ok }.into(),
        current_limit: Some(RateLimit {
            requests_per_unit: limit.rule.limit,
            unit: unit(limit).into(),
            name: (*limit.rule.name).to_owned(),
        }),
        limit_remaining: limit.remaining(),
        // Envoy cuts off fractions, and makes `retry-after` of it.
        duration_until_reset: Some(prost_types::Duration {
            seconds: i64::try_from(headers::seconds(after)).unwrap_or(i64::MAX),
            nanos: 0,
        }),
    }
}

/// Envoy's word for the window, where it has one.
fn unit(limit: &Limit) -> Unit {
    match limit.rule.window().as_millis() {
        1_000 => Unit::Second,
        60_000 => Unit::Minute,
        3_600_000 => Unit::Hour,
        86_400_000 => Unit::Day,
        _ => Unit::Unknown,
    }
}
