//! What must be done for the other schemas every few hours: partitions ahead, and keys that nobody may repeat any more. Each is one of
//! their own functions, made for this; doing it in several processes at once does no harm.

use std::time::Duration;

use platform::{
    Access,
    db::{self, Db, Rows as _},
};
use tokio::time::MissedTickBehavior;

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

/// Keeps house for ever, beginning now.
pub(crate) async fn run(db: Db) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = ensure_partitions(&db).await {
            tracing::warn!(%error, "partitions of orders not seen to; that comes again");
        }
        for sql in DELETE_OLD_KEYS {
            if let Err(error) = delete_old_keys(&db, sql).await {
                tracing::warn!(%error, "old idempotency keys not deleted; that comes again");
            }
        }
    }
}

async fn ensure_partitions(db: &Db) -> Result<(), db::Error> {
    db.tx("housekeeping.partitions", &Access::system(), async |tx| {
        tx.query_one(ENSURE_ORDER_PARTITIONS, &[]).await.map(drop)
    })
    .await
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
