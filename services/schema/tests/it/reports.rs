//! `orders.report_lines`: whole orders, page by page, each line once.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    create_order::{Draft, shop},
    support::number,
};

/// A line: order, number and SKU.
type Line = (Uuid, i16, String);

async fn page(system: &Client, company: Option<Uuid>, after: Option<Uuid>, orders: i32) -> Vec<Line> {
    let sql = "SELECT order_id, line_no, sku FROM orders.report_lines($1, now() - interval '1 hour', now() + interval '1 hour', $2, $3)";
    let rows = system.query(sql, &[&company, &after, &orders]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn all(system: &Client, company: Option<Uuid>, orders: i32) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    loop {
        let page = page(system, company, lines.last().map(|line| line.0), orders).await;
        if page.is_empty() {
            return lines;
        }
        lines.extend(page);
    }
}

#[tokio::test]
async fn a_page_has_whole_orders_of_one_company_or_of_all() {
    let (database, ours, us) = shop(&[("A", 100), ("B", 100)]).await;
    let theirs = Uuid::now_v7();
    let them = database.company("orders", theirs).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let draft = Draft::of(ours, &[("B", 1), ("A", 1), ("B", 2)]);
        assert_eq!(draft.place(&us).await.outcome, "created");
        expected.extend([
            (draft.id, 1, "B".to_owned()),
            (draft.id, 2, "A".to_owned()),
            (draft.id, 3, "B".to_owned()),
        ]);
        assert_eq!(Draft::of(theirs, &[("A", 1)]).place(&them).await.outcome, "created");
    }
    let system = database.wide("jobs", "system").await;
    assert_eq!(page(&system, Some(ours), None, 2).await, expected[..6]);
    for orders in [1, 2, 5, 100] {
        assert_eq!(all(&system, Some(ours), orders).await, expected, "{orders} orders on a page");
    }
    assert_eq!(all(&system, None, 3).await.len(), 20);
}

#[tokio::test]
async fn an_order_without_lines_does_not_look_like_the_end() {
    let (database, company, us) = shop(&[("A", 100)]).await;
    let admin = database.admin().await;
    for _ in 0..3 {
        assert_eq!(Draft::of(company, &[("A", 1)]).place(&us).await.outcome, "created");
    }
    admin
        .batch_execute("DELETE FROM orders.order_lines WHERE order_id = (SELECT id FROM orders.orders ORDER BY id LIMIT 1)")
        .await
        .unwrap();
    let system = database.wide("jobs", "system").await;
    let first = "SELECT count(*) FROM orders.report_lines(NULL, now() - interval '1 hour', now() + interval '1 hour', NULL, 1)";
    assert_eq!(number(&system, first).await, 1);
}

#[tokio::test]
async fn while_orders_are_placed_each_line_comes_once_and_none_of_before_is_missing() {
    let (database, company, us) = shop(&[("A", 10_000)]).await;
    let mut before = Vec::new();
    for _ in 0..40 {
        let draft = Draft::of(company, &[("A", 1), ("A", 1)]);
        draft.place(&us).await;
        before.push(draft.id);
    }
    let others = futures::future::join_all((0..3).map(|_| database.company("orders", company))).await;
    let placing = futures::future::join_all(others.iter().map(async |client| {
        for _ in 0..40 {
            Draft::of(company, &[("A", 1), ("A", 1)]).place(client).await;
        }
    }));
    let system = database.wide("jobs", "system").await;
    let (lines, _) = futures::future::join(all(&system, Some(company), 3), placing).await;
    let mut keys: Vec<_> = lines.iter().map(|(order, line, _)| (*order, *line)).collect();
    assert!(before.iter().all(|order| keys.contains(&(*order, 1)) && keys.contains(&(*order, 2))));
    assert_eq!(keys.len() % 2, 0, "an order was cut");
    let told = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), told, "a line came twice");
}
