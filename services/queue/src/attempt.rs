//! One attempt at one job: from the claimed row to what is to be recorded of it.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use platform::telemetry::link_to;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    JobContext, Outcome, Registry,
    store::{Claimed, Failure, Verdict},
};

/// Longest `why` that is kept, in characters: it is for people.
const MAX_WHY: usize = 500;

/// Runs `job` by the code that `registry` has for its kind, inside a span that continues the trace which enqueued it.
///
/// Whatever is wrong with the job, the answer is a verdict on this one and nothing that others notice.
pub(crate) async fn make(job: Claimed, registry: &Registry, stopping: CancellationToken) -> Verdict {
    let span = span(&job);
    let verdict = run(job, registry, stopping).instrument(span.clone()).await;
    if let Verdict::Failed(failure) = &verdict {
        span.record("otel.status_code", "ERROR");
        span.in_scope(|| tracing::info!(why = failure.why, is_final = failure.is_final, "attempt failed"));
    }
    verdict
}

fn span(job: &Claimed) -> Span {
    let span = tracing::info_span!(
        "job",
        otel.name = format!("job.{}", job.kind),
        otel.kind = "consumer",
        otel.status_code = Empty,
        job.id = %job.id,
        job.kind = job.kind,
        job.attempt = job.attempt,
    );
    if let Some(traceparent) = &job.traceparent {
        link_to(&span, traceparent);
    }
    span
}

async fn run(job: Claimed, registry: &Registry, stopping: CancellationToken) -> Verdict {
    let Some(kind) = registry.get(&job.kind) else {
        return Verdict::dead(&format!("no code here runs jobs of kind {:?}", job.kind));
    };
    let context = JobContext {
        id: job.id,
        company_id: job.company_id,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        enqueued_at: job.enqueued_at,
        stopping,
    };
    let attempt = match (kind.begin)(job.arguments, context) {
        Ok(attempt) => attempt,
        Err(error) => return Verdict::dead(&format!("the arguments are not valid: {error}")),
    };
    // A handler that panicked is not used any further for this job; what it shares with other jobs is its own affair.
    match tokio::time::timeout(kind.timeout, AssertUnwindSafe(attempt).catch_unwind()).await {
        Ok(Ok(outcome)) => Verdict::of(outcome),
        Ok(Err(panic)) => {
            tracing::error!(panic = panic_text(&*panic), "a handler panicked");
            Verdict::failed("internal error", None, false)
        }
        Err(_) => Verdict::failed(&format!("took longer than {:?}", kind.timeout), None, false),
    }
}

impl Verdict {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Retry(why) => Self::failed(&why, None, false),
            Outcome::RetryAfter(delay, why) => Self::failed(&why, Some(delay), false),
            Outcome::Snooze(delay) => Self::Snoozed(delay),
            Outcome::Cancel(why) => Self::dead(&why),
        }
    }

    fn dead(why: &str) -> Self {
        Self::failed(why, None, true)
    }

    fn failed(why: &str, delay: Option<Duration>, is_final: bool) -> Self {
        Self::Failed(Failure { why: readable(why), delay, is_final })
    }
}

/// One line of bounded length without control characters: PostgreSQL refuses a NUL, and people read it in a list.
fn readable(why: &str) -> String {
    why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WHY).collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_reason_fits_the_database_and_a_line() {
        let why = readable(&format!("a\0b\nc{}", "é".repeat(1_000)));
        assert!(why.starts_with("a b cé") && why.chars().count() == MAX_WHY, "{why}");
    }
}
