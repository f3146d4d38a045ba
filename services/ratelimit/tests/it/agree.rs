//! The scripts against the algorithms that are tested by themselves, and penalties over days.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use jiff::SignedDuration;
use platform::Clock;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use ratelimit::{
    limiter::Decision,
    rules::Rules,
    store::{Ask, Item, LocalStore, Mode},
};

use crate::support::{Pod, Time, fresh, request};

/// Waits, cost, and whether to look only.
fn steps() -> impl Strategy<Value = Vec<(i64, u32, bool)>> {
    let wait = prop_oneof![3 => Just(0), 3 => 0_i64..100, 1 => 0_i64..3_000];
    prop::collection::vec((wait, 1_u32..4, prop::bool::weighted(0.2)), 1..40)
}

/// A rule of each kind, for one principal.
fn rules() -> impl Strategy<Value = String> {
    (1_u32..30, 20_u64..4_000, 1_u32..20, 1_u32..10, 1_u32..50).prop_map(
        |(limit, window, exact, burst, rate)| {
            let (limit, exact, burst) = (limit.max(4), exact.max(4), burst.max(4));
            format!(
                "rules:\n\
             - {{name: ring, per: [user], limit: {limit}, window: {window}ms}}\n\
             - {{name: list, per: [user], limit: {exact}, window: {window}ms, exact: true}}\n\
             - {{name: rate, per: [user], rate: {rate}/s, burst: {burst}}}\n"
            )
        },
    )
}

/// Rules of the kind that is asked for together.
fn windows() -> impl Strategy<Value = String> {
    (4_u32..30, 4_u32..30, 20_u64..4_000, 20_u64..4_000).prop_map(|(limit, other, window, longer)| {
        format!(
            "rules:\n- {{name: one, per: [user], limit: {limit}, window: {window}ms}}\n\
             - {{name: two, per: [user], limit: {other}, window: {longer}ms}}\n"
        )
    })
}

#[test]
fn the_script_decides_as_the_algorithms_do() {
    decides_as_the_algorithms_do(rules());
}

#[test]
fn the_script_for_many_asks_decides_as_the_algorithms_do() {
    decides_as_the_algorithms_do(windows());
}

fn decides_as_the_algorithms_do(rules: impl Strategy<Value = String>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let time = Time::start();
    let pod = runtime.block_on(Pod::at(BOTS, &time));
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    runner
        .run(&(rules, steps()), |(rules, steps)| runtime.block_on(agree(&pod, &time, &rules, &steps)))
        .unwrap();
    runtime.block_on(pod.stop());
}

async fn agree(pod: &Pod, time: &Time, rules: &str, steps: &[(i64, u32, bool)]) -> Result<(), TestCaseError> {
    let limiter = pod.limiter_of(rules);
    let local = LocalStore::new(time.clock.clone(), Arc::new(AtomicU32::new(1)));
    let parsed = Rules::parse(rules).unwrap();
    let user = fresh("user");
    for (wait, cost, peek) in steps {
        time.clock.advance(SignedDuration::from_millis(*wait));
        let mut asked = request([("user", &user)]);
        asked.cost = *cost;
        let principal = asked.facts.principal(&["user".to_owned()]).unwrap();
        time.tell(&pod.redis, &principal.tag()).await;
        let items = parsed.iter().map(|rule| Item { rule: Arc::clone(rule), cost: *cost }).collect();
        let ask = Ask { tag: principal.tag(), principal, network: None, items };
        let mode = if *peek { Mode::Peek } else { Mode::Count };
        let expected = local.decide(&ask, mode);
        let found = limiter.decide(&[asked], mode).await;
        prop_assert_eq!(found.allowed, expected.admitted);
        for (limit, standing) in found.limits[0].iter().zip(&expected.standings) {
            prop_assert!(!limit.local, "redis must have answered");
            prop_assert_eq!(limit.standing.verdict, standing.verdict, "{}", &limit.rule.name);
            prop_assert_eq!(limit.standing.remaining, standing.remaining, "{}", &limit.rule.name);
            let close = |a: Duration, b: Duration| a.abs_diff(b) <= Duration::from_millis(1);
            prop_assert!(close(limit.standing.wait, standing.wait), "{:?} {:?}", limit.standing, standing);
            prop_assert!(close(limit.standing.reset, standing.reset), "{:?} {:?}", limit.standing, standing);
        }
    }
    Ok(())
}

const BOTS: &str = "rules:\n- {name: bots, per: [ip], limit: 2, window: 60s, penalty: {after: 3}}\n";

/// One principal that acts in time that passes when told.
struct Bot {
    pod: Pod,
    time: Time,
}

impl Bot {
    async fn act(&self) -> Decision {
        let asked = request([("ip", "bot")]);
        let tag = asked.facts.principal(&["ip".to_owned()]).unwrap().tag();
        self.time.tell(&self.pod.redis, &tag).await;
        self.pod.limiter.decide(&[asked], Mode::Count).await
    }

    /// Acts without pause until a penalty begins; answers how long it is.
    async fn provoke(&self) -> u64 {
        for _ in 0..20 {
            if let Some(held) = self.act().await.limits[0][0].penalty {
                assert!(held.began);
                return held.left.as_secs();
            }
        }
        panic!("no penalty");
    }

    fn wait(&self, seconds: u64) {
        self.time.clock.advance(SignedDuration::from_secs(i64::try_from(seconds).unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn penalties_double_up_to_a_day_and_a_clean_day_takes_one_level() {
    let time = Time::start();
    let bot = Bot { pod: Pod::at(BOTS, &time).await, time };
    let principal = request([("ip", "bot")]).facts.principal(&["ip".to_owned()]).unwrap();
    // Another run may have left its own behind.
    bot.pod.penalties.unban(&principal).await.unwrap();
    for expected in [300, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400, 86_400] {
        assert_eq!(bot.provoke().await, expected);
        bot.wait(expected - 1);
        assert!(bot.act().await.limits[0][0].penalty.is_some(), "to its last second");
        bot.wait(1);
        assert!(bot.act().await.allowed);
    }
    // Eleven levels, less eight for eight clean days and a bit.
    bot.wait(8 * 86_400 + 3_600);
    assert_eq!(bot.provoke().await, 300 << 3);
    assert!(bot.pod.penalties.unban(&principal).await.unwrap());
    bot.wait(64);
    assert!(bot.act().await.allowed, "as soon as the limit has room");
    assert_eq!(bot.provoke().await, 300, "and forgotten");
    assert!(bot.pod.penalties.unban(&principal).await.unwrap());
    bot.pod.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_that_are_rare_bring_no_penalty() {
    let time = Time::start();
    let bot = Bot { pod: Pod::at(&BOTS.replace("ip]", "user]"), &time).await, time };
    let user = fresh("rare");
    for _ in 0..10 {
        for _ in 0..4 {
            let asked = request([("user", &user)]);
            let tag = asked.facts.principal(&["user".to_owned()]).unwrap().tag();
            bot.time.tell(&bot.pod.redis, &tag).await;
            assert_eq!(bot.pod.limiter.decide(&[asked], Mode::Count).await.limits[0][0].penalty, None);
        }
        bot.wait(70);
    }
    bot.pod.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_pod_does_not_matter() {
    let rules = "rules:\n- {name: hour, per: [user], limit: 3, window: 1h}\n";
    let behind = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    let (one, other) = (Pod::start(rules, behind).await, Pod::start(rules, Clock::system()).await);
    let user = fresh("user");
    for (pod, allowed) in [(&one, true), (&other, true), (&one, true), (&other, false), (&one, false)] {
        assert_eq!(pod.limiter.decide(&[request([("user", &user)])], Mode::Count).await.allowed, allowed);
    }
    one.stop().await;
    other.stop().await;
}
