//! What a caller may send by mistake or on purpose: always a clear, typed refusal, and nothing changed.

use std::io::Write as _;

use prost::Message as _;
use proto::{
    catalog::v1::{GetProductRequest, ListProductsRequest},
    orders::v1::{CreateOrderRequest, ListOrdersRequest, OrderItem},
};
use serde_json::json;
use tests::{
    clients::{Client, order_of},
    curl::curl,
};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::world::{buyer, product, seller, world};

/// The refusal of an order with these items.
async fn refused(client: &Client, items: &[(&str, i32)]) -> tonic::Status {
    client.order(&Uuid::now_v7().to_string(), items).await.unwrap_err()
}

#[tokio::test]
async fn quantities_that_can_not_be_are_refused_by_name() {
    let client = buyer(&world().stack).await;
    let sku = client.products(1).await.unwrap()[0].sku.clone();
    for quantity in [0, -1, i32::MIN, 1_000_001, i32::MAX] {
        let status = refused(&client, &[(&sku, 1), (&sku, quantity)]).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{quantity}");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "items[1].quantity");
    }
    assert_eq!(refused(&client, &[]).await.code(), Code::InvalidArgument);
    assert_eq!(refused(&client, &vec![(sku.as_str(), 1); 501]).await.code(), Code::InvalidArgument);
    assert_eq!(refused(&client, &[("no such sku", 1)]).await.code(), Code::InvalidArgument);
    assert_eq!(refused(&client, &[("NO-SUCH-SKU", 1)]).await.code(), Code::FailedPrecondition);
    // A number that JSON can say and the contract can't.
    let token = format!("authorization: Bearer {}", client.token());
    let body = json!({"items": [{"sku": sku, "quantity": 99_999_999_999_i64}], "requestId": "too-large"})
        .to_string();
    let url = format!("{}/v1/orders", world().stack.url());
    let reply = curl(&["--header", &token, "--data", &body, &url]).await.unwrap();
    assert_eq!((reply.status, reply.json()["code"].as_i64()), (400, Some(3)), "{reply:?}");
}

#[tokio::test]
async fn bad_json_is_refused_as_such() {
    let client = buyer(&world().stack).await;
    let token = format!("authorization: Bearer {}", client.token());
    let url = format!("{}/v1/orders", world().stack.url());
    for body in ["{", "[]", "{\"items\": 7}", "{\"items\": [{\"sku\": []}]}", "\u{fffd}"] {
        let reply = curl(&["--header", &token, "--data", body, &url]).await.unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_i64()), (400, Some(3)), "{body}: {reply:?}");
    }
}

#[tokio::test]
async fn a_body_of_five_megabytes_is_refused_over_grpc_and_rest() {
    let client = buyer(&world().stack).await;
    let note = "x".repeat(5 << 20);
    let request =
        CreateOrderRequest { note: note.clone(), request_id: "large".into(), ..order_of(&[("A", 1)]) };
    assert_eq!(client.orders().create_order(request).await.unwrap_err().code(), Code::ResourceExhausted);
    let mut body = tempfile::NamedTempFile::new().unwrap();
    write!(body, "{{\"note\": \"{note}\"}}").unwrap();
    let (token, data) =
        (format!("authorization: Bearer {}", client.token()), format!("@{}", body.path().display()));
    let url = format!("{}/v1/orders", world().stack.url());
    assert_eq!(curl(&["--header", &token, "--data-binary", &data, &url]).await.unwrap().status, 413);
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let stack = &world().stack;
    let client = buyer(stack).await;
    let good = client.token().to_owned();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let foreign = "eyJhbGciOiJub25lIn0";
    for token in [
        "nonsense".to_owned(),
        format!("{head}."),
        format!("{foreign}.{payload}."),
        format!("{header}.{payload}A.{signature}"),
        format!("{head}.{}", "A".repeat(signature.len())),
    ] {
        let mut request = Request::new(ListOrdersRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let anonymous = Client::connect(&stack.url()).await.unwrap();
        let status = anonymous.orders().list_orders(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token}: {status:?}");
        // Envoy is the first gate, not the only one.
        let service = stack.info.services.iter().find(|service| service.name == "orders-0").unwrap();
        let direct = Client::connect(&service.url).await.unwrap();
        let mut request = Request::new(ListOrdersRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        assert_eq!(
            direct.orders().list_orders(request).await.unwrap_err().code(),
            Code::Unauthenticated,
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_page_token_of_another_caller_is_refused() {
    let stack = &world().stack;
    let (one, other) = (buyer(stack).await, buyer(stack).await);
    let sku = product(stack, 2).await;
    for _ in 0..2 {
        one.order(&Uuid::now_v7().to_string(), &[(&sku, 1)]).await.unwrap();
    }
    let list = |page_token: &str| ListOrdersRequest {
        page_size: 1,
        page_token: page_token.into(),
        ..Default::default()
    };
    let page = one.orders().list_orders(list("")).await.unwrap().into_inner();
    assert_eq!(
        one.orders().list_orders(list(&page.next_page_token)).await.unwrap().into_inner().orders.len(),
        1
    );
    let status = other.orders().list_orders(list(&page.next_page_token)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, "page_token");
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_and_harms_nobody() {
    let client = Client::connect(&world().stack.url()).await.unwrap();
    let mut message = GetProductRequest { id: "xx".into() }.encode_to_vec();
    let end = message.len();
    message[end - 2..].copy_from_slice(&[0xff, 0xfe]);
    let mut body = tempfile::NamedTempFile::new().unwrap();
    body.write_all(
        &[&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), &message].concat(),
    )
    .unwrap();
    let url = format!("{}/sipup.catalog.v1.CatalogService/GetProduct", world().stack.url());
    let data = format!("@{}", body.path().display());
    let reply = curl(&[
        "--http1.1",
        "--header",
        "content-type: application/grpc-web+proto",
        "--header",
        "x-grpc-web: 1",
        "--data-binary",
        &data,
        &url,
    ])
    .await
    .unwrap();
    let status: i32 = reply.header("grpc-status").unwrap().parse().unwrap();
    assert!(Code::from(status) != Code::Ok && Code::from(status) != Code::Unavailable, "{reply:?}");
    assert_eq!(client.products(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn fields_that_do_not_exist_are_refused_where_they_choose_something() {
    let stack = &world().stack;
    let client = Client::connect(&stack.url()).await.unwrap();
    for request in [
        ListProductsRequest { filter: "colour = \"red\"".into(), ..Default::default() },
        ListProductsRequest { order_by: "colour".into(), ..Default::default() },
    ] {
        assert_eq!(client.catalog().list_products(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let reply = curl(&[&format!("{}/v1/products?colour=red", stack.url())]).await.unwrap();
    assert_eq!(reply.status, 400, "{reply:?}");
    let seller = seller(stack).await;
    let product = client.products(1).await.unwrap().remove(0);
    let request = proto::catalog::v1::UpdateProductRequest {
        product: Some(product),
        update_mask: Some(prost_types::FieldMask { paths: vec!["colour".into()] }),
        ..Default::default()
    };
    assert_eq!(seller.catalog().update_product(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn items_without_a_sku_name_their_place() {
    let client = buyer(&world().stack).await;
    let request = CreateOrderRequest {
        items: vec![OrderItem { sku: "A".into(), quantity: 1 }, OrderItem::default()],
        request_id: Uuid::now_v7().to_string(),
        ..CreateOrderRequest::default()
    };
    let status = client.orders().create_order(request).await.unwrap_err();
    let details = status.get_error_details();
    let fields: Vec<&str> =
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.as_str()).collect();
    assert!(fields.iter().all(|field| field.starts_with("items[1].")), "{fields:?}");
}
