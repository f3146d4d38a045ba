//! Reports: asked for, waited for, fetched.

use loadgen::testing::Behaviour;

use crate::{only, plan, run, stub};

/// A journey that ends with a report's file.
const STEPS: &str = "\"order\", \"report\", \"await report\", \"download report\", \"reports\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_waited_for_click_by_click_and_fetched_once_it_is_ready() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let mut plan = plan(&stub.url(), &folder, 100.0, 2);
    plan.scenario = only(STEPS);
    plan.users = 10;
    let report = run(&plan).await;
    assert_eq!(report.counts.right, report.counts.ended(), "{}", report.problems());
    let calls = stub.seen().calls;
    // The stub's reports are ready at the second look.
    assert!(calls["DownloadReport"] > 5, "{calls:?}");
    assert!(calls["GetReport"] >= 2 * calls["DownloadReport"], "{calls:?}");
    assert!(calls["GetReport"] <= 2 * calls["CreateReport"], "{calls:?}");
    let steps: Vec<&str> = report.rows.iter().map(|row| row.step.as_str()).collect();
    assert_eq!(steps, ["order", "report", "await report", "download report", "reports"]);
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_one_too_many_is_declined_and_nobody_waits_for_it() {
    let (stub, folder) = stub(Behaviour { refuse_reports_every: 1, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 100.0, 1);
    plan.scenario = only(STEPS);
    plan.users = 10;
    let report = run(&plan).await;
    let (counts, calls) = (report.counts, stub.seen().calls);
    assert_eq!((counts.declined, counts.answered()), (calls["CreateReport"], counts.ended()), "{counts:?}");
    assert!(calls["ListReports"] > 0 && !calls.contains_key("GetReport"), "{calls:?}");
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_given_up_is_a_failure_and_no_wrong_answer() {
    let (stub, folder) = stub(Behaviour { reports_fail: true, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 100.0, 1);
    plan.scenario = only(STEPS);
    plan.users = 10;
    let report = run(&plan).await;
    assert!(report.counts.failed > 0 && report.counts.wrong == 0, "{:?}", report.counts);
    assert!(report.failures.iter().all(|call| call.code == "NOT_MADE"), "{}", report.problems());
    assert!(!stub.seen().calls.contains_key("DownloadReport"));
    stub.stop().await;
}
