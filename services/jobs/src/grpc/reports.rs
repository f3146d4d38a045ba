//! The calls about reports: parse, one use case, convert.

use std::{fmt, mem};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use platform::{Access, Caller, RequestKey, page::PageSize};
use proto::{
    HttpBody,
    jobs::v1::{self as pb, report_service_server::ReportService},
};
use tonic::{Request, Response, Status, codegen::BoxStream, metadata::MetadataMap};

use crate::{
    convert,
    error::Error,
    report::{Draft, Report},
    service::reports::Reports,
};

/// How many reports a page holds where nothing is said.
const REPORTS_PAGE: i32 = 50;

/// The reports behind gRPC.
#[derive(Debug)]
pub(crate) struct ReportsGrpc(Reports);

impl ReportsGrpc {
    pub(crate) fn new(reports: Reports) -> Self {
        Self(reports)
    }
}

#[tonic::async_trait]
impl ReportService for ReportsGrpc {
    async fn create_report(
        &self,
        request: Request<pb::CreateReportRequest>,
    ) -> Result<Response<pb::CreateReportResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let (metadata, _, mut message) = request.into_parts();
        let request_id = mem::take(&mut message.request_id);
        let key = RequestKey::of(&metadata, &request_id, "CreateReport", &message).map_err(Error::from)?;
        let draft = Draft::try_from(&message).map_err(Error::from)?;
        let created = self.0.create_report(&access, &caller, key.as_ref(), &draft).await?;
        created.respond(|report| pb::CreateReportResponse { report: Some(report.into()) })
    }

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        let access = Access::of(&request);
        let id = convert::id(&request.get_ref().id).map_err(Error::from)?;
        let report = self.0.get_report(&access, id).await?;
        Ok(Response::new(pb::GetReportResponse { report: Some(report.into()) }))
    }

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<pb::ListReportsResponse>, Status> {
        let (caller, access) = (Caller::of(&request)?, Access::of(&request));
        let request = request.get_ref();
        let size = PageSize::parse(request.page_size, REPORTS_PAGE).map_err(Error::from)?;
        let page = self.0.list_reports(&caller, &access, size, &request.page_token).await?;
        Ok(Response::new(pb::ListReportsResponse {
            reports: page.reports.into_iter().map(Into::into).collect(),
            next_page_token: page.next,
        }))
    }

    type DownloadReportStream = BoxStream<HttpBody>;

    async fn download_report(
        &self,
        request: Request<pb::DownloadReportRequest>,
    ) -> Result<Response<Self::DownloadReportStream>, Status> {
        let access = Access::of(&request);
        let id = convert::id(&request.get_ref().id).map_err(Error::from)?;
        let (report, pieces) = self.0.download_report(&access, id).await?;
        let mut content_type = report.format.content_type().to_owned();
        let messages = pieces.map(move |piece| {
            // Of the first message only.
            let content_type = mem::take(&mut content_type);
            Ok(HttpBody { content_type, data: piece?.into(), extensions: Vec::new() })
        });
        let mut response = Response::new(messages.boxed());
        describe(&report, response.metadata_mut());
        Ok(response)
    }
}

/// What a browser saves the file as, and what whoever saved it can check it by.
fn describe(report: &Report, headers: &mut MetadataMap) {
    let mut set = |name: &'static str, value: fmt::Arguments<'_>| {
        // Names and digests are plain ASCII.
        if let Ok(value) = value.to_string().parse() {
            headers.insert(name, value);
        }
    };
    set("content-disposition", format_args!("attachment; filename=\"{}\"", report.file_name()));
    if let Some(sha256) = report.sha256 {
        set("repr-digest", format_args!("sha-256=:{}:", STANDARD.encode(sha256.0)));
    }
}
