//! Which one of many processes does what only one needs to do.

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use platform::db::{DbArgs, OneConnection};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const TRY_LEAD: &str = include_str!("../queries/try_lead.sql");
const STILL_LEAD: &str = include_str!("../queries/still_lead.sql");

/// How often a candidate tries, and a leader makes sure.
const EVERY: Duration = Duration::from_secs(5);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a leader does: called anew each time this process comes to lead.
pub type Work = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Elects a leader. For efficiency: what must not be done twice is seen to by who does it.
pub trait Election: fmt::Debug + Send {
    /// Takes part until `stop`. Polls `work` while this process leads, and drops it when it doesn't any more.
    fn lead(self: Box<Self>, stop: CancellationToken, work: Work) -> BoxFuture<'static, ()>;
}

/// Election by an advisory lock of the database, held on a connection of its own. Who holds it leads for as long as the server
/// believes in the connection. It needs a connection that is the server's own session: no pooler between that shares them.
#[derive(Clone, Debug)]
pub struct AdvisoryLock {
    database: DbArgs,
    name: &'static str,
    every: Duration,
}

impl AdvisoryLock {
    /// The lock `name` in this database.
    pub fn new(database: DbArgs, name: &'static str) -> Self {
        Self { database, name, every: EVERY }
    }

    /// Tries, and makes sure, this often.
    pub fn trying_every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Waits for the lock and does the work for as long as it is held. Otherwise says why it isn't.
    async fn reign(&self, work: &Work) -> Result<(), String> {
        let connection =
            in_time(Box::pin(OneConnection::open(&self.database.connect, "sipup election"))).await?;
        let client = connection.client();
        loop {
            let row = in_time(client.query_one(TRY_LEAD, &[&self.name])).await?;
            if row.get("leads") {
                break;
            }
            sleep(self.every).await;
        }
        tracing::info!(lock = self.name, "leading");
        let lost = async {
            loop {
                sleep(self.every).await;
                if let Err(error) = in_time(client.query_one(STILL_LEAD, &[])).await {
                    return error;
                }
            }
        };
        tokio::select! {
            biased;
            error = lost => Err(error),
            () = work() => Ok(()),
        }
    }
}

async fn in_time<T, E: std::error::Error>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(outcome) => outcome.map_err(|error| platform::status::chain(&error)),
        Err(_) => Err("the database did not answer in time".to_owned()),
    }
}

impl Election for AdvisoryLock {
    fn lead(self: Box<Self>, stop: CancellationToken, work: Work) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let reigns = async {
                loop {
                    match self.reign(&work).await {
                        Ok(()) => tracing::warn!(lock = self.name, "the leader's work ended"),
                        Err(error) => tracing::warn!(lock = self.name, error, "not leading for now"),
                    }
                    sleep(self.every).await;
                }
            };
            stop.run_until_cancelled(Box::pin(reigns)).await;
        })
    }
}
