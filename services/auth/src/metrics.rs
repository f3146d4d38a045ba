//! Figures of this service: names, units and labels in one place.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, UpDownCounter},
};

/// Bounds in seconds: a hash takes some 50 ms, a wait at most a few seconds.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// How a registration ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Registered {
    Done,
    Replayed,
    Refused,
    Failed,
}

/// How a log-in ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LoggedIn {
    Done,
    UnknownUser,
    WrongPassword,
    Locked,
    Busy,
    Limited,
    Failed,
}

/// Who decided whether a log-in may be tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decided {
    Limiter,
    Locally,
}

/// How a refresh ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refreshed {
    Rotated,
    Repeated,
    Reused,
    Refused,
    Failed,
}

/// The instruments. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    registrations: Counter<u64>,
    logins: Counter<u64>,
    tries: Counter<u64>,
    refreshes: Counter<u64>,
    hash_time: Histogram<f64>,
    hash_wait: Histogram<f64>,
    hash_places: UpDownCounter<i64>,
    key_failures: Counter<u64>,
}

/// A password that waits or is worked on, until dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Metrics);

impl Metrics {
    /// Instruments of `meter`.
    pub fn new(meter: &Meter) -> Self {
        let counter =
            |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let seconds = |name: &'static str, what: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(what);
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        Self(Arc::new(Instruments {
            registrations: counter("auth.registrations", "Registrations, by outcome"),
            logins: counter("auth.logins", "Log-ins, by outcome"),
            tries: counter("auth.login.tries", "Log-ins that were or were not admitted, by who decided"),
            refreshes: counter("auth.refreshes", "Refreshes, by outcome"),
            hash_time: seconds("auth.password.hash.duration", "Time to compute one password hash"),
            hash_wait: seconds("auth.password.hash.wait", "Time that a password waited for a thread"),
            hash_places: meter
                .i64_up_down_counter("auth.password.hash.places")
                .with_description("Passwords that wait or are worked on")
                .build(),
            key_failures: counter(
                "auth.signing_keys.read_failures",
                "Times that the folder of keys could not be read",
            ),
        }))
    }

    pub(crate) fn registered(&self, how: Registered) {
        let outcome = match how {
            Registered::Done => "done",
            Registered::Replayed => "replayed",
            Registered::Refused => "refused",
            Registered::Failed => "failed",
        };
        self.0.registrations.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn logged_in(&self, how: LoggedIn) {
        let outcome = match how {
            LoggedIn::Done => "done",
            LoggedIn::UnknownUser => "unknown_user",
            LoggedIn::WrongPassword => "wrong_password",
            LoggedIn::Locked => "locked",
            LoggedIn::Busy => "busy",
            LoggedIn::Limited => "limited",
            LoggedIn::Failed => "failed",
        };
        self.0.logins.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn tried(&self, by: Decided, admitted: bool) {
        let by = match by {
            Decided::Limiter => "limiter",
            Decided::Locally => "local",
        };
        let labels = [KeyValue::new("decided_by", by), KeyValue::new("admitted", admitted)];
        self.0.tries.add(1, &labels);
    }

    pub(crate) fn refreshed(&self, how: Refreshed) {
        let outcome = match how {
            Refreshed::Rotated => "rotated",
            Refreshed::Repeated => "repeated",
            Refreshed::Reused => "reused",
            Refreshed::Refused => "refused",
            Refreshed::Failed => "failed",
        };
        self.0.refreshes.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub(crate) fn hashed(&self, took: Duration) {
        self.0.hash_time.record(took.as_secs_f64(), &[]);
    }

    pub(crate) fn waited(&self, took: Duration) {
        self.0.hash_wait.record(took.as_secs_f64(), &[]);
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.0.hash_places.add(1, &[]);
        Waiting(self.clone())
    }

    pub(crate) fn keys_not_read(&self) {
        self.0.key_failures.add(1, &[]);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.hash_places.add(-1, &[]);
    }
}
