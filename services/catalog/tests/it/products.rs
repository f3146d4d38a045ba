//! Single products: added, read, changed, removed.

use std::collections::HashSet;

use proto::catalog::v1 as pb;
use tonic::Code;

use crate::support::{Shop, euro, product, reason};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_is_read_back_whole() {
    let shop = Shop::with_category("bolts").await;
    let asked = pb::Product {
        description: "Line one\n\tline two — größer".into(),
        brand: "Ärmel & Söhne".into(),
        unit: "box of 100".into(),
        active: Some(false),
        price: euro(1_000_000_000_000),
        ..product("M8x40", "bolts")
    };
    let added = shop.add(asked.clone()).await;
    assert_eq!(added, shop.get(&added.id).await.unwrap());
    assert_eq!(
        pb::Product {
            id: String::new(),
            etag: String::new(),
            create_time: None,
            update_time: None,
            ..added.clone()
        },
        asked
    );
    assert_eq!(added.create_time, added.update_time);
    assert_eq!(added.id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_has_its_default() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    assert_eq!((added.unit.as_str(), added.active, added.brand.as_str()), ("piece", Some(true), ""));
    let status = shop.create(product("A", "bolts")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "SKU_TAKEN"));
    let status = shop.create(product("B", "nuts")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "CATEGORY_NOT_FOUND"));
    shop.add(product("a", "bolts")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_changes_what_it_names_and_nothing_else() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(pb::Product { brand: "Old".into(), ..product("A", "bolts") }).await;
    let wish = pb::Product {
        name: "New".into(),
        price: euro(7),
        sku: "B".into(),
        id: added.id.clone(),
        ..Default::default()
    };
    let changed = shop.update(wish.clone(), &["price", "brand"]).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.brand.as_str(), changed.price.clone()),
        ("Product A", "", euro(7))
    );
    assert_ne!(changed.etag, added.etag);
    let changed = shop.update(wish, &[]).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.sku.as_str(), changed.category_id.as_str()),
        ("New", "A", "bolts")
    );
    assert_eq!(changed, shop.get(&added.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_what_is_there_already_takes_nobodys_etag() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    assert_eq!(shop.update(added.clone(), &["name", "price"]).await.unwrap(), added);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_with_one_etag_exactly_one_wins() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    for round in 0..10 {
        let seen = shop.get(&added.id).await.unwrap();
        let wish = |name: &str| pb::Product { name: format!("{name} {round}"), ..seen.clone() };
        let (left, right) = (wish("left"), wish("right"));
        let (left, right) = tokio::join!(shop.update(left, &["name"]), shop.update(right, &["name"]));
        let (winner, loser) = if left.is_ok() { (left, right) } else { (right, left) };
        let loser = loser.unwrap_err();
        assert_eq!((loser.code(), reason(&loser).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        assert_eq!(shop.get(&added.id).await.unwrap(), winner.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_gone() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    let delete = |etag: &str| {
        let request =
            pb::DeleteProductRequest { id: added.id.clone(), etag: etag.to_owned(), ..Default::default() };
        let (mut client, request) = (shop.client.clone(), shop.seller(request));
        async move { client.delete_product(request).await }
    };
    let status = delete("\"somebody-elses\"").await.unwrap_err();
    assert_eq!(reason(&status), "ETAG_MISMATCH");
    delete(&added.etag).await.unwrap();
    let status = delete("").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "PRODUCT_NOT_FOUND"));
    assert_eq!(shop.get(&added.id).await.unwrap_err().code(), Code::NotFound);
    let status = shop.update(added, &["name"]).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_answered_in_the_order_asked() {
    let shop = Shop::with_category("bolts").await;
    let (a, b) = (shop.add(product("A", "bolts")).await, shop.add(product("B", "bolts")).await);
    let nobody = uuid::Uuid::now_v7().to_string();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let request = pb::BatchGetProductsRequest {
        ids: words(&[&b.id, &nobody, &a.id, "no id at all"]),
        skus: words(&["Z", "B", "A", "B", "not a sku\0"]),
    };
    let answer = shop.client.clone().batch_get_products(request).await.unwrap().into_inner();
    let skus: Vec<&str> = answer.products.iter().map(|product| product.sku.as_str()).collect();
    assert_eq!(skus, ["B", "A", "B", "A", "B"]);
    assert_eq!(answer.not_found, words(&[&nobody, "no id at all", "Z", "not a sku\0"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_looked_up_at_once_and_no_more() {
    let shop = Shop::with_category("bolts").await;
    shop.fill((0..1_000).map(|n| product(&format!("P{n}"), "bolts")).collect()).await;
    let skus: Vec<String> = (0..1_000).rev().map(|n| format!("P{n}")).collect();
    let request = pb::BatchGetProductsRequest { ids: Vec::new(), skus: skus.clone() };
    let answer = shop.client.clone().batch_get_products(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.products.iter().map(|product| product.sku.clone()).collect::<Vec<_>>(), skus);
    assert_eq!(answer.products.iter().map(|product| &product.id).collect::<HashSet<_>>().len(), 1_000);
    let request = pb::BatchGetProductsRequest { ids: vec![String::new()], ..request };
    let status = shop.client.clone().batch_get_products(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_reads_its_own_write_from_a_replica() {
    let shop = Shop::open_with_replica().await;
    shop.add_category("bolts", "").await;
    for n in 0..50 {
        let create = pb::CreateProductRequest {
            product: Some(product(&format!("A{n}"), "bolts")),
            ..Default::default()
        };
        let answer = shop.client.clone().create_product(shop.seller(create)).await.unwrap();
        let position = answer.metadata().get("sipup-lsn").unwrap().clone();
        let id = answer.into_inner().product.unwrap().id;
        let mut request = tonic::Request::new(pb::GetProductRequest { id });
        request.metadata_mut().insert("sipup-lsn", position);
        assert!(shop.client.clone().get_product(request).await.is_ok(), "product {n}");
    }
}
