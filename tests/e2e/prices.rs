//! What companies pay, as the seller agrees on it and they are charged it, through the ingress.

use proto::{
    catalog::v1::{
        BatchAssignPriceListsRequest, BatchSetPricesRequest, CreatePriceListRequest, DeletePriceListRequest,
        ItemToPrice, PriceChange, PriceItemsRequest, PriceItemsResponse, PriceList, PriceListAssignment,
        price_service_client::PriceServiceClient,
    },
    r#type::v1::Money,
};
use serde_json::{Value, json};
use tests::{
    clients::{Authorized, Client},
    curl::{Reply, curl},
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{buyer, product, seller, world};

async fn company_of(client: &Client) -> String {
    client.auth().get_me(proto::auth::v1::GetMeRequest {}).await.unwrap().into_inner().company.unwrap().id
}

fn item(sku: &str, quantity: i32) -> ItemToPrice {
    ItemToPrice { sku: sku.to_owned(), quantity }
}

async fn price(
    mut prices: PriceServiceClient<Authorized>,
    items: Vec<ItemToPrice>,
    company_id: &str,
) -> Result<PriceItemsResponse, Status> {
    let request = PriceItemsRequest { items, company_id: company_id.to_owned() };
    Ok(prices.price_items(request).await?.into_inner())
}

/// Unit prices in minor units, with the list that each is of.
fn told(answer: &PriceItemsResponse) -> Vec<(i64, &str)> {
    let minor = |money: &Option<Money>| money.as_ref().unwrap().minor_units;
    answer.items.iter().map(|item| (minor(&item.unit_price), item.price_list_id.as_str())).collect()
}

/// A price list of its own in which `sku` costs 60, and 50 from ten units on; given to `company`.
async fn agree(seller: &Client, sku: &str, company: &str) -> String {
    let (mut prices, id) = (seller.prices(), format!("list-{}", Uuid::now_v7()));
    let (name, currency_code) = ("Agreed".to_owned(), "EUR".to_owned());
    let price_list = Some(PriceList { id: id.clone(), name, currency_code, ..PriceList::default() });
    prices
        .create_price_list(CreatePriceListRequest { price_list, request_id: Uuid::now_v7().to_string() })
        .await
        .unwrap();
    let change = |min_quantity, minor_units| PriceChange {
        sku: sku.to_owned(),
        min_quantity,
        unit_price: Some(Money { currency_code: "EUR".to_owned(), minor_units }),
        remove: false,
    };
    let request = BatchSetPricesRequest {
        price_list_id: id.clone(),
        changes: vec![change(1, 60), change(10, 50)],
        request_id: Uuid::now_v7().to_string(),
    };
    assert_eq!(prices.batch_set_prices(request).await.unwrap().into_inner().created_count, 2);
    let assignment = PriceListAssignment { company_id: company.to_owned(), price_list_id: id.clone() };
    let request = BatchAssignPriceListsRequest {
        assignments: vec![assignment],
        request_id: Uuid::now_v7().to_string(),
    };
    assert_eq!(prices.batch_assign_price_lists(request).await.unwrap().into_inner().created_count, 1);
    id
}

async fn post(token: &str, path: &str, body: &Value) -> Reply {
    let (url, authorization) =
        (format!("{}{path}", world().stack.url()), format!("authorization: Bearer {token}"));
    let body = body.to_string();
    curl(&["--header", "content-type: application/json", "--header", &authorization, "--data", &body, &url])
        .await
        .unwrap()
}

async fn get(token: &str, path: &str) -> Reply {
    let (url, authorization) =
        (format!("{}{path}", world().stack.url()), format!("authorization: Bearer {token}"));
    curl(&["--header", &authorization, &url]).await.unwrap()
}

#[tokio::test]
async fn a_company_sees_and_pays_what_was_agreed_with_it_and_another_the_list_price() {
    let stack = &world().stack;
    let (seller, ours, theirs) = (seller(stack).await, buyer(stack).await, buyer(stack).await);
    let sku = product(stack, 100).await;
    let list_price = told(&price(theirs.prices(), vec![item(&sku, 1)], "").await.unwrap()).first().unwrap().0;
    let list = agree(&seller, &sku, &company_of(&ours).await).await;
    // Wherever it is asked: the company has written nothing that its own reads would wait for.
    stack.replicated().await;

    let items = || vec![item(&sku, 1), item("NO-SUCH-SKU", 1), item(&sku, 10)];
    let answer = price(ours.prices(), items(), "").await.unwrap();
    assert_eq!(told(&answer), [(60, list.as_str()), (50, list.as_str())]);
    assert_eq!(answer.not_found, ["NO-SUCH-SKU"]);
    let next = answer.items[0].next_tier.as_ref().unwrap();
    assert_eq!((next.min_quantity, answer.items[1].min_quantity), (10, 10));
    assert_eq!(answer.items[0].list_price.as_ref().unwrap().minor_units, list_price);
    let answer = price(theirs.prices(), items(), "").await.unwrap();
    assert_eq!(told(&answer), [(list_price, ""), (list_price, "")]);

    let order = ours.order(&Uuid::now_v7().to_string(), &[(&sku, 1), (&sku, 10)]).await.unwrap();
    assert_eq!(order.total.unwrap().minor_units, 60 + 10 * 50);
    let order = theirs.order(&Uuid::now_v7().to_string(), &[(&sku, 1), (&sku, 10)]).await.unwrap();
    assert_eq!(order.total.unwrap().minor_units, 11 * list_price);
}

#[tokio::test]
async fn prices_and_orders_at_them_are_the_same_over_rest() {
    let stack = &world().stack;
    let (seller, ours) = (seller(stack).await, buyer(stack).await);
    let sku = product(stack, 100).await;
    let list = agree(&seller, &sku, &company_of(&ours).await).await;
    stack.replicated().await;
    let body = json!({"items": [{"sku": sku, "quantity": 10}]});
    let reply = post(ours.token(), "/v1/items:price", &body).await;
    let told = &reply.json()["items"][0];
    assert_eq!((reply.status, &told["priceListId"], &told["minQuantity"]), (200, &json!(list), &json!(10)));
    assert_eq!(told["unitPrice"], json!({"currencyCode": "EUR", "minorUnits": "50"}));
    let order = json!({"items": [{"sku": sku, "quantity": 10}], "requestId": Uuid::now_v7()});
    let reply = post(ours.token(), "/v1/orders", &order).await;
    assert_eq!(reply.json()["order"]["total"]["minorUnits"], "500", "{reply:?}");
    // The seller's side, too.
    let read = async |path: &str| get(seller.token(), &format!("/v1/priceLists{path}")).await.json();
    assert_eq!(read(&format!("/{list}")).await["priceList"]["currencyCode"], "EUR");
    let prices = read(&format!("/{list}/prices?page_size=1")).await;
    assert_eq!((&prices["prices"][0]["sku"], &prices["prices"][0]["minQuantity"]), (&json!(sku), &json!(1)));
    let given = read(&format!("/{list}/assignments")).await;
    let company = company_of(&ours).await;
    assert_eq!(given["assignments"], json!([{"companyId": company, "priceListId": list}]));
    assert!(read("?page_size=1").await["nextPageToken"].is_string());
    assert_eq!(get(ours.token(), "/v1/priceLists").await.status, 403);
    let path = format!("/v1/priceLists/{list}/prices:batchSet");
    let body =
        json!({"changes": [{"sku": sku, "minQuantity": 10, "remove": true}, {"sku": "?", "remove": true}]});
    let reply = post(seller.token(), &path, &body).await.json();
    assert_eq!((&reply["removedCount"], &reply["rejectedCount"]), (&json!(1), &json!(1)), "{reply}");
    let body = json!({"assignments": [{"companyId": company}]});
    let reply = post(seller.token(), "/v1/priceLists:batchAssign", &body).await.json();
    assert_eq!(reply["removedCount"], json!(1), "{reply}");
}

#[tokio::test]
async fn nobody_asks_for_anothers_prices_but_the_seller() {
    let stack = &world().stack;
    let (seller, ours, theirs) = (seller(stack).await, buyer(stack).await, buyer(stack).await);
    let sku = product(stack, 1).await;
    let company = company_of(&ours).await;
    let list = agree(&seller, &sku, &company).await;
    // The seller sees what it has just agreed on, though no replica has it yet.
    let answer = price(seller.prices(), vec![item(&sku, 1)], &company).await.unwrap();
    assert_eq!(told(&answer), [(60, list.as_str())]);
    let refused = price(theirs.prices(), vec![item(&sku, 1)], &company).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let anonymous = Client::connect(&stack.url()).await.unwrap();
    let refused = price(anonymous.prices(), vec![item(&sku, 1)], "").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // Nor does it go away while the company has it.
    let request = DeletePriceListRequest { id: list, ..DeletePriceListRequest::default() };
    let refused = seller.prices().delete_price_list(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn the_demo_company_has_a_contract_with_a_price_for_volume() {
    let stack = &world().stack;
    let (email, password) =
        stack.accounts().into_iter().find(|(email, _)| email.starts_with("buyer@")).unwrap();
    let demo = Client::connect(&stack.url()).await.unwrap().log_in(&email, &password).await.unwrap();
    let sku = "NT934-M3-ZN-NRD";
    let answer = price(demo.prices(), vec![item(sku, 2), item(sku, 100)], "").await.unwrap();
    let told = told(&answer);
    assert!(told[1].0 < told[0].0 && told.iter().all(|(_, list)| *list == "contract"), "{told:?}");
}
