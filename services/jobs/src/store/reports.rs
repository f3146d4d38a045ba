//! Rows of reports, and of what they are made of.

use jiff::Timestamp;
use platform::db::{self, Row, Rows, Tx};
use uuid::Uuid;

use crate::{
    error::Error,
    kinds::report::Line,
    objects::ObjectName,
    report::{Format, Kind, Period, Report, Sha256, State},
};

const BEGIN_REPORT: &str = include_str!("../../queries/begin_report.sql");
const COUNT_UNDER_WAY: &str = include_str!("../../queries/count_reports_under_way.sql");
const DELETE_EXPIRED: &str = include_str!("../../queries/delete_expired_report.sql");
const FINISH_REPORT: &str = include_str!("../../queries/finish_report.sql");
const INSERT_REPORT: &str = include_str!("../../queries/insert_report.sql");
const LIST_REPORTS: &str = include_str!("../../queries/list_reports.sql");
const LOCK_COMPANY: &str = include_str!("../../queries/lock_company_reports.sql");
const SELECT_EXPIRED: &str = include_str!("../../queries/select_expired_reports.sql");
const SELECT_LINES: &str = include_str!("../../queries/select_report_lines.sql");
const SELECT_REPORT: &str = include_str!("../../queries/select_report.sql");

/// How many reports of the company wait or are made. Until the transaction ends, no other one of the company is counted or added.
pub(crate) async fn count_under_way(tx: &Tx<'_>, company_id: Uuid) -> Result<i64, Error> {
    // A statement of its own: the count's snapshot must be taken once the lock is there.
    tx.query_one(LOCK_COMPANY, &[&company_id]).await?;
    Ok(tx.query_one(COUNT_UNDER_WAY, &[&company_id]).await?.get("under_way"))
}

/// Inserts a report that waits, asked for by `user_id`.
pub(crate) async fn insert_report(tx: &Tx<'_>, report: &Report, user_id: Uuid) -> Result<(), Error> {
    tx.execute(
        INSERT_REPORT,
        &[
            &report.id,
            &report.company_id,
            &report.kind.name(),
            &report.format.name(),
            &report.subject_company_id,
            &report.period.start,
            &report.period.end,
            &report.job_id,
            &report.expires_at,
            &report.created_at,
            &user_id,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn select_report(rows: &impl Rows, id: Uuid) -> Result<Option<Report>, Error> {
    rows.query_opt(SELECT_REPORT, &[&id]).await?.as_ref().map(Report::try_from).transpose()
}

/// Up to `limit` reports below the id `after`, newest first.
pub(crate) async fn list_reports(
    rows: &impl Rows,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Report>, Error> {
    let rows = rows.query(LIST_REPORTS, &[&after, &limit]).await?;
    rows.iter().map(Report::try_from).collect()
}

/// What an attempt needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The file of the attempt before.
    pub(crate) earlier_object_id: Option<Uuid>,
    subject_company_id: Option<Uuid>,
    period: Period,
}

/// Begins an attempt whose file is `name`. None: the report is finished, or nobody wants it any more.
pub(crate) async fn begin(tx: &Tx<'_>, name: ObjectName) -> Result<Option<Begun>, db::Error> {
    let row = tx.query_opt(BEGIN_REPORT, &[&name.report_id, &name.object_id]).await?;
    Ok(row.map(|row| Begun {
        earlier_object_id: row.get("earlier_object_id"),
        subject_company_id: row.get("subject_company_id"),
        period: Period { start: row.get("period_start"), end: row.get("period_end") },
    }))
}

/// The order that a page ended with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor(Option<Uuid>);

/// The lines of the next `orders` orders behind `cursor`, and where the page after them begins. None: there are no more.
pub(crate) async fn lines(
    rows: &impl Rows,
    begun: &Begun,
    cursor: Cursor,
    orders: i32,
) -> Result<Option<(Vec<Line>, Cursor)>, db::Error> {
    let Begun { subject_company_id, period, .. } = begun;
    let rows = rows
        .query(SELECT_LINES, &[subject_company_id, &period.start, &period.end, &cursor.0, &orders])
        .await?;
    let last = rows.last().map(|row| row.get("order_id"));
    Ok(last.map(|last| (rows.iter().filter_map(line).collect(), Cursor(Some(last)))))
}

/// None: the order has no lines.
fn line(row: &Row) -> Option<Line> {
    Some(Line {
        number: row.get::<_, Option<i16>>("line_no")?,
        order_id: row.get("order_id"),
        company_id: row.get("company_id"),
        state: order_state(row.get("state")),
        created_at: row.get("created_at"),
        purchase_order_number: row.get("purchase_order_number"),
        sku: row.get("sku"),
        name: row.get("name"),
        quantity: row.get("quantity"),
        price_minor: row.get("price_minor"),
        currency: row.get("currency"),
    })
}

/// A state of orders that came after this program was built is still a line of the report.
fn order_state(number: i16) -> &'static str {
    match number {
        1 => "placed",
        2 => "shipped",
        3 => "cancelled",
        _ => "other",
    }
}

/// A file that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) sha256: Sha256,
}

/// Makes a report ready at `now`; false if `name` isn't its file any more.
pub(crate) async fn finish(
    tx: &Tx<'_>,
    name: ObjectName,
    written: &Written,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, db::Error> {
    let Written { rows, bytes, sha256 } = written;
    let sha256 = sha256.0.as_slice();
    let finished = tx
        .execute(FINISH_REPORT, &[&name.report_id, &name.object_id, rows, bytes, &sha256, &now, &expires_at])
        .await?;
    Ok(finished == 1)
}

/// Up to `limit` reports above the id `after` that may be removed, with what they are stored as.
pub(crate) async fn select_expired(
    rows: &impl Rows,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Uuid, Option<Uuid>)>, db::Error> {
    let rows = rows.query(SELECT_EXPIRED, &[&after, &limit]).await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("object_id"))).collect())
}

pub(crate) async fn delete_expired(tx: &Tx<'_>, id: Uuid) -> Result<(), db::Error> {
    tx.execute(DELETE_EXPIRED, &[&id]).await.map(drop)
}

impl TryFrom<&Row> for Report {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self, Error> {
        let unknown = |what| move || Error::UnknownValue(what);
        let sha256 = row.get::<_, Option<&[u8]>>("sha256");
        let sha256 = sha256.map(|bytes| bytes.try_into().map(Sha256)).transpose();
        Ok(Self {
            id: row.get("id"),
            company_id: row.get("company_id"),
            kind: Kind::from_name(row.get("kind")).ok_or_else(unknown("kind of report"))?,
            format: Format::from_name(row.get("format")).ok_or_else(unknown("format"))?,
            subject_company_id: row.get("subject_company_id"),
            period: Period { start: row.get("period_start"), end: row.get("period_end") },
            job_id: row.get("job_id"),
            object_id: row.get("object_id"),
            state: State::from_name(row.get("state")).ok_or_else(unknown("state of a report"))?,
            rows: row.get("rows"),
            bytes: row.get("bytes"),
            sha256: sha256.map_err(|_| Error::UnknownValue("length of a digest"))?,
            error: row.get("error"),
            created_at: row.get("created_at"),
            finished_at: row.get("finished_at"),
            expires_at: row.get("expires_at"),
        })
    }
}
