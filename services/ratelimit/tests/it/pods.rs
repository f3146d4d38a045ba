//! Many pods at once, and requests of more than one principal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use platform::Clock;
use ratelimit::{
    limiter::{Limiter, Request},
    store::Mode,
};

use crate::support::{Pod, fresh, fresh_ip, request, until};

const WINDOW: Duration = Duration::from_millis(800);

/// Asks without pause for some windows; answers for each admission when it was asked for and when it was answered.
async fn hammer(limiter: Limiter, request: Request, until: Instant) -> Vec<(Instant, Instant)> {
    let (mut admitted, request) = (Vec::new(), [request]);
    while Instant::now() < until {
        let asked = Instant::now();
        let decision = limiter.decide(&request, Mode::Count).await;
        assert!(!decision.limits[0][0].local, "redis must have answered");
        if decision.allowed {
            admitted.push((asked, Instant::now()));
        }
    }
    admitted
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_pods_with_skewed_clocks_never_admit_more_than_the_limit_in_any_window() {
    let limit = 100;
    let rules =
        format!("rules:\n- {{name: all, per: [user], limit: {limit}, window: {}ms}}\n", WINDOW.as_millis());
    let pod = Pod::start(&rules, Clock::system()).await;
    let user = fresh("user");
    let end = Instant::now() + WINDOW * 5;
    let callers = (0..10).map(|number| {
        // Half a second ahead or behind.
        let clock = Clock::manual(
            Clock::system().now() + SignedDuration::from_millis(if number % 2 == 0 { 500 } else { -500 }),
        );
        let limiter = pod.limiter_at(&rules, &clock);
        pod.tasks.spawn("caller", hammer(limiter, request([("user", &user)]), end))
    });
    let mut admitted = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        admitted.extend(caller.await.unwrap());
    }
    admitted.sort();
    // Certain are those whose whole uncertainty lies in the window.
    let fullest = (0..admitted.len())
        .map(|first| {
            let end = admitted[first].0 + WINDOW;
            admitted[first..].iter().filter(|(_, answered)| *answered < end).count()
        })
        .max()
        .unwrap();
    assert!(fullest <= limit, "{fullest} in a window");
    // Who asks all the time gets what is left of each window by its ring: 20 of 21 parts, five times.
    assert!(admitted.len() >= limit * 4, "{} in five windows", admitted.len());
    pod.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_denial_leaves_the_limits_of_other_principals_as_they_were() {
    let rules = "rules:\n- {name: user, per: [user], limit: 5, window: 1h}\n- {name: company, per: [company], limit: 2, window: 1h}\n\
                 - {name: list, per: [ip], limit: 5, window: 1h, exact: true}\n- {name: rate, per: [method], rate: 5/1h, burst: 5}\n";
    let pod = Pod::start(rules, Clock::system()).await;
    let (company, ip, method) = (fresh("company"), fresh_ip(), fresh("method"));
    let asked =
        |user: &str| request([("user", user), ("company", &company), ("ip", &ip), ("method", &method)]);
    let (one, other) = (fresh("user"), fresh("user"));
    assert!(pod.limiter.decide(&[asked(&one)], Mode::Count).await.allowed);
    assert!(pod.limiter.decide(&[asked(&one)], Mode::Count).await.allowed);
    for _ in 0..10 {
        assert!(
            !pod.limiter.decide(&[asked(&other)], Mode::Count).await.allowed,
            "the company is at its limit"
        );
    }
    until("what was admitted is taken back", async || {
        let limits = &pod.limiter.decide(&[asked(&other)], Mode::Peek).await.limits[0];
        limits.iter().map(|limit| (&*limit.rule.name, limit.standing.remaining)).collect::<Vec<_>>()
            == [("user", 5), ("company", 0), ("list", 3), ("rate", 3)]
    })
    .await;
    pod.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_two_descriptors_share_counts_once() {
    let rules = "rules:\n- {name: user, per: [user], limit: 5, window: 1h}\n- {name: bulk, match: {class: bulk}, per: [user], limit: 50, window: 1h, cost: 10}\n";
    let pod = Pod::start(rules, Clock::system()).await;
    let user = fresh("user");
    let asked = [request([("user", &user)]), request([("user", &user), ("class", "bulk")])];
    let decision = pod.limiter.decide(&asked, Mode::Count).await;
    let left = |index: usize| {
        decision.limits[index].iter().map(|limit| limit.standing.remaining).collect::<Vec<_>>()
    };
    assert_eq!((left(0), left(1)), (vec![4], vec![4, 40]));
    pod.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_principal_gets_exactly_its_list() {
    let rules = "rules:\n- {name: list, per: [user], limit: 20, window: 1h, exact: true}\n";
    let pod = Arc::new(Pod::start(rules, Clock::system()).await);
    let user = fresh("user");
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (limiter, asked) = (pod.limiter.clone(), [request([("user", &user)])]);
            pod.tasks.spawn("caller", async move { limiter.decide(&asked, Mode::Count).await.allowed })
        })
        .collect();
    let mut admitted = 0;
    for caller in callers {
        admitted += u32::from(caller.await.unwrap());
    }
    assert_eq!(admitted, 20);
}
