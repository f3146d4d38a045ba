//! Writes that are made twice are done once.

use platform::Role;
use prost::Message as _;
use proto::catalog::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Shop, category, field, mask, product, reason};

fn create(sku: &str, request_id: &str) -> pb::CreateProductRequest {
    pb::CreateProductRequest { product: Some(product(sku, "bolts")), request_id: request_id.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_same_bytes_and_says_so() {
    let shop = Shop::with_category("bolts").await;
    let first = shop.client.clone().create_product(shop.seller(create("A", "key-1"))).await.unwrap();
    assert!(first.metadata().get("idempotent-replayed").is_none());
    // Changed meanwhile: the repeat answers what was answered, not what is.
    let now = pb::Product { name: "Renamed".into(), ..first.get_ref().product.clone().unwrap() };
    shop.update(now, &["name"]).await.unwrap();

    let mut by_header = shop.seller(create("A", ""));
    by_header.metadata_mut().insert("idempotency-key", "key-1".parse().unwrap());
    for repeat in [shop.seller(create("A", "key-1")), by_header] {
        let repeat = shop.client.clone().create_product(repeat).await.unwrap();
        assert_eq!(repeat.metadata().get("idempotent-replayed").unwrap(), "true");
        assert_eq!(repeat.get_ref().encode_to_vec(), first.get_ref().encode_to_vec());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_under_the_same_key_is_refused() {
    let shop = Shop::with_category("bolts").await;
    shop.client.clone().create_product(shop.seller(create("A", "key-1"))).await.unwrap();
    let status = shop.client.clone().create_product(shop.seller(create("B", "key-1"))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    assert_eq!(field(&status), "request_id");
    // A key belongs to its method, and to its company.
    let request =
        pb::CreateCategoryRequest { category: Some(category("nuts", "")), request_id: "key-1".into() };
    shop.client.clone().create_category(shop.seller(request)).await.unwrap();
    let other = shop.issuer.sign(create("B", "key-1"), Role::Seller, Uuid::now_v7());
    shop.client.clone().create_product(other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_twins_at_once_one_is_done_and_the_others_are_told() {
    let shop = Shop::with_category("bolts").await;
    let twins = (0..20).map(|_| {
        let (mut client, request) = (shop.client.clone(), shop.seller(create("A", "key-1")));
        async move { client.create_product(request).await.unwrap() }
    });
    let answers = futures::future::join_all(twins).await;
    let done = answers.iter().filter(|answer| answer.metadata().get("idempotent-replayed").is_none()).count();
    assert_eq!(done, 1);
    assert!(answers.iter().all(|answer| answer.get_ref() == answers[0].get_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_write_leaves_its_key_free() {
    let shop = Shop::open().await;
    let status = shop.client.clone().create_product(shop.seller(create("A", "key-1"))).await.unwrap_err();
    assert_eq!(reason(&status), "CATEGORY_NOT_FOUND");
    shop.add_category("bolts", "").await;
    shop.client.clone().create_product(shop.seller(create("A", "key-1"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_can_be_repeated() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    let renamed = pb::Product { name: "Renamed".into(), ..added.clone() };
    let shelf = Some(pb::Category { name: "Renamed".into(), ..category("bolts", "") });
    let id = String::from;
    for expected in [None, Some("true")] {
        let mut replayed = Vec::new();
        macro_rules! call {
            ($method:ident, $request:expr) => {
                let answer = shop.client.clone().$method(shop.seller($request)).await.unwrap();
                let header = answer.metadata().get("idempotent-replayed");
                replayed.push(header.map(|header| header.to_str().unwrap().to_owned()));
            };
        }
        let update_mask = mask(&["name"]);
        call!(
            update_product,
            pb::UpdateProductRequest {
                product: Some(renamed.clone()),
                update_mask: update_mask.clone(),
                request_id: id("1"),
            }
        );
        call!(
            delete_product,
            pb::DeleteProductRequest { id: added.id.clone(), etag: id(""), request_id: id("2") }
        );
        call!(
            batch_create_products,
            pb::BatchCreateProductsRequest {
                products: vec![product("B", "bolts")],
                conflict_policy: 0,
                request_id: id("3"),
            }
        );
        call!(
            update_category,
            pb::UpdateCategoryRequest { category: shelf.clone(), update_mask, request_id: id("4") }
        );
        call!(
            create_category,
            pb::CreateCategoryRequest { category: Some(category("nuts", "")), request_id: id("5") }
        );
        call!(delete_category, pb::DeleteCategoryRequest { id: id("nuts"), request_id: id("6") });
        assert_eq!(replayed, vec![expected.map(str::to_owned); 6]);
    }
}
