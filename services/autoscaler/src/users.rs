//! How many users are active: asked of the limiter, once for all who want to know at the same time.
//!
//! There is a number or an error, and nothing between: an old number is an error, and so is no answer within [`DEADLINE`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jiff::{SignedDuration, Timestamp};
use platform::{Clock, Context, Tasks, client::Channel, deadline};
use proto::ratelimit::v1::{
    ActiveUsersRequest, ActiveUsersResponse, limit_service_client::LimitServiceClient,
};
use tokio::time::Instant;
use tonic::Code;
use tracing::Instrument as _;

use crate::metrics::Metrics;

/// How long an answer, good or bad, is given to those who ask next: what KEDA asks twice in one poll is answered alike.
pub const KEPT: SignedDuration = SignedDuration::from_secs(2);
/// How long the limiter may take. The HPA's controller has five workers and no limit of its own.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// A count from before that is no count of now; clocks of machines differ by less.
const STALE: SignedDuration = SignedDuration::from_mins(1);

/// A number of active users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Users in the window.
    pub users: u64,
    /// When they were counted.
    pub at: Timestamp,
    /// How long the window is.
    pub window: Duration,
}

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The limiter says so, or can't be reached.
    #[error("the number of active users is not known: {0}")]
    Refused(String),
    /// The limiter took too long.
    #[error("the number of active users is not known: the limiter did not answer within 2 s")]
    Late,
    /// The number is an old one.
    #[error("the number of active users is not known: the last count is of {0}")]
    Stale(Timestamp),
    /// The answer makes no sense.
    #[error("the number of active users is not known: the limiter's answer lacks its time or its window")]
    Malformed,
}

impl Unknown {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Late => "late",
            Self::Stale(_) => "stale",
            Self::Malformed => "malformed",
        }
    }
}

type Outcome = Result<Count, Unknown>;

/// The one source of the number. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limiter: Channel,
    clock: Clock,
    tasks: Tasks,
    metrics: Metrics,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    last: Option<(Timestamp, Outcome)>,
    flight: Option<Shared<BoxFuture<'static, Outcome>>>,
}

impl Users {
    /// Asks `limiter`.
    pub fn new(limiter: Channel, context: &Context, metrics: Metrics) -> Self {
        Self(Arc::new(Inner {
            limiter,
            clock: context.clock.clone(),
            tasks: context.tasks.clone(),
            metrics,
            asked: Mutex::default(),
        }))
    }

    /// The number, at most [`KEPT`] old.
    ///
    /// # Errors
    ///
    /// There is none; after [`DEADLINE`] at the latest.
    pub async fn count(&self) -> Outcome {
        let flight = {
            let mut asked = self.asked();
            if let Some(outcome) = self.kept(&asked) {
                return outcome;
            }
            asked.flight.get_or_insert_with(|| self.take_off()).clone()
        };
        flight.await
    }

    fn kept(&self, asked: &Asked) -> Option<Outcome> {
        let (at, outcome) = asked.last.as_ref()?;
        // A clock that went back makes the answer as good as none.
        let age = self.0.clock.now().duration_since(*at);
        (SignedDuration::ZERO..KEPT).contains(&age).then(|| outcome.clone())
    }

    /// Asks in a task of its own: a caller that hangs up does not cost the others their answer.
    fn take_off(&self) -> Shared<BoxFuture<'static, Outcome>> {
        let users = self.clone();
        let asking = async move {
            let outcome = users.ask().await;
            users.0.metrics.asked(&outcome);
            let mut asked = users.asked();
            asked.last = Some((users.0.clock.now(), outcome.clone()));
            asked.flight = None;
            outcome
        };
        let task = self.0.tasks.spawn("ask for users", asking.in_current_span());
        task.map(|joined| joined.unwrap_or_else(|_| Err(Unknown::Refused("asking failed".to_owned()))))
            .boxed()
            .shared()
    }

    async fn ask(&self) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        let asking = deadline::scope(deadline, self.ask_up_to_twice());
        tokio::time::timeout_at(deadline, asking).await.unwrap_or(Err(Unknown::Late))
    }

    /// A pod that is just going away costs no answer while there is another one.
    async fn ask_up_to_twice(&self) -> Outcome {
        let mut client = LimitServiceClient::new(self.0.limiter.clone());
        let mut answer = client.active_users(ActiveUsersRequest {}).await;
        if answer.as_ref().is_err_and(|status| status.code() == Code::Unavailable) {
            answer = client.active_users(ActiveUsersRequest {}).await;
        }
        match answer {
            Ok(response) => self.check(response.get_ref()),
            Err(status) if status.code() == Code::DeadlineExceeded => Err(Unknown::Late),
            Err(status) => Err(Unknown::Refused(status.message().to_owned())),
        }
    }

    fn check(&self, response: &ActiveUsersResponse) -> Outcome {
        let at = response.as_of_time.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
        let window = response.window.and_then(|window| Duration::try_from(window).ok());
        let (Some(at), Some(window)) = (at, window) else { return Err(Unknown::Malformed) };
        if self.0.clock.now().duration_since(at) > STALE {
            return Err(Unknown::Stale(at));
        }
        Ok(Count { users: response.users, at, window })
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
