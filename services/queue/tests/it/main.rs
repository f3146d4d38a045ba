//! The queue against a real PostgreSQL, each test with a database of its own.

mod enqueueing;
mod failing;
mod fixture;
mod losing;
mod stopping;
mod traces;
mod working;
