use platform::Role;
use proto::jobs::v1 as pb;
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Office, order_placed, reason};

fn any() -> pb::ListJobsRequest {
    pb::ListJobsRequest::default()
}

fn ids(jobs: &[pb::Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

#[tokio::test]
async fn a_company_sees_its_own_jobs_and_the_seller_all() {
    let office = Office::open().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let (buyer, seller) = (office.token(Role::Buyer, ours), office.token(Role::Seller, Uuid::now_v7()));
    let mine = office.enqueue(Some(ours), "elsewhere", "x", &json!({})).await.to_string();
    let other = office.enqueue(Some(theirs), "elsewhere", "x", &json!({})).await.to_string();
    let system = office.enqueue(None, "elsewhere", "x", &json!({})).await.to_string();

    let job = office.get(&buyer, &mine).await.unwrap();
    assert_eq!(
        (job.company_id.clone(), job.kind.clone(), job.queue.clone()),
        (ours.to_string(), "x".to_owned(), "elsewhere".to_owned())
    );
    assert_eq!((job.state(), job.priority()), (pb::JobState::Ready, pb::Priority::Normal));
    assert_eq!(ids(&office.list(&buyer, any()).await.unwrap().jobs), [&*mine]);
    for id in [&other, &system, &Uuid::now_v7().to_string()] {
        let status = office.get(&buyer, id).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::NotFound, "JOB_NOT_FOUND".to_owned()));
    }

    assert_eq!(ids(&office.list(&seller, any()).await.unwrap().jobs), [&*system, &other, &mine]);
    assert_eq!(office.get(&seller, &system).await.unwrap().company_id, "");
    office.stop().await;
}

#[tokio::test]
async fn a_job_shows_where_it_stands_and_why_it_failed() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token(Role::CompanyAdmin, company);
    let done = office.enqueue(Some(company), "email", "email", &order_placed("a@b.example")).await;
    let dead = office.enqueue(Some(company), "email", "email", &order_placed("nobody")).await;
    let later = office.enqueue_for_later(company).await;
    office.until_state(done, "done").await;
    office.until_state(dead, "dead").await;

    let job = office.get(&token, &done.to_string()).await.unwrap();
    assert_eq!((job.state(), job.attempt, job.max_attempts, &*job.error), (pb::JobState::Done, 1, 4, ""));
    assert!(job.create_time.is_some() && job.finish_time.is_some() && job.run_time.is_none());
    let job = office.get(&token, &dead.to_string()).await.unwrap();
    assert_eq!((job.state(), &*job.error), (pb::JobState::Dead, "the address is not valid"));
    let job = office.get(&token, &later.to_string()).await.unwrap();
    assert_eq!((job.state(), job.attempt), (pb::JobState::Scheduled, 0));
    assert!(job.run_time.unwrap().seconds > job.create_time.unwrap().seconds && job.finish_time.is_none());
    office.stop().await;
}

#[tokio::test]
async fn lists_go_page_by_page_newest_first_and_by_filter() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token(Role::Buyer, company);
    let mut enqueued = Vec::new();
    for n in 0..7 {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        enqueued.push(office.enqueue(Some(company), "elsewhere", kind, &json!({})).await.to_string());
    }
    enqueued.push(office.enqueue_for_later(company).await.to_string());
    enqueued.reverse();

    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let page =
            office.list(&token, pb::ListJobsRequest { page_size: 3, page_token, ..any() }).await.unwrap();
        seen.extend(page.jobs.into_iter().map(|job| job.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, enqueued);

    let odd = pb::ListJobsRequest { kind: "odd".to_owned(), ..any() };
    assert_eq!(office.list(&token, odd).await.unwrap().jobs.len(), 3);
    let scheduled = pb::ListJobsRequest { state: pb::JobState::Scheduled.into(), ..any() };
    assert_eq!(ids(&office.list(&token, scheduled).await.unwrap().jobs), [&*enqueued[0]]);
    office.stop().await;
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_once_and_for_all() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token(Role::Buyer, company);
    for id in [
        office.enqueue_for_later(company).await,
        office.enqueue(Some(company), "elsewhere", "x", &json!({})).await,
    ] {
        for _ in 0..2 {
            let job = office.cancel(&token, id).await.unwrap();
            assert_eq!((job.id.as_str(), job.state()), (&*id.to_string(), pb::JobState::Cancelled));
            assert!(job.finish_time.is_some());
        }
    }
    office.stop().await;
}

#[tokio::test]
async fn a_job_that_has_ended_or_is_not_ones_own_is_not_cancelled() {
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token(Role::Buyer, company);
    let done = office.enqueue(Some(company), "email", "email", &order_placed("a@b.example")).await;
    office.until_state(done, "done").await;
    let status = office.cancel(&token, done).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "NOT_CANCELLABLE".to_owned()));

    let foreign = office.enqueue_for_later(Uuid::now_v7()).await;
    let status = office.cancel(&token, foreign).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::NotFound, "JOB_NOT_FOUND".to_owned()));
    assert_eq!(office.look(foreign).await.0, "scheduled");
    let seller = office.token(Role::Seller, Uuid::now_v7());
    assert_eq!(office.cancel(&seller, foreign).await.unwrap().state(), pb::JobState::Cancelled);
    office.stop().await;
}

#[tokio::test]
async fn requests_that_can_not_be_right_are_refused_by_field() {
    use tonic_types::StatusExt as _;
    let office = Office::open().await;
    let company = Uuid::now_v7();
    let token = office.token(Role::Buyer, company);
    for _ in 0..2 {
        office.enqueue_for_later(company).await;
    }
    assert_eq!(office.list_without_token().await.code(), Code::Unauthenticated);

    let first = office.list(&token, pb::ListJobsRequest { page_size: 1, ..any() }).await.unwrap();
    let page_token = first.next_page_token;
    let colleague = office.token(Role::Buyer, company);
    let refusals = [
        ("id", office.get(&token, "42").await.unwrap_err()),
        ("state", office.list(&token, pb::ListJobsRequest { state: 99, ..any() }).await.unwrap_err()),
        (
            "page_size",
            office.list(&token, pb::ListJobsRequest { page_size: 1_001, ..any() }).await.unwrap_err(),
        ),
        (
            "kind",
            office.list(&token, pb::ListJobsRequest { kind: "x".repeat(65), ..any() }).await.unwrap_err(),
        ),
        (
            "page_token",
            office
                .list(&colleague, pb::ListJobsRequest { page_token: page_token.clone(), ..any() })
                .await
                .unwrap_err(),
        ),
        (
            "page_token",
            office
                .list(&token, pb::ListJobsRequest { page_token, kind: "email".into(), ..any() })
                .await
                .unwrap_err(),
        ),
    ];
    for (field, status) in refusals {
        assert_eq!(
            (status.code(), reason(&status)),
            (Code::InvalidArgument, "INVALID_FIELD".to_owned()),
            "{field}"
        );
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
    office.stop().await;
}
