//! How many users are active: one `HyperLogLog` per tenth of the window, and no answer rather than one that could be too small.
//!
//! A bucket exists once any pod has sent anything in its time, so a missing one means that nobody looked, or that data was lost. A marker
//! that never expires says since when nothing was lost.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use platform::{
    Clock,
    redis::{Argument, Redis, Script},
};

use crate::error::Error;

/// The standard error of a `HyperLogLog` with 16,384 registers, 1.04 / √16384.
pub const RELATIVE_ERROR: f64 = 0.008_125;
/// Buckets in a window: five minutes are counted by the half minute.
const BUCKETS: u32 = 10;
/// How fresh the count is: the longest that a user waits in a pod.
const EVERY: Duration = Duration::from_secs(1);
/// Users in one call.
const BATCH: usize = 1_000;
/// Users that wait in a pod while Redis is away.
const WAITING: usize = 200_000;

/// The users that a pod saw, and the count over all pods. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ActiveUsers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Redis,
    record: Script,
    count: Script,
    clock: Clock,
    names: String,
    window: Duration,
    bucket_ms: i64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The bucket that `sent` is about, by Redis' time.
    bucket: i64,
    sent: HashSet<u64>,
    waiting: Vec<String>,
    /// Redis' clock less ours, in milliseconds.
    ahead: i64,
    since: i64,
}

/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Users in the window.
    pub users: u64,
    /// When it was made, by Redis' time.
    pub at: Timestamp,
    /// How long an admitted request makes its user active.
    pub window: Duration,
}

impl ActiveUsers {
    /// Counts in `redis` under `names` who was admitted within `window`. Another window counts anew.
    pub fn new(redis: Redis, names: &str, window: Duration, clock: Clock) -> Self {
        let bucket_ms = i64::try_from((window / BUCKETS).as_millis()).unwrap_or(i64::MAX).max(1);
        Self(Arc::new(Inner {
            redis,
            record: Script::new("users.record", include_str!("lua/record_users.lua")),
            count: Script::new("users.count", include_str!("lua/count_users.lua")),
            clock,
            names: format!("active:{{{names}}}:{bucket_ms}"),
            window,
            bucket_ms,
            seen: Mutex::default(),
        }))
    }

    /// A request of `user` was admitted.
    pub fn saw(&self, user: &str) {
        let now = self.0.clock.now().as_millisecond();
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let mut seen = self.seen();
        let bucket = (now + seen.ahead) / self.0.bucket_ms;
        if bucket != seen.bucket {
            seen.bucket = bucket;
            seen.sent.clear();
        }
        if seen.waiting.len() < WAITING && seen.sent.insert(hasher.finish()) {
            seen.waiting.push(user.to_owned());
        }
    }

    /// Sends what was seen, for as long as the process lives.
    pub async fn keep_sending(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // What could not be sent waits for the next time.
            let _ = self.send().await;
        }
    }

    /// Sends what was seen since the last time; says so also where that is nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Away`]: the users wait.
    pub async fn send(&self) -> Result<(), Error> {
        let mut waiting = std::mem::take(&mut self.seen().waiting);
        loop {
            let rest = waiting.split_off(waiting.len().min(BATCH));
            if let Err(error) = self.send_batch(&waiting).await {
                let mut seen = self.seen();
                seen.waiting.extend(waiting.into_iter().chain(rest));
                return Err(error);
            }
            if rest.is_empty() {
                return Ok(());
            }
            waiting = rest;
        }
    }

    async fn send_batch(&self, users: &[String]) -> Result<(), Error> {
        let inner = &self.0;
        let kept = inner.bucket_ms.saturating_mul(i64::from(BUCKETS) + 4);
        let mut arguments: Vec<Argument> = vec![inner.bucket_ms.into(), kept.into()];
        arguments.extend(users.iter().map(|user| Argument::from(user.as_str())));
        let reply: Vec<i64> = inner.redis.run(&inner.record, vec![inner.names.clone()], arguments).await?;
        let [now, since] = reply.try_into().map_err(|_| Error::Away)?;
        let mut seen = self.seen();
        seen.ahead = now - inner.clock.now().as_millisecond();
        if seen.since != since {
            // Data was lost: whoever comes again in this bucket is sent again.
            seen.since = since;
            seen.sent.clear();
        }
        Ok(())
    }

    /// How many users were active in the window.
    ///
    /// # Errors
    ///
    /// [`Error::CountUnknown`] until a full window has been seen, [`Error::Away`].
    pub async fn count(&self) -> Result<Count, Error> {
        let inner = &self.0;
        let arguments = vec![inner.bucket_ms.into(), i64::from(BUCKETS).into()];
        let reply: Vec<i64> = inner.redis.run(&inner.count, vec![inner.names.clone()], arguments).await?;
        let [users, now] = reply.try_into().map_err(|_| Error::Away)?;
        let users = u64::try_from(users).map_err(|_| Error::CountUnknown)?;
        let at = Timestamp::from_millisecond(now).map_err(|_| Error::Away)?;
        Ok(Count { users, at, window: inner.window })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
