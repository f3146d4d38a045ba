//! The service on a real Postgres, called as its clients call it.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod keys;
mod login;
mod queue;
mod refresh;
mod register;
mod secrets;
mod sql;
mod story;
mod support;
mod tries;
