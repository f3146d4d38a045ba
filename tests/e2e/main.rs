//! End-to-end tests: the whole local stack, through Envoy, as its users reach it.
//!
//! Tests that only look at the platform share one stack; tests that break it share another, one after the other.

#![allow(clippy::unwrap_used, reason = "every function here belongs to a test")]

mod bad_input;
mod faults;
mod grpc_web;
mod import;
mod limits;
mod prices;
mod python;
mod reports;
mod rest;
mod trace;
mod up;
mod watch;
mod world;
