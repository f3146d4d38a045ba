//! Prices of companies, agreed by the tool and judged by it.

use std::collections::BTreeMap;

use loadgen::{
    DemoUser, Plan, Stack,
    testing::{Behaviour, Lie},
};
use tempfile::TempDir;

use crate::{only, plan, run, stub};

/// A plan of price checks and orders, for a platform whose seller can be logged in as.
fn agreeing(url: &str, folder: &TempDir) -> Plan {
    let seller =
        DemoUser { email: "seller@example.com".into(), password: "secret".into(), role: "seller".into() };
    let stack = Stack {
        url: url.to_owned(),
        ingress_metrics_url: String::new(),
        services: Vec::new(),
        pids: BTreeMap::new(),
        users: vec![seller],
    };
    Plan {
        scenario: only("\"prices\", \"order\", \"repeat order\""),
        users: 12,
        agree_prices: true,
        restock: true,
        stack: Some(stack),
        ..plan(url, folder, 100.0, 1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_second_company_gets_prices_of_its_own_and_each_is_judged() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let plan = agreeing(&stub.url(), &folder);
    let report = run(&plan).await;
    assert_eq!(report.counts.right, report.counts.ended(), "{}", report.problems());
    assert_eq!(report.environment["prices of companies"], "price list sipup-load-eur for 2 of 4 companies");
    let unagreed = "No company had prices of its own";
    assert!(!report.cautions.iter().any(|caution| caution.starts_with(unagreed)), "{:?}", report.cautions);

    // The next run finds the list as it is to be.
    let first = stub.seen().calls;
    run(&plan).await;
    let second = stub.seen().calls;
    assert_eq!((first["BatchSetPrices"], second["BatchSetPrices"]), (1, 1));
    assert_eq!((second["CreatePriceList"], second["BatchAdjustInventory"]), (2, 2));

    // A run that doesn't agree prices expects nothing of companies that may have some.
    let report = run(&Plan { agree_prices: false, ..plan }).await;
    assert_eq!(report.counts.right, report.counts.ended(), "{}", report.problems());
    assert!(report.cautions.iter().any(|caution| caution.starts_with(unagreed)), "{:?}", report.cautions);
    stub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_of_another_company_and_a_volume_that_is_not_seen_are_caught() {
    for (lie, code) in [(Lie::OthersPrice, "FOREIGN"), (Lie::NoTier, "TIER")] {
        let (stub, folder) = stub(Behaviour { lie: Some(lie), ..Behaviour::default() }).await;
        let report = run(&agreeing(&stub.url(), &folder)).await;
        let codes: Vec<&str> = report.failures.iter().map(|call| call.code.as_str()).collect();
        assert!(report.counts.wrong > 0 && codes.contains(&code), "{lie:?}: {codes:?}");
        assert!(!report.passed() && report.failures.iter().all(|call| call.outcome == "wrong"), "{lie:?}");
        stub.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_seller_prices_can_not_be_agreed() {
    let (stub, folder) = stub(Behaviour::default()).await;
    let mut plan = agreeing(&stub.url(), &folder);
    if let Some(stack) = plan.stack.as_mut() {
        stack.users.clear();
    }
    let refused = async |plan: &Plan| {
        let stop = tokio_util::sync::CancellationToken::new();
        loadgen::run(plan, &loadgen::Live::Silent, stop).await.unwrap_err().to_string()
    };
    assert_eq!(refused(&plan).await, "stack: names no seller");
    let plan = Plan { stack: None, restock: false, ..plan };
    assert_eq!(refused(&plan).await, "agree prices: needs the stack, whose seller it logs in as");
    stub.stop().await;
}
