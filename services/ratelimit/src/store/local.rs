//! Counts in this process alone: the net while Redis is away. Each pod grants its share of a limit.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use platform::Clock;

use super::{
    Answer, Ask, Away, Held, Item, Mode, Refund, Store, Verdict, blocks::Blocks, counter_key, kind, span,
};
use crate::{counter::Counter, rule::Rule};

/// Counters remembered at most, so that made-up addresses cost no more memory than this: some 200 bytes each.
const REMEMBERED: u64 = 200_000;
/// An outage that is longer than this starts anew for those who were quiet.
const IDLE: Duration = Duration::from_hours(2);

/// Counters in memory.
#[derive(Clone, Debug)]
pub struct LocalStore {
    counters: moka::sync::Cache<String, Arc<Mutex<Counter>>>,
    blocks: Blocks,
    clock: Clock,
    pods: Arc<AtomicU32>,
}

impl LocalStore {
    /// No counter yet. Limits are shared by `pods`, which changes as they come and go.
    pub fn new(clock: Clock, pods: Arc<AtomicU32>) -> Self {
        let counters = moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build();
        Self { counters, blocks: Blocks::default(), clock, pods }
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

    fn count(&self, ask: &Ask, mode: Mode) -> Answer {
        let now = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        let pods = self.pods.load(Ordering::Relaxed);
        let counters: Vec<_> = ask.items.iter().map(|item| self.counter(&ask.tag, item)).collect();
        // Of one principal and always in the order of the rules, so two requests can't wait for one another.
        let mut locked: Vec<_> =
            counters.iter().map(|counter| counter.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let mut standings: Vec<_> = ask
            .items
            .iter()
            .zip(&mut locked)
            .map(|(item, counter)| {
                // Rounded down, a small share could be less than what one act costs.
                let limit = share(&item.rule, pods).max(item.cost.min(item.rule.limit));
                counter.look(now, limit, item.cost)
            })
            .collect();
        let denies = |(item, standing): (&Item, &super::Standing)| {
            standing.verdict == Verdict::Beyond && !item.rule.shadow
        };
        let admitted = !ask.items.iter().zip(&standings).any(denies);
        if admitted {
            for ((item, counter), standing) in ask.items.iter().zip(&mut locked).zip(&mut standings) {
                if standing.verdict == Verdict::Within {
                    standing.remaining = standing.remaining.saturating_sub(item.cost);
                    if mode == Mode::Count {
                        counter.count(now, item.cost);
                    }
                }
            }
        }
        Answer { admitted, penalty: None, network_known: false, standings, local: true }
    }

    fn counter(&self, tag: &str, item: &Item) -> Arc<Mutex<Counter>> {
        let algorithm = item.rule.algorithm;
        let key = counter_key(tag, &item.rule.name, kind(algorithm), span(algorithm));
        self.counters.get_with(key, || Arc::new(Mutex::new(Counter::new(algorithm))))
    }
}

impl Store for LocalStore {
    async fn check(&self, ask: &Ask, mode: Mode) -> Result<Answer, Away> {
        Ok(self.decide(ask, mode))
    }

    async fn refund(&self, refunds: &[Refund]) -> Result<(), Away> {
        for refund in refunds {
            let key = counter_key(&refund.tag, &refund.rule, &refund.kind, refund.span);
            if let Some(counter) = self.counters.get(&key) {
                counter.lock().unwrap_or_else(PoisonError::into_inner).refund(refund.cost, refund.stamp);
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
mod tests {
    use super::*;
    use crate::rules::Rules;

    #[test]
    fn pods_share_a_limit_and_strict_rules_round_down() {
        let rules = Rules::parse(
            "rules:\n- {name: a, per: [ip], limit: 10, window: 1m}\n- {name: b, per: [ip], limit: 10, window: 1m, strict: true}\n",
        )
        .unwrap();
        let shares = |pods| (share(rules.get("a").unwrap(), pods), share(rules.get("b").unwrap(), pods));
        assert_eq!(shares(0), (10, 10));
        assert_eq!(shares(3), (3, 3));
        assert_eq!(shares(4), (3, 2));
        assert_eq!(shares(100), (1, 1));
    }
}
