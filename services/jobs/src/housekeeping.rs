//! What must be done every now and then: for every schema, partitions ahead and keys that nobody may repeat any more, each by one of
//! their own functions, made for this; and reports whose time is over. One process does it; two at once would do no harm.

use std::time::Duration;

use platform::{
    Access,
    db::{self, Db, Rows as _},
    status,
};
use queue::Schedule;
use uuid::Uuid;

use crate::{
    objects::{self, ObjectName, Objects},
    store::reports,
};

/// How often. Partitions are made months ahead, so that many failures in a row do no harm.
const EVERY: Duration = Duration::from_hours(6);
/// How often reports whose time is over are removed: they can't be fetched any more as it is.
const REPORTS_EVERY: Duration = Duration::from_hours(1);
/// Reports looked at by one statement.
const REPORTS_BATCH: i64 = 100;
/// Keys deleted by one statement, so that none holds its locks for long.
const BATCH: i32 = 5_000;

const ENSURE_ORDER_PARTITIONS: &str = include_str!("../queries/ensure_order_partitions.sql");
const DELETE_OLD_KEYS: [&str; 4] = [
    include_str!("../queries/delete_old_auth_keys.sql"),
    include_str!("../queries/delete_old_catalog_keys.sql"),
    include_str!("../queries/delete_old_jobs_keys.sql"),
    include_str!("../queries/delete_old_orders_keys.sql"),
];

/// What the leader does.
pub(crate) fn schedule(db: &Db, objects: &Objects) -> Schedule {
    let (partitions, keys, reports) = (db.clone(), db.clone(), (db.clone(), objects.clone()));
    Schedule::new()
        .every(EVERY, "order partitions", move || ensure_partitions(partitions.clone()))
        .every(EVERY, "old keys", move || delete_all_old_keys(keys.clone()))
        .every(REPORTS_EVERY, "expired reports", move || delete_expired_reports(reports.clone()))
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

/// Goes on to the next report where one fails: it comes again.
async fn delete_expired_reports((db, objects): (Db, Objects)) -> Result<(), db::Error> {
    let mut after = None;
    loop {
        let expired = db
            .tx("housekeeping.reports", &Access::system(), async |tx| {
                reports::select_expired(tx, after, REPORTS_BATCH).await
            })
            .await?;
        let Some((last, _)) = expired.last() else { return Ok(()) };
        after = Some(*last);
        for (report_id, object_id) in expired {
            if let Err(error) = delete_report(&db, &objects, report_id, object_id).await {
                tracing::warn!(error = status::chain(&error), report.id = %report_id, "an expired report was not removed");
            }
        }
    }
}

/// The file first: without its row, nobody would know that there is one.
async fn delete_report(
    db: &Db,
    objects: &Objects,
    report_id: Uuid,
    object_id: Option<Uuid>,
) -> Result<(), objects::Error> {
    if let Some(object_id) = object_id {
        objects.delete(ObjectName { report_id, object_id }).await?;
    }
    let delete = async |tx: &db::Tx<'_>| reports::delete_expired(tx, report_id).await;
    Ok(db.tx("housekeeping.report", &Access::system(), delete).await?)
}
