//! Kind `report`: writes the file of a report page by page, stores it, and makes the report ready.
//!
//! An attempt first puts the name of its own file into the report's row and removes the file of the attempt before. Whoever finds
//! another name there when it is done was overtaken, and removes what it wrote. So a report is ready with one whole file or not at all,
//! however many attempts crash or overlap.

mod file;
mod lines;

use std::time::Duration;

use platform::{
    Access, Clock,
    db::{self, Db},
    status,
};
use queue::{Handler, Job, JobContext, Outcome};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::file::File;
pub(crate) use self::lines::Line;
use crate::{
    objects::{self, ObjectName, ObjectsUrl},
    report::KEPT_FOR,
    store::reports::{self as store, Begun, Cursor, Written},
};

/// Orders on a page: with 500 lines each, which is the most, some 10 MiB, and usually some 50 KiB.
const PAGE: i32 = 100;

/// How reports are made and stored.
#[derive(clap::Args, Clone, Debug)]
pub struct ReportArgs {
    /// Where the files of reports lie: `database:`; `file:///folder`, which all pods must share; or `s3://bucket/prefix`, reached as the
    /// variables `AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP` and the like say.
    #[arg(long, env = "SIPUP_OBJECTS_URL", default_value = "database:")]
    pub objects_url: ObjectsUrl,

    /// The largest file of a report; one that would be larger fails. A file is read twice when it is fetched: once to check it.
    #[arg(long, env = "SIPUP_REPORT_MAX_BYTES", default_value_t = 256 << 20, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    pub report_max_bytes: u64,
}

/// A report to be made. What it should tell stands in its row.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct MakeReport {
    /// The report.
    pub(crate) report_id: Uuid,
}

impl Job for MakeReport {
    const KIND: &'static str = "report";
    const QUEUE: &'static str = "report";
    /// The first attempt and three more.
    const MAX_ATTEMPTS: i16 = 4;
    /// Some 10,000 lines are read and written in a second.
    const TIMEOUT: Duration = Duration::from_mins(30);
}

/// Makes reports.
#[derive(Debug)]
pub struct Reports {
    db: Db,
    objects: objects::Objects,
    clock: Clock,
    max_bytes: u64,
}

/// Why an attempt ended without a file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the storage failed")]
    Storage(#[from] objects::Error),
    #[error("the database failed")]
    Db(#[from] db::Error),
    #[error("a row could not be written")]
    Row(#[from] csv::Error),
    #[error("the file would be too large")]
    TooLarge,
    #[error("the process is to stop")]
    Stopping,
}

impl Reports {
    pub(crate) fn new(db: Db, objects: objects::Objects, clock: Clock, args: &ReportArgs) -> Self {
        Self { db, objects, clock, max_bytes: args.report_max_bytes }
    }

    /// Makes a report, if there still is one to be made.
    async fn make(&self, report_id: Uuid, context: &JobContext) -> Result<(), Failure> {
        let name = ObjectName { report_id, object_id: self.clock.uuid_v7() };
        let Some(begun) = self.begin(name).await? else { return Ok(()) };
        if let Some(object_id) = begun.earlier_object_id {
            self.objects.delete(ObjectName { report_id, object_id }).await?;
        }
        let outcome = match self.write(name, &begun, context).await {
            Ok(written) => self.finish(name, &written).await,
            Err(failure) => Err(failure),
        };
        if !matches!(outcome, Ok(true) | Err(Failure::Db(db::Error::OutcomeUnknown(_)))) {
            // Nobody will ask for it. If it can't be removed now, the next attempt does it, or the report's end.
            self.remove(name).await;
        }
        outcome.map(drop)
    }

    async fn begin(&self, name: ObjectName) -> Result<Option<Begun>, Failure> {
        Ok(self.db.tx("reports.begin", &Access::system(), async |tx| store::begin(tx, name).await).await?)
    }

    async fn write(&self, name: ObjectName, begun: &Begun, context: &JobContext) -> Result<Written, Failure> {
        let mut file = File::new(self.objects.create(name).await?, self.max_bytes);
        match self.fill(&mut file, begun, context).await {
            Ok(()) => file.finish().await,
            Err(failure) => {
                file.abort().await;
                Err(failure)
            }
        }
    }

    /// Writes header and lines. Pages are read one by one on the primary, behind the order that came last, and each in its own
    /// transaction: one over all would hold back the vacuum of the whole database for as long as the report takes. The order of ids makes
    /// that as good, because orders and lines are never removed and their ids don't change: each line comes once. What had been committed
    /// when the report was asked for is in it; what is placed meanwhile may be.
    async fn fill(&self, file: &mut File, begun: &Begun, context: &JobContext) -> Result<(), Failure> {
        file.add(&lines::header()?, 0).await?;
        let mut cursor = Cursor::default();
        loop {
            if context.stopping.is_cancelled() {
                return Err(Failure::Stopping);
            }
            let page = self
                .db
                .tx("reports.page", &Access::system(), async |tx| store::lines(tx, begun, cursor, PAGE).await)
                .await?;
            let Some((lines, next)) = page else { return Ok(()) };
            cursor = next;
            file.add(&lines::encode(&lines)?, lines.len()).await?;
        }
    }

    /// Makes the report ready; false if another attempt or the end of the report came first.
    async fn finish(&self, name: ObjectName, written: &Written) -> Result<bool, Failure> {
        let now = self.clock.now();
        let expires_at = now.saturating_add(KEPT_FOR).unwrap_or(now);
        let finished = self
            .db
            .tx("reports.finish", &Access::system(), async |tx| {
                store::finish(tx, name, written, now, expires_at).await
            })
            .await?;
        Ok(finished)
    }

    async fn remove(&self, name: ObjectName) {
        if let Err(error) = self.objects.delete(name).await {
            tracing::warn!(error = status::chain(&error), object = %name, "a file that nobody needs was not removed");
        }
    }
}

impl Handler<MakeReport> for Reports {
    async fn run(&self, job: MakeReport, context: &JobContext) -> Outcome {
        let Err(failure) = self.make(job.report_id, context).await else { return Outcome::Done };
        if !matches!(failure, Failure::Stopping) {
            tracing::warn!(error = status::chain(&failure), report.id = %job.report_id, "a report was not made");
        }
        match failure {
            // The report has been removed while it was made.
            Failure::Storage(objects::Error::Missing) => Outcome::Done,
            Failure::Storage(_) => Outcome::Retry("the storage was not available".to_owned()),
            Failure::Db(_) => Outcome::Retry("the database was not available".to_owned()),
            Failure::Row(_) => Outcome::Retry("internal error".to_owned()),
            Failure::TooLarge => Outcome::Cancel(format!(
                "the file would be larger than {} bytes; ask for a shorter period",
                self.max_bytes
            )),
            // Another pod begins anew, its attempt not spent.
            Failure::Stopping => Outcome::Snooze(Duration::ZERO),
        }
    }
}
