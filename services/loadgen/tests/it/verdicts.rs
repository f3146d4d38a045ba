//! What a run says about the platform and about itself.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use loadgen::{
    Counts, FirstSights, Live, Model, Report, Traffic, WarmUp,
    testing::{Behaviour, Lie, WatchEnd},
};
use tokio_util::sync::CancellationToken;

use crate::{QUIET, identity_file, only, plan, run, stub};

/// Steps that meet every lie but those about prices, which need companies with prices of their own.
const STEPS: &str = "\"view\", \"prices\", \"order\", \"repeat order\", \"read order\", \"watch\", \"report\", \"await report\", \
                     \"download report\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_is_caught_and_fails_the_run() {
    for (lie, code) in [
        (Lie::OtherProduct, "PRODUCT"),
        (Lie::OlderProduct, "STALE"),
        (Lie::OtherTotal, "TOTAL"),
        (Lie::ForeignOrder, "FOREIGN"),
        (Lie::SecondOrder, "DUPLICATE"),
        (Lie::LostOrder, "LOST"),
        (Lie::LostEvent, "WATCH"),
        (Lie::OtherCharge, "PRICE"),
        (Lie::ReportWithoutOrder, "REPORT"),
        (Lie::ForeignLine, "FOREIGN"),
        (Lie::OtherDigest, "REPORT"),
        (Lie::OtherRows, "REPORT"),
    ] {
        let (stub, folder) = stub(Behaviour { lie: Some(lie), ..Behaviour::default() }).await;
        let mut plan = plan(&stub.url(), &folder, 100.0, 1);
        plan.scenario = only(STEPS);
        plan.users = 10;
        plan.objectives = "success>0%".parse().unwrap();
        let report = run(&plan).await;
        assert!(report.counts.wrong > 0 && !report.passed(), "{lie:?}: {:?}", report.counts);
        let codes: Vec<&str> = report.failures.iter().map(|call| call.code.as_str()).collect();
        assert!(codes.contains(&code), "{lie:?}: {codes:?}");
        assert!(report.failures.iter().all(|call| call.outcome == "wrong"), "{lie:?}");
        stub.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_that_can_not_keep_its_schedule_is_invalid_everywhere() {
    let _quiet = QUIET.lock().await;
    let (stub, folder) = stub(Behaviour::default()).await;
    // Far more than any machine starts in a second, and few enough in flight to end soon.
    let mut plan = plan(&stub.url(), &folder, 1_000_000.0, 1);
    plan.scenario = only("\"view\"");
    plan.users = 2_000;
    let report = run(&plan).await;
    assert!(!report.is_valid(), "{:?}", report.generator);
    assert_eq!(report.word(), "INVALID");
    assert!(loadgen::report::summary(&report).contains("INVALID"));
    let page = loadgen::report::page("", std::slice::from_ref(&report), &[]);
    let (shown, data) = page.split_once("<script").unwrap();
    assert!(shown.contains("INVALID") && data.contains("\"invalid\":[\"the generator"));
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_sent_is_dropped_counted_and_no_success() {
    let delays = vec![Duration::from_secs(1)];
    let (stub, folder) = stub(Behaviour { delays, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 100.0, 2);
    plan.scenario = only("\"view\"");
    plan.most_in_flight = 20;
    plan.objectives = "success>90%".parse().unwrap();
    let report = run(&plan).await;
    assert!(report.counts.dropped > 100, "{:?}", report.counts);
    assert_eq!(report.counts.offered, report.counts.dropped + report.counts.ended());
    assert!(!report.passed() && report.generator.most_in_flight == 20);
    assert!(report.cautions.iter().any(|caution| caution.contains("due but not sent")));
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_closed_model_says_what_it_hides() {
    let delays = vec![Duration::from_millis(200)];
    let (stub, folder) = stub(Behaviour { delays, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 200.0, 2);
    plan.scenario = only("\"view\"");
    plan.model = Model::Closed;
    plan.users = 10;
    let report = run(&plan).await;
    // Ten users who wait 200 ms and think 50 ms make 40 calls a second of the 200 asked for.
    assert!(report.counts.right > 20 && report.counts.right < 120, "{:?}", report.counts);
    assert!(report.cautions.iter().any(|caution| caution.starts_with("Closed model")));
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_warm_up_nobody_is_seen_for_the_first_time_and_without_one_the_report_says_who_was() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let mut plan = plan(&stub.url(), &folder, 200.0, 1);
    plan.scenario = only("\"view\"");
    (plan.users, plan.identities) = (150, 100);
    let cold = run(&plan).await;
    assert!(cold.first_sights.tokens > 30, "{:?}", cold.first_sights);
    assert_eq!(cold.first_sights.calls, cold.first_sights.tokens, "one service only");
    plan.warm_up = WarmUp::Everyone;
    let warm = run(&plan).await;
    assert_eq!((warm.first_sights, warm.asked.warm_up), (FirstSights::default(), 0.7));
    // Calls before measuring are not in the sums, but the platform had them, and the picture shows them.
    assert_eq!((cold.counts.right, warm.counts.right), (199, 200));
    assert_eq!(warm.timeline.counts.iter().map(|slot| slot.right).sum::<u64>(), 339);
    assert_eq!(stub.seen().calls["GetProduct"], 199 + 339);
    assert!(loadgen::report::summary(&cold).contains("users were seen for the first time"));
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_ended_early_has_a_report_of_what_was() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let (plan, stop) = (plan(&stub.url(), &folder, 100.0, 600), CancellationToken::new());
    let end = async {
        while stub.seen().calls.values().sum::<u64>() < 150 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let (report, ()) = tokio::join!(loadgen::run(&plan, &Live::Silent, stop.clone()), end);
    let report = report.unwrap();
    assert!(report.ended_early && report.counts.right > 50, "{:?}", report.counts);
    assert!(report.rate > 10.0, "{}", report.rate);
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_runs_beside_a_test_and_lists_each_call_that_failed() {
    let (stub, folder) = stub(Behaviour { limit_every: 7, ..Behaviour::default() }).await;
    let traffic = Traffic::to(stub.url()).identity_file(identity_file(&folder));
    let traffic = traffic.with(|plan| plan.scenario = only("\"view\"")).start().await.unwrap();
    while stub.seen().limited < 10 {
        tokio::task::yield_now().await;
    }
    assert!(traffic.until(|now| now.counts.right > 0).await && traffic.now().counts.right > 0);
    let report = traffic.stop().await.unwrap();
    assert_eq!(report.failures.len() as u64, stub.seen().limited);
    assert_eq!(report.by_journey()["only"].limited, stub.seen().limited);
    for call in &report.failures {
        assert_eq!((call.outcome.as_str(), call.code.as_str()), ("limited", "RESOURCE_EXHAUSTED"));
        let began: Timestamp = report.started.parse().unwrap();
        assert!(call.journey == "only" && call.time >= began, "{call}");
    }
    assert_eq!(report.problems().lines().count(), report.failures.len());
    stub.stop().await;
}

/// Traffic of users who place orders and watch them.
async fn watched(watch: WatchEnd) -> (Report, BTreeMap<&'static str, u64>) {
    let (stub, folder) = stub(Behaviour { watch, ..Behaviour::default() }).await;
    let traffic = Traffic::to(stub.url()).identity_file(identity_file(&folder)).rate(100.0);
    let traffic = traffic.with(|plan| {
        plan.scenario = only("\"order\", \"watch\"");
        plan.scenario.watch_time = Duration::from_millis(100);
        plan.users = 5;
    });
    let traffic = traffic.start().await.unwrap();
    while stub.seen().calls.get("WatchOrder").is_none_or(|watches| *watches < 20) {
        tokio::task::yield_now().await;
    }
    let report = traffic.stop().await.unwrap();
    let calls = stub.seen().calls;
    stub.stop().await;
    (report, calls)
}

fn streams(report: &Report) -> Counts {
    report.rows.iter().find(|row| row.step == "watching").unwrap().counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_its_server_ends_is_resumed_and_is_no_failure() {
    let (report, calls) = watched(WatchEnd::OnceWell).await;
    assert_eq!(report.problems(), "");
    let streams = streams(&report);
    assert_eq!(streams.right, streams.offered);
    let watch = report.rows.iter().find(|row| row.step == "watch").unwrap();
    assert!(calls["WatchOrder"] > watch.counts.right, "each was opened twice, but for the last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_is_a_failure_of_the_run() {
    let (report, _) = watched(WatchEnd::Broken).await;
    let streams = streams(&report);
    assert!(streams.failed > 0 && streams.right == 0, "{streams:?}");
    assert_eq!(report.counts.failed, streams.failed);
    assert!(
        report.failures.iter().all(|call| call.step == "watching" && call.code == "UNAVAILABLE"),
        "{}",
        report.problems()
    );
}
