//! The order service over gRPC, with a real database and a catalogue of the test's making.

#![expect(clippy::unwrap_used, reason = "what a test can't do without fails it")]

mod books;
mod faults;
mod figures;
mod history;
mod keys;
mod prices;
mod queries;
mod race;
mod refusals;
mod states;
mod story;
mod support;
mod tenants;
mod watch;
