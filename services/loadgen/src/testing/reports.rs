//! Reports of the stub: ready when they are looked at for the second time.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt as _, stream};
use proto::{
    HttpBody,
    jobs::v1::{self as jobs, ReportState, report_service_server::ReportService},
    orders::v1::Order,
};
use tonic::{Request, Response, Status, codegen::BoxStream};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

use super::{
    Behaviour, Lie,
    platform::{Platform, Reply, owner},
};

/// A report, and how often it was looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    report: jobs::Report,
    file: Vec<u8>,
    looks: u32,
}

/// The file that tells `orders`, and its rows.
fn file(orders: &[Order], behaviour: &Behaviour) -> (Vec<u8>, i64) {
    let (mut file, mut rows) = ("order_id,company_id,sku,quantity,unit_price,line_total\r\n".to_owned(), 0);
    let left_out = usize::from(behaviour.lie == Some(Lie::ReportWithoutOrder));
    for order in orders.iter().rev().skip(left_out) {
        let is_foreign = behaviour.lie == Some(Lie::ForeignLine);
        let company = if is_foreign { Uuid::nil().to_string() } else { order.company_id.clone() };
        for line in &order.lines {
            let [price, total] = [&line.unit_price, &line.total].map(|money| {
                let cents = money.as_ref().map_or(0, |money| money.minor_units);
                format!("{}.{:02}", cents / 100, cents % 100)
            });
            // Writing to a string can't fail.
            let _ =
                write!(file, "{},{company},\"{}\",{},{price},{total}\r\n", order.id, line.sku, line.quantity);
            rows += 1;
        }
    }
    (file.into_bytes(), rows)
}

impl Made {
    fn new(company: String, orders: &[Order], behaviour: &Behaviour) -> Self {
        let (file, rows) = file(orders, behaviour);
        let hash = digest::digest(&digest::SHA256, &file);
        let mut sha256 = hash.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        if behaviour.lie == Some(Lie::OtherDigest) {
            sha256 = "0".repeat(64);
        }
        let report = jobs::Report {
            id: Uuid::now_v7().to_string(),
            company_id: company,
            rows: rows + i64::from(behaviour.lie == Some(Lie::OtherRows)),
            bytes: i64::try_from(file.len()).unwrap_or(0),
            sha256,
            ..jobs::Report::default()
        };
        Self { report, file, looks: 0 }
    }

    /// The report as it is seen at this look.
    fn seen(&self, behaviour: &Behaviour) -> jobs::Report {
        let (waiting, mut report) = (self.looks < 2, self.report.clone());
        let state = if waiting {
            (report.rows, report.bytes, report.sha256) = (0, 0, String::new());
            ReportState::Waiting
        } else if behaviour.reports_fail {
            ReportState::Failed
        } else {
            ReportState::Ready
        };
        report.set_state(state);
        report
    }
}

#[tonic::async_trait]
impl ReportService for Platform {
    type DownloadReportStream = BoxStream<HttpBody>;

    async fn create_report(
        &self,
        request: Request<jobs::CreateReportRequest>,
    ) -> Reply<jobs::CreateReportResponse> {
        let number = self.shared.count("CreateReport");
        let (_, company) = owner(request.metadata())?;
        let behaviour = &self.shared.behaviour;
        if behaviour.refuse_reports_every > 0 && number.is_multiple_of(behaviour.refuse_reports_every) {
            let details = ErrorDetails::with_error_info("TOO_MANY_REPORTS", "sipup", []);
            let code = tonic::Code::ResourceExhausted;
            return Err(Status::with_error_details(code, "too many are waiting", details));
        }
        let made = Made::new(company.clone(), &self.orders_of(&company), behaviour);
        let report = Some(made.seen(behaviour));
        self.reports().insert(made.report.id.clone(), made);
        Ok(Response::new(jobs::CreateReportResponse { report }))
    }

    async fn get_report(&self, request: Request<jobs::GetReportRequest>) -> Reply<jobs::GetReportResponse> {
        self.shared.count("GetReport");
        let mut reports = self.reports();
        let made = reports.get_mut(&request.into_inner().id).ok_or_else(unknown)?;
        made.looks += 1;
        let report = Some(made.seen(&self.shared.behaviour));
        Ok(Response::new(jobs::GetReportResponse { report }))
    }

    async fn list_reports(
        &self,
        request: Request<jobs::ListReportsRequest>,
    ) -> Reply<jobs::ListReportsResponse> {
        self.shared.count("ListReports");
        let ((_, company), all) = (owner(request.metadata())?, self.reports());
        let own = all.values().filter(|made| made.report.company_id == company);
        let reports = own.map(|made| made.seen(&self.shared.behaviour)).collect();
        Ok(Response::new(jobs::ListReportsResponse { reports, next_page_token: String::new() }))
    }

    async fn download_report(
        &self,
        request: Request<jobs::DownloadReportRequest>,
    ) -> Reply<Self::DownloadReportStream> {
        self.shared.count("DownloadReport");
        let made = self.reports().get(&request.into_inner().id).cloned().ok_or_else(unknown)?;
        let digest = STANDARD.encode(digest::digest(&digest::SHA256, &made.file));
        let piece = |data: &[u8]| {
            Ok(HttpBody { content_type: "text/csv".into(), data: data.to_vec(), ..HttpBody::default() })
        };
        // In pieces that end where no line does.
        let pieces: Vec<_> = made.file.chunks(100).map(piece).collect();
        let mut response = Response::new(stream::iter(pieces).boxed());
        let digest = format!("sha-256=:{digest}:").parse().map_err(|_| Status::internal("no header"))?;
        response.metadata_mut().insert("repr-digest", digest);
        Ok(response)
    }
}

fn unknown() -> Status {
    Status::not_found("no such report")
}
