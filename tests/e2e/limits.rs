//! Rate limits, by rules of this test on a stack of its own: who is refused, in which words, and what holds without the limiter.

mod login;
mod outage;

use std::{
    io::Write as _,
    process::{Command, Output},
    sync::LazyLock,
};

use local::{Service, ServiceInfo};
use tests::{
    Stack,
    clients::Client,
    curl::{Reply, curl},
    stack, wait,
};
use tokio::sync::{Mutex, MutexGuard};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Low limits, whose windows do not end during a test.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/limits.yaml");

/// A stack that limits, for one test at a time.
async fn limited() -> MutexGuard<'static, Stack> {
    static LIMITED: LazyLock<Mutex<Stack>> = LazyLock::new(|| {
        let options = ["--products", "50", "--limits", "--limit-rules", RULES];
        Mutex::new(Stack::start(&options).expect("a stack"))
    });
    LIMITED.lock().await
}

/// Anonymous calls, until one is refused.
async fn refused_stranger(stack: &Stack) -> Reply {
    wait::until("a stranger who is refused", async || {
        let reply = read(stack, "/v1/products?page_size=1", "").await;
        (reply.status != 200).then_some(reply)
    })
    .await
}

/// A REST call, with a token if there is one.
async fn read(stack: &Stack, path: &str, token: &str) -> Reply {
    let (url, header) = (format!("{}{path}", stack.url()), format!("authorization: Bearer {token}"));
    let arguments = if token.is_empty() { vec![&*url] } else { vec!["--header", &header, &url] };
    curl(&arguments).await.unwrap()
}

fn process(stack: &Stack, service: Service) -> &ServiceInfo {
    stack.info.services.iter().find(|process| process.service == service).unwrap()
}

/// A buyer's token, got past Envoy: whoever logs in is a stranger until then.
async fn token(stack: &Stack, account: usize) -> String {
    let (email, password) = stack.accounts().swap_remove(account);
    let auth = Client::connect(&process(stack, Service::Auth).url).await.unwrap();
    auth.log_in(&email, &password).await.unwrap().token().to_owned()
}

fn limits(stack: &Stack, arguments: &[&str]) -> (Option<i32>, String) {
    let url = &process(stack, Service::Ratelimit).url;
    let mut command = Command::new(stack::binary().unwrap());
    let Output { status, stdout, stderr } =
        command.args(["limits", arguments[0], "--url", url]).args(&arguments[1..]).output().unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Waits until the limiter keeps no group of counters by itself.
async fn all_counters_are_shared(stack: &Stack) {
    let url = format!("{}/metrics", process(stack, Service::Ratelimit).admin_url);
    wait::until("all counters are shared", async || {
        let page = String::from_utf8(curl(&[&url]).await.ok()?.body).ok()?;
        let line = page.lines().find(|line| line.starts_with("ratelimit_groups_local"))?;
        (line.rsplit(' ').next()? == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stranger_beyond_the_limit_is_told_over_rest_when_to_come_back() {
    let stack = limited().await;
    let reply = refused_stranger(&stack).await;
    let body = reply.json();
    assert_eq!((reply.status, body["code"].as_i64()), (429, Some(8)), "{reply:?}");
    assert!(body["message"].as_str().unwrap().contains("`strangers` of 5"), "{body}");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3_600).contains(&wait), "{reply:?}");
    let details = &body["details"];
    assert_eq!(details[0]["reason"], "RATE_LIMITED", "{body}");
    assert_eq!(details[1]["retryDelay"], format!("{wait}s"), "{body}");
    assert_eq!(details[2]["violations"][0]["description"], body["message"], "{body}");
    assert_eq!(reply.header("ratelimit-policy"), Some("\"strangers\";q=5;w=3600"));
    assert!(reply.header("ratelimit").unwrap().starts_with("\"strangers\";r=0;t="), "{reply:?}");
}

#[tokio::test]
async fn a_stranger_beyond_the_limit_is_told_over_grpc_when_to_come_back() {
    let stack = limited().await;
    refused_stranger(&stack).await;
    let client = Client::connect(&stack.url()).await.unwrap();
    let status: Status = client.products(1).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let details = status.get_error_details();
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!((1..=3_600).contains(&wait.as_secs()), "{status:?}");
    assert_eq!(details.error_info().unwrap().metadata["rule"], "strangers");
    assert!(status.metadata().contains_key("retry-after"), "{status:?}");
}

#[tokio::test]
async fn a_stranger_beyond_the_limit_is_told_over_grpc_web() {
    let stack = limited().await;
    refused_stranger(&stack).await;
    let mut body = tempfile::NamedTempFile::new().unwrap();
    // An empty message in its frame.
    body.write_all(&[0; 5]).unwrap();
    let url = format!("{}/sipup.catalog.v1.CatalogService/ListProducts", stack.url());
    let data = format!("@{}", body.path().display());
    let (kind, web) = ("content-type: application/grpc-web+proto", "x-grpc-web: 1");
    let origin = "origin: http://localhost:3000";
    let headers = ["--http1.1", "--header", kind, "--header", web, "--header", origin];
    let reply = curl(&[headers.as_slice(), &["--data-binary", &data, &url]].concat()).await.unwrap();
    assert_eq!((reply.status, reply.header("grpc-status")), (200, Some("8")), "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert!(reply.header("access-control-expose-headers").unwrap().contains("retry-after"), "{reply:?}");
}

#[tokio::test]
async fn who_has_a_token_goes_on_at_the_address_of_a_refused_stranger() {
    let stack = limited().await;
    refused_stranger(&stack).await;
    let token = token(&stack, 0).await;
    for _ in 0..10 {
        let reply = read(&stack, "/v1/products?page_size=1", &token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.header("ratelimit").unwrap().starts_with("\"users\";r="), "{reply:?}");
    }
}

#[tokio::test]
async fn a_method_has_a_limit_of_its_own_for_each_user() {
    let stack = limited().await;
    let (one, other) = (token(&stack, 0).await, token(&stack, 1).await);
    let refused = wait::until("a user who is refused", async || {
        let reply = read(&stack, "/v1/orders", &one).await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.json()["message"].as_str().unwrap().contains("`lists` of 2"), "{refused:?}");
    assert_eq!(read(&stack, "/v1/products?page_size=1", &one).await.status, 200);
    assert_eq!(read(&stack, "/v1/orders", &other).await.status, 200);
}

#[tokio::test]
async fn the_limits_can_be_read_and_tried_out() {
    let stack = limited().await;
    refused_stranger(&stack).await;
    let (code, shown) = limits(&stack, &["show"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("strangers: 5 per 3600 s for each ip where auth=anonymous"), "{shown}");
    let (code, said) = limits(&stack, &["test", "auth=anonymous", "ip=127.0.0.1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("strangers: denies") && said.ends_with("denied\n"), "{said}");
    let (code, said) = limits(&stack, &["test", "auth=anonymous", "ip=192.0.2.1"]);
    assert_eq!((code, said.as_str()), (Some(0), "strangers: admits; 4 of 5 left\nallowed\n"));
}

#[tokio::test]
async fn a_killed_limiter_refuses_nobody_and_comes_back() {
    let stack = limited().await;
    refused_stranger(&stack).await;
    let name = &process(&stack, Service::Ratelimit).name;
    let killed = stack.pid(name).unwrap();
    assert!(Command::new("kill").args(["-KILL", &killed.to_string()]).status().unwrap().success());
    wait::until("a stranger who may call", async || {
        (read(&stack, "/v1/products?page_size=1", "").await.status == 200).then_some(())
    })
    .await;
    wait::until("another limiter", async || stack.pid(name).filter(|pid| *pid != killed)).await;
    // What was counted is kept by Valkey.
    refused_stranger(&stack).await;
}
