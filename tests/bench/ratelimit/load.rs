//! Load from one thread, and what became of each call.

use std::{
    cell::{Cell, RefCell},
    thread,
    time::{Duration, Instant},
};

use futures::future::join_all;
use proto::envoy::service::ratelimit::v3::{
    rate_limit_response::Code, rate_limit_service_client::RateLimitServiceClient,
};
use tokio::sync::{Mutex, mpsc};
use tonic::transport::Channel;

use crate::rules::Shape;

/// The clients of a limiter.
pub(crate) type Clients = Vec<RateLimitServiceClient<Channel>>;

/// Calls in flight at once in an open loop.
const AT_ONCE: usize = 512;
/// An open loop starts what is due this often.
const TICK: Duration = Duration::from_micros(500);
/// A caller that waits for longer gives up; Envoy's own time-out is a few dozen milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    Denied,
    Failed,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// When it was to be sent.
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) outcome: Outcome,
}

impl Call {
    /// From when it was due: a call that the limiter kept waiting counts as slow.
    pub(crate) fn latency(&self) -> Duration {
        self.answered - self.due
    }
}

/// Lets `callers` call one after the other for `time`.
pub(crate) async fn closed(clients: &Clients, callers: usize, time: Duration, shape: Shape) -> Vec<Call> {
    let (numbers, calls) = (Cell::new(0), RefCell::new(Vec::new()));
    let begun = Instant::now();
    join_all((0..callers).map(async |caller| {
        let mut client = clients[caller % clients.len()].clone();
        while begun.elapsed() < time {
            let number = numbers.replace(numbers.get() + 1);
            let call = one(&mut client, number, Instant::now(), shape).await;
            calls.borrow_mut().push(call);
        }
    }))
    .await;
    calls.into_inner()
}

/// Sends `rate` calls per second for `time`, whatever becomes of them.
pub(crate) async fn open(clients: &Clients, rate: u32, time: Duration, shape: Shape) -> Vec<Call> {
    let (due, waiting) = mpsc::unbounded_channel();
    // A thread of its own, because the runtime's timer knows milliseconds only.
    let pacer = thread::spawn(move || pace(&due, rate, time));
    let (waiting, calls) = (Mutex::new(waiting), RefCell::new(Vec::new()));
    join_all((0..AT_ONCE).map(async |caller| {
        let mut client = clients[caller % clients.len()].clone();
        while let Some((number, due)) = async { waiting.lock().await.recv().await }.await {
            let call = one(&mut client, number, due, shape).await;
            calls.borrow_mut().push(call);
        }
    }))
    .await;
    // It has ended: the channel is closed.
    let _ = pacer.join();
    calls.into_inner()
}

fn pace(due: &mpsc::UnboundedSender<(usize, Instant)>, rate: u32, time: Duration) {
    let begun = Instant::now();
    let gap = Duration::from_secs(1) / rate;
    let mut number = 0;
    let mut next = begun;
    while next < begun + time {
        while next <= Instant::now() && next < begun + time {
            if due.send((number, next)).is_err() {
                return;
            }
            number += 1;
            next += gap;
        }
        thread::sleep(next.saturating_duration_since(Instant::now()).max(TICK));
    }
}

async fn one(
    client: &mut RateLimitServiceClient<Channel>,
    number: usize,
    due: Instant,
    shape: Shape,
) -> Call {
    let request = shape.request(number);
    let sent = Instant::now();
    let outcome = match tokio::time::timeout(PATIENCE, client.should_rate_limit(request)).await {
        Ok(Ok(answer)) if answer.get_ref().overall_code() == Code::Ok => Outcome::Allowed,
        Ok(Ok(_)) => Outcome::Denied,
        Ok(Err(_)) | Err(_) => Outcome::Failed,
    };
    Call { due, sent, answered: Instant::now(), outcome }
}

/// The latency that this share of the calls stays below, in milliseconds.
pub(crate) fn quantile(calls: &[Call], share: f64) -> f64 {
    let mut latencies: Vec<Duration> = calls.iter().map(Call::latency).collect();
    latencies.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a list is small and not negative"
    )]
    let index = (latencies.len() as f64 * share) as usize;
    latencies
        .get(index.min(latencies.len().saturating_sub(1)))
        .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}
