//! The replica of this process: which server it is, how far it has replayed, and whether it is read from.
//!
//! One connection asks; whoever reads compares in memory. So a read that the replica is fresh enough for costs no query.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};
use tokio_postgres::{Client, Statement};

use super::{
    commit::position_of,
    connect::{Connector, Endpoint, Failure, Role},
    connection::Connection,
    error::{Cause, Error},
    pool::Pool,
};
use crate::Position;

const SELECT_REPLAY_POSITION: &str = include_str!("../../queries/select_replay_position.sql");
const SELECT_SERVER_IDENTITY: &str = include_str!("../../queries/select_server_identity.sql");

/// How often the position is read while somebody waits for it.
const WAITED_FOR_EVERY: Duration = Duration::from_millis(10);
/// How often it is read otherwise.
const OTHERWISE_EVERY: Duration = Duration::from_millis(500);
/// How long the replica may take to say where it is, before it counts as gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Wait before the replica is looked for again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One server process that replays another's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    endpoint: Endpoint,
    /// Differs between servers behind one address, and between two starts of the same.
    identity: String,
}

/// How far the replica is, as last heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    position: Position,
    /// None where the replica doesn't know.
    lag: Option<Duration>,
    at: Instant,
}

impl Heard {
    /// The lag as it can be at most. A replica tells the age of the last commit that it has replayed, and after a quiet hour that is an
    /// hour, although what it lacks is new: nothing of it is older than the last time that the replica was seen to lack nothing.
    fn since(mut self, caught_up_at: &mut Option<Instant>) -> Self {
        if self.lag == Some(Duration::ZERO) {
            *caught_up_at = Some(self.at);
        }
        if let (Some(lag), Some(caught_up_at)) = (self.lag, *caught_up_at) {
            self.lag = Some(lag.min(self.at.duration_since(caught_up_at)));
        }
        self
    }
}

/// Follows the replica. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Follower(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    heard: watch::Sender<Option<Heard>>,
    waiting: AtomicUsize,
    /// Somebody began to wait.
    hurry: Notify,
    max_lag: Duration,
}

/// Whether the replica may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It has replayed what is asked for.
    Reached,
    /// It is read from, but isn't there yet.
    Behind,
    /// It is not read from.
    Out,
}

impl Replica {
    /// Connects to this very server process.
    pub(crate) async fn connect(&self, connector: &Connector) -> Result<Connection, Failure> {
        let connection = connector.connect_to(&self.endpoint, Role::Replica).await?;
        let replica =
            identify(&connection).await.map_err(|error| Failure::from(Cause::new(&chain(&error))))?;
        if replica == *self {
            Ok(connection)
        } else {
            Err(Cause::new(&format!("{} is another server now", self.endpoint)).into())
        }
    }
}

impl Follower {
    pub(crate) fn new(max_lag: Duration) -> Self {
        Self(Arc::new(Inner {
            heard: watch::Sender::new(None),
            waiting: AtomicUsize::new(0),
            hurry: Notify::new(),
            max_lag,
        }))
    }

    /// How long after a commit the replica may still be read from without having it: as long as a position must be kept.
    pub(crate) fn blind_for(&self) -> Duration {
        self.0.max_lag + OTHERWISE_EVERY + ANSWER_WITHIN + OTHERWISE_EVERY
    }

    /// How far the replica is behind, if it is there.
    pub(crate) fn lag(&self) -> Option<Duration> {
        self.0.heard.borrow().and_then(|heard| heard.lag)
    }

    /// Whether the replica may answer a read that must see `wanted`.
    pub(crate) fn freshness(&self, wanted: Option<Position>) -> Freshness {
        match *self.0.heard.borrow() {
            Some(heard) if self.is_in(&heard) => {
                if wanted.is_none_or(|wanted| heard.position >= wanted) {
                    Freshness::Reached
                } else {
                    Freshness::Behind
                }
            }
            _ => Freshness::Out,
        }
    }

    /// Waits until the replica has reached `wanted`, at most `limit`. Answers whether it has.
    pub(crate) async fn reached(&self, wanted: Position, limit: Duration) -> bool {
        let mut heard = self.0.heard.subscribe();
        let _waiter = Waiter::new(&self.0.waiting);
        self.0.hurry.notify_one();
        let reached = heard.wait_for(|heard| heard.is_some_and(|heard| heard.position >= wanted));
        tokio::time::timeout(limit, reached).await.is_ok_and(|outcome| outcome.is_ok())
            && self.freshness(Some(wanted)) == Freshness::Reached
    }

    /// Ends when the replica has gone, or has stopped to say where it is.
    pub(crate) async fn gone(&self) {
        // Fails only without a sender, and that is here.
        let _ = self.0.heard.subscribe().wait_for(Option::is_none).await;
    }

    /// Looks for a replica and follows it, for ever. Tells `pool` where it is.
    pub(crate) async fn follow(self, connector: Connector, pool: Pool) {
        loop {
            match self.follow_one(&connector, &pool).await {
                Err(error) => tracing::debug!(cause = %chain(&error), "no replica"),
                Ok(never) => match never {},
            }
            if self.0.heard.send_replace(None).is_some() {
                tracing::warn!("the replica is gone; reads go to the primary");
            }
            pool.aim(None);
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    async fn follow_one(
        &self,
        connector: &Connector,
        pool: &Pool,
    ) -> Result<std::convert::Infallible, Error> {
        let connection =
            connector.connect(Role::Replica).await.map_err(|failure| Error::Unavailable(failure.cause))?;
        pool.aim(Some(identify(&connection).await?));
        let client = connection.client();
        let question = within(client.prepare(SELECT_REPLAY_POSITION)).await?;
        let mut was_in = false;
        let mut was_fresh = false;
        let mut caught_up_at = None;
        loop {
            let mut heard = hear(client, &question).await?.since(&mut caught_up_at);
            let is_fresh = self.is_in(&heard);
            // A replica that has just found its primary again lacks nothing that it knows of, because it has yet to hear what there is.
            if is_fresh && !was_fresh {
                heard.lag = None;
            }
            was_fresh = is_fresh;
            let is_in = self.is_in(&heard);
            if is_in != was_in {
                let lag_ms = heard.lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
                tracing::info!(in_use = is_in, lag_ms, replica = %connection.endpoint(), "replica");
                was_in = is_in;
            }
            self.0.heard.send_replace(Some(heard));
            if self.0.waiting.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(WAITED_FOR_EVERY).await;
            } else {
                // A wake-up left over from somebody who has stopped waiting costs one query.
                let _ = tokio::time::timeout(OTHERWISE_EVERY, self.0.hurry.notified()).await;
            }
        }
    }

    fn is_in(&self, heard: &Heard) -> bool {
        heard.lag.is_some_and(|lag| lag <= self.0.max_lag)
            && heard.at.elapsed() <= OTHERWISE_EVERY + ANSWER_WITHIN
    }
}

/// Somebody who waits, and is counted.
pub(super) struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn identify(connection: &Connection) -> Result<Replica, Error> {
    let row = within(connection.client().query_one(SELECT_SERVER_IDENTITY, &[])).await?;
    if !row.try_get::<_, bool>("in_recovery").map_err(|error| Error::classify(&error))? {
        return Err(Error::unavailable("the server is no replica"));
    }
    let identity = row.try_get("identity").map_err(|error| Error::classify(&error))?;
    Ok(Replica { endpoint: connection.endpoint().clone(), identity })
}

async fn hear(client: &Client, question: &Statement) -> Result<Heard, Error> {
    // Before the question: what is heard is at least as new as this.
    let at = Instant::now();
    let row = within(client.query_one(question, &[])).await?;
    if !row.try_get::<_, bool>("in_recovery").map_err(|error| Error::classify(&error))? {
        return Err(Error::unavailable("the replica was promoted"));
    }
    let lag: Option<i64> = row.try_get("lag_micros").map_err(|error| Error::classify(&error))?;
    let lag = lag.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    Ok(Heard { position: position_of(&row)?, lag, at })
}

async fn within<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(answer) => answer.map_err(|error| Error::classify(&error)),
        Err(_) => Err(Error::unavailable("the replica does not answer")),
    }
}

fn chain(error: &Error) -> String {
    crate::status::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lag: Option<Duration>, at: Instant) -> Heard {
        Heard { position: Position { timeline: 1, lsn: 1 }, lag, at }
    }

    #[test]
    fn what_a_replica_lacks_is_not_older_than_when_it_lacked_nothing() {
        let (begun, mut caught_up_at) = (Instant::now(), None);
        let after = |seconds| begun + Duration::from_secs(seconds);
        let hour = Some(Duration::from_hours(1));
        assert_eq!(heard(hour, begun).since(&mut caught_up_at).lag, hour, "never seen without lag");
        assert_eq!(heard(Some(Duration::ZERO), after(1)).since(&mut caught_up_at).lag, Some(Duration::ZERO));
        assert_eq!(heard(hour, after(3)).since(&mut caught_up_at).lag, Some(Duration::from_secs(2)));
        assert_eq!(
            heard(Some(Duration::from_secs(1)), after(9)).since(&mut caught_up_at).lag,
            Some(Duration::from_secs(1))
        );
        assert_eq!(heard(None, after(9)).since(&mut caught_up_at).lag, None);
    }
}
