//! The service on a real Valkey, asked as Envoy and services ask it.

#![expect(clippy::unwrap_used, reason = "what a test can't do without fails it")]

mod active;
mod agree;
mod envoy;
mod login;
mod outage;
mod pods;
mod rules;
mod simulation;
mod support;
mod together;
