//! What a test binary and the keeper say to each other: one JSON value per line.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// Part of the socket's folder name, so that a keeper of another build is never asked what it doesn't know. Raise it with
/// every change in this file.
pub(super) const VERSION: u32 = 2;

/// The password of each service's role, by the role's name.
pub type RolePasswords = BTreeMap<String, String>;

/// The first line of a test binary.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The `cargo` that runs it, and will run others after it.
    pub(super) cargo: Option<Identity>,
}

/// The answer to it, as soon as all services are ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The pid of the keeper.
    pub(super) keeper: u32,
    /// Names the databases of this test binary: `test_<lease>_<n>`.
    pub(super) lease: u64,
    /// The superuser's URL without a database.
    pub(super) postgres: String,
    /// The port of Postgres.
    pub(super) port: u16,
    /// The roles' passwords.
    pub(super) passwords: RolePasswords,
    /// The Valkey masters.
    pub(super) redis: Vec<SocketAddr>,
}

/// What a test binary asks for later.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Drop a database; not answered.
    Drop(String),
    /// Start the streaming replica, if it doesn't run yet; answered by [`Replica`].
    Replica,
}

/// The answer to [`Request::Replica`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Replica {
    /// It streams, on this port of loopback.
    Port(u16),
    /// It could not be started.
    Failed(String),
}
