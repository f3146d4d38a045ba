//! Short ways to place orders and to ask for reports of them.

use jobs::ReportArgs;
use platform::testing::Issuer;
use proto::jobs::v1 as pb;
use tonic::{Status, metadata::MetadataMap};
use uuid::Uuid;

use crate::support::{Office, report_args, until};

/// What came of a download.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) headers: MetadataMap,
    pub(crate) content_types: Vec<String>,
    /// Sizes of the messages.
    pub(crate) sizes: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Download {
    /// The rows without the header.
    pub(crate) fn rows(&self) -> Vec<&str> {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        text.strip_suffix("\r\n").unwrap().split("\r\n").skip(1).collect()
    }
}

/// `days` around now, the first of them `ago`.
pub(crate) fn days(ago: i64, days: i64) -> pb::CreateReportRequest {
    let clock = platform::Clock::system();
    let start = clock.now().as_second() - ago * 86_400;
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    pb::CreateReportRequest {
        kind: pb::ReportKind::Orders.into(),
        period_start: at(start),
        period_end: at(start + days * 86_400),
        ..pb::CreateReportRequest::default()
    }
}

/// Storage in a folder.
pub(crate) fn in_folder(folder: &std::path::Path) -> ReportArgs {
    let objects_url = format!("file://{}", folder.display()).parse().unwrap();
    ReportArgs { objects_url, ..report_args() }
}

impl Office {
    /// Writes `orders` orders of `lines` lines each, as the orders service does, one second after the other up to now.
    pub(crate) async fn place(&self, company: Uuid, orders: i32, lines: i32) {
        self.admin
            .execute(
                "WITH placed AS (
                    INSERT INTO orders.orders (id, company_id, buyer_id, state, currency, total_minor, purchase_order_number, created_at)
                    SELECT uuidv7(make_interval(secs => n - $2)), $1, uuidv7(), 1 + n % 2, 'EUR', 0, 'PO-' || n, now() + make_interval(secs => n - $2)
                      FROM generate_series(1, $2) AS n
                    RETURNING id, company_id, created_at)
                 INSERT INTO orders.order_lines (order_id, line_no, company_id, product_id, sku, name, quantity, price_minor, created_at)
                 SELECT id, l, company_id, uuidv7(), 'SKU-' || l, 'Product ' || l, l, 250, created_at
                   FROM placed, generate_series(1, $3) AS l",
                &[&company, &orders, &lines],
            )
            .await
            .unwrap();
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        request: pb::CreateReportRequest,
    ) -> Result<pb::Report, Status> {
        let request = Issuer::with_token(request, token);
        Ok(self.reports.clone().create_report(request).await?.into_inner().report.unwrap())
    }

    pub(crate) async fn report(&self, token: &str, id: &str) -> Result<pb::Report, Status> {
        let request = Issuer::with_token(pb::GetReportRequest { id: id.to_owned() }, token);
        Ok(self.reports.clone().get_report(request).await?.into_inner().report.unwrap())
    }

    pub(crate) async fn reports(
        &self,
        token: &str,
        request: pb::ListReportsRequest,
    ) -> Result<pb::ListReportsResponse, Status> {
        let request = Issuer::with_token(request, token);
        Ok(self.reports.clone().list_reports(request).await?.into_inner())
    }

    /// Waits until a report stands there.
    pub(crate) async fn until_report(&self, token: &str, id: &str, state: pb::ReportState) -> pb::Report {
        until(&format!("report {id} is {state:?}"), async || {
            self.report(token, id).await.unwrap().state() == state
        })
        .await;
        self.report(token, id).await.unwrap()
    }

    /// Asks for a report and waits until it is ready.
    pub(crate) async fn ready(&self, token: &str, request: pb::CreateReportRequest) -> pb::Report {
        let report = self.ask(token, request).await.unwrap();
        self.until_report(token, &report.id, pb::ReportState::Ready).await
    }

    pub(crate) async fn download(&self, token: &str, id: &str) -> Result<Download, Status> {
        let request = Issuer::with_token(pb::DownloadReportRequest { id: id.to_owned() }, token);
        let response = self.reports.clone().download_report(request).await?;
        let headers = response.metadata().clone();
        let mut messages = response.into_inner();
        let mut download = Download { headers, content_types: vec![], sizes: vec![], bytes: vec![] };
        while let Some(message) = messages.message().await? {
            download.content_types.push(message.content_type);
            download.sizes.push(message.data.len());
            download.bytes.extend(message.data);
        }
        Ok(download)
    }

    /// No job of this kind begins, or all do again.
    pub(crate) async fn pause_reports(&self, paused: bool) {
        let sql = "UPDATE jobs.queues SET paused = $1 WHERE name = 'report'";
        assert_eq!(self.admin.execute(sql, &[&paused]).await.unwrap(), 1);
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}
