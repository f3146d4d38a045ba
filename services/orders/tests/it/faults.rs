//! What goes wrong around the service, and what must not come of it.

use tonic::Code;

use crate::support::{World, refused, until, was_replayed, wish};

#[tokio::test]
async fn without_the_catalogue_nothing_is_written_and_all_else_goes_on() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let order = buyer.create(&[("A", 1)], "k1").await.unwrap();
    world.catalog.stop().await;

    refused(buyer.create(&[("A", 1)], "k2").await, Code::Unavailable, "CATALOG");
    assert_eq!(
        (world.books.count("orders.orders").await, world.books.count("orders.idempotency").await),
        (1, 1)
    );
    assert_eq!(buyer.get(&order.id).await.unwrap(), order);
    buyer.cancel(&order.id, "").await.unwrap();
    assert_eq!(buyer.stock("A").await.unwrap(), 10);

    world.catalog.restart().await;
    // Found again by itself; the key of the refused request is still free.
    until("an order is placed", async || buyer.create(&[("A", 1)], "k2").await.is_ok()).await;
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_killed_while_an_order_is_placed_costs_the_buyer_nothing() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let kill = async {
        world.books.until_waiting(1).await;
        assert_eq!(world.books.kill_waiting().await, 1);
        held.release().await;
    };
    let (placed, ()) = tokio::join!(buyer.send(wish(&[("A", 4)], "k")), kill);
    let placed = placed.unwrap();
    let repeat = buyer.send(wish(&[("A", 4)], "k")).await.unwrap();
    assert!(was_replayed(repeat.metadata()));
    assert_eq!(placed.get_ref(), repeat.get_ref());
    assert_eq!((world.books.count("orders.orders").await, buyer.stock("A").await.unwrap()), (1, 6));
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_again_and_again_leave_no_half_order() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let kill_for_ever = async {
        loop {
            world.books.kill_waiting().await;
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::select! {
        outcome = buyer.send(wish(&[("A", 4)], "k")) => outcome,
        () = kill_for_ever => unreachable!("it never ends"),
    };
    refused(outcome, Code::Unavailable, "DATABASE");
    held.release().await;
    assert_eq!(
        (world.books.count("orders.orders").await, world.books.count("orders.idempotency").await),
        (0, 0)
    );
    world.books.check().await;

    let order = buyer.create(&[("A", 4)], "k").await.unwrap();
    assert_eq!(buyer.create(&[("A", 4)], "k").await.unwrap(), order);
    assert_eq!((world.books.count("orders.orders").await, buyer.stock("A").await.unwrap()), (1, 6));
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_who_gives_up_leaves_no_lock_behind() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let request = buyer.sign(wish(&[("A", 4)], "k"));
    // The buyer hangs up as soon as the order waits for its stock.
    tokio::select! {
        outcome = async { buyer.orders().create_order(request).await } => panic!("the stock is held: {outcome:?}"),
        () = world.books.until_waiting(1) => {}
    }
    world.books.until_waiting(0).await;
    held.release().await;
    let order = buyer.create(&[("A", 4)], "k").await.unwrap();
    assert_eq!((buyer.get(&order.id).await.unwrap(), buyer.stock("A").await.unwrap()), (order, 6));
    world.books.check().await;
}

#[tokio::test]
async fn a_service_whose_clock_is_wrong_places_nothing() {
    let clock = platform::Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let world = World::at(clock).await;
    world.sell("A", 100, 10).await;
    refused(world.buyer().create(&[("A", 1)], "k").await, Code::Internal, "INTERNAL");
    assert_eq!((world.books.count("orders.orders").await, world.seller().stock("A").await.unwrap()), (0, 10));
}
