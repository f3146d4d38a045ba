//! What a limited client reads: the `RateLimit` fields of the IETF draft (draft-ietf-httpapi-ratelimit-headers), a message, and for gRPC the
//! error details with the time to wait.

use std::{fmt::Write as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::limiter::Limit;

/// `RateLimit-Policy`: every limit that applies, with its quota and window.
pub(crate) fn policy(limits: &[&Limit]) -> String {
    list(limits, |text, limit| {
        write!(text, ";q={};w={}", limit.rule.limit, limit.rule.window().as_secs().max(1))
    })
}

/// `RateLimit`: what is left of each, and when there is more.
pub(crate) fn state(limits: &[&Limit]) -> String {
    list(limits, |text, limit| {
        let after = if limit.denies() { limit.wait() } else { limit.standing.reset };
        write!(text, ";r={};t={}", limit.remaining(), seconds(after))
    })
}

fn list(limits: &[&Limit], write: impl Fn(&mut String, &Limit) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for limit in limits {
        let separator = if text.is_empty() { "" } else { ", " };
        // Formatting into a String can't fail. Names of rules need no escaping.
        let _ = write!(text, "{separator}\"{}\"", limit.rule.name);
        let _ = write(&mut text, limit);
    }
    text
}

/// What a person reads.
pub(crate) fn message(limit: &Limit) -> String {
    let wait = seconds(limit.wait());
    if limit.penalty.is_some() {
        return format!("blocked after going beyond limits again and again; try again in {wait} s");
    }
    let (name, amount, window) = (&limit.rule.name, limit.rule.limit, limit.rule.window().as_secs_f64());
    format!("limit `{name}` of {amount} per {window} s is reached; try again in {wait} s")
}

/// The value of `grpc-status-details-bin`: google.rpc.Status with `RetryInfo` and the reason.
pub(crate) fn details(limit: &Limit, message: &str) -> String {
    let reason = if limit.penalty.is_some() { "PENALIZED" } else { "RATE_LIMITED" };
    let mut details = ErrorDetails::with_retry_info(Some(Duration::from_secs(seconds(limit.wait()))));
    let metadata = [("rule".to_owned(), (*limit.rule.name).to_owned())];
    details.set_error_info(
        reason,
        "ratelimit.sipup",
        metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
    );
    STANDARD_NO_PAD.encode(Status::with_error_details(Code::ResourceExhausted, message, details).details())
}

/// Whole seconds, rounded up: a client that obeys must not come too early.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
