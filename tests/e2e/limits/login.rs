//! Log-ins: who is counted, what is refused, and what holds while the limiter or its counters are away.
//!
//! Each test comes from addresses of its own: all of 127.0.0.0/8 is this machine.

use std::{net::IpAddr, sync::LazyLock};

use proto::auth::v1::{LoginRequest, auth_service_client::AuthServiceClient};
use serde_json::{Value, json};
use tests::{
    Stack,
    curl::{Reply, curl},
    wait,
};
use tokio::sync::{Mutex, MutexGuard};
use tonic::{Code, Status, transport::Endpoint};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::{all_counters_are_shared, limits, read, token};
use crate::{faults::Hanging, world::world};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/limits/login.yaml");
const WRONG: &str = "wrong horse battery";

/// A stack that limits log-ins, for one test at a time.
async fn guarded() -> MutexGuard<'static, Stack> {
    static GUARDED: LazyLock<Mutex<Stack>> = LazyLock::new(|| {
        let options = ["--products", "50", "--limits", "--limit-rules", RULES];
        Mutex::new(Stack::start(&options).expect("a stack"))
    });
    GUARDED.lock().await
}

/// An address that nobody has.
fn nobody() -> String {
    format!("{}@example.com", Uuid::new_v4())
}

/// A log-in over REST from `ip`, with more headers.
async fn log_in(stack: &Stack, ip: &str, email: &str, password: &str, headers: &[&str]) -> Reply {
    post(stack, ip, "login", &json!({"email": email, "password": password}), headers).await
}

/// A log-in over REST from `ip` with the token of a device.
async fn log_in_by(stack: &Stack, token: &str, ip: &str, email: &str, password: &str) -> Reply {
    post(stack, ip, "login", &json!({"email": email, "password": password, "deviceToken": token}), &[]).await
}

/// A call of auth over REST from `ip`, with more headers.
async fn post(stack: &Stack, ip: &str, method: &str, body: &Value, headers: &[&str]) -> Reply {
    let (url, body) = (format!("{}/v1/auth/{method}", stack.url()), body.to_string());
    let mut arguments =
        vec!["--interface", ip, "--header", "content-type: application/json", "--data", &body];
    for header in headers {
        arguments.extend(["--header", header]);
    }
    arguments.push(&url);
    curl(&arguments).await.unwrap()
}

/// How many of `times` wrong passwords for `email` from `ip` are looked at before the first is refused; each later one must be, too.
async fn looked_at(stack: &Stack, ip: &str, email: &str, times: usize) -> usize {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(log_in(stack, ip, email, WRONG, &[]).await.status);
    }
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses.is_sorted(), "{statuses:?}");
    statuses.iter().filter(|status| **status == 401).count()
}

/// The detail of this type in the body of an error.
fn detail(reply: &Reply, kind: &str) -> Value {
    let body = reply.json();
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let found =
        details.into_iter().find(|detail| detail["@type"].as_str().is_some_and(|t| t.ends_with(kind)));
    found.unwrap_or_else(|| panic!("no {kind} in {body}"))
}

#[tokio::test]
async fn the_eleventh_guess_at_an_account_from_an_address_is_refused_over_rest() {
    let stack = guarded().await;
    let (email, password) = stack.accounts().swap_remove(0);
    let mut refusals = Vec::new();
    for (ip, account) in [("127.1.0.1", email.clone()), ("127.1.0.2", nobody())] {
        assert_eq!(looked_at(&stack, ip, &account, 10).await, 10);
        let refused = log_in(&stack, ip, &account, WRONG, &[]).await;
        assert_eq!((refused.status, refused.json()["code"].as_i64()), (429, Some(8)), "{refused:?}");
        assert_eq!(detail(&refused, "google.rpc.ErrorInfo")["reason"], "TOO_MANY_TRIES");
        assert!(detail(&refused, "google.rpc.RetryInfo")["retryDelay"].is_string());
        refusals.push(refused.json()["message"].clone());
    }
    assert_eq!(refusals[0], refusals[1], "whether the account exists is not told");
    assert_eq!(log_in(&stack, "127.1.0.1", &email, &password, &[]).await.status, 429);
    assert_eq!(log_in(&stack, "127.1.0.3", &email, &password, &[]).await.status, 200, "another address");
}

#[tokio::test]
async fn the_eleventh_guess_at_an_account_from_an_address_is_refused_over_grpc() {
    let stack = guarded().await;
    let from: IpAddr = "127.2.0.1".parse().unwrap();
    let channel = Endpoint::try_from(stack.url()).unwrap().local_address(Some(from)).connect().await.unwrap();
    let mut auth = AuthServiceClient::new(channel);
    let email = nobody();
    let mut guess = async || {
        let (email, password) = (email.clone(), WRONG.to_owned());
        let request = LoginRequest { email, password, ..LoginRequest::default() };
        auth.login(request).await.unwrap_err()
    };
    for _ in 0..10 {
        assert_eq!(guess().await.code(), Code::Unauthenticated);
    }
    let refused: Status = guess().await;
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "TOO_MANY_TRIES");
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!((1..=3_600).contains(&wait.as_secs()), "{refused:?}");
}

#[tokio::test]
async fn a_bot_in_the_office_does_not_keep_a_colleague_out_whose_device_is_known() {
    let stack = guarded().await;
    all_counters_are_shared(&stack).await;
    let office = "127.9.0.1";
    let (email, password) = stack.accounts().swap_remove(3);
    let begun = log_in(&stack, office, &email, &password, &[]).await;
    let token = begun.json()["deviceToken"].as_str().unwrap().to_owned();
    assert!((begun.status, token.len()) == (200, 75), "{begun:?}");
    assert_eq!(looked_at(&stack, office, &email, 20).await, 9, "one try of ten was the colleague's");
    assert_eq!(log_in(&stack, office, &email, &password, &[]).await.status, 429, "a stranger's device");
    let (other, others_password) = stack.accounts().swap_remove(1);
    assert_eq!(log_in_by(&stack, &token, office, &other, &others_password).await.status, 200, "is no matter");
    let mut last = token.clone();
    for ip in [office, "127.9.0.2", office] {
        let reply = log_in_by(&stack, &last, ip, &email, &password).await;
        assert_eq!(reply.status, 200, "{ip}: {reply:?}");
        reply.json()["deviceToken"].as_str().unwrap().clone_into(&mut last);
        assert_eq!(log_in(&stack, office, &email, WRONG, &[]).await.status, 429, "the bot goes on");
    }
    // Whoever has stolen the token has what is left of the device's own tries, and its owner still gets in without it.
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(log_in_by(&stack, &token, "127.9.0.3", &email, WRONG).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 7, "{statuses:?}");
    assert_eq!(log_in(&stack, "127.9.0.4", &email, &password, &[]).await.status, 200);
}

#[tokio::test]
async fn an_office_logs_in_and_refreshes_after_a_stranger_has_used_up_what_its_address_may() {
    let stack = guarded().await;
    all_counters_are_shared(&stack).await;
    let office = "127.10.0.1";
    let url = format!("{}/v1/products?page_size=1", stack.url());
    wait::until("a stranger who is blocked", async || {
        let reply = curl(&["--interface", office, &url]).await.ok()?;
        (reply.status == 429 && reply.json()["message"].as_str()?.starts_with("blocked")).then_some(())
    })
    .await;
    for (email, password) in stack.accounts().iter().take(3) {
        let begun = log_in(&stack, office, email, password, &[]).await;
        assert_eq!(begun.status, 200, "{begun:?}");
        let token = &begun.json()["tokens"]["refreshToken"];
        let went_on = post(&stack, office, "refresh", &json!({"refreshToken": token}), &[]).await;
        assert_eq!(went_on.status, 200, "{went_on:?}");
        assert!(went_on.header("ratelimit-policy").unwrap().contains("session-calls"), "{went_on:?}");
    }
    assert_eq!(curl(&["--interface", office, &url]).await.unwrap().status, 429);
}

#[tokio::test]
async fn nobody_is_somebody_else_by_saying_so() {
    let stack = guarded().await;
    let (email, _) = stack.accounts().swap_remove(1);
    for number in 0..10 {
        let spoofed = [
            format!("x-forwarded-for: 198.51.100.{number}"),
            format!("x-client-address: 198.51.100.{number}"),
            format!("x-envoy-external-address: 198.51.100.{number}"),
            format!("x-real-ip: 198.51.100.{number}"),
            format!("forwarded: for=198.51.100.{number}"),
        ];
        let headers: Vec<&str> = spoofed.iter().map(String::as_str).collect();
        assert_eq!(log_in(&stack, "127.3.0.1", &email, WRONG, &headers).await.status, 401);
    }
    let claim = ["x-forwarded-for: 192.0.2.99", "x-client-address: 192.0.2.99"];
    assert_eq!(log_in(&stack, "127.3.0.1", &email, WRONG, &claim).await.status, 429);
    let account = format!("account={email}");
    let (code, said) = limits(&stack, &["test", "action=login", &account, "ip=127.3.0.1"]);
    assert!(code == Some(2) && said.contains("login-pair: denies"), "{said}");
    let (_, said) = limits(&stack, &["test", "action=login", &account, "ip=198.51.100.3"]);
    assert!(said.contains("login-pair: admits; 9 of 10 left"), "{said}");
}

#[tokio::test]
async fn an_office_that_logs_in_is_not_limited_and_goes_on_when_its_address_has_no_failures_left() {
    let stack = guarded().await;
    all_counters_are_shared(&stack).await;
    let office = "127.4.0.1";
    let accounts = stack.accounts();
    for _ in 0..5 {
        for (email, password) in &accounts {
            assert_eq!(log_in(&stack, office, email, password, &[]).await.status, 200, "{email}");
        }
    }
    // Reports of successes are on their way for a moment.
    wait::until("only failures count", async || {
        let (_, said) = limits(&stack, &["test", "action=login", "account=x@example.com", "ip=127.4.0.1"]);
        said.contains("login-ip: admits; 11 of 12 left").then_some(())
    })
    .await;
    let mut guessed = 0;
    for _ in 0..20 {
        guessed += usize::from(log_in(&stack, office, &nobody(), WRONG, &[]).await.status == 401);
    }
    // A pod that Redis answers too late counts for a moment by itself, so some more may pass; far from all do.
    assert!((12..20).contains(&guessed), "{guessed} guesses at many accounts from one address");
    let (email, password) = &accounts[0];
    assert_eq!(log_in(&stack, office, email, password, &[]).await.status, 200, "who has got in before");
}

#[tokio::test]
async fn while_the_limiter_hangs_guesses_stay_at_the_strict_limit_and_all_else_is_allowed() {
    let stack = guarded().await;
    let token = token(&stack, 0).await;
    let (email, password) = stack.accounts().swap_remove(0);
    assert_eq!(looked_at(&stack, "127.5.0.1", &email, 6).await, 6);
    let hanging = Hanging::new(vec![stack.pid("ratelimit-0").unwrap()]);
    assert_eq!(looked_at(&stack, "127.5.0.1", &email, 20).await, 4, "what was admitted before counts");
    assert_eq!(looked_at(&stack, "127.5.0.2", &email, 20).await, 10);
    assert_eq!(log_in(&stack, "127.5.0.3", &email, &password, &[]).await.status, 200);
    for _ in 0..30 {
        assert_eq!(read(&stack, "/v1/products?page_size=1", &token).await.status, 200);
    }
    drop(hanging);
    wait::until("the limiter decides again", async || {
        let reply = read(&stack, "/v1/products?page_size=1", &token).await;
        reply.header("ratelimit").is_some().then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_all_of_valkey_hangs_limits_hold_in_the_limiter_and_afterwards_the_shared_ones() {
    let stack = guarded().await;
    all_counters_are_shared(&stack).await;
    let token = token(&stack, 2).await;
    let names = (0..6).map(|number| format!("valkey-{number}"));
    let hanging = Hanging::new(names.filter_map(|name| stack.pid(&name)).collect());
    let mut allowed = 0;
    for _ in 0..40 {
        allowed += usize::from(read(&stack, "/v1/products?page_size=1", &token).await.status == 200);
    }
    // Twenty, and what was let through until Redis was known to be away: two questions of 50 ms.
    assert!((20..=24).contains(&allowed), "{allowed} of 20");
    assert_eq!(looked_at(&stack, "127.7.0.1", &nobody(), 20).await, 10);
    drop(hanging);
    all_counters_are_shared(&stack).await;
}

#[tokio::test]
async fn a_stack_without_limits_bounds_guesses_by_itself() {
    let (stack, email) = (&world().stack, nobody());
    assert_eq!(looked_at(stack, "127.8.0.1", &email, 14).await, 10);
    assert_eq!(looked_at(stack, "127.8.0.2", &email, 1).await, 1);
}
