//! What must be done for the other schemas every few hours: partitions ahead, and keys that nobody may repeat any more. Each is one of
//! their own functions, made for this. One process does it; two at once would do no harm.

use std::time::Duration;

use platform::{
    Access,
    db::{self, Db, Rows as _},
};
use queue::Schedule;

/// How often. Partitions are made months ahead, so that many failures in a row do no harm.
const EVERY: Duration = Duration::from_hours(6);
/// Keys deleted by one statement, so that none holds its locks for long.
const BATCH: i32 = 5_000;

const ENSURE_ORDER_PARTITIONS: &str = include_str!("../queries/ensure_order_partitions.sql");
const DELETE_OLD_KEYS: [&str; 3] = [
    include_str!("../queries/delete_old_auth_keys.sql"),
    include_str!("../queries/delete_old_catalog_keys.sql"),
    include_str!("../queries/delete_old_orders_keys.sql"),
];

/// What the leader does.
pub(crate) fn schedule(db: &Db) -> Schedule {
    let (partitions, keys) = (db.clone(), db.clone());
    Schedule::new().every(EVERY, "order partitions", move || ensure_partitions(partitions.clone())).every(
        EVERY,
        "old keys",
        move || delete_all_old_keys(keys.clone()),
    )
}

async fn ensure_partitions(db: Db) -> Result<(), db::Error> {
    db.tx("housekeeping.partitions", &Access::system(), async |tx| {
        tx.query_one(ENSURE_ORDER_PARTITIONS, &[]).await.map(drop)
    })
    .await
}

/// Goes on to the next schema where one fails, and answers with the last failure.
async fn delete_all_old_keys(db: Db) -> Result<(), db::Error> {
    let mut outcome = Ok(());
    for sql in DELETE_OLD_KEYS {
        if let Err(error) = delete_old_keys(&db, sql).await {
            outcome = Err(error);
        }
    }
    outcome
}

async fn delete_old_keys(db: &Db, sql: &'static str) -> Result<(), db::Error> {
    loop {
        let deleted: i64 = db
            .tx("housekeeping.keys", &Access::system(), async |tx| {
                Ok::<_, db::Error>(tx.query_one(sql, &[&BATCH]).await?.get("deleted"))
            })
            .await?;
        if deleted < i64::from(BATCH) {
            return Ok(());
        }
    }
}
