//! Leader election on a `Lease` of `coordination.k8s.io/v1`: of all processes that take part, at most one leads.
//!
//! A record is only ever replaced by who has read it (`resourceVersion`), so no two take the lease at once. A holder that has not
//! renewed it for the renew deadline stops by its own clock; the others take it when, by theirs, its record has not changed for its
//! duration. No clock is compared with another one, and none may run faster than another by more than duration ÷ renew deadline.
//!
//! The promise is about clocks, not about effects: what a leader sent before it stopped may arrive after the next one began. What
//! must not happen twice carries [`Tenure::term`].
//!
//! The `Lease` must exist, with or without a record: the right to get and update it by name is all that is needed.

mod record;
#[cfg(test)]
mod simulation;
mod tenure;
#[cfg(test)]
mod tests;

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use k8s_openapi::api::coordination::v1::Lease as Object;
use kube::{Api, Client, api::PostParams};
use platform::{Clock, Invalid};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::record::{Candidate, Step};
pub use self::tenure::{Leadership, Tenure};

/// HTTP's code for an object that was changed since it was read.
const CONFLICT: u16 = 409;
/// How often one attempt reads the record anew.
const READS: usize = 3;

/// How often and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    duration: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

impl Timing {
    /// Others wait for `duration` (whole seconds) before they take a lease whose holder is silent; the holder stops when its last
    /// renewal is older than `renew_deadline`; it renews every `retry`.
    ///
    /// # Errors
    ///
    /// Names the one that is too long or too short for the others.
    pub fn new(duration: Duration, renew_deadline: Duration, retry: Duration) -> Result<Self, Invalid> {
        if duration.subsec_nanos() != 0 || i32::try_from(duration.as_secs()).is_err() {
            return Err(Invalid::new("lease duration", "must be whole seconds"));
        }
        if renew_deadline >= duration {
            return Err(Invalid::new("renew deadline", "must be shorter than the lease's duration"));
        }
        if retry.is_zero() || retry * 2 > renew_deadline {
            return Err(Invalid::new("retry", "must fit into the renew deadline twice"));
        }
        Ok(Self { duration, renew_deadline, retry })
    }

    fn seconds(&self) -> i32 {
        i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX)
    }
}

impl Default for Timing {
    /// 15 s, 10 s and 2 s, as the control plane's own components have it.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// This process as a candidate for one lease.
#[derive(Debug)]
pub struct Lease {
    api: Api<Object>,
    name: String,
    timing: Timing,
    clock: Clock,
    candidate: Candidate,
    /// What was last written, as the API server answered it: a renewal needs no read. If it isn't what stands there, the write is
    /// refused and the record read again.
    written: Option<Object>,
    began: Instant,
    leadership: watch::Sender<Leadership>,
    /// The last failure, which is told once and not every two seconds.
    failure: Option<String>,
}

/// What an attempt came to.
enum Attempt {
    Held {
        term: i32,
        until: Instant,
    },
    Lost {
        holder: String,
    },
    /// Somebody wrote between the read and the write, again and again. What we hold, we still hold.
    Contended,
}

/// Why a reign ended.
enum End {
    Stopped,
    WorkEnded,
    Lost,
}

impl Lease {
    /// A candidate called `identity` (see [`identity`](crate::identity)) for the lease `name` in `namespace`.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        timing: Timing,
        clock: Clock,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            timing,
            clock,
            candidate: Candidate::new(identity, timing),
            written: None,
            began: Instant::now(),
            leadership: watch::Sender::new(Leadership::Following { holder: None }),
            failure: None,
        }
    }

    /// Who leads, as this candidate knows it, for as long as it takes part.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    /// Takes part until `stop`. Whenever it leads, `work` is called and polled for as long as that lasts: it is dropped before another
    /// candidate can lead, and never polled after. Work that ends by itself, or a stop, gives the lease away at once.
    pub async fn run<W, F>(mut self, stop: CancellationToken, work: W)
    where
        W: Fn(Tenure) -> F,
        F: Future<Output = ()>,
    {
        while let Some(tenure) = stop.run_until_cancelled(self.acquire()).await {
            tracing::info!(lease = self.name, term = tenure.term(), "leading");
            let end = self.reign(&stop, &tenure, &work).await;
            tenure.end();
            match end {
                End::Stopped => break,
                End::WorkEnded => {
                    tracing::warn!(lease = self.name, "the leader's work ended; the lease is given away");
                    self.release().await;
                    stop.run_until_cancelled(sleep(self.timing.duration)).await;
                }
                End::Lost => tracing::warn!(lease = self.name, "leading no more"),
            }
        }
        self.release().await;
    }

    async fn reign<W, F>(&mut self, stop: &CancellationToken, tenure: &Tenure, work: &W) -> End
    where
        W: Fn(Tenure) -> F,
        F: Future<Output = ()>,
    {
        let mut work = pin!(work(tenure.clone()));
        // A process that was paused wakes up with its timers late: the clock is asked before each step of the work.
        let guarded = poll_fn(|context| {
            if tenure.holds() {
                work.as_mut().poll(context).map(|()| End::WorkEnded)
            } else {
                Poll::Ready(End::Lost)
            }
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            () = self.keep(tenure) => End::Lost,
            end = guarded => end,
        }
    }

    /// Tries until the lease is held.
    async fn acquire(&mut self) -> Tenure {
        loop {
            match self.attempt(self.timing.renew_deadline).await {
                Some(Attempt::Held { term, until }) if Instant::now() < until => {
                    let tenure = Tenure::new(term, until);
                    self.tell(Leadership::Leading(tenure.clone()));
                    return tenure;
                }
                Some(Attempt::Lost { holder }) => self.tell(Leadership::Following { holder: Some(holder) }),
                // The answer came too late to act on, or there is none.
                Some(Attempt::Held { .. } | Attempt::Contended) | None => {}
            }
            // Candidates that were told of the same end don't all come back at the same moment.
            sleep(self.timing.retry.mul_f64(1.0 + rand::random::<f64>() * 1.2)).await;
        }
    }

    /// Renews until that is not possible any more.
    async fn keep(&mut self, tenure: &Tenure) {
        loop {
            sleep(self.timing.retry.min(tenure.remaining())).await;
            let left = tenure.remaining();
            if left.is_zero() {
                self.tell(Leadership::Following { holder: None });
                return;
            }
            match self.attempt(left).await {
                Some(Attempt::Held { until, .. }) => tenure.extend(until),
                Some(Attempt::Lost { holder }) => {
                    tenure.end();
                    self.tell(Leadership::Following { holder: Some(holder) });
                    return;
                }
                Some(Attempt::Contended) | None => {}
            }
        }
    }

    /// Takes or renews the lease, within `limit`. `None` if the API server can't say.
    async fn attempt(&mut self, limit: Duration) -> Option<Attempt> {
        let outcome = timeout(limit, self.try_once()).await;
        let failure = match outcome {
            Ok(Ok(attempt)) => {
                self.failure = None;
                return Some(attempt);
            }
            Ok(Err(error)) => platform::status::chain(&error),
            Err(_) => "the API server did not answer in time".to_owned(),
        };
        if self.failure.as_ref() != Some(&failure) {
            tracing::warn!(lease = self.name, error = failure, "the lease can't be taken or renewed for now");
            self.failure = Some(failure);
        }
        None
    }

    async fn try_once(&mut self) -> kube::Result<Attempt> {
        for _ in 0..READS {
            let mut object = match &self.written {
                Some(object) => object.clone(),
                None => self.api.get(&self.name).await?,
            };
            let record = object.spec.take().unwrap_or_default();
            let sent = self.began.elapsed();
            let record = match self.candidate.consider(&record, sent, self.clock.now()) {
                Step::Write(record) => record,
                Step::Wait { holder } => return Ok(Attempt::Lost { holder }),
            };
            let term = record::term(&record);
            object.spec = Some(record);
            match self.api.replace(&self.name, &PostParams::default(), &object).await {
                Ok(written) => {
                    self.written = Some(written);
                    return Ok(Attempt::Held { term, until: self.began + self.candidate.holds_until(sent) });
                }
                // Another candidate, or an upgrade that only touched the labels: the record says which.
                Err(kube::Error::Api(status)) if status.code == CONFLICT => self.written = None,
                Err(error) => return Err(error),
            }
        }
        Ok(Attempt::Contended)
    }

    /// Lets the next one lead at once, if the lease is still ours. Nothing is lost if that fails: it runs out.
    async fn release(&mut self) {
        self.written = None;
        self.tell(Leadership::Following { holder: None });
        match timeout(self.timing.retry, self.try_release()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!(lease = self.name, "the lease was given away"),
            Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "the lease was left to run out"),
            Err(_) => tracing::warn!(lease = self.name, "the lease was left to run out: no answer"),
        }
    }

    async fn try_release(&mut self) -> kube::Result<bool> {
        let mut object = self.api.get(&self.name).await?;
        let record = object.spec.take().unwrap_or_default();
        let Some(released) = self.candidate.released(&record, self.clock.now()) else { return Ok(false) };
        object.spec = Some(released);
        self.api.replace(&self.name, &PostParams::default(), &object).await?;
        Ok(true)
    }

    fn tell(&self, now: Leadership) {
        self.leadership.send_if_modified(|before| {
            let differs = *before != now;
            if differs {
                *before = now;
            }
            differs
        });
    }
}
