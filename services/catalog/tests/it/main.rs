//! The catalogue over gRPC, on a real Postgres.

mod batches;
mod categories;
mod idempotency;
mod lists;
mod products;
mod queries;
mod refusals;
mod support;
