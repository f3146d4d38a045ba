//! Which parts of Redis are asked. Keys are watched in groups of slots: where a few answers in a row fail to come, nobody waits for that
//! group any more, and a task in the background tries until it answers again. A connection that breaks is as good as failures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use platform::redis::{Losses, hash_slot};

use crate::store::RedisStore;

/// Groups of slots. Enough that few of them lie on two servers, few enough that all are noticed soon.
const GROUPS: usize = 32;
/// Of a cluster.
const SLOTS: usize = 16_384;
/// Failures in a row after which a group is left alone.
const FAILURES: u32 = 2;
/// Failures that are closer together are one: many asks go in one call, which fails once for all of them.
const ONE_FAILURE: Duration = Duration::from_millis(25);
/// How often a group that is left alone is tried.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How many of them at once.
const AT_ONCE: usize = 2;

/// Failures in a row of each group. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    groups: [Group; GROUPS],
    begun: Instant,
}

#[derive(Debug, Default)]
struct Group {
    failures: AtomicU32,
    /// When the last one was counted, in milliseconds; 0 before the first.
    last: AtomicU64,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { groups: std::array::from_fn(|_| Group::default()), begun: Instant::now() }))
    }

    /// Whether keys with this tag are asked for.
    pub(crate) fn allows(&self, tag: &str) -> bool {
        self.0.groups[group(tag)].failures.load(Ordering::Relaxed) < FAILURES
    }

    pub(crate) fn succeeded(&self, tag: &str) {
        let Group { failures, last } = &self.0.groups[group(tag)];
        // Most often it is zero, and a write would take the line from other cores.
        if failures.load(Ordering::Relaxed) > 0 {
            last.store(0, Ordering::Relaxed);
            if failures.swap(0, Ordering::Relaxed) >= FAILURES {
                tracing::info!(group = group(tag), "counters answer again");
            }
        }
    }

    pub(crate) fn failed(&self, tag: &str) {
        self.failed_after(tag, self.0.begun.elapsed());
    }

    /// A failure this long after the beginning.
    fn failed_after(&self, tag: &str, time: Duration) {
        let Group { failures, last } = &self.0.groups[group(tag)];
        let now = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let before = last.load(Ordering::Relaxed);
        let same = before > 0 && Duration::from_millis(now.saturating_sub(before)) < ONE_FAILURE;
        // Of several that fail at once, one counts.
        if same || last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES {
            tracing::warn!(group = group(tag), "counters do not answer; counting in this pod");
        }
    }

    /// Leaves groups alone as soon as the connection to their server breaks, for as long as the process lives: no call has to wait for
    /// an answer that can't come.
    pub(crate) async fn watch(self, mut losses: Losses) {
        while let Some(ranges) = losses.next().await {
            self.lost(&ranges);
        }
    }

    fn lost(&self, ranges: &[(u16, u16)]) {
        for (number, group) in self.0.groups.iter().enumerate() {
            let slots = number * SLOTS / GROUPS..(number + 1) * SLOTS / GROUPS;
            let is_hit = |(first, last): &(u16, u16)| {
                usize::from(*first) < slots.end && slots.start <= usize::from(*last)
            };
            if ranges.iter().any(is_hit) && group.failures.swap(FAILURES, Ordering::Relaxed) < FAILURES {
                tracing::warn!(group = number, "the connection to the counters broke; counting in this pod");
            }
        }
    }

    /// How many groups are left alone.
    pub(crate) fn closed(&self) -> u64 {
        let closed = |group: &&Group| group.failures.load(Ordering::Relaxed) >= FAILURES;
        self.0.groups.iter().filter(closed).count() as u64
    }

    /// Tries the groups that are left alone, for as long as the process lives.
    ///
    /// A few at a time beside one that works, so that the failures of one server don't look like those of all.
    pub(crate) async fn probe(self, store: Arc<RedisStore>) {
        let tags = tags();
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0_usize.. {
            ticks.tick().await;
            let (open, mut closed): (Vec<&String>, Vec<&String>) =
                tags.iter().partition(|tag| self.allows(tag));
            if closed.is_empty() {
                continue;
            }
            let first = turn % closed.len();
            closed.rotate_left(first);
            let tried = closed.iter().take(AT_ONCE).chain(open.first());
            let answered =
                futures::future::join_all(tried.map(async |tag| self.try_again(&store, tag).await)).await;
            if answered.iter().take(AT_ONCE.min(closed.len())).any(|answered| *answered) {
                // A server is back, and most likely with it the rest of its groups.
                futures::future::join_all(closed.iter().map(async |tag| self.try_again(&store, tag).await))
                    .await;
            }
        }
    }

    async fn try_again(&self, store: &RedisStore, tag: &str) -> bool {
        let answers = store.answers(&format!("limit:{{{tag}}}:probe")).await;
        if answers {
            self.succeeded(tag);
        }
        answers
    }
}

fn group(tag: &str) -> usize {
    usize::from(hash_slot(&format!("{{{tag}}}"))) * GROUPS / SLOTS
}

/// One tag in each group.
fn tags() -> Vec<String> {
    let mut found = vec![None; GROUPS];
    for tag in (0..).map(|number: u32| format!("probe-{number}")) {
        found[group(&tag)].get_or_insert(tag);
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_server_takes_its_groups_along_and_no_others() {
        let (guard, tags) = (Guard::new(), tags());
        // From the last slot of group 3 to the first of group 5, and group 9.
        guard.lost(&[(2_047, 2_560), (4_608, 5_119)]);
        let closed: Vec<usize> = (0..GROUPS).filter(|number| !guard.allows(&tags[*number])).collect();
        assert_eq!(closed, [3, 4, 5, 9]);
    }

    #[test]
    fn a_group_is_left_alone_after_failures_in_a_row_and_others_are_not() {
        let guard = Guard::new();
        let tags = tags();
        assert_eq!(tags.len(), GROUPS);
        let fail = |after| guard.failed_after(&tags[0], Duration::from_millis(after));
        fail(0);
        guard.succeeded(&tags[0]);
        fail(100);
        assert!(guard.allows(&tags[0]), "failures that successes part do not add up");
        fail(100);
        fail(124);
        assert!(guard.allows(&tags[0]), "a call that fails for many fails once");
        fail(125);
        assert!(!guard.allows(&tags[0]) && guard.allows(&tags[1]));
        assert_eq!(guard.closed(), 1);
        guard.succeeded(&tags[0]);
        assert!(guard.allows(&tags[0]));
    }
}
