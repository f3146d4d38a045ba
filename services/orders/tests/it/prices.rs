//! What an order is charged.

use tonic::{Code, Status};

use crate::support::{World, refused, until};

#[tokio::test]
async fn an_order_is_charged_its_own_companys_price_at_the_quantity_of_each_line() {
    let world = World::new().await;
    world.sell("A", 100, 100).await;
    world.sell("B", 50, 100).await;
    let (ours, theirs) = (world.buyer(), world.buyer());
    world.catalog.agree(&ours.authorization(), "A", 1, 90);
    world.catalog.agree(&ours.authorization(), "A", 10, 75);

    let wish = [("A", 1), ("A", 10), ("B", 1)];
    let prices = |order: &proto::orders::v1::Order| {
        let minor = |money: &Option<proto::r#type::v1::Money>| money.as_ref().unwrap().minor_units;
        let lines: Vec<_> =
            order.lines.iter().map(|line| (minor(&line.unit_price), minor(&line.total))).collect();
        (lines, minor(&order.total))
    };
    let order = ours.create(&wish, "k").await.unwrap();
    assert_eq!(prices(&order), (vec![(90, 90), (75, 750), (50, 50)], 890));
    assert_eq!(ours.get(&order.id).await.unwrap(), order);
    let order = theirs.create(&wish, "k").await.unwrap();
    assert_eq!(prices(&order), (vec![(100, 100), (100, 1_000), (50, 50)], 1_150));
    world.books.check().await;
}

#[tokio::test]
async fn a_token_that_runs_out_on_the_way_is_the_callers_to_renew_and_leaves_the_key_free() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    // Connected: the refusal is given to the call that is meant.
    until("the catalogue answers", async || buyer.create(&[("A", 1)], "k1").await.is_ok()).await;
    world.catalog.refuse(Status::unauthenticated("the token has expired"));
    refused(buyer.create(&[("A", 1)], "k2").await, Code::Unauthenticated, "TOKEN_EXPIRED");
    assert_eq!(world.books.count("orders.orders").await, 1);
    buyer.create(&[("A", 1)], "k2").await.unwrap();
    world.books.check().await;
}
