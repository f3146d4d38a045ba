//! Reports whose making goes wrong.

use jobs::ReportArgs;
use platform::Role;
use proto::jobs::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::{
    reporting::days,
    support::{Office, reason, report_args, until},
};

/// Refuses every piece of a file but the first.
const ONE_PIECE_ONLY: &str = "
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON jobs.report_chunks FOR EACH ROW WHEN (NEW.n > 0) EXECUTE FUNCTION public.refuse()";

#[tokio::test]
async fn an_attempt_that_failed_half_way_is_made_again_from_the_beginning() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 50, 100).await;
    let token = office.token(Role::Buyer, company);
    office.admin.batch_execute(ONE_PIECE_ONLY).await.unwrap();
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    let (attempt, error) = office.until_state(report.job_id.parse().unwrap(), "scheduled").await;
    assert_eq!((attempt, error.as_deref()), (1, Some("the storage was not available")));
    assert_eq!(office.report(&token, &report.id).await.unwrap().state(), pb::ReportState::Waiting);
    assert_eq!(office.number("SELECT count(*) FROM jobs.report_chunks").await, 0);

    office.admin.batch_execute("DROP TRIGGER refuse ON jobs.report_chunks").await.unwrap();
    office.make_due().await;
    let report = office.until_report(&token, &report.id, pb::ReportState::Ready).await;
    let file = office.download(&token, &report.id).await.unwrap();
    assert_eq!((file.rows().len(), report.error.as_str()), (5_000, ""));
    office.stop().await;
}

#[tokio::test]
async fn what_a_crashed_attempt_has_left_is_replaced() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 2, 2).await;
    let token = office.token(Role::Buyer, company);
    office.pause_reports(true).await;
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    let left = "WITH begun AS (UPDATE jobs.reports SET object_id = uuidv7() RETURNING id, object_id)
                INSERT INTO jobs.report_chunks (report_id, object_id, n, data) SELECT id, object_id, 0, 'half a fi' FROM begun";
    assert_eq!(office.admin.execute(left, &[]).await.unwrap(), 1);
    office.pause_reports(false).await;
    office.until_report(&token, &report.id, pb::ReportState::Ready).await;
    assert_eq!(office.download(&token, &report.id).await.unwrap().rows().len(), 4);
    assert_eq!(office.number("SELECT count(DISTINCT object_id) FROM jobs.report_chunks").await, 1);
    office.stop().await;
}

#[tokio::test]
async fn an_attempt_that_was_overtaken_leaves_the_report_and_nothing_else_behind() {
    let mut office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 2, 2).await;
    let token = office.token(Role::Buyer, company);
    let lock = office.admin.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE orders.orders").await.unwrap();
    let mut reports = office.reports.clone();
    let request = platform::testing::Issuer::with_token(days(1, 2), &token);
    let report = reports.create_report(request).await.unwrap().into_inner().report.unwrap();
    let begun = "SELECT count(*) FROM jobs.reports WHERE object_id IS NOT NULL";
    until("the attempt has begun", async || lock.query_one(begun, &[]).await.unwrap().get::<_, i64>(0) == 1)
        .await;
    // Another worker has taken the job over.
    lock.batch_execute("UPDATE jobs.reports SET object_id = uuidv7()").await.unwrap();
    lock.commit().await.unwrap();
    office.until_state(report.job_id.parse().unwrap(), "done").await;
    assert_eq!(office.number("SELECT count(*) FROM jobs.report_chunks").await, 0);
    assert_eq!(office.number("SELECT count(*) FROM jobs.reports WHERE finished_at IS NULL").await, 1);
    office.stop().await;
}

#[tokio::test]
async fn a_report_that_is_made_while_the_process_stops_is_made_by_the_next_with_its_attempt_not_spent() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    office.place(company, 2, 2).await;
    let token = office.token(Role::Buyer, company);
    let mut other = office.connection().await;
    let lock = other.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE orders.orders").await.unwrap();
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    until("the attempt has begun", async || {
        office.number("SELECT count(*) FROM jobs.reports WHERE object_id IS NOT NULL").await == 1
    })
    .await;
    let (database, ()) = futures::join!(office.close(), async { lock.commit().await.unwrap() });
    let left = "SELECT (SELECT count(*) FROM jobs.report_chunks) + (SELECT count(*) FROM jobs.running)";
    assert_eq!(other.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);

    let office = Office::reporting_on(database, report_args()).await;
    let token = office.token(Role::Buyer, company);
    assert_eq!(office.until_report(&token, &report.id, pb::ReportState::Ready).await.rows, 4);
    assert_eq!(office.look(report.job_id.parse().unwrap()).await.1, 1);
    office.stop().await;
}

#[tokio::test]
async fn a_file_that_would_be_too_large_fails_in_words() {
    let office = Office::reporting(ReportArgs { report_max_bytes: 1_000, ..report_args() }).await;
    let company = Uuid::now_v7();
    office.place(company, 5, 5).await;
    let token = office.token(Role::Buyer, company);
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    let report = office.until_report(&token, &report.id, pb::ReportState::Failed).await;
    assert_eq!(report.error, "the file would be larger than 1000 bytes; ask for a shorter period");
    assert!(report.finish_time.is_some());
    assert_eq!(office.number("SELECT count(*) FROM jobs.report_chunks").await, 0);
    let status = office.download(&token, &report.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_NOT_READY".to_owned()));
    office.stop().await;
}

#[tokio::test]
async fn a_report_whose_job_is_called_off_has_failed() {
    let office = Office::open().await;
    let token = office.token(Role::Buyer, Uuid::now_v7());
    office.pause_reports(true).await;
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    let status = office.download(&token, &report.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "REPORT_NOT_READY".to_owned()));
    office.cancel(&token, report.job_id.parse().unwrap()).await.unwrap();
    let report = office.report(&token, &report.id).await.unwrap();
    assert_eq!((report.state(), report.error.as_str()), (pb::ReportState::Failed, "cancelled"));
    office.stop().await;
}

#[tokio::test]
async fn after_the_last_attempt_the_report_has_failed() {
    let office = Office::open().await;
    let token = office.token(Role::Buyer, Uuid::now_v7());
    let refuse = ONE_PIECE_ONLY.replace("NEW.n > 0", "true");
    office.admin.batch_execute(&refuse).await.unwrap();
    let report = office.ask(&token, days(1, 2)).await.unwrap();
    until("all attempts have failed", async || {
        office.make_due().await;
        office.report(&token, &report.id).await.unwrap().state() == pb::ReportState::Failed
    })
    .await;
    let report = office.report(&token, &report.id).await.unwrap();
    assert_eq!(report.error, "the storage was not available");
    assert_eq!(office.look(report.job_id.parse().unwrap()).await.1, 4);
    office.stop().await;
}
