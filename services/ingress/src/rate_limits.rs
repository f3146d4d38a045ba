//! What the global limiter is told about a call. A descriptor with an entry that can't be filled is left out, so a call is counted for its
//! user, or else for its address.

use crate::{
    Access, Rpc,
    api::{
        Empty, Extension, GenericKey, HeaderMatcher, HeaderValueMatch, HitsAddend, JwtAuthentication,
        MetaData, MetadataKey, RateLimit, RateLimitAction, RateLimitPerRoute,
    },
    filters,
};

/// What a call of many things counts as.
const LONG_COST: u64 = 10;

/// For routes that are no RPC of the contracts.
pub(crate) fn of_host() -> RateLimitPerRoute {
    RateLimitPerRoute { rate_limits: vec![descriptor(vec![user()]), descriptor(stranger())] }
}

/// For one RPC, in place of the host's. Its method is written down here: `:path` could carry a query, and a caller would be counted anew
/// with each.
pub(crate) fn of(rpc: &Rpc) -> RateLimitPerRoute {
    let method = || key("method", rpc.path());
    let user = descriptor(vec![user(), method()]);
    let class = class(rpc).map(|class| key("class", class.to_owned()));
    let stranger = descriptor(stranger().into_iter().chain(class).chain([method()]).collect());
    let mut rate_limits = match rpc.access {
        Access::Anonymous => vec![stranger],
        Access::Optional => vec![user, stranger],
        Access::Required | Access::Internal => vec![user],
    };
    if rpc.class.is_long() {
        for limit in &mut rate_limits {
            limit.hits_addend = Some(HitsAddend { number: LONG_COST });
        }
    }
    RateLimitPerRoute { rate_limits }
}

/// What begins a session or goes on with one: rules tell it from other calls of strangers, because whoever makes it is known a moment later.
fn class(rpc: &Rpc) -> Option<&'static str> {
    match rpc.path().as_str() {
        "/sipup.auth.v1.AuthService/Login" => Some("login"),
        "/sipup.auth.v1.AuthService/Refresh" => Some("refresh"),
        _ => None,
    }
}

/// The subject of a token that was checked.
fn user() -> RateLimitAction {
    RateLimitAction::Metadata(MetaData {
        descriptor_key: "user_id",
        source: "DYNAMIC",
        metadata_key: MetadataKey::new(JwtAuthentication::NAME, &[filters::CLAIMS, "sub"]),
    })
}

/// A caller without a token: the header is Envoy's own, and absent then.
fn stranger() -> Vec<RateLimitAction> {
    let no_user = HeaderMatcher::present("x-user-id", false);
    let anonymous =
        HeaderValueMatch { descriptor_key: "auth", descriptor_value: "anonymous", headers: vec![no_user] };
    vec![RateLimitAction::HeaderValueMatch(anonymous), address()]
}

const fn address() -> RateLimitAction {
    RateLimitAction::RemoteAddress(Empty {})
}

const fn key(descriptor_key: &'static str, descriptor_value: String) -> RateLimitAction {
    RateLimitAction::GenericKey(GenericKey { descriptor_key, descriptor_value })
}

const fn descriptor(actions: Vec<RateLimitAction>) -> RateLimit {
    RateLimit { actions, hits_addend: None }
}
