//! The checker of the books: it must see what it is there for.

use crate::support::World;

#[tokio::test]
async fn each_way_of_cooking_the_books_is_noticed() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    world.buyer().create(&[("A", 3)], "k").await.unwrap();
    world.books.check().await;
    for (tampering, fault) in [
        (
            "ALTER TABLE orders.stock DROP CONSTRAINT stock_not_negative; UPDATE orders.stock SET on_hand = -1",
            "negative stock",
        ),
        ("UPDATE orders.order_lines SET quantity = 4", "an order whose total is not the sum of its lines"),
        ("DELETE FROM orders.order_lines", "an order whose total is not the sum of its lines"),
        ("DELETE FROM orders.orders", "a line, an event or a mail without an order"),
        ("UPDATE orders.order_events SET seq = 2", "an order whose events have a gap"),
        ("DELETE FROM orders.order_events", "an order whose events have a gap"),
        ("UPDATE orders.orders SET state = 2", "an order whose events do not lead to its state"),
        ("DELETE FROM jobs.ready", "an order without exactly one mail"),
        (
            "INSERT INTO jobs.ready SELECT uuidv7(), company_id, queue, priority, pos, kind, args FROM jobs.ready",
            "an order without exactly one mail",
        ),
        ("UPDATE orders.idempotency SET response = NULL", "a key without an answer"),
    ] {
        world.books.tamper("BEGIN").await;
        world.books.tamper(tampering).await;
        let faults = world.books.faults().await;
        assert!(faults.iter().any(|(name, _)| *name == fault), "{tampering}: {faults:?}");
        world.books.tamper("ROLLBACK").await;
    }
    world.books.check().await;
}
