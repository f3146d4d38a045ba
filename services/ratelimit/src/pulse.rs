//! Each pod's sign of life, which tells all how many share a limit while Redis is away, and carries what was tallied.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use platform::{
    Clock,
    redis::{Argument, Redis, Script},
};

use crate::{
    shadow::{Shadow, Tally},
    store::Away,
};

const EVERY: Duration = Duration::from_secs(1);
/// A pod that was silent for longer has gone.
const LIVES_MS: i64 = 5_000;
const HOUR_MS: i64 = 3_600_000;
/// Hours that a shadow report covers.
const HOURS: i64 = 24;
const PODS: &str = "limit:{limiter}:pods";

/// How many pods live, as far as Redis can be believed. One that has lost its data knows of those alone that have beaten since, and a
/// share among too few is too large: that there are fewer pods has to be told for as long as a silent pod lives.
#[derive(Clone, Copy, Debug, Default)]
struct Census {
    /// None before anything was told.
    pods: Option<u32>,
    fewer_since: Option<Timestamp>,
}

impl Census {
    /// Takes what Redis tells, and says how many pods live.
    fn told(&mut self, pods: u32, now: Timestamp) -> u32 {
        let believed = self.pods.unwrap_or(0);
        if pods < believed {
            let since = *self.fewer_since.get_or_insert(now);
            if now.duration_since(since).as_millis() < i128::from(LIVES_MS) {
                return believed;
            }
        }
        *self = Self { pods: Some(pods), fewer_since: None };
        pods
    }
}

/// The pulse of this pod. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Redis,
    pod: String,
    pods: Arc<AtomicU32>,
    census: Mutex<Census>,
    shadow: Shadow,
    clock: Clock,
    beat: Script,
    sum: Script,
}

impl Pulse {
    /// The pulse of `pod`, which keeps `pods` at the number of pods that live.
    pub fn new(redis: Redis, pod: String, pods: Arc<AtomicU32>, shadow: Shadow, clock: Clock) -> Self {
        let beat = Script::new("limit.pulse", include_str!("lua/pulse.lua"));
        let sum = Script::new("limit.shadow", include_str!("lua/sum_shadow.lua"));
        let census = Mutex::default();
        Self(Arc::new(Inner { redis, pod, pods, census, shadow, clock, beat, sum }))
    }

    /// Beats for as long as the process lives.
    pub async fn keep_beating(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // While Redis is away, the number stays as it was.
            let _ = self.beat().await;
        }
    }

    /// One beat.
    ///
    /// # Errors
    ///
    /// [`Away`]: tallies go with a later one.
    pub async fn beat(&self) -> Result<(), Away> {
        let inner = &self.0;
        let tallies = inner.shadow.take();
        let mut arguments: Vec<Argument> =
            vec![inner.pod.as_str().into(), LIVES_MS.into(), ((HOURS + 1) * HOUR_MS).into()];
        for (rule, tally) in &tallies {
            for (what, count) in [("requests", tally.requests), ("denied", tally.denied)] {
                arguments.extend([
                    format!("{rule} {what}").into(),
                    i64::try_from(count).unwrap_or(i64::MAX).into(),
                ]);
            }
        }
        let keys = vec![PODS.to_owned(), shadow_key(self.hour())];
        if let Ok(pods) = inner.redis.run::<i64>(&inner.beat, keys, arguments).await {
            let told = u32::try_from(pods).unwrap_or(1).max(1);
            let mut census = inner.census.lock().unwrap_or_else(PoisonError::into_inner);
            inner.pods.store(census.told(told, inner.clock.now()), Ordering::Relaxed);
            Ok(())
        } else {
            inner.shadow.give_back(tallies);
            Err(Away)
        }
    }

    /// What rules in shadow mode would have done in the last 24 hours, by rule.
    ///
    /// # Errors
    ///
    /// [`Away`].
    pub async fn shadow_report(&self) -> Result<BTreeMap<String, Tally>, Away> {
        let hours = (0..=HOURS).map(|ago| shadow_key(self.hour() - ago)).collect();
        let rows: Vec<String> = self.0.redis.run(&self.0.sum, hours, Vec::new()).await?;
        let mut report = BTreeMap::<String, Tally>::new();
        for row in rows.chunks_exact(2) {
            let (Some((rule, what)), Ok(count)) = (row[0].split_once(' '), row[1].parse()) else { continue };
            let tally = report.entry(rule.to_owned()).or_default();
            if what == "denied" { tally.denied = count } else { tally.requests = count }
        }
        Ok(report)
    }

    fn hour(&self) -> i64 {
        self.0.clock.now().as_millisecond() / HOUR_MS
    }
}

fn shadow_key(hour: i64) -> String {
    format!("limit:{{limiter}}:shadow:{hour}")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn fewer_pods_are_believed_when_all_that_live_have_had_the_time_to_beat() {
        let after = |ms| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
        let mut census = Census::default();
        assert_eq!(census.told(2, after(0)), 2, "the first that is told");
        assert_eq!(census.told(3, after(10)), 3, "more at once");
        // Redis has lost its data; the pods come back one by one.
        assert_eq!(census.told(1, after(1_000)), 3);
        assert_eq!(census.told(2, after(2_000)), 3);
        assert_eq!(census.told(3, after(3_000)), 3);
        // A pod has gone.
        assert_eq!(census.told(2, after(10_000)), 3, "the time before doesn't count");
        assert_eq!(census.told(1, after(9_999 + LIVES_MS)), 3);
        assert_eq!(census.told(1, after(10_000 + LIVES_MS)), 1);
    }
}
