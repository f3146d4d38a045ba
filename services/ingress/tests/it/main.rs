//! The configuration in a real Envoy, between clients and stub backends on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod edge;
mod envoy;
mod keys;
mod poll;
mod stub;
mod template;

mod addresses;
mod bodies;
mod browsers;
mod calls;
mod chart;
mod failover;
mod global_limits;
mod limits;
mod observing;
mod reloading;
mod rendering;
mod rest;
mod retries;
mod tokens;
mod traces;
