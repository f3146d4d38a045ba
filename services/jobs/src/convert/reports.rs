//! Between the contract's messages about reports and the domain.

use jiff::Timestamp;
use platform::Invalid;
use proto::jobs::v1 as pb;
use uuid::Uuid;

use super::timestamp;
use crate::report::{Draft, Format, Kind, Period, Report, State};

impl TryFrom<&pb::CreateReportRequest> for Draft {
    type Error = Invalid;

    fn try_from(request: &pb::CreateReportRequest) -> Result<Self, Invalid> {
        let kind = match pb::ReportKind::try_from(request.kind) {
            Ok(pb::ReportKind::Orders) => Kind::Orders,
            Ok(pb::ReportKind::Unspecified) | Err(_) => {
                return Err(Invalid::new("kind", "must be REPORT_KIND_ORDERS"));
            }
        };
        let format = match pb::ReportFormat::try_from(request.format) {
            Ok(pb::ReportFormat::Csv | pb::ReportFormat::Unspecified) => Format::Csv,
            Err(_) => return Err(Invalid::new("format", "must be REPORT_FORMAT_CSV, or left out")),
        };
        let start = time("period_start", request.period_start.as_ref())?;
        let end = time("period_end", request.period_end.as_ref())?;
        let subject_company_id = match request.subject_company_id.as_str() {
            "" => None,
            text => Some(
                Uuid::try_parse(text)
                    .map_err(|_| Invalid::new("subject_company_id", "must be a UUID, or left out"))?,
            ),
        };
        Ok(Self { kind, format, period: Period::new(start, end)?, subject_company_id })
    }
}

fn time(field: &'static str, time: Option<&prost_types::Timestamp>) -> Result<Timestamp, Invalid> {
    let time = time.ok_or_else(|| Invalid::new(field, "must be given"))?;
    let known =
        (0..1_000_000_000).contains(&time.nanos).then(|| Timestamp::new(time.seconds, time.nanos).ok());
    known.flatten().ok_or_else(|| Invalid::new(field, "must be a time of the years 2000 to 2199"))
}

impl From<Report> for pb::Report {
    fn from(report: Report) -> Self {
        Self {
            id: report.id.to_string(),
            company_id: report.company_id.to_string(),
            kind: match report.kind {
                Kind::Orders => pb::ReportKind::Orders,
            }
            .into(),
            format: match report.format {
                Format::Csv => pb::ReportFormat::Csv,
            }
            .into(),
            period_start: Some(timestamp(report.period.start)),
            period_end: Some(timestamp(report.period.end)),
            subject_company_id: report.subject_company_id.map(|id| id.to_string()).unwrap_or_default(),
            state: state_to(report.state).into(),
            rows: report.rows,
            bytes: report.bytes,
            sha256: report.sha256.map(|sha256| sha256.to_string()).unwrap_or_default(),
            error: report.error.unwrap_or_default(),
            job_id: report.job_id.to_string(),
            create_time: Some(timestamp(report.created_at)),
            finish_time: report.finished_at.map(timestamp),
            expire_time: Some(timestamp(report.expires_at)),
        }
    }
}

fn state_to(state: State) -> pb::ReportState {
    match state {
        State::Waiting => pb::ReportState::Waiting,
        State::Running => pb::ReportState::Running,
        State::Ready => pb::ReportState::Ready,
        State::Failed => pb::ReportState::Failed,
        State::Expired => pb::ReportState::Expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> pb::CreateReportRequest {
        let day =
            |days: i64| Some(prost_types::Timestamp { seconds: 1_767_225_600 + days * 86_400, nanos: 0 });
        pb::CreateReportRequest {
            kind: pb::ReportKind::Orders.into(),
            period_start: day(0),
            period_end: day(31),
            ..pb::CreateReportRequest::default()
        }
    }

    #[test]
    fn a_request_may_leave_format_and_company_out() {
        let draft = Draft::try_from(&request()).unwrap();
        assert_eq!((draft.kind, draft.format, draft.subject_company_id), (Kind::Orders, Format::Csv, None));
        assert_eq!(draft.period.start.to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn what_can_not_be_right_is_refused_by_its_field() {
        type Change = fn(&mut pb::CreateReportRequest);
        let changes: [(&str, Change); 8] = [
            ("kind", |request| request.kind = 0),
            ("kind", |request| request.kind = 99),
            ("format", |request| request.format = 99),
            ("period_start", |request| request.period_start = None),
            ("period_start", |request| request.period_start.as_mut().unwrap().nanos = -1),
            ("period_end", |request| request.period_end = None),
            ("period_end", |request| request.period_end.as_mut().unwrap().seconds = i64::MAX),
            ("subject_company_id", |request| request.subject_company_id = "acme".to_owned()),
        ];
        for (field, change) in changes {
            let mut request = request();
            change(&mut request);
            assert_eq!(Draft::try_from(&request).unwrap_err().field, field);
        }
    }
}
