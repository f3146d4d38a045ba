//! All workers of a process.

use std::sync::Arc;

use platform::{Context, db::Db};
use tokio::task::JoinHandle;

use crate::{Maintenance, Registry, Worker, WorkerOptions};

/// The running workers of a process.
#[derive(Debug)]
pub struct Workers(Vec<JoinHandle<()>>);

/// Starts a worker for each queue of `registry`, and the maintenance of the queue.
pub fn start(context: &Context, db: &Db, registry: Registry, options: WorkerOptions) -> Workers {
    let maintenance = Maintenance::new(db.clone(), &context.meter);
    context.tasks.spawn_until_stop("queue maintenance", async move { Box::pin(maintenance.run()).await });
    let registry = Arc::new(registry);
    let workers = registry.queues().into_iter().map(|queue| {
        let registry = Arc::clone(&registry);
        let worker = Worker::new(queue, db.clone(), registry, &context.meter, context.clock.clone(), options);
        context.tasks.spawn("queue worker", worker.run(context.terminating.clone()))
    });
    Workers(workers.collect())
}

impl Workers {
    /// Waits until all have stopped, which they do once the process has been told to: call it before the process ends, because the
    /// drain time-out is longer than background tasks are waited for.
    ///
    /// # Errors
    ///
    /// A worker failed by itself, which is a mistake in this crate.
    pub async fn stopped(self) -> Result<(), tokio::task::JoinError> {
        for worker in self.0 {
            worker.await?;
        }
        Ok(())
    }
}
