//! Who sees and does what.

use platform::Role;
use tonic::Code;
use uuid::Uuid;

use crate::support::{World, fields, refused};

#[tokio::test]
async fn to_another_company_an_order_does_not_exist() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let (owner, stranger) = (world.buyer(), world.buyer());
    let order = owner.create(&[("A", 1)], "k").await.unwrap();
    refused(stranger.get(&order.id).await, Code::NotFound, "ORDER_NOT_FOUND");
    refused(stranger.cancel(&order.id, "").await, Code::NotFound, "ORDER_NOT_FOUND");
    refused(stranger.cancel(&order.id, "k").await, Code::NotFound, "ORDER_NOT_FOUND");
    assert!(stranger.list(0, "", 0).await.unwrap().orders.is_empty());
    let colleague = world.user(Role::CompanyAdmin, owner.company);
    assert_eq!(colleague.get(&order.id).await.unwrap(), order);
    assert_eq!(colleague.list(0, "", 0).await.unwrap().orders.len(), 1);
    assert_eq!(owner.get(&order.id).await.unwrap(), order);
}

#[tokio::test]
async fn the_seller_sees_and_changes_orders_of_all_companies() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let seller = world.seller();
    let mut placed = Vec::new();
    for number in 0..3 {
        placed.push(world.buyer().create(&[("A", 1)], &format!("k{number}")).await.unwrap());
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = seller.list(2, &token, 0).await.unwrap();
        seen.extend(page.orders.into_iter().map(|order| order.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, placed.iter().rev().map(|order| order.id.clone()).collect::<Vec<_>>());
    assert_eq!(seller.get(&placed[0].id).await.unwrap(), placed[0]);
    seller.cancel(&placed[0].id, "").await.unwrap();
    seller.ship(&placed[1].id, "").await.unwrap();
    world.books.check().await;
}

#[tokio::test]
async fn a_page_token_is_worth_nothing_to_others_and_for_other_lists() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let owner = world.buyer();
    for key in ["k1", "k2"] {
        owner.create(&[("A", 1)], key).await.unwrap();
    }
    let token = owner.list(1, "", 0).await.unwrap().next_page_token;
    assert_eq!(owner.list(1, &token, 0).await.unwrap().orders.len(), 1);
    let colleague = world.user(Role::Buyer, owner.company);
    for refusal in [
        colleague.list(1, &token, 0).await,
        world.buyer().list(1, &token, 0).await,
        world.seller().list(1, &token, 0).await,
        owner.list(1, &token, 1).await,
    ] {
        assert_eq!(fields(&refused(refusal, Code::InvalidArgument, "INVALID_FIELD")), ["page_token"]);
    }
}

#[tokio::test]
async fn roles_do_what_is_theirs() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let company = Uuid::now_v7();
    for (number, role) in [Role::Buyer, Role::Approver, Role::CompanyAdmin].into_iter().enumerate() {
        let user = world.user(role, company);
        let order = user.create(&[("A", 1)], &format!("k{number}")).await.unwrap();
        assert_eq!(user.ship(&order.id, "").await.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(user.adjust(&[("A", 1)], None).await.unwrap_err().code(), Code::PermissionDenied);
        user.stock("A").await.unwrap();
    }
    let seller = world.seller();
    assert_eq!(seller.create(&[("A", 1)], "k").await.unwrap_err().code(), Code::PermissionDenied);
    let unsigned = tonic::Request::new(proto::orders::v1::GetOrderRequest { id: company.to_string() });
    assert_eq!(seller.orders().get_order(unsigned).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(world.books.count("orders.orders").await, 3);
}

#[tokio::test]
async fn the_catalogue_is_asked_once_in_the_buyers_name_and_with_a_deadline() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let mut request = buyer.sign(crate::support::wish(&[("A", 1), ("A", 1)], "k"));
    request.set_timeout(std::time::Duration::from_secs(20));
    request.metadata_mut().insert("sipup-lsn", "1-10".parse().unwrap());
    buyer.orders().create_order(request).await.unwrap();

    let calls = world.catalog.calls();
    assert_eq!(calls.len(), 1);
    let header = |name: &str| calls[0].get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("authorization"), Some(buyer.authorization().as_str()));
    assert_eq!(header("grpc-accept-encoding"), None, "compressing costs more than it spares");
    assert!(header("grpc-timeout").is_some_and(|left| left.ends_with('m') && left.len() <= 6), "{calls:?}");
    // What the caller has seen, the catalogue must not fall behind.
    assert_eq!(header("sipup-lsn"), Some("1-10"));
}
