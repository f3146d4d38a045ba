//! What is done again and again, by whichever process leads.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use opentelemetry::metrics::{Counter, UpDownCounter};
use opentelemetry::{KeyValue, metrics::Meter};
use platform::Context;
use tokio::time::MissedTickBehavior;

use crate::election::Election;

/// Tasks with their intervals. Whoever comes to lead runs each at once and then in its interval, so a task may run more often than
/// that when the lead changes, and must bear it. A run that takes longer than the interval delays the next; a failed one is told and
/// comes again.
#[derive(Debug, Default)]
pub struct Schedule(Vec<Task>);

struct Task {
    name: &'static str,
    interval: Duration,
    run: Run,
}

type Run = Box<dyn Fn() -> BoxFuture<'static, Result<(), platform::db::Error>> + Send + Sync>;

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does `run` every `interval`, at least a second. The name is for logs and metrics.
    pub fn every<F>(
        mut self,
        interval: Duration,
        name: &'static str,
        run: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), platform::db::Error>> + Send + 'static,
    {
        let interval = interval.max(Duration::from_secs(1));
        self.0.push(Task { name, interval, run: Box::new(move || Box::pin(run())) });
        self
    }

    /// Takes part in `election` until the process is told to stop, so that the next leader need not wait for this one to end.
    pub fn start(self, context: &Context, election: Box<dyn Election>) {
        let (tasks, metrics) = (Arc::new(self.0), Metrics::new(&context.meter));
        let work = Box::new(move || -> BoxFuture<'static, ()> {
            let (tasks, metrics) = (Arc::clone(&tasks), metrics.clone());
            Box::pin(async move {
                let _leading = Leading::begin(&metrics);
                join_all(tasks.iter().map(|task| task.keep(&metrics))).await;
            })
        });
        drop(context.tasks.spawn("schedule", election.lead(context.terminating.clone(), work)));
    }
}

impl Task {
    async fn keep(&self, metrics: &Metrics) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let outcome = (self.run)().await;
            metrics.ran(self.name, outcome.is_ok());
            if let Err(error) = outcome {
                let error = platform::status::chain(&error);
                tracing::warn!(error, task = self.name, "a scheduled task failed; it comes again");
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Metrics {
    leads: UpDownCounter<i64>,
    runs: Counter<u64>,
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let leads = meter
            .i64_up_down_counter("jobs.schedule.leads")
            .with_description("1 in the process that runs the schedule; in sum over all pods it should be 1")
            .build();
        leads.add(0, &[]);
        let runs = meter
            .u64_counter("jobs.schedule.runs")
            .with_description("Runs of scheduled tasks, by task and outcome")
            .build();
        Self { leads, runs }
    }

    fn ran(&self, task: &'static str, well: bool) {
        let outcome = if well { "done" } else { "failed" };
        self.runs.add(1, &[KeyValue::new("task", task), KeyValue::new("outcome", outcome)]);
    }
}

/// Counted as leading until dropped.
struct Leading<'a>(&'a Metrics);

impl<'a> Leading<'a> {
    fn begin(metrics: &'a Metrics) -> Self {
        metrics.leads.add(1, &[]);
        Self(metrics)
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.0.leads.add(-1, &[]);
    }
}
