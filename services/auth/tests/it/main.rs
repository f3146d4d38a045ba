//! The service on a real Postgres, called as its clients call it.

mod keys;
mod login;
mod queue;
mod refresh;
mod register;
mod secrets;
mod sql;
mod story;
mod support;
