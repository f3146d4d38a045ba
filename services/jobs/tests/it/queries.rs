use local::testing::services;

use crate::support::connect;

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let database = services().await.database().await;
    let admin = connect(&database).await;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries")).unwrap() {
        let path = file.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        assert!(sql.starts_with("-- "), "{} does not say what it does", path.display());
        admin.prepare(&sql).await.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    }
}
