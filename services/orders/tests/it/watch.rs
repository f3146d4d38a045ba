//! Watching orders: everything is told, once and in order, whatever ends a watch.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all, stream};
use platform::Role;
use proto::orders::v1::{OrderEvent, OrderEventType};
use tonic::Code;
use uuid::Uuid;

use crate::support::{User, Watched, World, fields, refused, until};

/// A world in which watches say all the time that they are alive, and somebody has placed an order.
async fn world_with_order() -> (World, User, String) {
    world_tuned(|_| {}).await
}

async fn world_tuned(tune: impl FnOnce(&mut orders::Args)) -> (World, User, String) {
    let world = World::tuned(|args| {
        args.watch.watch_heartbeat = Duration::from_millis(50);
        tune(args);
    })
    .await;
    world.sell("A", 100, 1_000).await;
    let buyer = world.buyer();
    let order = buyer.create(&[("A", 1)], "k").await.unwrap();
    (world, buyer, order.id)
}

fn told(event: &OrderEvent) -> (i32, OrderEventType) {
    (event.sequence_number, event.r#type())
}

/// Writes events of an order as nobody would: very many at once.
async fn flood(world: &World, order: &str, last: i32) {
    let sql = format!(
        "INSERT INTO orders.order_events (order_id, seq, company_id, kind, at)
         SELECT o.id, seq, o.company_id, 'shipped', NOW() FROM orders.orders o, generate_series(2, {last}) AS seq
          WHERE o.id = '{order}'"
    );
    world.books.tamper(&sql).await;
}

async fn sequence(watched: &mut Watched, count: usize) -> Vec<i32> {
    stream::unfold(watched, async |watched| Some((watched.event().await.sequence_number, watched)))
        .take(count)
        .collect()
        .await
}

#[tokio::test]
async fn what_has_happened_is_told_first_and_then_what_happens() {
    let (world, buyer, order) = world_with_order().await;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    let placed = watched.event().await;
    assert_eq!(told(&placed), (1, OrderEventType::Placed));
    assert_eq!((&placed.order_id, &placed.actor_id), (&order, &buyer.id.to_string()));
    assert_eq!(watched.message().await, Some(None), "the watch is alive");
    buyer.cancel(&order, "").await.unwrap();
    let cancelled = watched.event().await;
    assert_eq!(told(&cancelled), (2, OrderEventType::Cancelled));
    assert_eq!(cancelled.reason, "changed our minds");
    let read = buyer.get(&order).await.unwrap();
    assert_eq!((placed.time, cancelled.time), (read.create_time, read.update_time));
    assert!(world.metrics().await.contains("orders_watches 1"));
}

#[tokio::test]
async fn a_watch_that_was_cut_goes_on_without_gap_and_without_repeat() {
    let (world, buyer, order) = world_with_order().await;
    flood(&world, &order, 1_000).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    while seen.len() < 1_000 {
        let mut watched = buyer.watch(&order, &token).await.unwrap();
        seen.extend(sequence(&mut watched, 125).await);
        token = watched.token;
    }
    assert_eq!(seen, (1..=1_000).collect::<Vec<_>>());
    // Also what happens while nobody watches.
    world
        .books
        .tamper(&format!("DELETE FROM orders.order_events WHERE order_id = '{order}' AND seq > 1"))
        .await;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    assert_eq!(told(&watched.event().await), (1, OrderEventType::Placed));
    let token = watched.token.clone();
    drop(watched);
    world.seller().ship(&order, "").await.unwrap();
    let mut watched = buyer.watch(&order, &token).await.unwrap();
    assert_eq!(told(&watched.event().await), (2, OrderEventType::Shipped));
    let mut watched = buyer.watch(&order, &watched.token).await.unwrap();
    assert_eq!(watched.message().await, Some(None), "nothing is told twice");
}

#[tokio::test]
async fn everybody_who_watches_is_told_the_same_whoever_writes() {
    let (world, buyer, _) = world_with_order().await;
    let seller = world.seller();
    let colleague = world.user(Role::Approver, buyer.company);
    let watches = join_all((0..20).map(async |number: i32| {
        let order = buyer.create(&[("A", 1)], &format!("k{number}")).await.unwrap().id;
        let mut watches = Vec::new();
        for user in [&buyer, &colleague, &seller] {
            watches.push(user.watch(&order, "").await.unwrap());
        }
        (order, watches)
    }))
    .await;
    join_all(watches.into_iter().map(async |(order, mut watches)| {
        let (cancelled, shipped) = tokio::join!(buyer.cancel(&order, ""), seller.ship(&order, ""));
        assert!(cancelled.is_ok() != shipped.is_ok(), "one of the two comes first, and rules the other out");
        let last = if cancelled.is_ok() { OrderEventType::Cancelled } else { OrderEventType::Shipped };
        for watched in &mut watches {
            let events = [watched.event().await, watched.event().await];
            assert_eq!(events.each_ref().map(told), [(1, OrderEventType::Placed), (2, last)]);
        }
    }))
    .await;
}

#[tokio::test]
async fn to_another_company_there_is_nothing_to_watch() {
    let (world, buyer, order) = world_with_order().await;
    let token = {
        let mut watched = buyer.watch(&order, "").await.unwrap();
        watched.event().await;
        watched.token
    };
    for resumed in ["", &token] {
        refused(world.buyer().watch(&order, resumed).await, Code::NotFound, "ORDER_NOT_FOUND");
    }
    refused(buyer.watch(&Uuid::now_v7().to_string(), "").await, Code::NotFound, "ORDER_NOT_FOUND");
    assert_eq!(fields(&refused(buyer.watch("7", "").await, Code::InvalidArgument, "INVALID_FIELD")), ["id"]);
    let unsigned = tonic::Request::new(proto::orders::v1::WatchOrderRequest::default());
    assert_eq!(buyer.orders().watch_order(unsigned).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_resume_token_holds_for_its_order_alone_and_for_all_who_may_see_it() {
    let (world, buyer, order) = world_with_order().await;
    let other = buyer.create(&[("A", 1)], "other").await.unwrap().id;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    watched.event().await;
    for (id, token) in [(&other, watched.token.as_str()), (&order, "nonsense")] {
        let refusal = refused(buyer.watch(id, token).await, Code::InvalidArgument, "INVALID_FIELD");
        assert_eq!(fields(&refusal), ["resume_token"]);
    }
    let colleague = world.user(Role::Buyer, buyer.company);
    let mut resumed = colleague.watch(&order, &watched.token).await.unwrap();
    assert_eq!(resumed.message().await, Some(None));
}

#[tokio::test]
async fn a_service_that_is_told_to_stop_ends_its_watches_well() {
    let (world, buyer, order) =
        world_tuned(|args| args.server.readiness_delay = Duration::from_mins(5)).await;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    watched.event().await;
    world.terminate();
    assert_eq!(watched.rest().await, []);
    // Whoever comes back before the load balancer knows is served all the same, for a moment.
    buyer.cancel(&order, "").await.unwrap();
    let events = buyer.watch(&order, &watched.token).await.unwrap().rest().await;
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), [(2, OrderEventType::Cancelled)]);
}

#[tokio::test]
async fn a_watch_ends_well_after_its_time_and_with_its_connection() {
    let (_world, buyer, order) = world_tuned(|args| args.watch.max_watch = Duration::from_millis(300)).await;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    assert_eq!(watched.rest().await.len(), 1);

    let (world, buyer, order) = world_tuned(|args| {
        args.server.max_connection_age = Duration::from_secs(3);
        args.server.max_call_time = Duration::from_secs(1);
    })
    .await;
    let mut token = String::new();
    for connection in 1..=3 {
        let mut watched = buyer.watch(&order, &token).await.unwrap();
        let first = watched.message().await.expect("a new connection, which lasts for a while");
        assert_eq!(first.is_some(), connection == 1, "connection {connection}");
        assert_eq!(watched.rest().await, []);
        token = watched.token;
    }
    let refusals = world.metrics().await;
    assert!(!refusals.contains("CANCELLED"), "no watch was cut: {refusals}");
}

#[tokio::test]
async fn a_watch_ends_with_its_session() {
    let (world, buyer, order) = world_with_order().await;
    let mut watched = buyer.watch(&order, "").await.unwrap();
    watched.event().await;
    world.end_session(&buyer).await;
    assert_eq!(watched.rest().await, []);
    let refusal = buyer.watch(&order, &watched.token).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_client_that_does_not_read_keeps_nobody_waiting_and_misses_nothing() {
    const LAST: i32 = 4_000;
    let (world, buyer, order) = world_with_order().await;
    let mut slow = world.elsewhere(&buyer).await.watch(&order, "").await.unwrap();
    slow.event().await;
    let mut quick = buyer.watch(&order, "").await.unwrap();
    flood(&world, &order, LAST).await;
    let count = usize::try_from(LAST).unwrap();
    assert_eq!(sequence(&mut quick, count).await, (1..=LAST).collect::<Vec<_>>());
    assert_eq!(buyer.get(&order).await.unwrap().id, order, "connections to the database are free");
    assert_eq!(sequence(&mut slow, count - 1).await, (2..=LAST).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_watch_too_many_is_refused_until_another_ends() {
    let (world, buyer, order) = world_tuned(|args| {
        args.watch.max_watches = 3;
        args.watch.max_watches_per_user = 2;
    })
    .await;
    let colleague = world.user(Role::Buyer, buyer.company);
    let mut open = Vec::new();
    for user in [&buyer, &buyer, &colleague] {
        open.push(user.watch(&order, "").await.unwrap());
    }
    for user in [&buyer, &colleague] {
        refused(user.watch(&order, "").await, Code::ResourceExhausted, "TOO_MANY_WATCHES");
    }
    drop(open);
    until("places come back", async || buyer.watch(&order, "").await.is_ok()).await;
    until("no watch is left", async || world.metrics().await.contains("orders_watches 0")).await;
}
