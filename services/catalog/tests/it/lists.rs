//! Lists: every order and filter, page by page, while others write.

use platform::{Role, testing::Issuer};
use proto::catalog::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Shop, euro, field, product};

const ORDERS: [&str; 6] = ["sku", "sku desc", "name", "name desc", "price", "price desc"];

/// 240 products in a small tree, with many equal names, brands and prices.
fn assortment() -> Vec<pb::Product> {
    (0..240_i64)
        .map(|n| pb::Product {
            name: format!("Name {}", n * 7 % 11),
            brand: ["Acme", "Bolt & \"Co\"", ""][usize::try_from(n % 3).unwrap()].to_owned(),
            price: euro(n * 13 % 17),
            active: Some(n % 5 != 0),
            ..product(
                &format!("S{:03}", n * 37 % 240),
                ["metal", "bolts", "hex-bolts", "wood"][usize::try_from(n % 4).unwrap()],
            )
        })
        .collect()
}

async fn stocked() -> (Shop, Vec<pb::Product>) {
    let shop = Shop::with_category("metal").await;
    shop.add_category("bolts", "metal").await;
    shop.add_category("hex-bolts", "bolts").await;
    shop.add_category("wood", "").await;
    shop.fill(assortment()).await;
    let skus = assortment().into_iter().map(|product| product.sku).collect();
    let request = pb::BatchGetProductsRequest { ids: Vec::new(), skus };
    let products = shop.client.clone().batch_get_products(request).await.unwrap().into_inner().products;
    (shop, products)
}

/// All pages of a list.
async fn all(shop: &Shop, filter: &str, order_by: &str, page_size: i32) -> Vec<pb::Product> {
    let mut products = Vec::new();
    let mut request = pb::ListProductsRequest {
        page_size,
        filter: filter.into(),
        order_by: order_by.into(),
        ..Default::default()
    };
    loop {
        let page = shop.list(request.clone()).await.unwrap();
        assert!(page.products.len() <= usize::try_from(page_size).unwrap());
        products.extend(page.products);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return products;
        }
    }
}

/// What `order_by` should make of `products`.
fn sort(products: &mut [pb::Product], order_by: &str) {
    let price = |product: &pb::Product| product.price.as_ref().unwrap().minor_units;
    match order_by.split(' ').next().unwrap() {
        "name" => products.sort_by_key(|product| (product.name.clone(), product.id.clone())),
        "price" => products.sort_by_key(|product| (price(product), product.id.clone())),
        _ => products.sort_by_key(|product| product.sku.clone()),
    }
    if order_by.ends_with("desc") {
        products.reverse();
    }
}

type Condition = (&'static str, fn(&pb::Product) -> bool);

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_in_every_order_gives_each_product_once() {
    let (shop, products) = stocked().await;
    let price = |product: &pb::Product| product.price.as_ref().unwrap().minor_units;
    let categories: [Condition; 4] = [
        ("", |_| true),
        ("category_id = \"metal\"", |p| p.category_id != "wood"),
        ("category_id = \"hex-bolts\"", |p| p.category_id == "hex-bolts"),
        ("category_id = \"nowhere\"", |_| false),
    ];
    let brands: [Condition; 2] =
        [("", |_| true), (r#"brand = "Bolt & \"Co\"""#, |p| p.brand == "Bolt & \"Co\"")];
    let others: [Condition; 5] = [
        ("", |p| p.active == Some(true)),
        ("active = false", |p| p.active == Some(false)),
        ("sku = \"S007\"", |p| p.sku == "S007" && p.active == Some(true)),
        ("price >= 5", |p| p.active == Some(true) && p.price.as_ref().unwrap().minor_units >= 5),
        ("price >= 3 AND price <= 4 AND active = true", |p| {
            p.active == Some(true) && (3..=4).contains(&p.price.as_ref().unwrap().minor_units)
        }),
    ];
    assert!(products.iter().any(|product| price(product) == 3));
    for order_by in ORDERS {
        for (category, in_category) in categories {
            for (brand, of_brand) in brands {
                for (other, is_other) in others {
                    let conditions = [category, brand, other];
                    let filter = conditions
                        .into_iter()
                        .filter(|text| !text.is_empty())
                        .collect::<Vec<_>>()
                        .join(" AND ");
                    let mut expected: Vec<pb::Product> = products
                        .iter()
                        .filter(|p| in_category(p) && of_brand(p) && is_other(p))
                        .cloned()
                        .collect();
                    sort(&mut expected, order_by);
                    assert_eq!(all(&shop, &filter, order_by, 23).await, expected, "{filter} by {order_by}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_and_go_between_pages_make_no_other_come_twice_or_never() {
    let (shop, products) = stocked().await;
    for (round, order_by) in ORDERS.into_iter().enumerate() {
        let mut request =
            pb::ListProductsRequest { page_size: 20, order_by: order_by.to_owned(), ..Default::default() };
        let (mut seen, mut page_number) = (Vec::new(), 0);
        loop {
            let page = shop.list(request.clone()).await.unwrap();
            seen.extend(page.products.into_iter().filter(|product| product.sku.starts_with('S')));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
            // One at each end and one in the middle of every order.
            for (name, price) in [("A", 0), ("Name 5", 8), ("Z", 1_000)] {
                let sku = format!("{}-{round}-{page_number}-{price}", &name[..1]);
                shop.add(pb::Product { name: name.into(), price: euro(price), ..product(&sku, "metal") })
                    .await;
            }
            page_number += 1;
        }
        let mut expected: Vec<pb::Product> =
            products.iter().filter(|product| product.active == Some(true)).cloned().collect();
        sort(&mut expected, order_by);
        assert_eq!(seen, expected, "{order_by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_its_list_and_its_caller_only() {
    let (shop, _) = stocked().await;
    let (company, user, session) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let first = pb::ListProductsRequest { page_size: 5, ..Default::default() };
    let token = shop.issuer.token_for(Role::Buyer, company, user, session);
    let page = shop.client.clone().list_products(Issuer::with_token(first.clone(), &token)).await.unwrap();
    let next = pb::ListProductsRequest { page_token: page.into_inner().next_page_token, ..first.clone() };

    // The same user in another session, with a filter that says the same and another page size, goes on.
    let again = shop.issuer.token_for(Role::Buyer, company, user, Uuid::now_v7());
    let same =
        pb::ListProductsRequest { filter: "  ".into(), order_by: "sku".into(), page_size: 9, ..next.clone() };
    let page = shop.client.clone().list_products(Issuer::with_token(same, &again)).await.unwrap();
    assert_eq!(page.into_inner().products.len(), 9);

    let mut changed = next.page_token.clone().into_bytes();
    changed[30] ^= 1;
    let refused = [
        shop.buyer(next.clone()),
        tonic::Request::new(next.clone()),
        Issuer::with_token(pb::ListProductsRequest { order_by: "name".into(), ..next.clone() }, &token),
        Issuer::with_token(
            pb::ListProductsRequest { filter: "active = true".into(), ..next.clone() },
            &token,
        ),
        Issuer::with_token(
            pb::ListProductsRequest { page_token: String::from_utf8(changed).unwrap(), ..next.clone() },
            &token,
        ),
        Issuer::with_token(pb::ListProductsRequest { page_token: "nonsense".into(), ..next.clone() }, &token),
    ];
    for request in refused {
        let status = shop.client.clone().list_products(request).await.unwrap_err();
        assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "page_token"));
    }
    let categories = pb::ListCategoriesRequest { page_size: 0, page_token: next.page_token };
    let status =
        shop.client.clone().list_categories(Issuer::with_token(categories, &token)).await.unwrap_err();
    assert_eq!(field(&status), "page_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_fifty_where_nothing_is_said_and_a_thousand_at_most() {
    let (shop, _) = stocked().await;
    assert_eq!(shop.list(pb::ListProductsRequest::default()).await.unwrap().products.len(), 50);
    for page_size in [-1, 1_001, i32::MAX, i32::MIN] {
        let status =
            shop.list(pb::ListProductsRequest { page_size, ..Default::default() }).await.unwrap_err();
        assert_eq!(field(&status), "page_size");
    }
    let request = pb::ListProductsRequest { filter: "colour = \"red\"".into(), ..Default::default() };
    assert_eq!(field(&shop.list(request).await.unwrap_err()), "filter");
    let request = pb::ListProductsRequest { order_by: "id".into(), ..Default::default() };
    assert_eq!(field(&shop.list(request).await.unwrap_err()), "order_by");
}
