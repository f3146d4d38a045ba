//! Background tasks that shutdown waits for.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// The background tasks of a process. Each is expected to end when the stop token is cancelled.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// No task yet; `stop` tells those to come when to end.
    pub fn new(stop: CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), stop }
    }

    /// Runs `task` until it ends by itself.
    #[expect(clippy::disallowed_methods, reason = "this is where tasks are tracked")]
    pub fn spawn<F>(&self, name: &'static str, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(task.instrument(tracing::debug_span!("task", name))))
    }

    /// Runs `task` until it ends by itself or the process stops, whichever is first. For loops with nothing to finish.
    pub fn spawn_until_stop<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        drop(self.spawn(name, async move {
            stop.run_until_cancelled(task).await;
        }));
    }

    /// Waits until every task has ended, at most `limit`. Answers whether they all have.
    pub async fn join(&self, limit: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn joining_waits_for_what_still_runs() {
        let stop = CancellationToken::new();
        let tasks = Tasks::new(stop.clone());
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let handle = tasks.spawn("waits", async move { receive.await.is_ok() });
        assert!(!tasks.join(Duration::from_millis(1)).await);
        send.send(()).unwrap();
        assert!(tasks.join(Duration::from_secs(5)).await);
        assert!(handle.await.unwrap());
    }

    #[tokio::test]
    async fn a_loop_ends_when_the_process_stops() {
        let stop = CancellationToken::new();
        let tasks = Tasks::new(stop.clone());
        tasks.spawn_until_stop("for ever", std::future::pending());
        stop.cancel();
        assert!(tasks.join(Duration::from_secs(5)).await);
    }
}
