//! Each pod's sign of life, which tells all how many share a limit while Redis is away, and carries what was tallied.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

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

/// The pulse of this pod. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Redis,
    pod: String,
    pods: Arc<AtomicU32>,
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
        Self(Arc::new(Inner { redis, pod, pods, shadow, clock, beat, sum }))
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
            inner.pods.store(u32::try_from(pods).unwrap_or(1).max(1), Ordering::Relaxed);
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
