//! Rows of jobs, as their owners may see them.

pub(crate) mod reports;

use platform::db::{Row, Rows, Tx};
use queue::Priority;
use uuid::Uuid;

use crate::{
    error::Error,
    job::{Filter, Job, State},
};

const CANCEL_JOB: &str = include_str!("../queries/cancel_job.sql");
const LIST_JOBS: &str = include_str!("../queries/list_jobs.sql");
const SELECT_JOB: &str = include_str!("../queries/select_job.sql");

/// What cancelling led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// It is cancelled, now or since before.
    Yes,
    /// It runs, or has ended.
    TooLate,
    NotFound,
}

pub(crate) async fn select_job(rows: &impl Rows, id: Uuid) -> Result<Option<Job>, Error> {
    rows.query_opt(SELECT_JOB, &[&id]).await?.as_ref().map(Job::try_from).transpose()
}

/// Up to `limit` jobs below the id `after`, newest first.
pub(crate) async fn list_jobs(
    rows: &impl Rows,
    filter: &Filter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Job>, Error> {
    let rows = rows.query(LIST_JOBS, &[&filter.state(), &filter.kind(), &after, &limit]).await?;
    rows.iter().map(Job::try_from).collect()
}

pub(crate) async fn cancel_job(tx: &Tx<'_>, id: Uuid) -> Result<Cancelled, Error> {
    let row = tx.query_one(CANCEL_JOB, &[&id]).await?;
    match row.get("outcome") {
        "cancelled" => Ok(Cancelled::Yes),
        "not_cancellable" => Ok(Cancelled::TooLate),
        "not_found" => Ok(Cancelled::NotFound),
        _ => Err(Error::UnknownValue("outcome")),
    }
}

impl TryFrom<&Row> for Job {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.get("id"),
            company_id: row.get("company_id"),
            kind: row.get("kind"),
            queue: row.get("queue"),
            priority: Priority::from_number(row.get("priority")).ok_or(Error::UnknownValue("priority"))?,
            state: State::from_name(row.get("state")).ok_or(Error::UnknownValue("state"))?,
            attempt: row.get("attempt"),
            max_attempts: row.get("max_attempts"),
            error: row.get("error"),
            created_at: row.get("created_at"),
            run_at: row.get("run_at"),
            finished_at: row.get("finished_at"),
        })
    }
}
