//! Reports over gRPC.

use bytes::{Bytes, BytesMut};
use prost_types::Timestamp;
use proto::jobs::v1::{
    self as jobs, CreateReportRequest, DownloadReportRequest, GetReportRequest, ListReportsRequest,
    ReportFormat, ReportKind, report_service_client::ReportServiceClient,
};
use tonic::{Status, transport::Channel};

use super::{Sent, micros};
use crate::{
    call::{Answer, Call},
    check::HISTORY,
    orders_report::{File, MOST_BYTES, Report, ReportWish},
    wire::Envelope,
};

/// Sends a call about reports.
pub(super) async fn use_reports(channel: Channel, envelope: Envelope<'_>, call: &Call) -> Sent {
    let mut client = ReportServiceClient::new(channel);
    match call {
        Call::AskReport(wish) => {
            let reply = client.create_report(envelope.around(asked(wish))?).await?;
            let (metadata, reply, _) = reply.into_parts();
            Ok((Answer::Report(report(reply.report.unwrap_or_default())), metadata))
        }
        Call::LookAtReport { id } => {
            let message = GetReportRequest { id: id.clone() };
            let (metadata, reply, _) = client.get_report(envelope.around(message)?).await?.into_parts();
            Ok((Answer::Report(report(reply.report.unwrap_or_default())), metadata))
        }
        Call::Download { id } => download(client, envelope, id).await,
        _ => {
            let page_size = i32::try_from(HISTORY).unwrap_or(0);
            let message = ListReportsRequest { page_size, ..ListReportsRequest::default() };
            let (metadata, reply, _) = client.list_reports(envelope.around(message)?).await?.into_parts();
            Ok((Answer::Reports(reply.reports.into_iter().map(report).collect()), metadata))
        }
    }
}

async fn download(mut client: ReportServiceClient<Channel>, envelope: Envelope<'_>, id: &str) -> Sent {
    let message = DownloadReportRequest { id: id.to_owned() };
    let (metadata, mut pieces, _) = client.download_report(envelope.around(message)?).await?.into_parts();
    let mut data = BytesMut::new();
    while let Some(piece) = pieces.message().await? {
        if data.len() + piece.data.len() > MOST_BYTES {
            return Err(Status::out_of_range(format!("the file is larger than {MOST_BYTES} bytes")));
        }
        data.extend_from_slice(&piece.data);
    }
    let digest = metadata.get("repr-digest").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let file = File { data: Bytes::from(data), digest: digest.to_owned() };
    Ok((Answer::File(file), metadata))
}

fn asked(wish: &ReportWish) -> CreateReportRequest {
    let timestamp = |time: jiff::Timestamp| {
        Some(Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
    };
    CreateReportRequest {
        kind: ReportKind::Orders.into(),
        format: ReportFormat::Csv.into(),
        period_start: timestamp(wish.from),
        period_end: timestamp(wish.to),
        request_id: wish.key.to_string(),
        ..CreateReportRequest::default()
    }
}

fn report(report: jobs::Report) -> Report {
    let state = report.state();
    Report {
        id: report.id,
        company: report.company_id,
        state,
        rows: report.rows,
        bytes: report.bytes,
        sha256: report.sha256,
        error: report.error,
        created: micros(report.create_time),
    }
}
