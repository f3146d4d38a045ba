//! Postgres: a primary and, where wanted, a streaming replica, from the programs of the wheel.

mod cluster;
mod replica;
mod settings;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use cluster::{Primary, connect};
pub(crate) use replica::Replica;
pub(crate) use settings::Durability;

use crate::account::Account;

/// A start after a crash replays the log first.
const READY_BOUND: Duration = Duration::from_mins(1);
/// A fast shutdown writes a checkpoint.
const STOP_BOUND: Duration = Duration::from_secs(20);

/// What both servers are started with.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The folder with `postgres`, `initdb` and `pg_basebackup`.
    pub programs: PathBuf,
    /// The user that they run as.
    pub account: Account,
    /// How much is done to survive a crash of the machine.
    pub durability: Durability,
    /// Receives the logs.
    pub logs: PathBuf,
}

#[cfg(test)]
mod tests;
