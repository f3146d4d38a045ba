//! Figures of the order service: names, units and labels in one place.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, UpDownCounter},
};
use platform::ServiceError as _;

use crate::{error::Error, order::Order};

/// The instruments. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    placed: Counter<u64>,
    refused: Counter<u64>,
    lines: Histogram<u64>,
    watches: UpDownCounter<i64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            placed: meter
                .u64_counter("orders.placed")
                .with_description("Orders placed; repeats of a request are not counted")
                .build(),
            refused: meter
                .u64_counter("orders.refused")
                .with_description("Orders that were not placed, by the reason that the caller was told")
                .build(),
            lines: meter
                .u64_histogram("orders.lines")
                .with_description("Lines of orders placed")
                .with_boundaries(vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0])
                .build(),
            watches: meter
                .i64_up_down_counter("orders.watches")
                .with_description("Watches of orders that are open")
                .build(),
        }
    }

    /// Counts a watch that begins, or one that ends.
    pub(crate) fn watching(&self, change: i64) {
        self.watches.add(change, &[]);
    }

    /// Counts an order that was placed.
    pub(crate) fn placed(&self, order: &Order) {
        self.placed.add(1, &[]);
        self.lines.record(u64::try_from(order.lines.len()).unwrap_or(u64::MAX), &[]);
    }

    /// Counts an order that was not.
    pub(crate) fn refused(&self, error: &Error) {
        self.refused.add(1, &[KeyValue::new("reason", error.reason())]);
    }
}
