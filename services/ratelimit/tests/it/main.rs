//! The service on a real Valkey, asked as Envoy and services ask it.

mod active;
mod agree;
mod envoy;
mod login;
mod outage;
mod pods;
mod rules;
mod support;
