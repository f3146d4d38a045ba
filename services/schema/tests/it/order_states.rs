//! Cancelling, shipping, and adjusting stock.

use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::{
    create_order::{Draft, shop},
    support::{number, text},
};

async fn cancel(client: &Client, id: Uuid) -> String {
    text(client, &format!("SELECT orders.cancel_order('{id}', uuidv7(), 'too late', NULL, now())")).await
}

async fn ship(client: &Client, id: Uuid) -> String {
    text(client, &format!("SELECT orders.ship_order('{id}', uuidv7(), NULL, now())")).await
}

async fn adjust(client: &Client, skus: &[&str], deltas: &[i32]) -> Vec<(i32, String, i32)> {
    let rows = client
        .query(
            "SELECT n, outcome, on_hand FROM orders.adjust_stock($1, $2, now(), uuidv7()) ORDER BY n",
            &[&skus, &deltas],
        )
        .await
        .unwrap_or_else(|err| panic!("{err:?}"));
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn stock(client: &Client) -> Vec<(String, i32)> {
    let rows = client.query("SELECT sku, on_hand FROM orders.stock ORDER BY sku", &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn cancelling_gives_the_stock_back_once() {
    let (_database, company, buyer) = shop(&[("A", 10), ("B", 4)]).await;
    let draft = Draft::of(company, &[("B", 4), ("A", 2), ("A", 3)]);
    draft.place(&buyer).await;
    assert_eq!(stock(&buyer).await, [("A".to_owned(), 5), ("B".to_owned(), 0)]);
    assert_eq!(cancel(&buyer, draft.id).await, "cancelled");
    assert_eq!(cancel(&buyer, draft.id).await, "unchanged");
    assert_eq!(stock(&buyer).await, [("A".to_owned(), 10), ("B".to_owned(), 4)]);

    let events =
        buyer.query("SELECT seq, kind, data->>'reason' FROM order_events ORDER BY seq", &[]).await.unwrap();
    let events: Vec<(i32, String, Option<String>)> =
        events.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(
        events,
        [(1, "placed".to_owned(), None), (2, "cancelled".to_owned(), Some("too late".to_owned()))]
    );
    assert_eq!(text(&buyer, "SELECT cancelled_reason FROM orders").await, "too late");
}

#[tokio::test]
async fn a_shipped_order_is_not_cancelled_and_a_cancelled_one_not_shipped() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let seller = database.wide("orders", "seller").await;
    let (shipped, cancelled) = (Draft::of(company, &[("A", 1)]), Draft::of(company, &[("A", 1)]));
    shipped.place(&buyer).await;
    cancelled.place(&buyer).await;
    assert_eq!(ship(&seller, shipped.id).await, "shipped");
    assert_eq!(ship(&seller, shipped.id).await, "unchanged");
    assert_eq!(cancel(&buyer, shipped.id).await, "not_cancellable");
    assert_eq!(cancel(&buyer, cancelled.id).await, "cancelled");
    assert_eq!(ship(&seller, cancelled.id).await, "not_shippable");
    assert_eq!(ship(&seller, Uuid::now_v7()).await, "not_found");
    assert_eq!(cancel(&buyer, Uuid::now_v7()).await, "not_found");
    assert_eq!(stock(&buyer).await, [("A".to_owned(), 9)]);
}

#[tokio::test]
async fn of_two_who_cancel_and_ship_at_once_one_wins() {
    let (database, company, buyer) = shop(&[("A", 100)]).await;
    let seller = database.wide("orders", "seller").await;
    for _ in 0..10 {
        let draft = Draft::of(company, &[("A", 1)]);
        draft.place(&buyer).await;
        let outcomes = tokio::join!(cancel(&buyer, draft.id), ship(&seller, draft.id));
        assert!(
            matches!(
                (outcomes.0.as_str(), outcomes.1.as_str()),
                ("cancelled", "not_shippable") | ("not_cancellable", "shipped")
            ),
            "{outcomes:?}"
        );
    }
    assert_eq!(number(&seller, "SELECT count(*) FROM order_events WHERE seq = 2").await, 10);
    assert_eq!(number(&seller, "SELECT count(*) FROM order_events WHERE seq > 2").await, 0);
    let kept =
        number(&seller, "SELECT (SELECT on_hand FROM stock) + count(*) FROM orders WHERE state = 2").await;
    assert_eq!(kept, 100);
}

#[tokio::test]
async fn a_cancellation_may_enqueue_its_own_job() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let draft = Draft::of(company, &[("A", 1)]);
    draft.place(&buyer).await;
    let job =
        r#"{"queue": "email", "kind": "order_cancelled", "args": {}, "priority": 0, "max_attempts": 9}"#;
    let outcome =
        text(&buyer, &format!("SELECT cancel_order('{}', uuidv7(), NULL, '{job}', now())", draft.id)).await;
    assert_eq!(outcome, "cancelled");
    let jobs = database.company("jobs", company).await;
    assert_eq!(
        number(
            &jobs,
            "SELECT count(*) FROM ready WHERE kind = 'order_cancelled' AND priority = 0 AND max_attempts = 9"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn stock_is_adjusted_for_all_skus_or_none() {
    let (database, _, _) = shop(&[("A", 10), ("B", 1)]).await;
    let seller = database.wide("orders", "seller").await;
    let adjusted = |n, on_hand| (n, "adjusted".to_owned(), on_hand);
    assert_eq!(
        adjust(&seller, &["new", "B", "A"], &[5, -1, 2]).await,
        [adjusted(1, 5), adjusted(2, 0), adjusted(3, 12)]
    );

    let refused = adjust(&seller, &["B", "A", "other", "huge"], &[-1, 1, 3, 2_000_000_001]).await;
    let expected = [(1, "refused", 0), (2, "skipped", 12), (3, "skipped", 0), (4, "refused", 0)];
    assert_eq!(refused, expected.map(|(n, outcome, on_hand)| (n, outcome.to_owned(), on_hand)));
    let unchanged = [("A", 12), ("B", 0), ("new", 5)];
    assert_eq!(stock(&seller).await, unchanged.map(|(sku, on_hand)| (sku.to_owned(), on_hand)));

    for (skus, deltas) in [(&["A", "A"][..], &[1, 1][..]), (&["A", "B"], &[1])] {
        let sql = "SELECT orders.adjust_stock($1, $2, now(), uuidv7())";
        let err = seller.query(sql, &[&skus, &deltas]).await.unwrap_err();
        assert_eq!(err.code(), Some(&SqlState::INVALID_PARAMETER_VALUE));
    }
}
