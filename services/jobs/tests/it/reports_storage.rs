//! Where files of reports lie, and what becomes of them there.

use std::{fs, path::PathBuf};

use platform::Role;
use proto::jobs::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::{
    reporting::{days, in_folder},
    support::{Office, reason, until},
};

/// The files below a folder.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let reports = fs::read_dir(folder).unwrap().map(|report| report.unwrap().path());
    reports.flat_map(|report| fs::read_dir(report).unwrap().map(|file| file.unwrap().path())).collect()
}

#[tokio::test]
async fn a_hundred_thousand_lines_are_stored_and_sent_in_pieces() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 2_000, 50).await;
    let token = office.token(Role::Buyer, company);
    let report = office.ready(&token, days(1, 2)).await;
    let file = office.download(&token, &report.id).await.unwrap();
    assert_eq!((report.rows, file.rows().len()), (100_000, 100_000));
    let largest = office.number("SELECT max(octet_length(data))::bigint FROM jobs.report_chunks").await;
    let pieces = office.number("SELECT count(*) FROM jobs.report_chunks").await;
    assert!(
        largest == 256 << 10 && pieces == 1 + report.bytes / (256 << 10),
        "{pieces} of {largest} at most"
    );
    assert_eq!(file.sizes.len(), usize::try_from(pieces).unwrap());
    assert!(file.sizes.iter().all(|size| *size <= 256 << 10));
    assert!(file.content_types[1..].iter().all(String::is_empty));
    office.stop().await;
}

#[tokio::test]
async fn a_file_in_the_database_that_was_tampered_with_is_not_sent() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 50, 100).await;
    let token = office.token(Role::Buyer, company);
    let report = office.ready(&token, days(1, 2)).await;
    let changes = [
        "UPDATE jobs.report_chunks SET data = set_byte(data, 7, get_byte(data, 7) # 1) WHERE n = 1",
        "DELETE FROM jobs.report_chunks WHERE n = 1",
        "DELETE FROM jobs.report_chunks",
    ];
    for change in changes {
        assert!(office.admin.execute(change, &[]).await.unwrap() > 0);
        // Before the first message, so that no client takes half of it for the whole.
        let request = platform::testing::Issuer::with_token(
            pb::DownloadReportRequest { id: report.id.clone() },
            &token,
        );
        let status = office.reports.clone().download_report(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_DAMAGED".to_owned()));
    }
    office.stop().await;
}

#[tokio::test]
async fn a_folder_is_a_storage_too() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::reporting(in_folder(folder.path())).await;
    let company = Uuid::now_v7();
    office.place(company, 50, 100).await;
    let token = office.token(Role::Buyer, company);
    let report = office.ready(&token, days(1, 2)).await;
    assert_eq!(office.download(&token, &report.id).await.unwrap().rows().len(), 5_000);
    let [file] = &files(folder.path())[..] else { panic!("one file") };
    assert_eq!(fs::metadata(file).unwrap().len(), u64::try_from(report.bytes).unwrap());
    assert_eq!(office.number("SELECT count(*) FROM jobs.report_chunks").await, 0);

    let whole = fs::read(file).unwrap();
    fs::write(file, &whole[..whole.len() - 1]).unwrap();
    let status = office.download(&token, &report.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_DAMAGED".to_owned()));
    fs::remove_file(file).unwrap();
    let status = office.download(&token, &report.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_DAMAGED".to_owned()));
    office.stop().await;
}

#[tokio::test]
async fn an_expired_report_can_not_be_fetched_and_soon_is_gone_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::reporting(in_folder(folder.path())).await;
    let company = Uuid::now_v7();
    let token = office.token(Role::Buyer, company);
    let report = office.ready(&token, days(1, 2)).await;
    let kept = office.ready(&token, days(1, 2)).await;
    let expire = "UPDATE jobs.reports SET expires_at = now() WHERE id = $1";
    office.admin.execute(expire, &[&report.id.parse::<Uuid>().unwrap()]).await.unwrap();
    assert_eq!(office.report(&token, &report.id).await.unwrap().state(), pb::ReportState::Expired);
    let status = office.download(&token, &report.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_NOT_READY".to_owned()));

    assert_eq!(files(folder.path()).len(), 2);
    let office = Office::reporting_on(office.close().await, in_folder(folder.path())).await;
    until("the report is gone", async || office.number("SELECT count(*) FROM jobs.reports").await == 1).await;
    assert_eq!(files(folder.path()).len(), 1);
    let token = office.token(Role::Buyer, company);
    office.download(&token, &kept.id).await.unwrap();
    office.stop().await;
}

#[tokio::test]
async fn a_report_whose_file_can_not_be_removed_stays_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::reporting(in_folder(folder.path())).await;
    let token = office.token(Role::Buyer, Uuid::now_v7());
    for _ in 0..2 {
        office.ready(&token, days(1, 2)).await;
    }
    office.admin.batch_execute("UPDATE jobs.reports SET expires_at = now()").await.unwrap();
    let [stuck, _] = &files(folder.path())[..] else { panic!("two files") };
    // A folder is no file: it can't be removed as one.
    fs::remove_file(stuck).unwrap();
    fs::create_dir(stuck).unwrap();
    let office = Office::reporting_on(office.close().await, in_folder(folder.path())).await;
    until("the other one is gone", async || office.number("SELECT count(*) FROM jobs.reports").await == 1)
        .await;
    assert_eq!(files(folder.path()).first(), Some(stuck));
    fs::remove_dir(stuck).unwrap();
    let office = Office::reporting_on(office.close().await, in_folder(folder.path())).await;
    until("both are gone", async || office.number("SELECT count(*) FROM jobs.reports").await == 0).await;
    office.stop().await;
}
