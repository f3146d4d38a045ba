//! A report from the order to the file, through the ingress.

use jiff::Timestamp;
use proto::{
    jobs::v1::{
        CreateReportRequest, DownloadReportRequest, GetReportRequest, ListReportsRequest, Report, ReportKind,
        ReportState,
    },
    orders::v1::Order,
};
use serde_json::json;
use tests::{
    clients::Client,
    curl::{Reply, curl},
    wait,
};
use tonic::Code;
use uuid::Uuid;

use crate::world::{buyer, product, world};

/// The seconds at which half a day before an order begins and half a day after it ends.
fn day_around(order: &Order) -> [i64; 2] {
    let placed = order.create_time.unwrap().seconds;
    [placed - 43_200, placed + 43_200]
}

async fn ready(client: &Client, id: &str) -> Report {
    wait::until("the report is ready", async || {
        let request = GetReportRequest { id: id.to_owned() };
        let report = client.reports().get_report(request).await.unwrap().into_inner().report.unwrap();
        assert_ne!(report.state(), ReportState::Failed, "{report:?}");
        (report.state() == ReportState::Ready).then_some(report)
    })
    .await
}

async fn download(client: &Client, id: &str) -> Vec<u8> {
    let request = DownloadReportRequest { id: id.to_owned() };
    let mut messages = client.reports().download_report(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(message) = messages.message().await.unwrap() {
        assert_eq!(message.content_type.is_empty(), !file.is_empty());
        file.extend(message.data);
    }
    file
}

/// What curl gets from a path, on behalf of a caller.
async fn rest(client: &Client, arguments: &[&str], path: &str) -> Reply {
    let (url, authorization) =
        (format!("{}{path}", world().stack.url()), format!("authorization: Bearer {}", client.token()));
    curl(&[arguments, &["--header", &authorization, &url]].concat()).await.unwrap()
}

#[tokio::test]
async fn an_order_is_in_the_report_that_is_asked_for_right_after_it() {
    let stack = &world().stack;
    let buyer = buyer(stack).await;
    let sku = product(stack, 5).await;
    let order = buyer.order(&Uuid::now_v7().to_string(), &[(&sku, 2), (&sku, 3)]).await.unwrap();
    let [start, end] = day_around(&order).map(|seconds| Some(prost_types::Timestamp { seconds, nanos: 0 }));
    let request = CreateReportRequest {
        kind: ReportKind::Orders.into(),
        period_start: start,
        period_end: end,
        request_id: "today".to_owned(),
        ..CreateReportRequest::default()
    };
    let asked = buyer.reports().create_report(request.clone()).await.unwrap().into_inner().report.unwrap();
    let again = buyer.reports().create_report(request).await.unwrap().into_inner().report.unwrap();
    assert_eq!(asked, again);
    let report = ready(&buyer, &asked.id).await;
    let file = download(&buyer, &report.id).await;
    let text = String::from_utf8(file.clone()).unwrap();
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!((report.rows, rows.len()), (2, 3), "{text}");
    assert!(rows[0].starts_with("order_id,company_id,state,created_at,"));
    for (row, (line, quantity)) in rows[1..].iter().zip([("1", "2"), ("2", "3")]) {
        let fields: Vec<&str> = row.split(',').collect();
        assert_eq!(
            (fields[0], fields[2], fields[5], fields[6]),
            (&*order.id, "placed", line, &*sku),
            "{row}"
        );
        assert!(row.contains(&format!(",{quantity},")), "{row}");
    }

    let fetched = rest(&buyer, &[], &format!("/v1/reports/{}:download", report.id)).await;
    assert_eq!((fetched.status, &fetched.body), (200, &file), "{:?}", fetched.headers);
    assert_eq!(fetched.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(fetched.header("content-disposition").unwrap().starts_with("attachment; filename=\"orders-"));
    assert!(fetched.header("repr-digest").unwrap().starts_with("sha-256=:"));

    let stranger = self::buyer(stack).await;
    let request = DownloadReportRequest { id: report.id.clone() };
    assert_eq!(stranger.reports().download_report(request).await.unwrap_err().code(), Code::NotFound);
    let refused = rest(&stranger, &[], &format!("/v1/reports/{}:download", report.id)).await;
    assert_eq!((refused.status, refused.json()["code"].as_i64()), (404, Some(5)), "{refused:?}");
    assert_eq!(rest(&stranger, &[], &format!("/v1/reports/{}", report.id)).await.status, 404);
    let listed = stranger.reports().list_reports(ListReportsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.reports, []);
}

#[tokio::test]
async fn a_report_of_many_pieces_is_asked_for_and_fetched_over_rest() {
    let stack = &world().stack;
    let buyer = buyer(stack).await;
    let sku = product(stack, 5_000).await;
    let items = vec![(&*sku, 1); 500];
    let mut orders = Vec::new();
    for n in 0..8 {
        orders.push(buyer.order(&format!("large-{n}"), &items).await.unwrap());
    }
    let [start, end] =
        day_around(&orders[0]).map(|seconds| Timestamp::from_second(seconds).unwrap().to_string());
    let body = json!({"kind": "REPORT_KIND_ORDERS", "periodStart": start, "periodEnd": end});
    let created = rest(&buyer, &["--data", &body.to_string()], "/v1/reports").await;
    assert_eq!(created.status, 200, "{created:?}");
    let id = created.json()["report"]["id"].as_str().unwrap().to_owned();
    let report = ready(&buyer, &id).await;
    assert!(report.rows == 4_000 && report.bytes > 256 << 10, "{report:?}");
    let fetched = rest(&buyer, &["--compressed"], &format!("/v1/reports/{id}:download")).await;
    assert_eq!(fetched.body, download(&buyer, &id).await);
    let listed = rest(&buyer, &[], "/v1/reports").await.json();
    assert_eq!(
        (&listed["reports"][0]["id"], &listed["reports"][0]["state"]),
        (&json!(id), &json!("REPORT_STATE_READY"))
    );
}
