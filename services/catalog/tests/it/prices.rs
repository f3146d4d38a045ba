//! Setting and removing prices of a list, many at once.

use proto::{catalog::v1 as pb, r#type::v1::Money};
use tonic::Code;

use crate::{
    queries::connect,
    support::{Shop, change, field, item, product, reason},
};

/// What became of each row: outcome, field and reason.
fn told(answer: &pb::BatchSetPricesResponse) -> Vec<(pb::RowOutcome, &str, &str)> {
    let row = |row: &'_ pb::BatchSetPricesResult| row.outcome();
    answer.results.iter().map(|it| (row(it), it.field.as_str(), it.reason.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_says_what_became_of_it_and_a_bad_one_stops_no_other() {
    use pb::RowOutcome::{Created, Rejected, Removed, Unchanged, Updated};
    let shop = Shop::with_price_list(&["A", "B", "C"]).await;
    let dollars = |sku: &str, minor_units| pb::PriceChange {
        unit_price: Some(Money { currency_code: "USD".into(), minor_units }),
        ..change(sku, 1, 0)
    };
    shop.add(pb::Product { price: dollars("", 5).unit_price, ..product("US", "all") }).await;
    shop.set("contract", vec![change("A", 1, 90), change("A", 10, 80), change("B", 1, 70)]).await.unwrap();

    let rows = vec![
        change("A", 1, 85),
        change("A", 10, 80),
        change("C", 0, 60),
        change("B", 1, -1),
        change("B", 7, -1),
        change("?", 1, 5),
        change("GONE", 1, 5),
        change("GONE", 1, -1),
        dollars("A", 5),
        dollars("US", 5),
        change("US", 1, 5),
        change("A", 10, 1),
        change("C", -3, 1),
    ];
    let answer = shop.set("contract", rows).await.unwrap();
    let currency = (Rejected, "unit_price.currency_code", "CURRENCY_MISMATCH");
    assert_eq!(
        told(&answer),
        [
            (Updated, "", ""),
            (Unchanged, "", ""),
            (Created, "", ""),
            (Removed, "", ""),
            (Unchanged, "", ""),
            (Rejected, "sku", "INVALID_FIELD"),
            (Rejected, "sku", "PRODUCT_NOT_FOUND"),
            (Rejected, "sku", "DUPLICATE_IN_REQUEST"),
            (Rejected, "sku", "DUPLICATE_IN_REQUEST"),
            currency,
            (Rejected, "sku", "DUPLICATE_IN_REQUEST"),
            (Rejected, "sku", "DUPLICATE_IN_REQUEST"),
            (Rejected, "min_quantity", "INVALID_FIELD"),
        ]
    );
    let counts = [answer.created_count, answer.updated_count, answer.unchanged_count, answer.removed_count];
    assert_eq!((counts, answer.rejected_count), ([1, 1, 2, 1], 8));
    assert!(answer.results[11].message.contains("changes[1]"), "{}", answer.results[11].message);
    let left = [("A", 1, 85), ("A", 10, 80), ("C", 1, 60)].map(|(sku, from, to)| (sku.to_owned(), from, to));
    assert_eq!(shop.prices_of("contract").await, left);
    // A price in another currency than the list, of a product in the list's.
    assert_eq!(told(&shop.set("contract", vec![dollars("A", 5)]).await.unwrap()), [currency]);
    // A price in the list's currency, of a product in another.
    assert_eq!(told(&shop.set("contract", vec![change("US", 1, 5)]).await.unwrap()), [currency]);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_prices_go_in_with_one_call_and_no_more() {
    let skus: Vec<String> = (0..1_000).map(|n| format!("S{n:04}")).collect();
    let shop = Shop::with_price_list(&skus.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let changes: Vec<_> =
        skus.iter().flat_map(|sku| (1..=5).map(move |from| change(sku, from, i64::from(from)))).collect();
    assert_eq!(shop.set("contract", changes.clone()).await.unwrap().created_count, 5_000);
    assert_eq!(shop.set("contract", changes.clone()).await.unwrap().unchanged_count, 5_000);
    let listed = shop.prices_of("contract").await;
    let expected = changes.iter().map(|it| (it.sku.clone(), it.min_quantity, i64::from(it.min_quantity)));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    for rows in [Vec::new(), [changes, vec![change("S0000", 9, 1)]].concat()] {
        let status = shop.set("contract", rows).await.unwrap_err();
        assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "changes"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_list_at_once_lose_no_row_and_meet_no_deadlock() {
    let skus: Vec<String> = (0..60).map(|n| format!("S{n:02}")).collect();
    let shop = Shop::with_price_list(&skus.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (shop, skus) = (&shop, &skus);
    let writers = futures::future::join_all((0..6_i64).map(async |writer| {
        let mut balance = 0;
        for round in 0..5 {
            // Set by some and removed by others, in opposite orders.
            let mut rows: Vec<_> = (0..40)
                .map(|n| {
                    let sku = &skus[usize::try_from(n + round * 4).unwrap()];
                    change(sku, 1, if (writer + n) % 3 == 0 { -1 } else { writer })
                })
                .collect();
            if writer % 2 == 0 {
                rows.reverse();
            }
            let answer = shop.set("contract", rows).await.unwrap();
            assert_eq!(answer.rejected_count, 0);
            balance += answer.created_count - answer.removed_count;
        }
        balance
    }));
    let balance: i32 = writers.await.into_iter().sum();
    assert_eq!(usize::try_from(balance).unwrap(), shop.prices_of("contract").await.len());
    let client = connect(&shop.database.admin_url()).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(client.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_prices_go_on_behind_each_other_within_one_list() {
    let shop = Shop::with_price_list(&["A", "B"]).await;
    shop.add_price_list("other").await.unwrap();
    let rows = [("A", 1), ("A", 5), ("A", 10), ("B", 1)].map(|(sku, from)| change(sku, from, 1));
    shop.set("contract", rows.into()).await.unwrap();
    let page = async |list: &str, page_size, page_token: &str| {
        let request = pb::ListPricesRequest {
            price_list_id: list.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        Ok(shop.prices.clone().list_prices(shop.seller(request)).await?.into_inner())
    };
    let first: Result<_, tonic::Status> = page("contract", 2, "").await;
    let first = first.unwrap();
    let second = page("contract", 2, &first.next_page_token).await.unwrap();
    let keys = |page: &pb::ListPricesResponse| {
        page.prices.iter().map(|price| (price.sku.clone(), price.min_quantity)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&first), [("A".to_owned(), 1), ("A".to_owned(), 5)]);
    assert_eq!(keys(&second), [("A".to_owned(), 10), ("B".to_owned(), 1)]);
    assert_eq!(second.next_page_token, "");
    let status = page("other", 2, &first.next_page_token).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "page_token"));
    let status = page("none", 2, "").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "PRICE_LIST_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_is_removed_takes_its_prices_along() {
    let shop = Shop::with_price_list(&["A", "B"]).await;
    let company = shop.company_with("contract").await;
    shop.set("contract", vec![change("A", 1, 50), change("B", 1, 60)]).await.unwrap();
    let id = shop.price(company, vec![item("A", 1)]).await.items[0].product_id.clone();
    let request = pb::DeleteProductRequest { id, ..Default::default() };
    shop.client.clone().delete_product(shop.seller(request)).await.unwrap();
    assert_eq!(shop.prices_of("contract").await, [("B".to_owned(), 1, 60)]);
    // Another product under the same SKU is no part of what was agreed.
    shop.add(product("A", "all")).await;
    assert_eq!(shop.cents(company, "A", 1).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_a_list_that_does_not_exist_are_not_set() {
    let shop = Shop::with_price_list(&["A"]).await;
    for rows in [vec![change("A", 1, 1)], vec![change("?", 1, 1)]] {
        let status = shop.set("none", rows).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "PRICE_LIST_NOT_FOUND"));
    }
}
