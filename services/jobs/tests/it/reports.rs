use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use platform::{Role, testing::Issuer};
use proto::jobs::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::{
    reporting::days,
    support::{Office, reason},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_report_has_every_line_of_the_companys_orders_and_no_other() {
    let office = Office::open().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    office.place(ours, 250, 3).await;
    office.place(theirs, 10, 2).await;
    let token = office.token(Role::Buyer, ours);

    let asked = office.ask(&token, days(1, 2)).await.unwrap();
    assert_eq!((asked.state(), asked.rows, asked.finish_time), (pb::ReportState::Waiting, 0, None));
    assert_eq!((&asked.company_id, &asked.subject_company_id), (&ours.to_string(), &ours.to_string()));
    let report = office.until_report(&token, &asked.id, pb::ReportState::Ready).await;
    let file = office.download(&token, &report.id).await.unwrap();

    let rows = file.rows();
    assert_eq!((report.rows, rows.len()), (750, 750));
    assert!(rows.iter().all(|row| row.split(',').nth(1) == Some(&ours.to_string())));
    let keys: Vec<_> = rows.iter().map(|row| row.split(',').next().unwrap().to_owned()).collect();
    assert!(keys.is_sorted() && keys.iter().collect::<std::collections::BTreeSet<_>>().len() == 250);
    let [_, _, state, _, number, line, sku, name, quantity, price, total, currency] =
        rows[2].split(',').collect::<Vec<_>>()[..]
    else {
        panic!("{}", rows[2])
    };
    assert_eq!((state, number, line, sku, name), ("shipped", "PO-1", "3", "SKU-3", "Product 3"));
    assert_eq!((quantity, price, total, currency), ("3", "2.50", "7.50", "EUR"));

    assert_eq!(report.bytes, i64::try_from(file.bytes.len()).unwrap());
    let sha256 = digest(&SHA256, &file.bytes);
    assert_eq!(report.sha256, hex(sha256.as_ref()));
    assert_eq!(file.content_types.first().unwrap(), "text/csv; charset=utf-8");
    let header = |name| file.headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(sha256)));
    assert!(header("content-disposition").starts_with("attachment; filename=\"orders-20"));
    let kept = report.expire_time.unwrap().seconds - report.finish_time.unwrap().seconds;
    assert_eq!(kept, 7 * 86_400);
    office.stop().await;
}

#[tokio::test]
async fn a_report_has_the_orders_of_its_period_only() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 2, 1).await;
    let token = office.token(Role::CompanyAdmin, company);
    for (ago, length, rows) in [(1, 2, 2), (3, 2, 0), (-1, 1, 0)] {
        assert_eq!(office.ready(&token, days(ago, length)).await.rows, rows, "from {ago} days ago");
    }
    let empty = office.ready(&token, days(3, 2)).await;
    assert!(office.download(&token, &empty.id).await.unwrap().bytes.ends_with(b",currency\r\n"));
    office.stop().await;
}

#[tokio::test]
async fn the_seller_gets_all_companies_or_one_and_a_buyer_no_other() {
    let office = Office::open().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    office.place(ours, 3, 1).await;
    office.place(theirs, 2, 2).await;
    let (buyer, seller) = (office.token(Role::Buyer, ours), office.token(Role::Seller, Uuid::now_v7()));
    let about =
        |company: Uuid| pb::CreateReportRequest { subject_company_id: company.to_string(), ..days(1, 2) };

    let all = office.ready(&seller, days(1, 2)).await;
    assert_eq!((all.rows, all.subject_company_id.as_str()), (7, ""));
    assert_eq!(office.ready(&seller, about(theirs)).await.rows, 4);
    assert_eq!(office.ready(&buyer, about(ours)).await.rows, 3);
    let status = office.ask(&buyer, about(theirs)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "INVALID_FIELD".to_owned()));

    // What the seller asked for is the seller's.
    assert_eq!(office.report(&buyer, &all.id).await.unwrap_err().code(), Code::NotFound);
    office.stop().await;
}

#[tokio::test]
async fn another_companys_report_does_not_exist_and_the_seller_sees_all() {
    let office = Office::open().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let [us, them] = [ours, theirs].map(|company| office.token(Role::Buyer, company));
    let seller = office.token(Role::Seller, Uuid::now_v7());
    let mine = office.ready(&us, days(1, 2)).await;
    let other = office.ready(&them, days(1, 2)).await;
    for id in [&other.id, &Uuid::now_v7().to_string()] {
        for status in [office.report(&us, id).await.unwrap_err(), office.download(&us, id).await.unwrap_err()]
        {
            assert_eq!((status.code(), reason(&status)), (Code::NotFound, "REPORT_NOT_FOUND".to_owned()));
        }
    }
    let listed = async |token: &str| {
        let page = office.reports(token, pb::ListReportsRequest::default()).await.unwrap();
        page.reports.into_iter().map(|report| report.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&us).await, [mine.id.as_str()]);
    assert_eq!(listed(&seller).await, [other.id.as_str(), &mine.id]);
    office.download(&seller, &mine.id).await.unwrap();
    office.stop().await;
}

#[tokio::test]
async fn the_same_request_twice_is_one_report() {
    let office = Office::open().await;
    let token = office.token(Role::Buyer, Uuid::now_v7());
    let request = pb::CreateReportRequest { request_id: "january".to_owned(), ..days(1, 2) };
    let first = office.ask(&token, request.clone()).await.unwrap();
    let again =
        office.reports.clone().create_report(Issuer::with_token(request.clone(), &token)).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner().report.unwrap(), first);
    assert_eq!(office.number("SELECT count(*) FROM jobs.reports").await, 1);

    let other = pb::CreateReportRequest { request_id: "january".to_owned(), ..days(2, 2) };
    let status = office.ask(&token, other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
    office.stop().await;
}

#[tokio::test]
async fn lists_go_page_by_page_newest_first() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token_of(company, Uuid::from_u128(1));
    office.pause_reports(true).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(office.ask(&token, days(1, 2)).await.unwrap().id);
    }
    asked.reverse();
    let page = async |page_token: String| {
        office.reports(&token, pb::ListReportsRequest { page_size: 2, page_token }).await.unwrap()
    };
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = page(next).await;
        seen.extend(page.reports.into_iter().map(|report| report.id));
        next = page.next_page_token;
        if next.is_empty() {
            break;
        }
    }
    assert_eq!(seen, asked);
    let token_of_ours = page(String::new()).await.next_page_token;
    let colleague = office.token_of(company, Uuid::from_u128(2));
    let stolen = pb::ListReportsRequest { page_size: 2, page_token: token_of_ours };
    assert_eq!(office.reports(&colleague, stolen).await.unwrap_err().code(), Code::InvalidArgument);
    office.stop().await;
}

#[tokio::test]
async fn of_many_requests_at_once_a_company_gets_twenty() {
    let office = Office::open().await;
    let (ours, theirs) =
        (office.token(Role::Buyer, Uuid::now_v7()), office.token(Role::Buyer, Uuid::now_v7()));
    office.pause_reports(true).await;
    let asked = futures::future::join_all((0..26).map(|_| office.ask(&ours, days(1, 2)))).await;
    let refused: Vec<_> = asked.iter().filter_map(|asked| asked.as_ref().err()).collect();
    assert_eq!(refused.len(), 6);
    for status in refused {
        assert_eq!((status.code(), reason(status)), (Code::ResourceExhausted, "TOO_MANY_REPORTS".to_owned()));
    }
    office.ask(&theirs, days(1, 2)).await.unwrap();

    // One that is called off, or made, makes room.
    let one = asked.into_iter().find_map(Result::ok).unwrap();
    office.cancel(&ours, one.job_id.parse().unwrap()).await.unwrap();
    office.ask(&ours, days(1, 2)).await.unwrap();
    assert_eq!(office.ask(&ours, days(1, 2)).await.unwrap_err().code(), Code::ResourceExhausted);
    office.stop().await;
}

#[tokio::test]
async fn a_report_can_be_asked_for_by_those_who_are_known_only() {
    let office = Office::open().await;
    let token = office.token(Role::Buyer, Uuid::now_v7());
    let anonymous = office.reports.clone().create_report(days(1, 2)).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    let refusals = [
        ("period_end", office.ask(&token, days(1, 367)).await.unwrap_err()),
        ("period_end", office.ask(&token, days(1, 0)).await.unwrap_err()),
        ("kind", office.ask(&token, pb::CreateReportRequest { kind: 0, ..days(1, 2) }).await.unwrap_err()),
        ("id", office.report(&token, "42").await.unwrap_err()),
        ("id", office.download(&token, "42").await.unwrap_err()),
    ];
    for (field, status) in refusals {
        use tonic_types::StatusExt as _;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    office.stop().await;
}
