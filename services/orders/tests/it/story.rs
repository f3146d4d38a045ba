//! What a buyer and a seller do on an ordinary day.

use proto::orders::v1::OrderState;
use tonic::Code;

use crate::support::{World, refused};

#[tokio::test]
async fn an_order_is_placed_and_read_back_at_once() {
    let world = World::new().await;
    world.sell("BOLT-8", 250, 100).await;
    world.sell("NUT-8", 40, 100).await;
    let buyer = world.buyer();
    let mut wish = crate::support::wish(&[("BOLT-8", 10), ("NUT-8", 20), ("BOLT-8", 1)], "k1");
    wish.purchase_order_number = "PO 4711".to_owned();
    wish.note = "Gate 3, bitte klingeln".to_owned();
    let order = buyer.send(wish).await.unwrap().into_inner().order.unwrap();

    assert_eq!((&order.company_id, &order.buyer_id), (&buyer.company.to_string(), &buyer.id.to_string()));
    assert_eq!((order.state(), &*order.purchase_order_number), (OrderState::Placed, "PO 4711"));
    assert_eq!(
        order.total.as_ref().map(|total| (total.minor_units, &*total.currency_code)),
        Some((3_550, "EUR"))
    );
    let lines: Vec<_> =
        order.lines.iter().map(|it| (it.line_number, &*it.sku, it.quantity, &*it.name)).collect();
    assert_eq!(
        lines,
        [
            (1, "BOLT-8", 10, "Product BOLT-8"),
            (2, "NUT-8", 20, "Product NUT-8"),
            (3, "BOLT-8", 1, "Product BOLT-8")
        ]
    );
    assert_eq!(buyer.get(&order.id).await.unwrap(), order);
    assert_eq!((buyer.stock("BOLT-8").await.unwrap(), buyer.stock("NUT-8").await.unwrap()), (89, 80));
    world.books.check().await;
}

#[tokio::test]
async fn the_mail_that_confirms_an_order_says_all_of_it() {
    let world = World::new().await;
    world.sell("A", 250, 10).await;
    let buyer = world.buyer();
    let order = buyer.create(&[("A", 3)], "k").await.unwrap();

    let row = world.books.row("SELECT queue, kind, company_id, max_attempts, args FROM jobs.ready").await;
    assert_eq!((row.get("queue"), row.get("kind"), row.get("company_id")), ("email", "email", buyer.company));
    assert_eq!(row.get::<_, i16>("max_attempts"), 10);
    let args: serde_json::Value = row.get("args");
    assert_eq!(args["to"], format!("{}@example.com", buyer.id));
    assert_eq!(args["template"], "order_placed");
    let told = &args["order"];
    assert_eq!(told["id"], *order.id);
    assert_eq!(told["currency"], "EUR");
    assert_eq!(told["total_minor"], 750);
    assert_eq!(told["lines"][0]["sku"], "A");
    assert_eq!(told["lines"][0]["unit_price_minor"], 250);
    let created: jiff::Timestamp = told["created_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(created.as_second(), order.create_time.unwrap().seconds);
}

#[tokio::test]
async fn prices_of_an_order_stay_when_the_catalogue_changes() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let before = buyer.create(&[("A", 2)], "k1").await.unwrap();
    world.catalog.put("A", 999, "USD", false);
    assert_eq!(buyer.get(&before.id).await.unwrap(), before);
    world.catalog.put("A", 120, "EUR", true);
    let after = buyer.create(&[("A", 2)], "k2").await.unwrap();
    assert_eq!(after.total.unwrap().minor_units, 240);
    world.books.check().await;
}

#[tokio::test]
async fn cancelling_gives_the_stock_back_once() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    world.sell("B", 100, 10).await;
    let buyer = world.buyer();
    let order = buyer.create(&[("A", 4), ("B", 1), ("A", 2)], "k").await.unwrap();
    assert_eq!(buyer.stock("A").await.unwrap(), 4);

    let cancelled = buyer.cancel(&order.id, "").await.unwrap().into_inner().order.unwrap();
    assert_eq!((cancelled.state(), cancelled.lines.len()), (OrderState::Cancelled, 3));
    assert!(cancelled.update_time.unwrap().nanos != order.update_time.unwrap().nanos);
    let again = buyer.cancel(&order.id, "").await.unwrap().into_inner().order.unwrap();
    assert_eq!(again, cancelled);
    assert_eq!((buyer.stock("A").await.unwrap(), buyer.stock("B").await.unwrap()), (10, 10));
    world.books.check().await;
}

#[tokio::test]
async fn a_shipped_order_can_not_be_cancelled() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let (buyer, seller) = (world.buyer(), world.seller());
    let order = buyer.create(&[("A", 4)], "k").await.unwrap();
    let shipped = seller.ship(&order.id, "").await.unwrap().into_inner().order.unwrap();
    assert_eq!(shipped.state(), OrderState::Shipped);
    refused(buyer.cancel(&order.id, "").await, Code::FailedPrecondition, "NOT_CANCELLABLE");
    assert_eq!(buyer.get(&order.id).await.unwrap(), shipped);
    assert_eq!(buyer.stock("A").await.unwrap(), 6);
    world.books.check().await;
}

#[tokio::test]
async fn a_list_gives_every_order_once_newest_first() {
    let world = World::new().await;
    world.sell("A", 100, 100).await;
    let (buyer, seller) = (world.buyer(), world.seller());
    let mut placed = Vec::new();
    for number in 0..7 {
        placed.push(buyer.create(&[("A", 1)], &format!("k{number}")).await.unwrap());
    }
    let cancelled = buyer.cancel(&placed[2].id, "").await.unwrap().into_inner().order.unwrap();
    seller.ship(&placed[4].id, "").await.unwrap();

    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = buyer.list(3, &token, 0).await.unwrap();
        assert!(page.orders.iter().all(|order| order.lines.is_empty()));
        seen.extend(page.orders.into_iter().map(|order| order.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = placed.iter().rev().map(|order| order.id.clone()).collect();
    assert_eq!(seen, expected);
    let of_state = async |state: OrderState| buyer.list(0, "", state.into()).await.unwrap().orders;
    assert_eq!(of_state(OrderState::Placed).await.len(), 5);
    let found = of_state(OrderState::Cancelled).await;
    assert_eq!((found.len(), &found[0].id), (1, &cancelled.id));
}

#[tokio::test]
async fn a_list_of_exactly_one_page_has_no_other() {
    let world = World::new().await;
    world.sell("A", 100, 100).await;
    let buyer = world.buyer();
    assert_eq!(buyer.list(2, "", 0).await.unwrap(), proto::orders::v1::ListOrdersResponse::default());
    for key in ["k1", "k2"] {
        buyer.create(&[("A", 1)], key).await.unwrap();
    }
    let page = buyer.list(2, "", 0).await.unwrap();
    assert_eq!((page.orders.len(), &*page.next_page_token), (2, ""));
}

#[tokio::test]
async fn stock_is_counted_from_zero_and_adjusted_as_a_whole() {
    let world = World::new().await;
    let seller = world.seller();
    refused(seller.stock("A").await, Code::NotFound, "STOCK_NOT_FOUND");
    let stock = seller.adjust(&[("B", 3), ("A", 5)], None).await.unwrap().into_inner().inventories;
    let stock: Vec<_> = stock.iter().map(|it| (&*it.sku, it.on_hand)).collect();
    assert_eq!(stock, [("B", 3), ("A", 5)]);
    let refusal = refused(
        seller.adjust(&[("A", 1), ("B", -4), ("C", -1)], None).await,
        Code::FailedPrecondition,
        "OUT_OF_STOCK",
    );
    let lacks = crate::support::lacks(&refusal);
    let lacks: Vec<_> = lacks.iter().map(|(_, subject, description)| (&**subject, &**description)).collect();
    assert_eq!(
        lacks,
        [("adjustments[1]", "B: wanted 4, available 3"), ("adjustments[2]", "C: wanted 1, available 0")]
    );
    assert_eq!((seller.stock("A").await.unwrap(), seller.stock("B").await.unwrap()), (5, 3));
    refused(seller.stock("C").await, Code::NotFound, "STOCK_NOT_FOUND");
}
