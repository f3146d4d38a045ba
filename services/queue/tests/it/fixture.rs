//! A database, workers on it, and a kind of job that does whatever a test says.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use local::testing::TestDatabase;
use platform::{
    Access, Clock, Tasks,
    db::{Db, DbArgs, Wiring},
};
use queue::{
    EnqueueOptions, Error, Handler, Job, JobContext, Maintenance, Outcome, Registry, Worker, WorkerOptions,
    enqueue,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The queue that probes stand in.
pub(crate) const QUEUE: &str = "probes";

/// A job that does what its handler was told.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Probe {
    pub(crate) say: String,
}

impl Job for Probe {
    const KIND: &'static str = "probe";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i16 = 3;
}

pub(crate) fn probe(say: &str) -> Probe {
    Probe { say: say.to_owned() }
}

type Run = dyn Fn(Probe, JobContext) -> BoxFuture<'static, Outcome> + Send + Sync;

struct Probes(Box<Run>);

impl Handler<Probe> for Probes {
    async fn run(&self, job: Probe, context: &JobContext) -> Outcome {
        (self.0)(job, context.clone()).await
    }
}

/// A registry in which probes run `run`.
pub(crate) fn probes<F>(run: impl Fn(Probe, JobContext) -> F + Send + Sync + 'static) -> Arc<Registry>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let run: Box<Run> = Box::new(move |job, context| Box::pin(run(job, context)));
    Arc::new(Registry::new().with(Probes(run)))
}

/// Probes that all end well.
pub(crate) fn obedient_probes() -> Arc<Registry> {
    probes(|_, _| async { Outcome::Done })
}

/// A database and what uses it.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) db: Db,
    pub(crate) admin: tokio_postgres::Client,
    /// How to reach it.
    pub(crate) args: DbArgs,
    pub(crate) tasks: Tasks,
    stop: CancellationToken,
    _database: TestDatabase,
}

/// A worker that runs beside the test.
#[derive(Debug)]
pub(crate) struct Running {
    terminating: CancellationToken,
    task: JoinHandle<()>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = local::testing::services().await.database().await;
        let (stop, clock) = (CancellationToken::new(), Clock::system());
        let tasks = Tasks::new(stop.clone());
        let mut args = DbArgs::new(database.url("svc_jobs").parse().unwrap());
        (args.database_pool_budget, args.database_pool_warm) = (8, 0);
        let wiring = Wiring {
            service: "jobs",
            clock,
            tasks: tasks.clone(),
            stop: stop.clone(),
            meter: opentelemetry::global::meter("test"),
            redis: None,
        };
        let db = Db::connect(&args, wiring).await.unwrap();
        let (admin, connection) =
            tokio_postgres::connect(&database.admin_url(), tokio_postgres::NoTls).await.unwrap();
        drop(tasks.spawn("admin", async move { drop(connection.await) }));
        Self { db, admin, args, tasks, stop, _database: database }
    }

    /// Enqueues a probe with these options, in a transaction of its own.
    pub(crate) async fn enqueue_with(&self, say: &str, options: EnqueueOptions<'_>) -> Uuid {
        let job = probe(say);
        let access = Access::system();
        self.db.tx("test.enqueue", &access, async |tx| enqueue(tx, &job, options).await).await.unwrap()
    }

    pub(crate) async fn enqueue(&self, say: &str) -> Uuid {
        self.enqueue_with(say, EnqueueOptions::default()).await
    }

    /// Enqueues `count` probes at once.
    pub(crate) async fn enqueue_many(&self, count: usize) -> Vec<Uuid> {
        let jobs: Vec<Probe> = (0..count).map(|n| probe(&n.to_string())).collect();
        let access = Access::system();
        let ids: Result<_, Error> =
            self.db.tx("test.enqueue", &access, async |tx| queue::enqueue_many(tx, &jobs, None).await).await;
        ids.unwrap()
    }

    /// Starts a worker of the probes' queue.
    pub(crate) fn worker(&self, registry: &Arc<Registry>, options: WorkerOptions) -> Running {
        let meter = opentelemetry::global::meter("test");
        let worker =
            Worker::new(QUEUE, self.db.clone(), Arc::clone(registry), &meter, Clock::system(), options);
        let terminating = CancellationToken::new();
        Running { task: self.tasks.spawn("worker", worker.run(terminating.clone())), terminating }
    }

    pub(crate) fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.db.clone(), &opentelemetry::global::meter("test"))
    }

    /// State, attempt and error of a job.
    pub(crate) async fn look(&self, id: Uuid) -> (String, i16, Option<String>) {
        let sql = "SELECT state, attempt, error FROM jobs.all_jobs WHERE id = $1";
        let row = self.admin.query_one(sql, &[&id]).await.unwrap();
        (row.get(0), row.get(1), row.get(2))
    }

    pub(crate) async fn state(&self, id: Uuid) -> String {
        self.look(id).await.0
    }

    pub(crate) async fn until_state(&self, id: Uuid, state: &str) {
        until(&format!("job {id} is {state}"), async || self.state(id).await == state).await;
    }

    /// How many rows `sql` counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    /// Lets every lease run out now.
    pub(crate) async fn expire_leases(&self) {
        self.execute("UPDATE jobs.running SET lease_until = clock_timestamp() - interval '1 second'").await;
    }

    /// Makes every scheduled job due, and ready.
    pub(crate) async fn make_due(&self) {
        self.execute("UPDATE jobs.scheduled SET run_at = clock_timestamp() - interval '1 second'").await;
        self.maintenance().promote().await.unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// Tells the worker to stop, as SIGTERM would, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.terminating.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Ends the worker between two instructions, as SIGKILL would.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.terminating.cancel();
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "waited in vain until {what}");
}
