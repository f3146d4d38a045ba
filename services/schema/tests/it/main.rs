//! The schema on a real PostgreSQL: what migrating does, who may do what, and that the functions keep their promises under load.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod catalog;
mod create_order;
mod migrating;
mod order_states;
mod positions;
mod queue;
mod reports;
mod rights;
mod stock_race;
mod support;
mod tenants;
