//! Many buyers at once.

use futures::future::join_all;
use tonic::Code;

use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_buyers_of_one_sku_never_get_more_than_there_is() {
    const BUYERS: usize = 64;
    const EACH: usize = 5;
    const UNITS: i32 = 500;
    let world = World::new().await;
    world.sell("HOT", 100, UNITS).await;
    world.sell("COLD", 100, 1_000_000).await;
    let attempts = (0..BUYERS).map(|number| {
        let buyer = world.buyer();
        async move {
            let mut sold = 0;
            for attempt in 0..EACH {
                let units = i32::try_from(1 + (number + attempt) % 4).unwrap();
                // Half of them name the two the other way round: the order of locks must not be theirs.
                let mut items = [("HOT", units), ("COLD", 1)];
                items.rotate_left(number % 2);
                match buyer.create(&items, &attempt.to_string()).await {
                    Ok(_) => sold += units,
                    Err(refusal) => assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}"),
                }
            }
            sold
        }
    });
    let sold: i32 = join_all(attempts).await.into_iter().sum();
    let left = world.seller().stock("HOT").await.unwrap();
    assert!((0..4).contains(&left), "the most that nobody could buy: {left}");
    assert_eq!(sold + left, UNITS);
    assert_eq!(world.books.units().await["HOT"], (left.into(), sold.into()));
    let orders = world.books.count("orders.orders").await;
    for table in ["orders.order_events", "jobs.ready", "orders.idempotency WHERE method = 'CreateOrder'"] {
        assert_eq!(world.books.count(table).await, orders, "{table}");
    }
    assert_eq!(world.books.count("orders.order_lines").await, 2 * orders);
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_cancelled_and_shipped_at_once_ends_in_one_of_both() {
    let world = World::new().await;
    world.sell("A", 100, 100).await;
    let (buyer, seller) = (world.buyer(), world.seller());
    for number in 0..20 {
        let order = buyer.create(&[("A", 1)], &number.to_string()).await.unwrap();
        let (cancelled, shipped) = tokio::join!(buyer.cancel(&order.id, ""), seller.ship(&order.id, ""));
        assert!(cancelled.is_ok() != shipped.is_ok(), "{cancelled:?} {shipped:?}");
    }
    let (left, sold) = world.books.units().await["A"];
    assert_eq!(left + sold, 100);
    world.books.check().await;
}
