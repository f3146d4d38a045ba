//! The statements.

use crate::support::World;

#[tokio::test]
async fn every_statement_fits_the_schema_and_says_what_it_does() {
    let world = World::start().await;
    let client = world.own_sql().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
    let mut prepared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let sql = std::fs::read_to_string(&path).unwrap();
        assert!(sql.starts_with("-- "), "{} doesn't say what it does", path.display());
        client.prepare(&sql).await.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        prepared += 1;
    }
    assert!(prepared > 0);
}
