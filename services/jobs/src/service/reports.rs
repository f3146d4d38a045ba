//! Asking for reports, looking at them, and fetching their files.

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use platform::{
    Access, Caller, Clock, Outcome, RequestKey,
    db::Db,
    idempotency::Claim,
    page::{PageSize, PageTokens},
};
use proto::jobs::v1::CreateReportResponse;
use queue::EnqueueOptions;
use uuid::Uuid;

use crate::{
    error::Error,
    kinds::report::MakeReport,
    objects::{self, ObjectName, Objects},
    report::{Draft, KEPT_FOR, MOST_UNDER_WAY, Report, Sha256, State},
    store::reports as store,
};

/// Reports of companies.
#[derive(Clone, Debug)]
pub(crate) struct Reports {
    db: Db,
    clock: Clock,
    tokens: PageTokens,
    objects: Objects,
}

/// A page of reports.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) reports: Vec<Report>,
    /// Asks for the next page; empty on the last.
    pub(crate) next: String,
}

impl Reports {
    pub(crate) fn new(db: Db, clock: Clock, tokens: PageTokens, objects: Objects) -> Self {
        Self { db, clock, tokens, objects }
    }

    /// Enqueues the job that makes the report, in the transaction that writes it down: neither is there without the other.
    pub(crate) async fn create_report(
        &self,
        access: &Access,
        caller: &Caller,
        key: Option<&RequestKey>,
        draft: &Draft,
    ) -> Result<Outcome<Report>, Error> {
        let subject_company_id = draft.subject(caller)?;
        self.db
            .tx("reports.create", access, async |tx| {
                if let Some(key) = key
                    && let Claim::Replayed(answer) = key.claim(tx, caller.company_id).await?
                {
                    return Ok(Outcome::Replayed(answer));
                }
                if store::count_under_way(tx, caller.company_id).await? >= MOST_UNDER_WAY {
                    return Err(Error::TooManyReports);
                }
                let mut report = self.drafted(caller, draft, subject_company_id);
                let unique_key = report.id.to_string();
                let options = EnqueueOptions {
                    company_id: Some(report.company_id),
                    unique_key: Some(&unique_key),
                    ..EnqueueOptions::default()
                };
                report.job_id = queue::enqueue(tx, &MakeReport { report_id: report.id }, options).await?;
                store::insert_report(tx, &report, caller.user_id).await?;
                if let Some(key) = key {
                    let answer = CreateReportResponse { report: Some(report.clone().into()) };
                    key.store(tx, caller.company_id, &answer).await?;
                }
                Ok(Outcome::Done(report))
            })
            .await
    }

    /// The report as it will be written down, but for its job.
    fn drafted(&self, caller: &Caller, draft: &Draft, subject_company_id: Option<Uuid>) -> Report {
        let now = self.clock.now();
        Report {
            id: self.clock.uuid_v7(),
            company_id: caller.company_id,
            kind: draft.kind,
            format: draft.format,
            subject_company_id,
            period: draft.period,
            job_id: Uuid::nil(),
            object_id: None,
            state: State::Waiting,
            rows: 0,
            bytes: 0,
            sha256: None,
            error: None,
            created_at: now,
            finished_at: None,
            expires_at: now.saturating_add(KEPT_FOR).unwrap_or(now),
        }
    }

    pub(crate) async fn get_report(&self, access: &Access, id: Uuid) -> Result<Report, Error> {
        self.db
            .read("reports.get", access, async |ro| {
                store::select_report(ro, id).await?.ok_or(Error::ReportNotFound { id })
            })
            .await
    }

    pub(crate) async fn list_reports(
        &self,
        caller: &Caller,
        access: &Access,
        size: PageSize,
        token: &str,
    ) -> Result<Page, Error> {
        let user = caller.user_id.to_string();
        let bound_to = ["ListReports", &user, caller.role.name()];
        let after: Option<Uuid> = self.tokens.open(&bound_to, token)?;
        let mut reports = self
            .db
            .read("reports.list", access, async |ro| store::list_reports(ro, after, size.limit()).await)
            .await?;
        let last = size.cut(&mut reports).map(|report| report.id);
        Ok(Page { reports, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    /// The report's file, checked whole before the first piece is given out, because a client over HTTP/1.1 doesn't see how a stream
    /// ended. The row comes from the primary: a replica that is behind would deny a report that the caller has just seen ready.
    pub(crate) async fn download_report(
        &self,
        access: &Access,
        id: Uuid,
    ) -> Result<(Report, impl Stream<Item = Result<Bytes, Error>> + use<>), Error> {
        let report =
            self.db.tx("reports.download", access, async |tx| store::select_report(tx, id).await).await?;
        let report = report.ok_or(Error::ReportNotFound { id })?;
        let (State::Ready, Some(object_id), Some(sha256)) = (report.state, report.object_id, report.sha256)
        else {
            return Err(Error::ReportNotReady { id, state: report.state.name() });
        };
        let name = ObjectName { report_id: id, object_id };
        let expected = Expected { bytes: report.bytes, sha256 };
        checked(self.objects.read(name), id, expected).try_for_each(async |_| Ok(())).await?;
        Ok((report, checked(self.objects.read(name), id, expected)))
    }
}

/// What a file must come to.
#[derive(Clone, Copy, Debug)]
struct Expected {
    bytes: i64,
    sha256: Sha256,
}

/// The pieces, and an error behind them if they are not what was written.
fn checked(
    pieces: impl Stream<Item = Result<Bytes, objects::Error>> + Unpin,
    id: Uuid,
    expected: Expected,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let begun = (pieces, digest::Context::new(&digest::SHA256), 0_i64);
    stream::unfold(Some(begun), move |state| async move {
        let (mut pieces, mut hashed, mut bytes) = state?;
        match pieces.next().await {
            Some(Ok(piece)) => {
                hashed.update(&piece);
                bytes = bytes.saturating_add(i64::try_from(piece.len()).unwrap_or(i64::MAX));
                Some((Ok(piece), Some((pieces, hashed, bytes))))
            }
            Some(Err(objects::Error::Missing)) => Some((Err(damaged(id, "it is missing")), None)),
            Some(Err(error)) => Some((Err(error.into()), None)),
            None if bytes != expected.bytes => Some((Err(damaged(id, "its size is another")), None)),
            None if Sha256::of(hashed) != expected.sha256 => {
                Some((Err(damaged(id, "its SHA-256 is another")), None))
            }
            None => None,
        }
    })
}

/// Operators must hear of it: a file has changed, or is gone, where nothing but the service should write.
fn damaged(id: Uuid, how: &str) -> Error {
    tracing::error!(report.id = %id, how, "the file of a report is not what was written");
    Error::ReportDamaged { id }
}
