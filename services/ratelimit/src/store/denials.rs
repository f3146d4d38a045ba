//! Denials that hold for a while whatever happens: counts only fall by time, so who is beyond a limit stays so until there is room.
//! Whoever tries again and again is answered from here.
//!
//! Never for long: a raised limit, an operator who ends a penalty and an act taken back count within a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Answer, Ask, Item};

/// The longest that a denial is believed.
const BELIEVED: Duration = Duration::from_millis(500);
/// Principals remembered at most.
const REMEMBERED: u64 = 100_000;

/// The last denial of each principal.
#[derive(Clone, Debug)]
pub(super) struct Denials(moka::sync::Cache<String, Arc<Denial>>);

#[derive(Debug)]
struct Denial {
    items: Vec<Item>,
    answer: Answer,
    at: Instant,
    until: Instant,
}

impl Denials {
    pub(super) fn new() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED).build())
    }

    /// The answer to `ask` at `now`, if it was denied so recently that it still must be.
    pub(super) fn known(&self, ask: &Ask, now: Instant) -> Option<Answer> {
        let denial = self.0.get(&ask.tag)?;
        let same = |(a, b): (&Item, &Item)| a.cost == b.cost && Arc::ptr_eq(&a.rule, &b.rule);
        let asked = denial.items.len() == ask.items.len() && denial.items.iter().zip(&ask.items).all(same);
        (asked && now < denial.until).then(|| aged(&denial.answer, now.saturating_duration_since(denial.at)))
    }

    /// Remembers an answer that is a denial and that asking again would not change.
    pub(super) fn saw(&self, ask: &Ask, answer: &Answer, now: Instant) {
        if let Some(lasts) = lasts(ask, answer) {
            let (items, answer) = (ask.items.clone(), answer.clone());
            let denial = Denial { items, answer, at: now, until: now + lasts.min(BELIEVED) };
            self.0.insert(ask.tag.clone(), Arc::new(denial));
        }
    }
}

/// How long a denial is certain. None if it is none, or if the next one may have consequences.
fn lasts(ask: &Ask, answer: &Answer) -> Option<Duration> {
    let reported = |item: &Item| item.rule.waits_for_outcome();
    if answer.admitted || answer.local || ask.items.iter().any(reported) {
        return None;
    }
    if let Some(held) = answer.penalty {
        // The one that began it is told only once.
        return (!held.began).then_some(held.left);
    }
    let limits = ask.items.iter().zip(&answer.standings).filter(|(item, _)| !item.rule.shadow);
    let counted = |item: &Item| item.rule.penalty.is_some();
    (!ask.items.iter().any(counted)).then(|| limits.map(|(_, standing)| standing.wait).max()).flatten()
}

/// The same answer after `passed`.
fn aged(answer: &Answer, passed: Duration) -> Answer {
    let mut answer = answer.clone();
    for standing in &mut answer.standings {
        standing.reset = standing.reset.saturating_sub(passed);
        standing.wait = standing.wait.saturating_sub(passed);
    }
    if let Some(held) = &mut answer.penalty {
        held.left = held.left.saturating_sub(passed);
    }
    answer
}
