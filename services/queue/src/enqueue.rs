//! Adding jobs to a transaction: they exist if it commits, and not otherwise.

use jiff::Timestamp;
use platform::{
    db::{Rows as _, Tx},
    telemetry::traceparent,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Job, Priority};

const ENQUEUE_JOB: &str = include_str!("../queries/enqueue_job.sql");
const ENQUEUE_JOBS: &str = include_str!("../queries/enqueue_jobs.sql");

/// What whoever enqueues may say beyond the arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct EnqueueOptions<'a> {
    /// The company that the job is for, which sees and may cancel it; none: the system.
    pub company_id: Option<Uuid>,
    /// Not before this time.
    pub run_at: Option<Timestamp>,
    /// While a job of the same kind with this key is under way, no second one is added. 1 to 200 bytes.
    pub unique_key: Option<&'a str>,
    /// Another priority than the kind's.
    pub priority: Option<Priority>,
}

/// Adds `job` to the transaction. Answers its id, or that of the job which holds the unique key.
///
/// With a unique key it waits for another open transaction that uses the same one.
///
/// # Errors
///
/// The arguments have no JSON form, or the database failed.
pub async fn enqueue<J: Job>(tx: &Tx<'_>, job: &J, options: EnqueueOptions<'_>) -> Result<Uuid, Error> {
    let arguments = arguments(job)?;
    let priority = options.priority.unwrap_or(J::PRIORITY).number();
    let row = tx
        .query_one(
            ENQUEUE_JOB,
            &[
                &options.company_id,
                &J::QUEUE,
                &J::KIND,
                &arguments,
                &priority,
                &options.run_at,
                &options.unique_key,
                &traceparent(),
                &J::MAX_ATTEMPTS,
            ],
        )
        .await?;
    Ok(row.get("id"))
}

/// Adds many jobs of one kind to the transaction in one round trip, for `company_id` (none: the system). Answers their ids.
///
/// # Errors
///
/// Arguments have no JSON form, or the database failed.
pub async fn enqueue_many<J: Job>(
    tx: &Tx<'_>,
    jobs: &[J],
    company_id: Option<Uuid>,
) -> Result<Vec<Uuid>, Error> {
    let arguments = jobs.iter().map(arguments).collect::<Result<Vec<_>, _>>()?;
    let priority = J::PRIORITY.number();
    let rows = tx
        .query(
            ENQUEUE_JOBS,
            &[&company_id, &J::QUEUE, &J::KIND, &arguments, &priority, &traceparent(), &J::MAX_ATTEMPTS],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get("id")).collect())
}

fn arguments<J: Job>(job: &J) -> Result<Value, Error> {
    serde_json::to_value(job).map_err(|source| Error::Arguments { kind: J::KIND, source })
}
