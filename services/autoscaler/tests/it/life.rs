//! The service from its start to its end, as the cluster sees it.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::{
    adapter::{Adapter, LEASE, SECRET, VALUE},
    limiter::Says,
    until,
};

#[tokio::test]
async fn a_new_certificate_is_served_from_the_next_connection_on() {
    let adapter = Adapter::start().await;
    let first = adapter.as_master(VALUE, &[]).await.certificate;
    assert_eq!(adapter.as_master(VALUE, &[]).await.certificate, first);
    // Somebody empties the Secret: another one is made, and nobody is refused meanwhile.
    adapter.api.edit(SECRET, |secret| secret["data"] = Value::Null);
    until("another certificate is served", async || {
        let answer = adapter.as_master(VALUE, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        (answer.certificate != first).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_knows_no_number_is_ready_and_says_so() {
    let adapter = Adapter::start().await;
    adapter.limiter.say(Says::Unknown);
    adapter.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(adapter.as_hpa(VALUE).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready(&adapter).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pod_whose_certificate_ended_is_not_ready() {
    let adapter = Adapter::start().await;
    adapter.api.fail(Some(StatusCode::SERVICE_UNAVAILABLE));
    adapter.clock.advance(SignedDuration::from_hours(24 * 91));
    let missing = ready(&adapter).await;
    assert!(
        missing.len() == 1 && missing[0].starts_with("certificate: the certificate ended"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_pod_that_goes_gives_the_lease_away() {
    let adapter = Adapter::start().await;
    let holder = |adapter: &crate::support::api_server::ApiServer| {
        adapter.get(LEASE).unwrap()["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    };
    assert!(!holder(&adapter.api).is_empty());
    adapter.running.stop().await.unwrap();
    assert_eq!(holder(&adapter.api), "");
}

/// What keeps the pod from being ready, as its probe says it.
async fn ready(adapter: &Adapter) -> Vec<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(adapter.running.bound.admin).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    // The first line is the verdict.
    body.lines().skip(1).map(str::to_owned).collect()
}
