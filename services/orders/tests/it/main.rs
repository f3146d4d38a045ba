//! The order service over gRPC, with a real database and a catalogue of the test's making.

mod faults;
mod history;
mod keys;
mod queries;
mod race;
mod refusals;
mod states;
mod story;
mod support;
mod tenants;
