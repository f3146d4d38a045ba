//! What the service tells of itself.

use tonic::Code;

use crate::support::{World, refused};

#[tokio::test]
async fn orders_and_refusals_are_counted_once_each() {
    let world = World::new().await;
    world.sell("A", 100, 3).await;
    let buyer = world.buyer();
    buyer.create(&[("A", 1), ("A", 1)], "k1").await.unwrap();
    buyer.create(&[("A", 1), ("A", 1)], "k1").await.unwrap();
    for key in ["k2", "k3"] {
        refused(buyer.create(&[("A", 2)], key).await, Code::FailedPrecondition, "OUT_OF_STOCK");
    }
    refused(buyer.create(&[("NONE", 2)], "k4").await, Code::FailedPrecondition, "PRODUCT_NOT_FOUND");

    let figures = world.metrics().await;
    for line in [
        "orders_placed_total 1",
        "orders_lines_sum 2",
        "orders_lines_count 1",
        "orders_refused_total{reason=\"OUT_OF_STOCK\"} 2",
        "orders_refused_total{reason=\"PRODUCT_NOT_FOUND\"} 1",
    ] {
        assert!(figures.lines().any(|found| found.trim_end() == line), "{line} is not in {figures}");
    }
}
