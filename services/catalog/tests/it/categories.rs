//! The tree of categories.

use proto::catalog::v1 as pb;
use tonic::{Code, Status};

use crate::support::{Shop, category, mask, product, reason};

async fn create(shop: &Shop, id: &str, parent: &str) -> Result<pb::Category, Status> {
    let request =
        pb::CreateCategoryRequest { category: Some(category(id, parent)), request_id: String::new() };
    Ok(shop.client.clone().create_category(shop.seller(request)).await?.into_inner().category.unwrap())
}

async fn update(shop: &Shop, category: pb::Category, paths: &[&str]) -> Result<pb::Category, Status> {
    let request = pb::UpdateCategoryRequest {
        category: Some(category),
        update_mask: mask(paths),
        ..Default::default()
    };
    Ok(shop.client.clone().update_category(shop.seller(request)).await?.into_inner().category.unwrap())
}

async fn delete(shop: &Shop, id: &str) -> Result<(), Status> {
    let request = pb::DeleteCategoryRequest { id: id.to_owned(), request_id: String::new() };
    shop.client.clone().delete_category(shop.seller(request)).await.map(tonic::Response::into_inner)
}

async fn get(shop: &Shop, id: &str) -> Result<pb::Category, Status> {
    let request = pb::GetCategoryRequest { id: id.to_owned() };
    Ok(shop.client.clone().get_category(request).await?.into_inner().category.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_lives_from_its_first_day_to_its_last() {
    let shop = Shop::open().await;
    let top = create(&shop, "top", "").await.unwrap();
    assert_eq!(get(&shop, "top").await.unwrap(), top);
    let status = create(&shop, "top", "").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "CATEGORY_EXISTS"));
    let status = create(&shop, "leaf", "nowhere").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "CATEGORY_NOT_FOUND"));
    create(&shop, "leaf", "top").await.unwrap();

    let renamed =
        update(&shop, pb::Category { name: "Renamed".into(), ..top.clone() }, &["name"]).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.parent_id.as_str()), ("Renamed", ""));
    let status = update(&shop, pb::Category { name: "Lost".into(), ..top }, &["name"]).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));

    let status = delete(&shop, "top").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "CATEGORY_NOT_EMPTY"));
    shop.add(product("A", "leaf")).await;
    assert_eq!(reason(&delete(&shop, "leaf").await.unwrap_err()), "CATEGORY_NOT_EMPTY");
    for status in [
        delete(&shop, "nowhere").await.unwrap_err(),
        get(&shop, "nowhere").await.unwrap_err(),
        update(&shop, category("nowhere", ""), &["name"]).await.unwrap_err(),
        update(&shop, category("nowhere", "top"), &["parent_id"]).await.unwrap_err(),
    ] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "CATEGORY_NOT_FOUND"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_does_not_outlive_its_category() {
    let shop = Shop::open().await;
    let first = create(&shop, "a", "").await.unwrap();
    delete(&shop, "a").await.unwrap();
    create(&shop, "a", "").await.unwrap();
    let status = update(&shop, pb::Category { name: "N".into(), ..first }, &["name"]).await.unwrap_err();
    assert_eq!(reason(&status), "ETAG_MISMATCH");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_has_no_circle_and_at_most_ten_levels() {
    let shop = Shop::open().await;
    let level = |n: usize| format!("level-{n}");
    create(&shop, &level(1), "").await.unwrap();
    for n in 2..=10 {
        create(&shop, &level(n), &level(n - 1)).await.unwrap();
    }
    let cycle = |status: Status| {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "CATEGORY_CYCLE"));
    };
    cycle(create(&shop, &level(11), &level(10)).await.unwrap_err());
    for below in [1, 2, 10] {
        cycle(update(&shop, category(&level(1), &level(below)), &["parent_id"]).await.unwrap_err());
    }
    create(&shop, "other", "").await.unwrap();
    create(&shop, "other-leaf", "other").await.unwrap();
    cycle(update(&shop, category("other", &level(9)), &["parent_id"]).await.unwrap_err());
    let moved = update(&shop, category("other", &level(8)), &["parent_id"]).await.unwrap();
    assert_eq!(moved.parent_id, level(8));
    let top = update(&shop, category("other", ""), &["parent_id"]).await.unwrap();
    assert_eq!(top.parent_id, "");
    assert_eq!(
        reason(&update(&shop, category("other", "nowhere"), &[]).await.unwrap_err()),
        "CATEGORY_NOT_FOUND"
    );
    // What exists is told so, though the place asked for would be wrong too.
    assert_eq!(reason(&create(&shop, &level(1), &level(10)).await.unwrap_err()), "CATEGORY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_moves_at_once_close_no_circle() {
    let shop = Shop::open().await;
    create(&shop, "a", "").await.unwrap();
    create(&shop, "b", "").await.unwrap();
    for _ in 0..10 {
        let (left, right) = tokio::join!(
            update(&shop, category("a", "b"), &["parent_id"]),
            update(&shop, category("b", "a"), &["parent_id"])
        );
        assert!(left.is_ok() != right.is_ok(), "{left:?} {right:?}");
        update(&shop, category("a", ""), &["parent_id"]).await.unwrap();
        update(&shop, category("b", ""), &["parent_id"]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_are_listed_page_by_page() {
    let shop = Shop::open().await;
    for n in 0..7 {
        create(&shop, &format!("c{n}"), "").await.unwrap();
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListCategoriesRequest { page_size: 3, page_token: token };
        let page = shop.client.clone().list_categories(request).await.unwrap().into_inner();
        seen.extend(page.categories.into_iter().map(|category| category.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| format!("c{n}")).collect::<Vec<_>>());
}
