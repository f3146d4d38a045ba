//! Which code runs which kind.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value;

use crate::{Handler, Job, JobContext, Outcome};

/// Reads the arguments, and makes the attempt that is still to run.
type Begin =
    dyn Fn(Value, JobContext) -> Result<BoxFuture<'static, Outcome>, serde_json::Error> + Send + Sync;

/// The kinds that a process can run.
#[derive(Default)]
pub struct Registry(HashMap<&'static str, Kind>);

/// A kind, its type of arguments forgotten.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) timeout: Duration,
    pub(crate) begin: Box<Begin>,
    queue: &'static str,
}

impl Registry {
    /// No kind yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind, run by `handler`.
    ///
    /// # Panics
    ///
    /// The kind was added before: which of the two should run it?
    #[must_use]
    pub fn with<J: Job>(mut self, handler: impl Handler<J>) -> Self {
        let handler = Arc::new(handler);
        let begin = move |arguments, context: JobContext| {
            let job = serde_json::from_value::<J>(arguments)?;
            let handler = Arc::clone(&handler);
            Ok(async move { handler.run(job, &context).await }.boxed())
        };
        let kind = Kind { name: J::KIND, timeout: J::TIMEOUT, begin: Box::new(begin), queue: J::QUEUE };
        assert!(self.0.insert(J::KIND, kind).is_none(), "two handlers for jobs of kind {}", J::KIND);
        self
    }

    /// The queues that the kinds stand in.
    pub fn queues(&self) -> BTreeSet<&'static str> {
        self.0.values().map(|kind| kind.queue).collect()
    }

    pub(crate) fn get(&self, kind: &str) -> Option<&Kind> {
        self.0.get(kind)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
