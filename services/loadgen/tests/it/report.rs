//! The page and what is inside.

use loadgen::{
    report::{self, compare},
    testing::Behaviour,
};

use crate::{only, plan, run, stub};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_needs_nothing_from_elsewhere_and_gives_its_data_back() {
    let (stub, folder) = stub(Behaviour { limit_every: 5, ..Behaviour::default() }).await;
    let mut plan = plan(&stub.url(), &folder, 100.0, 2);
    plan.scenario = only("\"view\", \"order\"");
    plan.objectives = "p50<10s,success>99.9%".parse().unwrap();
    let run = run(&plan).await;
    let page = report::page("", std::slice::from_ref(&run), std::slice::from_ref(&run));
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<script").count(), 1, "the data, which is no script to run");
    let verdict = page.find("p50&lt;10s").unwrap();
    assert!(verdict < page.find("<svg").unwrap(), "the verdict comes first");
    assert!(page.contains("holds") && page.contains("fails") && page.contains("RESOURCE_EXHAUSTED"));
    assert!(page.contains("Compared with"));

    let file = folder.path().join("load.html");
    std::fs::write(&file, &page).unwrap();
    let back = report::read(&file).unwrap();
    assert_eq!(back[0].counts, run.counts);
    let json = folder.path().join("load.json");
    std::fs::write(&json, serde_json::to_vec(&back).unwrap()).unwrap();
    let back = report::read(&json).unwrap();
    assert_eq!(compare::counterpart(&back, &run).unwrap().latency.count, run.latency.count);
    assert!(
        // A fraction may come back with another last digit.
        compare::changes(&back[0], &run)
            .iter()
            .all(|change| change.share().is_none_or(|share| share.abs() < 1e-9))
    );
    stub.stop().await;
}

#[test]
fn a_file_without_a_report_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("other.html");
    std::fs::write(&file, "<html></html>").unwrap();
    assert!(report::read(&file).is_err());
}
