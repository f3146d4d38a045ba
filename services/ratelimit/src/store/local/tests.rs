//! A pod beside a shared store that comes and goes. The shared store is another one in memory, whose clock is not quite the pod's.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{facts::Facts, rules::Rules};

fn ask(rule: &str, cost: u32) -> Ask {
    let rules = Rules::parse(&format!("rules:\n- {{name: a, per: [user], {rule}}}\n")).unwrap();
    let principal = Facts::from_iter([("user", "anna")]).principal(&["user".to_owned()]).unwrap();
    let items = vec![Item { rule: Arc::clone(rules.get("a").unwrap()), cost }];
    Ask { tag: principal.tag(), principal, network: None, items }
}

/// How the shared store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    Answers,
    /// Nobody waits any more; it may have counted the act all the same.
    TooLate {
        counted: bool,
    },
    /// It isn't asked.
    Away,
    /// It isn't asked, and has lost what it counted.
    Lost,
}

/// Pods and what they share.
struct World {
    clock: Clock,
    server: Clock,
    pods: Vec<LocalStore>,
    shared: LocalStore,
    /// When acts were admitted, in milliseconds, and what they cost.
    acts: Vec<(u64, u32)>,
}

impl World {
    fn new(pods: u32, ahead: i64) -> Self {
        let start: jiff::Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let (clock, server) =
            (Clock::manual(start), Clock::manual(start + SignedDuration::from_millis(ahead)));
        let count = Arc::new(AtomicU32::new(pods));
        let pods = (0..pods).map(|_| LocalStore::new(clock.clone(), Arc::clone(&count))).collect();
        let shared = LocalStore::new(server.clone(), Arc::new(AtomicU32::new(1)));
        Self { clock, server, pods, shared, acts: Vec::new() }
    }

    fn wait(&self, millis: u64) {
        let by = SignedDuration::from_millis(i64::try_from(millis).unwrap());
        self.clock.advance(by);
        self.server.advance(by);
    }

    /// An act at a pod, as the limiter decides over it.
    fn act(&mut self, pod: usize, ask: &Ask, how: Shared) -> bool {
        if how == Shared::Lost {
            self.shared = LocalStore::new(self.server.clone(), Arc::new(AtomicU32::new(1)));
        }
        let pod = &self.pods[pod];
        let asked = matches!(how, Shared::Answers | Shared::TooLate { .. });
        let allowed = if let Some(denied) = asked.then(|| pod.denies(ask)).flatten() {
            denied.admitted
        } else if how == Shared::Answers {
            let answer = self.shared.decide(ask, Mode::Count);
            if answer.admitted {
                pod.admitted(ask, &answer);
            }
            answer.admitted
        } else {
            if how == (Shared::TooLate { counted: true }) {
                self.shared.decide(ask, Mode::Count);
            }
            pod.decide(ask, Mode::Count).admitted
        };
        if allowed {
            self.acts.push((pod.now(), ask.items[0].cost));
        }
        allowed
    }

    /// The most that any window of this length holds.
    fn fullest(&self, window: u64) -> u32 {
        let sum_from = |first: usize| {
            let end = self.acts[first].0 + window;
            self.acts[first..].iter().take_while(|(at, _)| *at < end).map(|(_, cost)| cost).sum()
        };
        (0..self.acts.len()).map(sum_from).max().unwrap_or(0)
    }

    fn admitted(&self) -> u32 {
        self.acts.iter().map(|(_, cost)| cost).sum()
    }
}

/// How the shared store is for some acts in a row.
fn phases(losses: bool) -> impl Strategy<Value = Vec<(Shared, usize)>> {
    let how = prop_oneof![
        4 => Just(Shared::Answers),
        2 => any::<bool>().prop_map(|counted| Shared::TooLate { counted }),
        2 => Just(Shared::Away),
    ];
    let phases = prop::collection::vec((how, 1_usize..120), 1..12);
    (phases, any::<prop::sample::Index>()).prop_map(move |(mut phases, at)| {
        if losses {
            let at = at.index(phases.len());
            phases.insert(at, (Shared::Lost, 1));
        }
        phases
    })
}

proptest! {
    #[test]
    fn no_window_holds_much_more_than_the_limit_while_redis_comes_and_goes(
        limit in 1_u32..200, window in 100_u64..5_000, ahead in -500_i64..500, phases in phases(false),
        pace in 1_u64..20, cost in 1_u32..4, exact: bool,
    ) {
        let (limit, kind) = if exact { (limit.min(20), ", exact: true") } else { (limit, "") };
        let ask = ask(&format!("limit: {limit}, window: {window}ms{kind}"), cost.min(limit));
        let mut world = World::new(1, ahead);
        for (how, acts) in phases {
            for act in 0..acts {
                world.act(0, &ask, how);
                // Bursts of several at one instant.
                world.wait(if act % 5 == 0 { pace } else { 0 });
            }
        }
        // Who has used less than a tenth is not counted by the pod.
        prop_assert!(world.fullest(window) <= limit + limit / 10, "{}", world.fullest(window));
    }

    #[test]
    fn no_window_holds_a_fifth_more_when_redis_has_lost_its_counters(
        limit in 1_u32..200, window in 100_u64..5_000, ahead in -500_i64..500, phases in phases(true), pace in 1_u64..20,
    ) {
        let ask = ask(&format!("limit: {limit}, window: {window}ms"), 1);
        let mut world = World::new(1, ahead);
        for (how, acts) in phases {
            for act in 0..acts {
                world.act(0, &ask, how);
                world.wait(if act % 5 == 0 { pace } else { 0 });
            }
        }
        prop_assert!(world.fullest(window) <= limit + limit / 5, "{}", world.fullest(window));
    }

    #[test]
    fn a_steady_caller_gets_four_fifths_while_redis_comes_and_goes(
        limit in 20_u32..200, ahead in -500_i64..500, phases in phases(false),
    ) {
        let window = u64::from(limit) * 20;
        let ask = ask(&format!("limit: {limit}, window: {window}ms"), 1);
        let mut world = World::new(1, ahead);
        let acts = phases.iter().map(|(_, acts)| u32::try_from(*acts).unwrap()).sum::<u32>();
        for (how, acts) in phases {
            for _ in 0..acts {
                world.act(0, &ask, how);
                world.wait(20);
            }
        }
        prop_assert!(world.admitted() >= acts * 4 / 5, "{} of {acts}", world.admitted());
    }

    #[test]
    fn pods_together_stay_at_the_limit_when_redis_goes_and_comes_back_empty(
        limit in 20_u32..500, pods in 1_u32..6, used in 0.0_f64..1.0, ahead in -500_i64..500,
    ) {
        let ask = ask(&format!("limit: {limit}, window: 1h"), 1);
        let mut world = World::new(pods, ahead);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the limit")]
        let before = (f64::from(limit) * used) as u32;
        let turn = |act: u32| (act % pods) as usize;
        for act in 0..before {
            prop_assert!(world.act(turn(act), &ask, Shared::Answers));
        }
        for act in 0..limit * 2 {
            world.act(turn(act), &ask, if act == 0 { Shared::Lost } else { Shared::Away });
        }
        let at_the_end_of_the_outage = world.admitted();
        for act in 0..limit * 2 {
            world.act(turn(act), &ask, Shared::Answers);
        }
        prop_assert_eq!(world.admitted(), at_the_end_of_the_outage);
        prop_assert!(world.admitted() >= limit - pods, "{} of {limit}", world.admitted());
        prop_assert!(world.admitted() <= limit + limit / 10 + pods, "{} of {limit}", world.admitted());
    }

    #[test]
    fn pods_together_have_one_rate(pods in 1_u32..6, burst in 10_u32..50, every in 10_u64..200) {
        let ask = ask(&format!("rate: 1/{every}ms, burst: {burst}"), 1);
        let mut world = World::new(pods, 0);
        let windows = 10;
        for turn in 0..windows * burst {
            for pod in 0..pods {
                world.act(pod as usize, &ask, Shared::Away);
            }
            world.wait(every);
            prop_assert!(world.admitted() <= burst + turn + 1);
        }
        prop_assert!(world.admitted() + pods >= windows * burst, "{}", world.admitted());
    }
}

#[test]
fn what_a_rate_has_let_through_alone_can_be_taken_back() {
    let (mut world, ask) = (World::new(3, 0), ask("rate: 1/1h, burst: 9", 1));
    let pod = world.pods[0].clone();
    let answer = pod.decide(&ask, Mode::Count);
    assert_eq!(
        (answer.admitted, answer.standings[0].remaining),
        (true, 2),
        "three of nine, one of them gone"
    );
    let refund = Refund::of(&ask.tag, &ask.items[0], answer.standings[0].stamp);
    futures::executor::block_on(pod.refund(&[refund])).unwrap();
    let admitted = (0..10).filter(|_| world.act(0, &ask, Shared::Away)).count();
    assert_eq!(admitted, 3);
}

#[test]
fn who_is_far_from_a_limit_is_not_counted_in_the_pod() {
    let (mut world, ask) = (World::new(1, 0), ask("limit: 100, window: 1h", 1));
    let counted = |world: &World| {
        world.pods[0].counters.run_pending_tasks();
        world.pods[0].counters.entry_count()
    };
    for _ in 0..9 {
        world.act(0, &ask, Shared::Answers);
    }
    assert_eq!(counted(&world), 0);
    world.act(0, &ask, Shared::Answers);
    assert_eq!(counted(&world), 1);
}

#[test]
fn an_owner_who_passes_by_a_known_network_is_for_redis_to_decide_over() {
    let mut world = World::new(1, 0);
    let account = ask("limit: 2, window: 1h, failures_only: true", 1);
    for _ in 0..5 {
        world.act(0, &account, Shared::Away);
    }
    assert_eq!(world.admitted(), 2);
    assert!(world.pods[0].denies(&account).is_none());
}

#[test]
fn pods_share_a_limit_and_strict_rules_round_down() {
    let shares = |pods| {
        let share_of = |rule: &str| share(&ask(rule, 1).items[0].rule, pods);
        (share_of("limit: 10, window: 1m"), share_of("limit: 10, window: 1m, strict: true"))
    };
    assert_eq!(shares(0), (10, 10));
    assert_eq!(shares(3), (3, 3));
    assert_eq!(shares(4), (3, 2));
    assert_eq!(shares(100), (1, 1));
}
