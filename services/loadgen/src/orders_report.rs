//! A report of a user's orders: asked for, waited for, fetched, and compared with what the user knows.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader};
use jiff::Timestamp;
use proto::jobs::v1::ReportState;
use uuid::Uuid;

use crate::{call::Failure, check::require, user::User};

/// A report that takes longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// The largest file that is fetched, in bytes.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct ReportWish {
    pub(crate) key: Uuid,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Orders that must be in it.
    pub(crate) orders: Vec<Known>,
}

/// An order that the user placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: Uuid,
    /// Minor units.
    pub(crate) total: i64,
    /// Microseconds since 1970.
    pub(crate) created: i64,
}

/// A report that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) at: Instant,
    orders: Vec<Known>,
    /// What the report said about its file when it was ready.
    ready: Option<Report>,
}

/// A report in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) company: String,
    pub(crate) state: ReportState,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) sha256: String,
    pub(crate) error: String,
    /// Microseconds since 1970.
    pub(crate) created: i64,
}

/// A report's file in an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) data: Bytes,
    /// The header `repr-digest`.
    pub(crate) digest: String,
}

type Checked = Result<(), Failure>;

impl Asked {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }
}

/// The report was taken up.
pub(crate) fn asked(user: &mut User, wish: &ReportWish, report: &Report) -> Checked {
    own(user, report)?;
    let begun = !report.id.is_empty() && !matches!(report.state, ReportState::Unspecified);
    require(begun, "REPORT", || format!("no report that could be waited for: {report:?}"))?;
    let orders = wish.orders.clone();
    user.report = Some(Asked { id: report.id.clone(), at: Instant::now(), orders, ready: None });
    Ok(())
}

/// The report was looked at.
pub(crate) fn looked_at(user: &mut User, id: &str, report: &Report) -> Checked {
    own(user, report)?;
    require(report.id == id, "REPORT", || format!("report {} instead of {id}", report.id))?;
    match report.state {
        ReportState::Ready => {
            user.report_is_ready(report);
            Ok(())
        }
        ReportState::Waiting | ReportState::Running => {
            let late = user.report.as_ref().is_some_and(|asked| asked.at.elapsed() > PATIENCE);
            if late {
                user.report = None;
            }
            require(!late, NOT_MADE, || {
                format!("report {id} is not ready after {}", humantime::format_duration(PATIENCE))
            })
        }
        state => {
            user.report = None;
            Err(Failure::new(NOT_MADE, format!("report {id} is {}: {}", state.as_str_name(), report.error)))
        }
    }
}

/// What a report that failed, or was never ready, is called: the answer is right, but the platform did not do what it promised.
pub(crate) const NOT_MADE: &str = "NOT_MADE";

impl User {
    fn report_is_ready(&mut self, report: &Report) {
        if let Some(asked) = self.report.as_mut() {
            asked.ready = Some(report.clone());
        }
        self.go_on();
    }
}

/// A page of the company's reports was read.
pub(crate) fn listed(user: &User, reports: &[Report]) -> Checked {
    reports.iter().try_for_each(|report| own(user, report))?;
    let sorted = reports.is_sorted_by(|one, next| one.created >= next.created);
    require(sorted, "ORDER_OF_LIST", || "the newest report is not the first".to_owned())
}

/// The file was fetched: it is what the report said, and tells what the user knows.
pub(crate) fn fetched(user: &mut User, file: &File) -> Checked {
    let Some(Asked { orders, ready: Some(report), .. }) = user.report.take() else {
        return Err(Failure::new("ANSWER", "a file that nobody asked for"));
    };
    let bytes = i64::try_from(file.data.len()).unwrap_or(i64::MAX);
    require(bytes == report.bytes, "REPORT", || format!("{bytes} bytes instead of {}", report.bytes))?;
    let hash = digest::digest(&digest::SHA256, &file.data);
    let hex = hash.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    require(hex == report.sha256, "REPORT", || format!("SHA-256 {hex} instead of {}", report.sha256))?;
    let header = format!("sha-256=:{}:", STANDARD.encode(hash));
    require(file.digest == header, "REPORT", || format!("digest {} instead of {header}", file.digest))?;
    let lines = lines(&file.data)?;
    let rows = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    require(rows == report.rows, "REPORT", || format!("{rows} rows instead of {}", report.rows))?;
    let own = &user.identity.company_id;
    let foreign = lines.iter().find(|line| line.company != *own);
    require(foreign.is_none(), "FOREIGN", || format!("a line of another company: {foreign:?}"))?;
    let mut totals = HashMap::<&str, i64>::new();
    for line in &lines {
        *totals.entry(&line.order).or_default() += line.total;
    }
    let told = |order: &Known| totals.get(order.id.to_string().as_str()).copied();
    let missing = orders.iter().find(|order| told(order) != Some(order.total));
    require(missing.is_none(), "REPORT", || match missing {
        Some(order) => format!("{order:?} is in report {} with {:?}", report.id, told(order)),
        None => String::new(),
    })
}

fn own(user: &User, report: &Report) -> Checked {
    require(report.company == user.identity.company_id, "FOREIGN", || {
        format!("report {} of company {}", report.id, report.company)
    })
}

/// One line of the file, as far as it is checked.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    order: String,
    company: String,
    total: i64,
}

fn lines(file: &[u8]) -> Result<Vec<Line>, Failure> {
    let unfit = |problem: String| Failure::new("REPORT", problem);
    let mut records = records(file).map_err(|problem| unfit(problem.to_owned()))?.into_iter();
    let head = records.next().ok_or_else(|| unfit("the file has no header".to_owned()))?;
    let column = |name: &str| {
        let place = head.iter().position(|column| column == name);
        place.ok_or_else(|| unfit(format!("the file has no column `{name}`: {head:?}")))
    };
    let columns = [column("order_id")?, column("company_id")?, column("quantity")?];
    let prices = [column("unit_price")?, column("line_total")?];
    let line = |record: Vec<String>| {
        let [order, company, quantity] = columns.map(|column| record[column].as_str());
        let [unit_price, total] = prices.map(|column| minor_units(&record[column]));
        let product = quantity.parse::<i64>().ok().zip(unit_price).map(|(quantity, price)| quantity * price);
        match total {
            Some(total) if product == Some(total) => {
                Ok(Line { order: order.to_owned(), company: company.to_owned(), total })
            }
            _ => Err(unfit(format!("a row does not add up: {record:?}"))),
        }
    };
    records.map(line).collect()
}

/// The records of a file in the form of RFC 4180, each with as many fields as the first.
fn records(mut file: &[u8]) -> Result<Vec<Vec<String>>, &'static str> {
    let (mut reader, mut records) = (Reader::new(), Vec::<Vec<String>>::new());
    let (mut text, mut ends) = (vec![0; 1 << 16], [0; 64]);
    loop {
        let (mut written, mut fields) = (0, 0);
        loop {
            let (result, read, wrote, ended) =
                reader.read_record(file, &mut text[written..], &mut ends[fields..]);
            file = &file[read..];
            (written, fields) = (written + wrote, fields + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err("a row is too long");
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return Ok(records),
            }
        }
        let starts = std::iter::once(&0).chain(&ends);
        let fields =
            starts.zip(&ends[..fields]).map(|(start, end)| String::from_utf8(text[*start..*end].to_vec()));
        let record: Vec<String> = fields.collect::<Result<_, _>>().map_err(|_| "a row is no UTF-8")?;
        if records.first().is_some_and(|first| first.len() != record.len()) {
            return Err("a row has more or fewer fields than the header");
        }
        records.push(record);
    }
}

/// An amount that is written with all digits of its currency: `12.30`, or `1230` where there is nothing smaller.
fn minor_units(amount: &str) -> Option<i64> {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{part}").parse().ok()
}

#[cfg(test)]
mod tests;
