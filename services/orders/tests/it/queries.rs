//! The statements themselves, against the migrated schema.

use std::{fs, path::Path};

use crate::support::{World, connect};

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

#[tokio::test]
async fn every_statement_prepares_and_says_what_it_does() {
    let world = World::new().await;
    let client = connect(&world.service_url()).await;
    let files = files();
    assert!(!files.is_empty());
    for (path, sql) in files {
        let statement = client.prepare(&sql).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        assert!(sql.starts_with("-- "), "{path} does not say what it does");
        for parameter in 1..=statement.params().len() {
            let comments = sql.lines().filter(|line| line.starts_with("--"));
            let mut words = comments.flat_map(|line| line.split([' ', ',']));
            assert!(
                words.any(|word| word == format!("${parameter}")),
                "{path} does not explain ${parameter}"
            );
        }
    }
}

#[tokio::test]
async fn pages_are_read_from_an_index_without_sorting() {
    let world = World::new().await;
    let client = connect(&world.service_url()).await;
    // Empty tables are scanned whatever their indexes.
    client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
    for (role, file) in [("svc_orders", "list_orders_of_company"), ("svc_orders_seller", "list_orders")] {
        client
            .batch_execute(&format!("SET ROLE {role}; SET sipup.company_id = '{}'", uuid::Uuid::nil()))
            .await
            .unwrap();
        let (_, sql) = files().into_iter().find(|(path, _)| path.ends_with(&format!("{file}.sql"))).unwrap();
        let messages = client.simple_query(&format!("EXPLAIN (GENERIC_PLAN) {sql}")).await.unwrap();
        let plan: Vec<String> = messages
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
                _ => None,
            })
            .collect();
        let plan = plan.join("\n");
        assert!(
            plan.contains("Index Scan") && !plan.contains("Sort") && !plan.contains("Merge Append"),
            "{plan}"
        );
    }
}
