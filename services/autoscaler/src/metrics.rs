//! What the autoscaler measures about itself.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use jiff::Timestamp;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::users::{Count, Unknown};

/// No value yet, or none any more.
const NONE: u64 = u64::MAX;
const NEVER: i64 = i64::MAX;

/// The autoscaler's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    users: Arc<AtomicU64>,
    errors: Counter<u64>,
    expires: Arc<AtomicI64>,
    requests: Counter<u64>,
    certificates: Counter<u64>,
}

impl Metrics {
    /// Makes them with `meter`.
    pub fn new(meter: &Meter) -> Self {
        let (users, expires) = (Arc::new(AtomicU64::new(NONE)), Arc::new(AtomicI64::new(NEVER)));
        let seen = Arc::clone(&users);
        meter
            .u64_observable_gauge("autoscaler.users")
            .with_description("Active users as last told; absent where the last answer was an error")
            .with_callback(move |observer| match seen.load(Ordering::Relaxed) {
                NONE => {}
                users => observer.observe(users, &[]),
            })
            .build();
        let known = Arc::clone(&expires);
        meter
            .i64_observable_gauge("autoscaler.certificate.expires")
            .with_unit("s")
            .with_description("When the certificate in use ends, in seconds since 1970; absent without one")
            .with_callback(move |observer| match known.load(Ordering::Relaxed) {
                NEVER => {}
                at => observer.observe(at, &[]),
            })
            .build();
        Self {
            users,
            expires,
            errors: meter
                .u64_counter("autoscaler.users.errors")
                .with_description("Questions to the limiter that ended without a number, by reason")
                .build(),
            requests: meter
                .u64_counter("autoscaler.requests")
                .with_description("Requests to the custom metrics API, by kind and result")
                .build(),
            certificates: meter
                .u64_counter("autoscaler.certificates")
                .with_description("Steps in a certificate's life, by step: issued, repaired, failed, refused")
                .build(),
        }
    }

    pub(crate) fn asked(&self, outcome: &Result<Count, Unknown>) {
        match outcome {
            Ok(count) => self.users.store(count.users, Ordering::Relaxed),
            Err(unknown) => {
                self.users.store(NONE, Ordering::Relaxed);
                self.errors.add(1, &[KeyValue::new("reason", unknown.label())]);
            }
        }
    }

    pub(crate) fn certificate_in_use(&self, until: Timestamp) {
        self.expires.store(until.as_second(), Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, kind: &'static str, result: &'static str) {
        self.requests.add(1, &[KeyValue::new("kind", kind), KeyValue::new("result", result)]);
    }

    pub(crate) fn certificate(&self, step: &'static str) {
        self.certificates.add(1, &[KeyValue::new("step", step)]);
    }
}
