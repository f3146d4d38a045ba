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

    /// Asks again about the principal `tag`. Other processes do within the time that they believe a denial.
    pub(super) fn forget(&self, tag: &str) {
        self.0.invalidate(tag);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Facts,
        rules::Rules,
        store::{Held, Standing, Verdict},
    };

    const RULES: &str = "rules:\n- {name: plain, per: [user], limit: 1, window: 1m}\n\
        - {name: other, per: [user], limit: 1, window: 1m}\n\
        - {name: counted, per: [user], limit: 1, window: 1m, penalty: {after: 3}}\n\
        - {name: reported, per: [user], limit: 1, window: 1m, failures_only: true}\n";

    fn ask(rule: &str, cost: u32) -> Ask {
        let principal = Facts::from_iter([("user", "a")]).principal(&["user".to_owned()]).unwrap();
        let rule = Arc::clone(Rules::parse(RULES).unwrap().get(rule).unwrap());
        Ask { tag: principal.tag(), principal, network: None, items: vec![Item { rule, cost }] }
    }

    fn denied(wait: u64) -> Answer {
        let (reset, wait) = (Duration::from_mins(1), Duration::from_millis(wait));
        let standing = Standing { verdict: Verdict::Beyond, remaining: 0, reset, wait, stamp: 0 };
        Answer {
            admitted: false,
            penalty: None,
            network_known: false,
            standings: vec![standing],
            local: false,
        }
    }

    fn held(began: bool) -> Answer {
        let held = Held { left: Duration::from_mins(5), level: 1, began };
        Answer { penalty: Some(held), ..denied(0) }
    }

    fn is_known(ask: &Ask, answer: &Answer, after: u64) -> bool {
        let (denials, now) = (Denials::new(), Instant::now());
        denials.saw(ask, answer, now);
        denials.known(ask, now + Duration::from_millis(after)).is_some()
    }

    #[test]
    fn a_denial_holds_until_there_is_room_and_never_for_long() {
        let ask = ask("plain", 1);
        assert!(is_known(&ask, &denied(100), 99));
        assert!(!is_known(&ask, &denied(100), 100));
        assert!(is_known(&ask, &denied(60_000), 499));
        assert!(!is_known(&ask, &denied(60_000), 500));
    }

    #[test]
    fn a_remembered_denial_says_how_long_it_is_from_now() {
        let (denials, now, ask) = (Denials::new(), Instant::now(), ask("plain", 1));
        denials.saw(&ask, &denied(60_000), now);
        let answer = denials.known(&ask, now + Duration::from_millis(400)).unwrap();
        assert_eq!(answer.standings[0].wait, Duration::from_millis(59_600));
        assert_eq!(answer.standings[0].reset, Duration::from_millis(59_600));
    }

    #[test]
    fn admissions_and_denials_with_consequences_are_always_asked_for() {
        let plain = ask("plain", 1);
        assert!(!is_known(&plain, &Answer { admitted: true, ..denied(60_000) }, 0));
        assert!(!is_known(&plain, &Answer { local: true, ..denied(60_000) }, 0));
        assert!(!is_known(&ask("counted", 1), &denied(60_000), 0), "it counts towards a penalty");
        assert!(!is_known(&ask("reported", 1), &denied(60_000), 0), "a success may make room");
        assert!(!is_known(&ask("counted", 1), &held(true), 0), "a penalty begins once");
        assert!(is_known(&ask("counted", 1), &held(false), 0));
    }

    #[test]
    fn a_denial_is_about_the_same_limits_and_cost_only() {
        let (denials, now, asked) = (Denials::new(), Instant::now(), ask("plain", 2));
        denials.saw(&asked, &denied(60_000), now);
        let cheaper = Ask { items: vec![Item { cost: 1, ..asked.items[0].clone() }], ..asked.clone() };
        assert!(denials.known(&asked, now).is_some());
        assert!(denials.known(&cheaper, now).is_none(), "less may fit");
        assert!(denials.known(&ask("plain", 2), now).is_none(), "the rules were read anew");
        assert!(denials.known(&ask("other", 2), now).is_none());
    }
}
