//! A closed loop of calls, and what came of them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use hdrhistogram::Histogram;

const WARM_UP: Duration = Duration::from_secs(2);

/// What came of a measurement.
pub(crate) struct Figures {
    /// Calls answered well, per second.
    pub(crate) rate: f64,
    p50: u64,
    p99: u64,
    failed: u64,
}

impl Figures {
    pub(crate) const HEADER: &'static str =
        "what                                        calls/s   p50 ms   p99 ms   failed   of baseline";

    /// One line of the table.
    pub(crate) fn row(&self, what: &str, baseline: Option<&Self>) -> String {
        let share = baseline
            .map_or_else(|| "1.00".to_owned(), |baseline| format!("{:.2}", self.rate / baseline.rate));
        format!(
            "{what:<42}{:>9.0}{:>9.2}{:>9.2}{:>9}{share:>14}",
            self.rate,
            millis(self.p50),
            millis(self.p99),
            self.failed
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a call are far below 2^52")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

/// Lets `callers` call one after the other for `time`, each call with a number of its own.
pub(crate) async fn closed_loop<W, F, R>(callers: usize, time: Duration, world: Arc<W>, call: F) -> Figures
where
    W: Send + Sync + 'static,
    F: Fn(Arc<W>, usize) -> R + Copy + Send + 'static,
    R: Future<Output = Result<(), tonic::Status>> + Send + 'static,
{
    let numbers = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now() + WARM_UP;
    #[expect(clippy::disallowed_methods, reason = "callers are no part of a service")]
    let loops = (0..callers).map(|_| {
        let (world, numbers) = (Arc::clone(&world), Arc::clone(&numbers));
        tokio::spawn(async move {
            let mut latencies = Histogram::<u64>::new(3).expect("three digits are possible");
            let mut failed = 0;
            while begun.elapsed() < time {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let sent = Instant::now();
                let outcome = call(Arc::clone(&world), number).await;
                if sent < begun {
                    continue;
                }
                match outcome {
                    Ok(()) => latencies += u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX),
                    Err(_) => failed += 1,
                }
            }
            (latencies, failed)
        })
    });
    let mut all = Histogram::<u64>::new(3).expect("three digits are possible");
    let mut failed = 0;
    for (latencies, lost) in join_all(loops).await.into_iter().flatten() {
        all.add(latencies).expect("histograms of one kind add up");
        failed += lost;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are far below 2^52")]
    let rate = all.len() as f64 / time.as_secs_f64();
    Figures { rate, p50: all.value_at_quantile(0.5), p99: all.value_at_quantile(0.99), failed }
}
