//! Positions in the write-ahead log, for every role, on the primary and on a replica.

use tokio_postgres::types::PgLsn;
use uuid::Uuid;

use crate::support::{Database, SERVICES, until};

#[tokio::test]
async fn every_role_reads_positions_on_the_primary() {
    let database = Database::migrated().await;
    for service in SERVICES {
        for scope in ["", "_seller", "_system"] {
            let client = database.service(service).await;
            client.batch_execute(&format!("SET ROLE svc_{service}{scope}")).await.unwrap();
            let committed =
                client.query_one("SELECT timeline, lsn FROM sipup.commit_position()", &[]).await.unwrap();
            let replayed = client
                .query_one(
                    "SELECT timeline, lsn, in_recovery, lag = '0' AS current FROM sipup.replay_position()",
                    &[],
                )
                .await
                .unwrap();
            assert_eq!(committed.get::<_, i32>("timeline"), 1);
            assert_eq!(replayed.get::<_, i32>("timeline"), 1);
            assert!(replayed.get::<_, PgLsn>("lsn") >= committed.get::<_, PgLsn>("lsn"));
            assert!(!replayed.get::<_, bool>("in_recovery") && replayed.get::<_, bool>("current"));
        }
    }
}

#[tokio::test]
async fn a_replica_that_has_reached_a_commit_position_shows_the_commit() {
    let database = Database::migrated().await;
    let company = Uuid::now_v7();
    let writer = database.wide("orders", "seller").await;
    let replica = database.on_replica("orders").await;
    writer
        .batch_execute(&format!("SELECT orders.adjust_stock('{{A}}', '{{7}}', now(), '{company}')"))
        .await
        .unwrap();
    let committed = writer.query_one("SELECT timeline, lsn FROM sipup.commit_position()", &[]).await.unwrap();

    until("the replica has replayed the commit", async || {
        let row = replica.query_one("SELECT lsn FROM sipup.replay_position()", &[]).await.unwrap();
        row.get::<_, PgLsn>(0) >= committed.get::<_, PgLsn>("lsn")
    })
    .await;
    let on_hand: i32 =
        replica.query_one("SELECT on_hand FROM stock WHERE sku = 'A'", &[]).await.unwrap().get(0);
    assert_eq!(on_hand, 7);
    let row = replica
        .query_one("SELECT timeline, in_recovery, lag IS NOT NULL AS known FROM sipup.replay_position()", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i32>("timeline"), committed.get::<_, i32>("timeline"));
    assert!(row.get::<_, bool>("in_recovery"));
    assert!(row.get::<_, bool>("known"));
}
