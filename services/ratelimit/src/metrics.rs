//! What the limiter measures about itself.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::guard::Guard;

/// The limiter's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    decisions: Counter<u64>,
    denials: Counter<u64>,
    meter: Meter,
}

impl Metrics {
    /// Makes them with `meter`.
    pub fn new(meter: &Meter) -> Self {
        Self {
            decisions: meter
                .u64_counter("ratelimit.decisions")
                .with_description(
                    "Requests decided over, by outcome and by whether any limit was counted in the pod alone",
                )
                .build(),
            denials: meter
                .u64_counter("ratelimit.denials")
                .with_description("Requests beyond a limit, by rule")
                .build(),
            meter: meter.clone(),
        }
    }

    pub(crate) fn watch(&self, guard: Guard) {
        self.meter
            .u64_observable_gauge("ratelimit.groups.local")
            .with_description(
                "Groups of counters, of 32, that are kept in the pod because Redis does not answer for them",
            )
            .with_callback(move |observer| observer.observe(guard.closed(), &[]))
            .build();
    }

    pub(crate) fn decided(&self, allowed: bool, local: bool) {
        let outcome = if allowed { "allowed" } else { "denied" };
        let counted = if local { "pod" } else { "redis" };
        self.decisions.add(1, &[KeyValue::new("outcome", outcome), KeyValue::new("counted", counted)]);
    }

    /// Rules are few and named by operators, so their names may be labels.
    pub(crate) fn denied(&self, rule: &str) {
        self.denials.add(1, &[KeyValue::new("rule", rule.to_owned())]);
    }
}
