//! The catalogue over gRPC, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod batches;
mod categories;
mod idempotency;
mod import;
mod lists;
mod price_lists;
mod prices;
mod products;
mod queries;
mod quotes;
mod refusals;
mod support;
