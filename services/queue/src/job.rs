//! What a job is, and what the code that runs it sees and answers.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A kind of job. The type holds the arguments; they travel as JSON, so a field that is added needs a default for the jobs that
/// were enqueued before.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Name of the kind, 1 to 64 bytes. Never changed: jobs that were enqueued carry it.
    const KIND: &'static str;
    /// The queue that it stands in, 1 to 64 bytes. Kinds that must not wait for each other have queues of their own.
    const QUEUE: &'static str;
    /// How urgent it is if whoever enqueues doesn't say.
    const PRIORITY: Priority = Priority::Normal;
    /// How often it may be begun before it is given up, 1 to 100.
    const MAX_ATTEMPTS: i16 = 4;
    /// How long one attempt may take.
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// How urgent a job is. A waiting job gains on more urgent ones with time: a normal one after a minute, a low one after ten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// First.
    High,
    /// As most.
    #[default]
    Normal,
    /// Whenever there is time.
    Low,
}

impl Priority {
    /// The priority with this number; none if there is no such.
    pub fn from_number(number: i16) -> Option<Self> {
        [Self::High, Self::Normal, Self::Low].into_iter().find(|priority| priority.number() == number)
    }

    /// The number in the database.
    pub fn number(self) -> i16 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }
}

/// Runs the jobs of one kind.
///
/// A job runs at least once, and may run twice at the same time if its worker loses the database for longer than the lease: what it
/// does must bear repetition. The id of the job is the same each time.
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Makes one attempt. A panic is a failed attempt, and so is taking longer than [`Job::TIMEOUT`].
    fn run(&self, job: J, context: &JobContext) -> impl Future<Output = Outcome> + Send;
}

/// How an attempt ended. A `why` is shown to the company that the job belongs to: internals belong in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Failed; the next attempt, if there is one left, comes after 2, 4, 8 … s, each ± 50 %.
    Retry(String),
    /// Failed; the next attempt, if there is one left, comes after this time.
    RetryAfter(Duration, String),
    /// Not now; the attempt is not spent.
    Snooze(Duration),
    /// Failed, and no further attempt can help: the job is given up.
    Cancel(String),
}

/// What a handler knows of the job besides its arguments.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// UUIDv7 of the job, the same in each attempt.
    pub id: Uuid,
    /// The company that the job is for; none: the system.
    pub company_id: Option<Uuid>,
    /// Which attempt this is, from 1.
    pub attempt: i16,
    /// How many there may be.
    pub max_attempts: i16,
    /// When the job was enqueued.
    pub enqueued_at: Timestamp,
    /// Cancelled when the process is to stop. A long job should come to a good end then, or answer [`Outcome::Snooze`]; what still
    /// runs after the drain time-out is dropped and handed back, its attempt not spent.
    pub stopping: CancellationToken,
}
