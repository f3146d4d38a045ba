//! Counts in this process alone: the net while Redis is away. Each pod grants its share of a limit.
//!
//! A share is that of a window in which Redis may have counted, too, before it went away or after it was back. So that not both grant a
//! limit, the pod keeps count of what it lets through for those whom Redis sees near a limit, and for a window after it has decided
//! over somebody alone, its own counters have to agree with Redis.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use platform::Clock;

use super::{
    Answer, Ask, Away, Held, Item, Mode, Refund, Standing, Store, Verdict, blocks::Blocks, counter_key, kind,
    span,
};
use crate::{
    counter::Counter,
    rule::{Algorithm, Rule},
};

/// Counters remembered at most, so that made-up addresses cost no more memory than this: some 200 bytes each.
const REMEMBERED: u64 = 200_000;
/// An outage that is longer than this starts anew for those who were quiet.
const IDLE: Duration = Duration::from_hours(2);

/// Whoever has used this part of a limit (one in so many) is counted here, too, while Redis decides. Most never get there, and cost nothing;
/// those who are not counted yet get at most this part on top when Redis goes away.
const NOTICEABLE: u64 = 10;

/// Counters in memory.
#[derive(Clone, Debug)]
pub struct LocalStore {
    counters: moka::sync::Cache<String, Arc<Mutex<Kept>>>,
    blocks: Blocks,
    clock: Clock,
    pods: Arc<AtomicU32>,
    /// Until when, in milliseconds, any decision of this pod alone matters; most of the time it has passed, and no counter is looked up.
    alone_until: Arc<AtomicU64>,
}

/// A counter that this pod keeps.
#[derive(Debug)]
struct Kept {
    counter: Counter,
    /// Until when, in milliseconds, it has to agree with Redis: Redis doesn't know of all that it has counted.
    alone_until: u64,
}

impl LocalStore {
    /// No counter yet. Limits are shared by `pods`, which changes as they come and go.
    pub fn new(clock: Clock, pods: Arc<AtomicU32>) -> Self {
        let counters = moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build();
        Self { counters, blocks: Blocks::default(), clock, pods, alone_until: Arc::default() }
    }

    /// Remembers what the shared store said about the penalty of `ask`'s principal, for as long as that lasts.
    pub(crate) fn saw(&self, ask: &Ask, penalty: Option<Held>) {
        if ask.items.iter().any(|item| item.rule.penalty.is_some()) {
            self.blocks.saw(&ask.tag, penalty, self.clock.now());
        }
    }

    /// Forgets the penalty of the principal `tag`.
    pub(crate) fn unbanned(&self, tag: &str) {
        self.blocks.saw(tag, None, self.clock.now());
    }

    /// Decides at once. Penalties hold that were seen before; none begins.
    pub fn decide(&self, ask: &Ask, mode: Mode) -> Answer {
        match self.blocks.held(&ask.tag, self.clock.now()) {
            None => self.count(ask, mode),
            penalty => Answer { admitted: false, penalty, ..self.count(ask, Mode::Peek) },
        }
    }

    /// Keeps count of an act that the shared store has admitted, for those whom it saw near a limit.
    pub(crate) fn admitted(&self, ask: &Ask, answer: &Answer) {
        let is_near = |(item, standing): &(&Item, &Standing)| {
            let used = u64::from(item.rule.limit.saturating_sub(standing.remaining));
            standing.verdict == Verdict::Within
                && item.cost > 0
                // A success may be reported to another pod, and would stay counted here.
                && !(item.rule.shadow || item.rule.failures_only)
                && used * NOTICEABLE >= u64::from(item.rule.limit)
        };
        for (item, _) in ask.items.iter().zip(&answer.standings).filter(is_near) {
            let (limit, cost) = self.granted(item);
            let (now, kept) = (self.now(), self.counter(&ask.tag, item));
            let counter = &mut lock(&kept).counter;
            let within = counter.look(now, limit, cost).verdict == Verdict::Within;
            // A rate whose acts don't spread evenly over the pods would otherwise be in debt for longer than a burst.
            if within || !matches!(item.rule.algorithm, Algorithm::Rate(_)) {
                counter.count(now, cost);
            }
        }
    }

    /// The denial of an act that the shared store might admit only because it doesn't know what this pod has decided alone. None where
    /// nothing speaks against the act.
    pub(crate) fn denies(&self, ask: &Ask) -> Option<Answer> {
        let now = self.now();
        if self.alone_until.load(Ordering::Relaxed) <= now {
            return None;
        }
        let is_alone = |item: &&Item| {
            // An owner who passes by a known network would have to be let through here, too.
            !(item.rule.shadow || item.rule.waits_for_outcome())
                && self.counters.get(&key(&ask.tag, item)).is_some_and(|kept| now < lock(&kept).alone_until)
        };
        let items: Vec<Item> = ask.items.iter().filter(is_alone).cloned().collect();
        if items.is_empty() || self.count(&Ask { items, ..ask.clone() }, Mode::Peek).admitted {
            return None;
        }
        Some(Answer { admitted: false, ..self.count(ask, Mode::Peek) })
    }

    fn count(&self, ask: &Ask, mode: Mode) -> Answer {
        let now = self.now();
        let counters: Vec<_> = ask.items.iter().map(|item| self.counter(&ask.tag, item)).collect();
        // Of one principal and always in the order of the rules, so two requests can't wait for one another.
        let mut locked: Vec<_> = counters.iter().map(|counter| lock(counter)).collect();
        let granted: Vec<_> = ask.items.iter().map(|item| self.granted(item)).collect();
        let look = |(kept, (limit, cost)): (&mut MutexGuard<'_, Kept>, &(u32, u32))| {
            kept.counter.look(now, *limit, *cost)
        };
        let mut standings: Vec<_> = locked.iter_mut().zip(&granted).map(look).collect();
        let denies =
            |(item, standing): (&Item, &Standing)| standing.verdict == Verdict::Beyond && !item.rule.shadow;
        let admitted = !ask.items.iter().zip(&standings).any(denies);
        for (((item, kept), standing), (_, cost)) in
            ask.items.iter().zip(&mut locked).zip(&mut standings).zip(granted)
        {
            if admitted && standing.verdict == Verdict::Within {
                standing.remaining = standing.remaining.saturating_sub(cost);
                if mode == Mode::Count {
                    kept.counter.count(now, cost);
                }
            }
            // Of a rate this is what one pod may still let through.
            standing.remaining /= cost.checked_div(item.cost).unwrap_or(1).max(1);
            if mode == Mode::Count {
                self.decided_alone(kept, now, &item.rule);
            }
        }
        Answer { admitted, penalty: None, network_known: false, standings, local: true }
    }

    /// Also a denial: what it is based on may be lost by the time Redis is back.
    fn decided_alone(&self, kept: &mut Kept, now: u64, rule: &Rule) {
        kept.alone_until = now.saturating_add(u64::try_from(rule.window().as_millis()).unwrap_or(u64::MAX));
        self.alone_until.fetch_max(kept.alone_until, Ordering::Relaxed);
    }

    /// What this pod grants of a limit, and what one act counts as there.
    fn granted(&self, item: &Item) -> (u32, u32) {
        let (rule, pods) = (&item.rule, self.pods.load(Ordering::Relaxed).max(1));
        match rule.algorithm {
            // An act takes the time of as many: pods together have one rate.
            Algorithm::Rate(_) => (rule.limit, item.cost.saturating_mul(pods).min(rule.limit).max(item.cost)),
            // Rounded down, a small share could be less than what one act costs.
            Algorithm::Window(_) | Algorithm::Exact(_) => {
                (share(rule, pods).max(item.cost.min(rule.limit)), item.cost)
            }
        }
    }

    fn counter(&self, tag: &str, item: &Item) -> Arc<Mutex<Kept>> {
        self.counters.get_with(key(tag, item), || {
            Arc::new(Mutex::new(Kept { counter: Counter::new(item.rule.algorithm), alone_until: 0 }))
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0)
    }
}

fn key(tag: &str, item: &Item) -> String {
    let algorithm = item.rule.algorithm;
    counter_key(tag, &item.rule.name, kind(algorithm), span(algorithm))
}

/// A panic elsewhere leaves a counter whole.
fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for LocalStore {
    async fn check(&self, ask: &Ask, mode: Mode) -> Result<Answer, Away> {
        Ok(self.decide(ask, mode))
    }

    async fn refund(&self, refunds: &[Refund]) -> Result<(), Away> {
        for refund in refunds {
            let key = counter_key(&refund.tag, &refund.rule, &refund.kind, refund.span);
            if let Some(kept) = self.counters.get(&key) {
                lock(&kept).counter.refund(refund.cost, refund.stamp);
            }
        }
        Ok(())
    }
}

/// What one of `pods` grants of a rule's limit: rounded, or down where all together must stay below it.
fn share(rule: &Rule, pods: u32) -> u32 {
    let pods = pods.max(1);
    let share = if rule.strict { rule.limit / pods } else { (rule.limit + pods / 2) / pods };
    share.max(1)
}

#[cfg(test)]
mod tests;
