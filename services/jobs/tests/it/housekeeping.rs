use local::testing::services;

use crate::support::{Office, connect, mail_args, until};

#[tokio::test]
async fn idempotency_keys_that_nobody_may_repeat_any_more_are_deleted_in_every_schema() {
    let database = services().await.database().await;
    let admin = connect(&database).await;
    for schema in ["auth", "catalog", "jobs", "orders"] {
        admin
            .batch_execute(&format!(
                "INSERT INTO {schema}.idempotency (company_id, method, key, body_hash, created_at)
                 SELECT gen_random_uuid(), 'M', 'k', decode(repeat('00', 32), 'hex'), now() - age
                   FROM unnest(ARRAY[interval '31 days', interval '1 day']) AS age"
            ))
            .await
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mail = mail_args(&format!("file://{}", folder.path().display()));
    let office = Office::on(database, mail, folder).await;
    for schema in ["auth", "catalog", "jobs", "orders"] {
        let count = format!("SELECT count(*) FROM {schema}.idempotency");
        until(&format!("the old key of {schema} is deleted"), async || {
            office.admin.query_one(&count, &[]).await.unwrap().get::<_, i64>(0) == 1
        })
        .await;
    }
    office.stop().await;
}

#[tokio::test]
async fn partitions_of_orders_are_made_ahead() {
    let database = services().await.database().await;
    let admin = connect(&database).await;
    let last = "SELECT max(c.relname::text) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'orders.orders'::regclass";
    let before: String = admin.query_one(last, &[]).await.unwrap().get(0);
    admin.batch_execute(&format!("DROP TABLE orders.{before} CASCADE")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mail = mail_args(&format!("file://{}", folder.path().display()));
    let office = Office::on(database, mail, folder).await;
    until("the last month is there again", async || {
        office.admin.query_one(last, &[]).await.unwrap().get::<_, String>(0) == before
    })
    .await;
    office.stop().await;
}
