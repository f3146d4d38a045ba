//! How often a log-in may be tried: at one account, from one address, and at one account from one address, or by a device that the account
//! knows.
//!
//! The rate limit service decides, before anything else is done for a log-in, and for an account that doesn't exist as for one that
//! does. While it is away, or where there is none, this process counts by itself: strictly, and only failures.

mod breaker;
mod local;
mod origin;

use std::time::Duration;

use platform::{
    Clock, Tasks,
    client::{Channel, ServiceUrl},
};
use proto::ratelimit::v1::{
    CheckRequest, CheckResponse, Principal, PrincipalKind, ReportOutcome, ReportRequest,
    limit_service_client::LimitServiceClient,
};
use tonic::Request;

pub use self::origin::Origin;
use self::{
    breaker::Breaker,
    local::{LocalTries, Pair, Tried},
};
use crate::{
    device::Device,
    error::Error,
    metrics::{Decided, Metrics},
    user::Email,
};

/// Nobody waits for a report, but it must not outlive the process.
const REPORT_WITHIN: Duration = Duration::from_secs(2);
/// What a client that is denied without a time is told to wait.
const COME_BACK_AFTER: Duration = Duration::from_mins(1);

/// Decides over tries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tries {
    limiter: Option<Limiter>,
    local: LocalTries,
    tasks: Tasks,
    metrics: Metrics,
}

#[derive(Clone, Debug)]
struct Limiter {
    client: LimitServiceClient<Channel>,
    /// The longest that a log-in waits for an answer.
    patience: Duration,
    breaker: Breaker,
}

/// A try that was admitted. It counts as a failure unless something else is said.
#[derive(Debug)]
#[must_use = "a try whose outcome isn't told counts as a failure"]
pub struct Try {
    tries: Tries,
    pair: Pair,
    tried: Tried,
    /// What the limiter gave; empty where it waits for no outcome or wasn't asked.
    ticket: Vec<u8>,
}

impl Tries {
    /// Asks the limiter at this URL, if there is one, and waits so long for each answer.
    pub fn new(
        limiter: Option<(&ServiceUrl, Duration)>,
        clock: Clock,
        tasks: &Tasks,
        metrics: Metrics,
    ) -> Self {
        let limiter = limiter.map(|(url, patience)| Limiter {
            client: LimitServiceClient::new(Channel::connect("ratelimit", url, tasks)),
            patience,
            breaker: Breaker::default(),
        });
        Self { limiter, local: LocalTries::new(clock), tasks: tasks.clone(), metrics }
    }

    /// Counts a try to log in to the account `email` from `origin`, or by a device that the account knows, if one more is admitted.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyTries`].
    pub async fn begin(&self, email: &Email, origin: Origin, device: Option<Device>) -> Result<Try, Error> {
        let pair = Pair::new(email, origin, device);
        let (outcome, decided) = match self.ask(principals(email, origin, device)).await {
            Some(verdict) => {
                (admitted(verdict).map(|ticket| (self.local.count(&pair), ticket)), Decided::Limiter)
            }
            None => (self.local.admit(&pair).map(|tried| (tried, Vec::new())), Decided::Locally),
        };
        self.metrics.tried(decided, outcome.is_ok());
        let (tried, ticket) = outcome.map_err(|wait| Error::TooManyTries { wait })?;
        Ok(Try { tries: self.clone(), pair, tried, ticket })
    }

    /// The limiter's verdict; none if there is no limiter, or it doesn't answer in time.
    async fn ask(&self, principals: Vec<Principal>) -> Option<CheckResponse> {
        let limiter = self.limiter.as_ref()?;
        if !limiter.breaker.allows() {
            return None;
        }
        let request = CheckRequest { action: "login".to_owned(), principals, cost: 1 };
        let mut client = limiter.client.clone();
        if let Ok(Ok(answer)) = tokio::time::timeout(limiter.patience, client.check(request)).await {
            limiter.breaker.succeeded();
            Some(answer.into_inner())
        } else {
            limiter.breaker.failed();
            None
        }
    }

    /// Tells the limiter of a success. Once: a report that was lost leaves one failure too many, one that was repeated could take back
    /// another's.
    fn report(&self, ticket: Vec<u8>) {
        let Some(limiter) = self.limiter.clone() else { return };
        drop(self.tasks.spawn("log-in report", async move {
            let mut request =
                Request::new(ReportRequest { ticket, outcome: ReportOutcome::Success.into() });
            request.set_timeout(REPORT_WITHIN);
            let mut client = limiter.client;
            if let Ok(Err(status)) = tokio::time::timeout(REPORT_WITHIN, client.report(request)).await {
                tracing::info!(code = ?status.code(), "a log-in counts as a failure, because its report was lost");
            }
        }));
    }
}

impl Try {
    /// The password was right. Nobody waits for the report.
    pub fn succeeded(self) {
        self.tries.local.take_back(&self.pair, self.tried);
        if !self.ticket.is_empty() {
            self.tries.report(self.ticket);
        }
    }

    /// No password was looked at, so nothing was guessed. The limiter can't be told so: its limits hold tries, too.
    pub fn came_to_nothing(self) {
        self.tries.local.take_back(&self.pair, self.tried);
    }
}

fn admitted(verdict: CheckResponse) -> Result<Vec<u8>, Duration> {
    if verdict.allowed {
        return Ok(verdict.ticket);
    }
    let wait = verdict.limit.and_then(|limit| limit.retry_after);
    Err(wait.and_then(|wait| Duration::try_from(wait).ok()).unwrap_or(COME_BACK_AFTER))
}

fn principals(email: &Email, origin: Origin, device: Option<Device>) -> Vec<Principal> {
    let principal = |kind: PrincipalKind, value: String| Principal { kind: kind.into(), value };
    let account = principal(PrincipalKind::Account, email.key().to_owned());
    let ip = origin.address().map(|address| principal(PrincipalKind::Ip, address.to_string()));
    let device = device.map(|device| principal(PrincipalKind::Device, device.id.to_string()));
    [account].into_iter().chain(ip).chain(device).collect()
}
