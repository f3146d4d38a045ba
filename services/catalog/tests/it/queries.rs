//! The statements themselves: each prepares, and lists walk indexes.

use std::path::Path;

use tokio_postgres::{Client, NoTls};

use crate::support::{Shop, euro, product};

/// Expanded by the service: their statements are prepared one by one.
const TEMPLATES: [&str; 2] = ["list_products.sql", "list_products_below.sql"];

#[expect(clippy::disallowed_methods, reason = "a connection of a test ends with the test's runtime")]
async fn connect(url: &str) -> Client {
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
        // The plan that the service's role always gets: see plan_cache_mode in the schema's README.
        let rows = client.query(&format!("EXPLAIN (GENERIC_PLAN, COSTS OFF) {sql}"), &[]).await.unwrap();
        let plan = rows.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>().join("\n");
        assert!(!plan.contains("Seq Scan on products"), "{sql}\n{plan}");
        let filtered =
            ["brand =", "sku =", "BETWEEN", "category_id ="].iter().any(|condition| sql.contains(condition));
        if !filtered {
            assert!(plan.contains("Index Scan") && !plan.contains("Sort"), "{sql}\n{plan}");
            assert_eq!(
                plan.contains("Index Cond"),
                sql.contains("> ($")
                    || sql.contains("< ($")
                    || sql.contains("p.sku > $")
                    || sql.contains("p.sku < $"),
                "{sql}\n{plan}"
            );
        }
    }
}
