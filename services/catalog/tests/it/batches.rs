//! Many products in one call.

use proto::catalog::v1::{self as pb, ConflictPolicy, RowOutcome};
use tonic::Code;

use crate::support::{Shop, euro, field, product};

async fn put(
    shop: &Shop,
    products: Vec<pb::Product>,
    policy: ConflictPolicy,
) -> pb::BatchCreateProductsResponse {
    let request =
        pb::BatchCreateProductsRequest { products, conflict_policy: policy.into(), ..Default::default() };
    shop.client.clone().batch_create_products(shop.seller(request)).await.unwrap().into_inner()
}

fn outcomes(answer: &pb::BatchCreateProductsResponse) -> Vec<RowOutcome> {
    answer.results.iter().map(pb::BatchCreateProductsResult::outcome).collect()
}

fn counts(answer: &pb::BatchCreateProductsResponse) -> [i32; 4] {
    [answer.created_count, answer.updated_count, answer.unchanged_count, answer.rejected_count]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_refused_with_its_reason_and_stops_no_other() {
    let shop = Shop::with_category("bolts").await;
    shop.add(product("TAKEN", "bolts")).await;
    let rows = vec![
        product("A", "bolts"),
        product("no good", "bolts"),
        product("TAKEN", "bolts"),
        product("B", "nowhere"),
        pb::Product { price: euro(-1), ..product("C", "bolts") },
        product("A", "bolts"),
        pb::Product { name: "a\0b".into(), ..product("D", "bolts") },
        product("E", "bolts"),
    ];
    let answer = put(&shop, rows, ConflictPolicy::Unspecified).await;
    let why: Vec<(&str, &str)> =
        answer.results.iter().map(|row| (row.reason.as_str(), row.field.as_str())).collect();
    assert_eq!(
        why,
        [
            ("", ""),
            ("INVALID_FIELD", "sku"),
            ("SKU_TAKEN", "sku"),
            ("CATEGORY_NOT_FOUND", "category_id"),
            ("INVALID_FIELD", "price.minor_units"),
            ("DUPLICATE_IN_REQUEST", "sku"),
            ("INVALID_FIELD", "name"),
            ("", ""),
        ]
    );
    assert_eq!(counts(&answer), [2, 0, 0, 6]);
    assert!(answer.results.iter().all(|row| row.id.is_empty() != row.reason.is_empty()));
    assert!(answer.results.iter().all(|row| row.message.is_empty() == row.reason.is_empty()));
    assert_eq!(shop.get(&answer.results[7].id).await.unwrap().sku, "E");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_what_becomes_of_a_sku_that_exists() {
    use RowOutcome::{Created, Rejected, Unchanged, Updated};
    let shop = Shop::with_category("bolts").await;
    let (same, other) = (shop.add(product("SAME", "bolts")).await, shop.add(product("OTHER", "bolts")).await);
    let rows = |n: u8| {
        let other =
            pb::Product { price: euro(i64::from(n)), active: Some(false), ..product("OTHER", "bolts") };
        vec![product("SAME", "bolts"), other, product(&format!("NEW{n}"), "bolts")]
    };
    let rejected = put(&shop, rows(1), ConflictPolicy::Reject).await;
    assert_eq!(outcomes(&rejected), [Rejected, Rejected, Created]);
    let skipped = put(&shop, rows(2), ConflictPolicy::Skip).await;
    assert_eq!(outcomes(&skipped), [Unchanged, Unchanged, Created]);
    assert_eq!(shop.get(&other.id).await.unwrap(), other);
    let updated = put(&shop, rows(3), ConflictPolicy::Update).await;
    assert_eq!(outcomes(&updated), [Unchanged, Updated, Created]);
    assert_eq!(
        (updated.results[0].id.as_str(), updated.results[1].id.as_str()),
        (same.id.as_str(), other.id.as_str())
    );
    assert_eq!(shop.get(&same.id).await.unwrap(), same);
    let changed = shop.get(&other.id).await.unwrap();
    assert_eq!((changed.price.clone(), changed.active), (euro(3), Some(false)));
    assert_ne!(changed.etag, other.etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_rows_fit_into_one_call_and_no_more() {
    let shop = Shop::with_category("bolts").await;
    let rows: Vec<_> = (0..5_001).map(|n| product(&format!("P{n}"), "bolts")).collect();
    let request = pb::BatchCreateProductsRequest { products: rows.clone(), ..Default::default() };
    let status = shop.client.clone().batch_create_products(shop.seller(request)).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "products"));
    let answer = put(&shop, rows[..5_000].to_vec(), ConflictPolicy::Reject).await;
    assert_eq!(counts(&answer), [5_000, 0, 0, 0]);
    let again = put(&shop, rows[..5_000].to_vec(), ConflictPolicy::Update).await;
    assert_eq!(counts(&again), [0, 0, 5_000, 0]);
    let status = shop
        .client
        .clone()
        .batch_create_products(shop.seller(pb::BatchCreateProductsRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(field(&status), "products");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_nothing_but_bad_rows_is_answered_row_by_row() {
    let shop = Shop::open().await;
    let answer =
        put(&shop, vec![pb::Product::default(), product("A", "nowhere")], ConflictPolicy::Update).await;
    assert_eq!(counts(&answer), [0, 0, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_batches_with_the_same_rows_in_other_orders_do_not_block_each_other_for_good() {
    let shop = Shop::with_category("bolts").await;
    let rows: Vec<_> = (0..500).map(|n| product(&format!("P{n}"), "bolts")).collect();
    let reversed: Vec<_> = rows.iter().rev().cloned().collect();
    for round in 1..=5 {
        let priced = |rows: &[pb::Product], cents| {
            rows.iter().map(|row| pb::Product { price: euro(cents), ..row.clone() }).collect::<Vec<_>>()
        };
        let (left, right) = tokio::join!(
            put(&shop, priced(&rows, round), ConflictPolicy::Update),
            put(&shop, priced(&reversed, round + 100), ConflictPolicy::Update)
        );
        assert_eq!((left.rejected_count, right.rejected_count), (0, 0));
        let first = shop.get(&left.results[0].id).await.unwrap().price;
        assert!(first == euro(round) || first == euro(round + 100));
    }
}
