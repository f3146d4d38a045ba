//! The service with an API server, a limiter and certificates of the test's own, asked as API servers and KEDA ask it.

#![expect(clippy::unwrap_used, reason = "what a test can't do without fails it")]

mod discovery;
mod front_proxy;
mod keda;
mod life;
mod rotation;
mod support;
mod values;
