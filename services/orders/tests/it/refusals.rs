//! Orders that can't be placed, and what their buyers are told.

use tonic::Code;

use crate::support::{World, fields, lacks, refused, wish};

#[tokio::test]
async fn fields_that_can_not_be_right_are_named_all_at_once() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let mut bad =
        wish(&[("A", 1), ("A", 0), ("A", -1), ("A", i32::MIN), ("A", i32::MAX), ("", 1), ("a b", 1)], "k");
    bad.note = "bell\u{7}".to_owned();
    bad.purchase_order_number = "x".repeat(65);
    let refusal = refused(buyer.send(bad).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(
        fields(&refusal),
        [
            "items[1].quantity",
            "items[2].quantity",
            "items[3].quantity",
            "items[4].quantity",
            "items[5].sku",
            "items[6].sku",
            "purchase_order_number",
            "note"
        ]
    );
    assert!(world.catalog.calls().is_empty());
}

#[tokio::test]
async fn an_order_has_up_to_five_hundred_items() {
    let world = World::new().await;
    world.sell("A", 100, 1_000).await;
    let buyer = world.buyer();
    let order = buyer.create(&[("A", 1); 500], "k").await.unwrap();
    assert_eq!((order.lines.len(), order.total.as_ref().unwrap().minor_units), (500, 50_000));
    assert_eq!(buyer.get(&order.id).await.unwrap(), order);
    for count in [0, 501] {
        let refusal =
            refused(buyer.create(&vec![("A", 1); count], "n").await, Code::InvalidArgument, "INVALID_FIELD");
        assert_eq!(fields(&refusal), ["items"]);
    }
    world.books.check().await;
}

#[tokio::test]
async fn products_that_are_not_sold_are_named_by_line() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    world.catalog.put("OLD", 100, "EUR", false);
    let buyer = world.buyer();
    let refusal = refused(
        buyer.create(&[("OLD", 1), ("A", 1), ("NONE", 1)], "k").await,
        Code::FailedPrecondition,
        "PRODUCT_INACTIVE",
    );
    let lacks: Vec<_> = lacks(&refusal).into_iter().map(|(kind, subject, _)| (kind, subject)).collect();
    let expected = [("PRODUCT_INACTIVE", "items[0]"), ("PRODUCT_NOT_FOUND", "items[2]")];
    assert_eq!(lacks, expected.map(|(kind, subject)| (kind.to_owned(), subject.to_owned())));
    refused(buyer.create(&[("NONE", 1)], "k").await, Code::FailedPrecondition, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn an_order_is_in_one_currency_and_below_the_bound() {
    let world = World::new().await;
    world.sell("A", 1_000_000_000, 2_000).await;
    world.catalog.put("D", 1, "USD", true);
    let buyer = world.buyer();
    refused(buyer.create(&[("A", 1), ("D", 1)], "k").await, Code::FailedPrecondition, "MIXED_CURRENCIES");
    refused(buyer.create(&[("A", 1_001)], "k").await, Code::FailedPrecondition, "TOTAL_TOO_LARGE");
    refused(buyer.create(&[("A", 1_000), ("A", 1)], "k").await, Code::FailedPrecondition, "TOTAL_TOO_LARGE");
    // 10^9 times 10^6 four times over would not fit 64 bits if it were added up.
    world.catalog.put("X", 1_000_000_000_000, "EUR", true);
    refused(buyer.create(&[("X", 1_000_000); 500], "k").await, Code::FailedPrecondition, "TOTAL_TOO_LARGE");
    let order = buyer.create(&[("A", 1_000)], "k").await.unwrap();
    assert_eq!(order.total.unwrap().minor_units, 1_000_000_000_000);
    world.books.check().await;
}

#[tokio::test]
async fn a_sku_listed_twice_is_out_of_stock_on_the_line_that_lacks() {
    let world = World::new().await;
    world.sell("A", 100, 5).await;
    world.catalog.put("NEVER-STOCKED", 100, "EUR", true);
    let buyer = world.buyer();
    let refusal = refused(
        buyer.create(&[("A", 3), ("NEVER-STOCKED", 1), ("A", 3)], "k").await,
        Code::FailedPrecondition,
        "OUT_OF_STOCK",
    );
    let mut lacks: Vec<_> =
        lacks(&refusal).into_iter().map(|(_, subject, description)| (subject, description)).collect();
    lacks.sort();
    let expected =
        [("items[1]", "NEVER-STOCKED: wanted 1, available 0"), ("items[2]", "A: wanted 3, available 2")];
    assert_eq!(lacks, expected.map(|(subject, description)| (subject.to_owned(), description.to_owned())));
    assert_eq!(buyer.stock("A").await.unwrap(), 5);
}

#[tokio::test]
async fn stock_is_not_adjusted_by_numbers_that_can_not_be_right() {
    let world = World::new().await;
    let seller = world.seller();
    let refusal = refused(
        seller
            .adjust(&[("A", 0), ("B", 1_000_001), ("C", i32::MIN), ("D", 1), ("D", 1), ("e f", 1)], None)
            .await,
        Code::InvalidArgument,
        "INVALID_FIELD",
    );
    assert_eq!(
        fields(&refusal),
        [
            "adjustments[0].delta",
            "adjustments[1].delta",
            "adjustments[2].delta",
            "adjustments[4].sku",
            "adjustments[5].sku"
        ]
    );
    refused(seller.adjust(&[], None).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(world.books.count("orders.stock").await, 0);
}

#[tokio::test]
async fn a_thousand_skus_are_adjusted_in_one_call() {
    let world = World::new().await;
    let seller = world.seller();
    let skus: Vec<String> = (0..1_001).map(|number| format!("S{number}")).collect();
    let changes: Vec<(&str, i32)> = skus.iter().map(|sku| (&**sku, 7)).collect();
    refused(seller.adjust(&changes, None).await, Code::InvalidArgument, "INVALID_FIELD");
    let stock = seller.adjust(&changes[..1_000], None).await.unwrap().into_inner().inventories;
    assert!(stock.iter().zip(&skus).all(|(stock, sku)| stock.sku == *sku && stock.on_hand == 7));
    assert_eq!(stock.len(), 1_000);
}

#[tokio::test]
async fn ids_reasons_and_states_are_checked() {
    let world = World::new().await;
    let buyer = world.buyer();
    for outcome in [buyer.get("17").await, buyer.get("").await] {
        assert_eq!(fields(&refused(outcome, Code::InvalidArgument, "INVALID_FIELD")), ["id"]);
    }
    let unknown = uuid::Uuid::now_v7().to_string();
    refused(buyer.get(&unknown).await, Code::NotFound, "ORDER_NOT_FOUND");
    // Before all partitions, and not a UUIDv7 at all.
    for id in [uuid::Uuid::nil(), uuid::Uuid::max()] {
        refused(buyer.get(&id.to_string()).await, Code::NotFound, "ORDER_NOT_FOUND");
        refused(buyer.cancel(&id.to_string(), "").await, Code::NotFound, "ORDER_NOT_FOUND");
    }
    assert_eq!(
        fields(&refused(buyer.list(0, "", 9).await, Code::InvalidArgument, "INVALID_FIELD")),
        ["state"]
    );
    assert_eq!(
        fields(&refused(buyer.list(-1, "", 0).await, Code::InvalidArgument, "INVALID_FIELD")),
        ["page_size"]
    );
    assert_eq!(
        fields(&refused(buyer.list(0, "x", 0).await, Code::InvalidArgument, "INVALID_FIELD")),
        ["page_token"]
    );
    let request = proto::orders::v1::CancelOrderRequest {
        id: unknown,
        reason: "x".repeat(501),
        request_id: String::new(),
    };
    let outcome = buyer.orders().cancel_order(buyer.sign(request)).await;
    assert_eq!(fields(&refused(outcome, Code::InvalidArgument, "INVALID_FIELD")), ["reason"]);
}
