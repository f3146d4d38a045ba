//! Reports as their owners see them.

use std::fmt;

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use platform::{Caller, Invalid, Role};
use uuid::Uuid;

/// How many reports of one company may wait or be made at the same time.
pub(crate) const MOST_UNDER_WAY: i64 = 20;
/// How long a report is kept: from when it was ready, or if it never was, from when it was asked for.
pub(crate) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest period: a leap year.
const LONGEST_PERIOD: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) id: Uuid,
    /// Whose user asked.
    pub(crate) company_id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) format: Format,
    /// The company that it is about; none: all of them.
    pub(crate) subject_company_id: Option<Uuid>,
    pub(crate) period: Period,
    pub(crate) job_id: Uuid,
    /// What the file is stored as, once an attempt has begun.
    pub(crate) object_id: Option<Uuid>,
    pub(crate) state: State,
    /// Rows without the header; 0 until it is ready.
    pub(crate) rows: i64,
    /// 0 until it is ready.
    pub(crate) bytes: i64,
    /// None until it is ready.
    pub(crate) sha256: Option<Sha256>,
    /// Why it failed, in words for the owner.
    pub(crate) error: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
}

impl Report {
    /// What the file is called where it is saved: `orders-20260101T000000Z-20260201T000000Z.csv`.
    pub(crate) fn file_name(&self) -> String {
        let [start, end] = [self.period.start, self.period.end].map(|at| at.strftime("%Y%m%dT%H%M%SZ"));
        format!("{}-{start}-{end}.{}", self.kind.name(), self.format.name())
    }
}

/// What a report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lines of orders.
    Orders,
}

impl Kind {
    /// The name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Orders].into_iter().find(|kind| kind.name() == name)
    }
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
}

impl Format {
    /// The name in the database, and the end of the file's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Csv].into_iter().find(|format| format.name() == name)
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Where a report stands; the contract has the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
    Ready,
    Failed,
    Expired,
}

impl State {
    const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Ready, Self::Failed, Self::Expired];

    /// The name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A span of time, its end not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl Period {
    /// From `start` to `end`, in whole microseconds as the database keeps them.
    pub(crate) fn new(start: Timestamp, end: Timestamp) -> Result<Self, Invalid> {
        let (start, end) = (within_bounds("period_start", start)?, within_bounds("period_end", end)?);
        if end <= start {
            return Err(Invalid::new("period_end", "must be after period_start"));
        }
        if end.duration_since(start) > LONGEST_PERIOD {
            return Err(Invalid::new("period_end", "must be 366 days after period_start at most"));
        }
        Ok(Self { start, end })
    }
}

/// Times at which there can be orders, and which every part of the system can write down.
fn within_bounds(field: &'static str, at: Timestamp) -> Result<Timestamp, Invalid> {
    let refused = || Invalid::new(field, "must be in the years 2000 to 2199");
    if !(2000..2200).contains(&at.to_zoned(TimeZone::UTC).year()) {
        return Err(refused());
    }
    Timestamp::from_microsecond(at.as_microsecond()).map_err(|_| refused())
}

/// A report that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) format: Format,
    pub(crate) period: Period,
    /// The company that was named.
    pub(crate) subject_company_id: Option<Uuid>,
}

impl Draft {
    /// The company that a report of `caller` is about; none: all of them. Only the seller's staff may look at companies of others.
    pub(crate) fn subject(&self, caller: &Caller) -> Result<Option<Uuid>, Invalid> {
        match (caller.role, self.subject_company_id) {
            (Role::Seller, subject) => Ok(subject),
            (Role::Buyer | Role::Approver | Role::CompanyAdmin, None) => Ok(Some(caller.company_id)),
            (Role::Buyer | Role::Approver | Role::CompanyAdmin, Some(named))
                if named == caller.company_id =>
            {
                Ok(Some(named))
            }
            (Role::Buyer | Role::Approver | Role::CompanyAdmin, Some(_)) => {
                Err(Invalid::new("subject_company_id", "must be left out, or be your own company"))
            }
        }
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) [u8; digest::SHA256_OUTPUT_LEN]);

impl Sha256 {
    /// What `hashed` has come to.
    pub(crate) fn of(hashed: digest::Context) -> Self {
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(hashed.finish().as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn refusal(start: &str, end: &str) -> (String, String) {
        let invalid = Period::new(at(start), at(end)).unwrap_err();
        (invalid.field, invalid.problem)
    }

    #[test]
    fn a_period_of_a_leap_year_is_the_longest() {
        Period::new(at("2028-01-01T00:00:00Z"), at("2029-01-01T00:00:00Z")).unwrap();
        let (field, problem) = refusal("2028-01-01T00:00:00Z", "2029-01-01T00:00:00.000001Z");
        assert_eq!((field.as_str(), problem.contains("366 days")), ("period_end", true));
    }

    #[test]
    fn a_period_that_can_not_be_is_refused_by_its_field() {
        assert_eq!(refusal("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z").0, "period_end");
        assert_eq!(refusal("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z").0, "period_end");
        assert_eq!(refusal("1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z").0, "period_start");
        assert_eq!(refusal("2199-12-31T00:00:00Z", "2200-01-01T00:00:00Z").0, "period_end");
    }

    #[test]
    fn what_is_shorter_than_the_database_keeps_is_no_period() {
        assert_eq!(
            refusal("2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000999Z").0,
            "period_end"
        );
    }

    #[test]
    fn every_name_reads_back() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        assert_eq!(Kind::from_name(Kind::Orders.name()), Some(Kind::Orders));
        assert_eq!(Format::from_name(Format::Csv.name()), Some(Format::Csv));
    }
}
