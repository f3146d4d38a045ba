//! The database: transactions that write, on the primary, and reads, on a replica that is fresh enough.
//!
//! A caller names its transaction, says on whose behalf it runs ([`Access`](crate::Access)), and gives a closure:
//!
//! ```no_run
//! # use platform::{Access, db::{Db, Error, Rows as _}};
//! # async fn example(db: &Db, access: &Access, id: uuid::Uuid) -> Result<u64, Error> {
//! db.tx("orders.cancel", access, async |tx| {
//!     tx.execute("UPDATE orders SET state = 'cancelled' WHERE id = $1", &[&id]).await
//! })
//! .await
//! # }
//! ```
//!
//! What holds for all of them:
//!
//! - The scope of the access is set for the transaction only, in the same message as its first statement. A forgotten scope fails.
//! - The closure runs again when the database asks for it, so it has no effects but on the database.
//! - A closure that is dropped half-way (deadline, caller gone) leaves nothing behind: no lock, no permit, no late cancel.
//! - A caller reads what it wrote, also from a replica: see [`Db::read`].
//!
//! Reading order: [`DbArgs`], [`Tx`] and [`ReadOnly`], `run`, `commit`; then `pool`, `holder`, `lease`, `reaper`, `keeper`; then `replica`.

mod args;
mod commit;
mod connect;
mod connection;
mod error;
mod holder;
mod keeper;
mod lease;
mod metrics;
mod once;
mod pool;
mod positions;
mod reaper;
mod replica;
mod rows;
mod run;
mod tls;
mod transaction;
mod url;

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::metrics::Meter;
use tokio_util::sync::CancellationToken;

pub use args::{ConnectArgs, DbArgs};
pub use error::{Cause, ConstraintKind, Error};
pub use once::OneConnection;
pub use rows::{ReadOnly, Rows, Tx};
pub use run::Params;
pub(crate) use tls::trusted_roots;
pub use tokio_postgres::{
    Row,
    types::{FromSql, ToSql},
};
pub use url::{DatabaseUrl, InvalidUrl};

use commit::Committer;
use connect::{Connector, Role};
use keeper::Keeper;
use metrics::Metrics;
use pool::Pool;
use positions::Positions;
use replica::Follower;
use run::Watch;

use crate::{Clock, Tasks, redis::Redis};

/// How long [`Db::ready`] waits for a connection before it says that there is none.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// What a database handle is wired to.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// The service, which is also the name of its schema: its roles are `svc_<service>` and so on.
    pub service: &'static str,
    /// The time.
    pub clock: Clock,
    /// Background tasks.
    pub tasks: Tasks,
    /// Cancelled when background tasks must end; the pools are closed then.
    pub stop: CancellationToken,
    /// Makes metrics.
    pub meter: Meter,
    /// Where the positions of users' last writes are kept. Without it, reads of users who echo no position go to the primary.
    pub redis: Option<Redis>,
}

/// A service's database. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    /// Name of the database, for spans.
    database: String,
    acquire_timeout: Duration,
    primary: Pool,
    replica: Pool,
    follower: Follower,
    positions: Positions,
    committer: Committer,
    watch: Watch,
}

/// The database does not answer yet.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the database is not ready")]
pub struct NotReady(#[source] pub Error);

impl Db {
    /// Begins to connect, and goes on doing so in the background: a server that is late does not matter. See [`Db::ready`].
    ///
    /// # Errors
    ///
    /// [`Error::Authorities`] if the arguments name a file of them that can't be used.
    pub async fn connect(args: &DbArgs, wiring: Wiring) -> Result<Self, Error> {
        let Wiring { service, clock: _, tasks, stop, meter, redis } = wiring;
        let connector = Connector::new(&args.connect, service)?;
        let metrics = Metrics::new(meter);
        let limit = usize::from(args.database_pool_budget);
        let pool = |role| Pool::new(role, limit, connector.clone(), tasks.clone(), metrics.clone());
        let (primary, replica) = (pool(Role::Primary), pool(Role::Replica));
        metrics.watch(&primary, Role::Primary);
        metrics.watch(&replica, Role::Replica);
        let follower = Follower::new(args.database_max_lag);
        let lag = follower.clone();
        metrics.watch_lag(move || lag.lag());
        let keeper = Keeper::new(args);
        let pools = if connector.has_several_servers() {
            tasks.spawn_until_stop("replica", follower.clone().follow(connector.clone(), replica.clone()));
            vec![primary.clone(), replica.clone()]
        } else {
            vec![primary.clone()]
        };
        keeper.start(&pools).await;
        tasks.spawn_until_stop("keeper", keeper.keep(pools.clone()));
        drop(tasks.spawn("close pools", async move {
            stop.cancelled().await;
            pools.iter().for_each(Pool::close);
        }));
        Ok(Self(Arc::new(Inner {
            service,
            database: args.connect.database_url.database().to_owned(),
            acquire_timeout: args.database_acquire_timeout,
            positions: Positions::new(redis, follower.blind_for(), args.database_max_lag),
            primary,
            replica,
            follower,
            committer: Committer::default(),
            watch: Watch { metrics, slow: args.database_slow_query },
        })))
    }

    /// Whether the primary answers. Reads don't need the replica, so neither does readiness.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let lease = self.0.primary.acquire(READY_WITHIN).await.map_err(NotReady)?;
        let answer = lease.fly(tokio::time::timeout(READY_WITHIN, lease.client().batch_execute(""))).await;
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NotReady(Error::classify(&error))),
            Err(_) => {
                lease.set_broken();
                Err(NotReady(Error::unavailable("the primary does not answer")))
            }
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("service", &self.0.service)
            .field("database", &self.0.database)
            .finish_non_exhaustive()
    }
}
