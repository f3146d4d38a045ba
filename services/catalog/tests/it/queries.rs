//! The statements themselves: each prepares, and lists walk indexes.

use std::path::Path;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::{Shop, euro, product};

/// Expanded by the service: their statements are prepared one by one.
const TEMPLATES: [&str; 2] = ["list_products.sql", "list_products_below.sql"];

#[expect(clippy::disallowed_methods, reason = "a connection of a test ends with the test's runtime")]
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_prepares_against_the_schema() {
    let shop = Shop::open().await;
    let client = connect(&shop.database.url("svc_catalog")).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files += 1;
        if !TEMPLATES.contains(&name.as_str()) {
            let sql = std::fs::read_to_string(&path).unwrap();
            assert!(sql.starts_with("-- "), "{name} does not say what it does");
            client.prepare(&sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
    }
    assert!(files > TEMPLATES.len());
    let mut statements = 0;
    for sql in catalog::page_statements() {
        statements += 1;
        client.prepare(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    assert_eq!(statements, 192);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_of_an_item_is_found_by_keys_alone_under_the_policies_of_a_company() {
    let shop = Shop::with_category("all").await;
    let admin = connect(&shop.database.admin_url()).await;
    admin.batch_execute(MANY_PRICES).await.unwrap();
    let client = connect(&shop.database.url("svc_catalog")).await;
    let plan = plan(&client, include_str!("../../queries/price_items.sql")).await;
    for table in ["products", "prices", "price_lists", "company_price_lists"] {
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
    }
    assert!(!plan.contains("Sort"), "{plan}");
    // Twice: the tier that holds and the one behind it.
    assert_eq!(plan.matches("prices_pkey").count(), 2, "{plan}");
    assert_eq!(plan.matches("(sku = i.sku) AND (min_quantity ").count(), 2, "{plan}");
    assert!(plan.contains("products_sku_key"), "{plan}");
}

/// 10,000 products, 1,000 lists, 50 of them with 2,000 prices each, 20,000 companies.
const MANY_PRICES: &str = "
    INSERT INTO catalog.products (id, sku, name, category_id, price_minor, currency)
    SELECT uuidv7(), 'S' || n, 'Product ' || n, 'all', 100, 'EUR' FROM generate_series(1, 10000) AS n;
    INSERT INTO catalog.price_lists (id, name, currency) SELECT 'l' || n, 'List ' || n, 'EUR' FROM generate_series(1, 1000) AS n;
    INSERT INTO catalog.prices (price_list_id, sku, min_quantity, price_minor)
    SELECT 'l' || l, 'S' || (n * 10 + l % 10 + 1), q, 90 FROM generate_series(1, 50) AS l, generate_series(0, 999) AS n, unnest(ARRAY[1, 10]) AS q;
    INSERT INTO catalog.company_price_lists (company_id, price_list_id)
    SELECT uuidv7(), 'l' || (n % 1000 + 1) FROM generate_series(1, 20000) AS n;
    ANALYZE catalog.products, catalog.price_lists, catalog.prices, catalog.company_price_lists";

/// The plan that the service's role always gets: it runs with generic plans.
async fn plan(client: &Client, sql: &str) -> String {
    let answer = client.simple_query(&format!("EXPLAIN (GENERIC_PLAN, COSTS OFF) {sql}")).await.unwrap();
    let lines = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// 20,000 products in 40 categories, of 100 brands, and the planner told so.
async fn filled() -> Shop {
    let shop = Shop::with_category("all").await;
    for n in 0..40 {
        shop.add_category(&format!("c{n}"), "all").await;
    }
    let row = |n: i64| proto::catalog::v1::Product {
        name: format!("Name {}", n * 7_919 % 20_011),
        brand: format!("Brand {}", n % 100),
        price: euro(n * 104_729 % 50_021),
        ..product(&format!("S{n:05}"), &format!("c{}", n % 40))
    };
    shop.fill((0..20_000).map(row).collect()).await;
    connect(&shop.database.admin_url())
        .await
        .batch_execute("ANALYZE catalog.products, catalog.categories")
        .await
        .unwrap();
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_from_an_index_in_their_order() {
    let shop = filled().await;
    let client = connect(&shop.database.url("svc_catalog")).await;
    for sql in catalog::page_statements() {
        let plan = plan(&client, sql).await;
        let conditions: Vec<&str> = plan.lines().filter(|line| line.contains("Index Cond")).collect();
        let walks = |condition: &str| conditions.iter().any(|line| line.contains(condition));
        assert!(!plan.contains("Seq Scan on products"), "{sql}\n{plan}");
        if sql.contains("p.sku = $") {
            assert!(walks("sku = $"), "{sql}\n{plan}");
        } else if sql.contains("category_id = t.id") {
            assert!(walks("category_id = t.id") || walks("brand = $"), "{sql}\n{plan}");
        } else if sql.contains("brand = $") {
            assert!(walks("brand = $"), "{sql}\n{plan}");
        } else if !sql.contains("BETWEEN") {
            assert!(plan.contains("Index Scan") && !plan.contains("Sort"), "{sql}\n{plan}");
            let is_first = !["> ($", "< ($", "> $", "< $"].iter().any(|after| sql.contains(after));
            assert_eq!(conditions.is_empty(), is_first, "{sql}\n{plan}");
        }
    }
}
