//! The queue against a real PostgreSQL, each test with a database of its own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod enqueueing;
mod failing;
mod fixture;
mod leading;
mod losing;
mod stopping;
mod traces;
mod working;
