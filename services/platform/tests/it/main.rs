//! `platform` against real servers.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test says what it saw and ends where it fails; its tasks end with its runtime"
)]

mod db;
mod db_cancel;
mod db_faults;
mod db_replica;
mod db_support;
mod redis;
