//! Many buyers at once: nothing is sold twice, nothing is lost, nobody deadlocks.

use futures::future::join_all;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    create_order::{Draft, shop},
    support::{Database, number, text},
};

const BUYERS: usize = 24;

async fn buyers(database: &Database) -> Vec<(Uuid, Client)> {
    join_all((0..BUYERS).map(async |_| {
        let company = Uuid::now_v7();
        (company, database.company("orders", company).await)
    }))
    .await
}

/// Every unit is in stock or in a line of an order that was not cancelled.
async fn assert_conserved(admin: &Client, units: i64) {
    let kept = "SELECT (SELECT sum(on_hand) FROM orders.stock)
                     + coalesce(sum(l.quantity), 0)::bigint FROM orders.order_lines l JOIN orders.orders o ON o.id = l.order_id WHERE o.state <> 3";
    assert_eq!(number(admin, kept).await, units);
    let orphans = "SELECT (SELECT count(*) FROM orders.order_lines l WHERE NOT EXISTS (SELECT FROM orders.orders o WHERE o.id = l.order_id))
                        + (SELECT count(*) FROM orders.orders o WHERE NOT EXISTS (SELECT FROM orders.order_events e WHERE e.order_id = o.id))
                        + abs((SELECT count(*) FROM orders.orders) - (SELECT count(*) FROM orders.idempotency))
                        + abs((SELECT count(*) FROM orders.orders) - (SELECT count(*) FROM jobs.ready))";
    assert_eq!(number(admin, orphans).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_four_buyers_of_one_sku_get_exactly_what_there_is() {
    let (database, _, _) = shop(&[("A", 300)]).await;
    let buyers = buyers(&database).await;
    let sold = join_all(buyers.iter().map(async |(company, client)| {
        let mut sold = 0;
        for n in 0..20_i32 {
            let quantity = 1 + n % 3;
            let placed = Draft::of(*company, &[("A", quantity)]).place(client).await;
            match placed.outcome.as_str() {
                "created" => sold += quantity,
                "stock" => {}
                outcome => panic!("{outcome}"),
            }
        }
        sold
    }))
    .await;
    // 24 x 20 requests want 948 units: the last unit goes, for somebody always wants one.
    assert_eq!(sold.iter().sum::<i32>(), 300);
    let admin = database.admin().await;
    assert_eq!(number(&admin, "SELECT on_hand::bigint FROM orders.stock").await, 0);
    assert_conserved(&admin, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_the_same_skus_in_any_sequence_never_deadlock() {
    const SKUS: [&str; 6] = ["a", "B", "c", "D", "é", "Z9"];
    let stock: Vec<_> = SKUS.iter().map(|sku| (*sku, 500)).collect();
    let (database, _, _) = shop(&stock).await;
    let buyers = buyers(&database).await;
    let seller = database.wide("orders", "seller").await;
    let trade = join_all(buyers.iter().enumerate().map(async |(b, (company, client))| {
        for n in 0..15 {
            let mut items: Vec<_> =
                (0..4).map(|i| (SKUS[(b + n * 5 + i * (1 + b % 2)) % SKUS.len()], 1)).collect();
            if (b + n) % 2 == 0 {
                items.reverse();
            }
            let draft = Draft::of(*company, &items);
            assert_eq!(draft.place(client).await.outcome, "created");
            if n % 3 == 0 {
                let cancel = format!("SELECT cancel_order('{}', uuidv7(), '', NULL, now())", draft.id);
                assert_eq!(text(client, &cancel).await, "cancelled");
            }
        }
    }));
    let restock = async {
        for n in 0..30 {
            let mut skus = SKUS;
            skus.rotate_left(n % SKUS.len());
            let adjusted = seller
                .query(
                    "SELECT adjust_stock($1, $2, now(), uuidv7())",
                    &[&skus.as_slice(), &[1_i32; 6].as_slice()],
                )
                .await;
            adjusted.unwrap_or_else(|err| panic!("{err:?}"));
        }
    };
    tokio::join!(trade, restock);
    let admin = database.admin().await;
    assert_eq!(
        number(&admin, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await,
        0
    );
    assert_conserved(&admin, 6 * 530).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_twins_one_places_the_order_and_all_hear_the_same() {
    let (database, company, _) = shop(&[("A", 100)]).await;
    let first = Draft::of(company, &[("A", 2)]);
    let clients = join_all((0..12).map(async |_| database.company("orders", company).await)).await;
    let placed = join_all(clients.iter().map(async |client| first.again().place(client).await)).await;
    assert_eq!(placed.iter().filter(|placed| placed.outcome == "created").count(), 1, "{placed:?}");
    assert_eq!(placed.iter().filter(|placed| placed.outcome == "replayed").count(), 11, "{placed:?}");
    assert!(placed.iter().all(|other| other.response == placed[0].response), "{placed:?}");
    assert_conserved(&database.admin().await, 100).await;
}
