//! How often a log-in may be tried: what the limiter is asked and told, and what holds without it.

use std::time::Duration;

use jiff::SignedDuration;
use proto::{
    auth::v1::{LoginRequest, LoginResponse},
    ratelimit::v1::{PrincipalKind, ReportOutcome},
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::{Limiter, PASSWORD, Verdict, World, reason, until};

const HASHES: &str = "auth_password_hash_duration_seconds_count";
const WRONG: &str = "wrong horse battery";

impl World {
    /// Logs in through an ingress that says where the call comes from.
    async fn login_from(&self, address: &str, email: &str, password: &str) -> Result<(), Status> {
        self.login_by("", address, email, password).await.map(drop)
    }

    /// As [`Self::login_from`], with the token of a device.
    async fn login_by(
        &self,
        device_token: &str,
        address: &str,
        email: &str,
        password: &str,
    ) -> Result<LoginResponse, Status> {
        let (email, password) = (email.into(), password.into());
        let mut request =
            Request::new(LoginRequest { email, password, device_token: device_token.to_owned() });
        request.metadata_mut().insert("x-client-address", address.parse().unwrap());
        Ok(self.client.clone().login(request).await?.into_inner())
    }
}

/// A service that asks a limiter, with one user.
async fn limited(limiter: &Limiter) -> World {
    impatient(limiter, None).await
}

/// As [`limited`], with this much patience with the limiter.
async fn impatient(limiter: &Limiter, patience: Option<Duration>) -> World {
    let world = World::start_with(|args| {
        args.limiter_url = Some(limiter.url());
        args.limiter_timeout = patience.unwrap_or(args.limiter_timeout);
    })
    .await;
    world.register("anna@example.com").await.unwrap();
    // The connection to the limiter is made in the background.
    until("the limiter is asked", async || {
        world.login("first@example.com", WRONG).await.unwrap_err();
        !limiter.take_checks().is_empty()
    })
    .await;
    world
}

/// How often `email` may be tried with a wrong password from `address`, of 30 times.
async fn guesses(world: &World, address: &str, email: &str) -> usize {
    let mut looked_at = 0;
    for _ in 0..30 {
        let status = world.login_from(address, email, WRONG).await.unwrap_err();
        match (status.code(), reason(&status).as_str()) {
            (Code::Unauthenticated, "INVALID_CREDENTIALS") => looked_at += 1,
            (Code::ResourceExhausted, "TOO_MANY_TRIES") => {}
            other => panic!("{other:?}"),
        }
    }
    looked_at
}

#[tokio::test]
async fn the_limiter_is_asked_for_the_account_and_the_address_that_the_ingress_saw() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    world.login_from("192.0.2.7", " Anna@Example.COM ", WRONG).await.unwrap_err();
    let asked = limiter.take_checks().pop().unwrap();
    let principals: Vec<_> =
        asked.principals.iter().map(|principal| (principal.kind(), principal.value.as_str())).collect();
    assert_eq!(
        (asked.action.as_str(), principals),
        ("login", vec![(PrincipalKind::Account, "anna@example.com"), (PrincipalKind::Ip, "192.0.2.7")])
    );
    world.login("anna@example.com", WRONG).await.unwrap_err();
    assert_eq!(limiter.take_checks()[0].principals.len(), 1, "past the ingress, nobody knows the address");
}

/// The device that the limiter was asked for last.
fn device_asked(limiter: &Limiter) -> Option<String> {
    let asked = limiter.take_checks().pop().unwrap();
    let kinds = asked.principals.iter().filter(|principal| principal.kind() == PrincipalKind::Device);
    kinds.map(|principal| principal.value.clone()).next()
}

#[tokio::test]
async fn a_device_that_logged_in_is_named_to_the_limiter_until_180_days_after_its_last_log_in() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    let log_in = async |token: &str| {
        let token =
            world.login_by(token, "192.0.2.7", "anna@example.com", PASSWORD).await.unwrap().device_token;
        (token, device_asked(&limiter))
    };
    let (first, unknown) = log_in("").await;
    assert_eq!(unknown, None);
    world.advance(SignedDuration::from_hours(179 * 24)).await;
    let (second, device) = log_in(&first).await;
    assert!(device.is_some() && second != first, "{device:?}");
    world.advance(SignedDuration::from_hours(24)).await;
    let (_, late) = log_in(&first).await;
    assert_eq!(late, None, "the first token has expired");
    let (_, same) = log_in(&second).await;
    assert_eq!(same, device, "the next one is of the same device");
    let (other, _) = log_in("").await;
    log_in(&other).await;
    assert_ne!(log_in(&other).await.1, device, "every log-in without a token is a device of its own");
}

#[tokio::test]
async fn a_token_that_is_not_this_accounts_is_as_good_as_none() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    world.register("bert@example.com").await.unwrap();
    let annas = world.login("anna@example.com", PASSWORD).await.unwrap();
    let refused = world.login("bert@example.com", WRONG).await.unwrap_err();
    let cut = &annas.device_token[1..];
    let refresh_token = annas.tokens.unwrap().refresh_token;
    for token in [&*annas.device_token, cut, &refresh_token, "garbage", "\u{0}ä"] {
        let status = world.login_by(token, "192.0.2.7", "bert@example.com", WRONG).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message(), status.details()),
            (refused.code(), refused.message(), refused.details())
        );
        assert_eq!(device_asked(&limiter), None);
        let begun = world.login_by(token, "192.0.2.7", "bert@example.com", PASSWORD).await.unwrap();
        assert_eq!(device_asked(&limiter), None);
        world.login_by(&begun.device_token, "192.0.2.7", " Bert@Example.com", WRONG).await.unwrap_err();
        assert!(device_asked(&limiter).is_some(), "a new one comes with the log-in");
    }
    let status =
        world.login_by(&"x".repeat(513), "192.0.2.7", "bert@example.com", PASSWORD).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    assert!(status.message().starts_with("device_token"), "{}", status.message());
}

#[tokio::test]
async fn without_a_limiter_a_known_device_has_ten_failures_of_its_own() {
    let world = World::start().await;
    for email in ["anna@example.com", "bert@example.com"] {
        world.register(email).await.unwrap();
    }
    let token = world.login("anna@example.com", PASSWORD).await.unwrap().device_token;
    assert_eq!(guesses(&world, "192.0.2.7", "anna@example.com").await, 10);
    assert!(
        world.login_from("192.0.2.7", "anna@example.com", PASSWORD).await.is_err(),
        "a bot at her address"
    );
    let by = async |token: &str, email: &str, password: &str| {
        world.login_by(token, "192.0.2.7", email, password).await
    };
    let next = by(&token, "anna@example.com", PASSWORD).await.unwrap().device_token;
    for number in 0..10 {
        let status = by(&token, "anna@example.com", WRONG).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_CREDENTIALS", "{number}");
    }
    for token in [&token, &next] {
        let status = by(token, "anna@example.com", PASSWORD).await.unwrap_err();
        assert_eq!(reason(&status), "TOO_MANY_TRIES", "the tokens of a device count together");
    }
    assert!(by(&token, "bert@example.com", PASSWORD).await.is_ok());
    world.advance(SignedDuration::from_mins(5)).await;
    assert!(by(&token, "anna@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn who_is_denied_learns_only_when_to_come_back_and_nothing_is_hashed() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    limiter.say(Verdict::Deny(Duration::from_secs(77)));
    let before = world.metric(HASHES).await;
    let mut seen = Vec::new();
    for (email, password) in
        [("anna@example.com", PASSWORD), ("anna@example.com", WRONG), ("nobody@example.com", PASSWORD)]
    {
        let status = world.login(email, password).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "TOO_MANY_TRIES"));
        let wait = status.get_error_details().retry_info().unwrap().retry_delay;
        assert_eq!(wait, Some(Duration::from_secs(77)));
        seen.push((status.message().to_owned(), status.details().to_vec()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "all the same: {seen:?}");
    assert!((world.metric(HASHES).await - before).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_success_is_reported_once_and_a_failure_not_at_all() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    for _ in 0..3 {
        world.login("anna@example.com", WRONG).await.unwrap_err();
    }
    limiter.fail_reports();
    world.login("anna@example.com", PASSWORD).await.unwrap();
    until("the success is reported", async || !limiter.reports().is_empty()).await;
    // A second report of the first success would come before that of the second.
    world.login("anna@example.com", PASSWORD).await.unwrap();
    until("the next success is reported", async || limiter.reports().len() > 1).await;
    let reports = limiter.reports();
    assert!(reports.iter().all(|report| report.outcome() == ReportOutcome::Success), "{reports:?}");
    assert_eq!(reports.len(), 2);
    assert_ne!(reports[0].ticket, reports[1].ticket);
}

#[tokio::test]
async fn without_a_limiter_an_account_gets_ten_failures_from_one_address_and_others_go_on() {
    let world = World::start().await;
    for email in ["anna@example.com", "bert@example.com"] {
        world.register(email).await.unwrap();
    }
    for _ in 0..30 {
        world.login_from("192.0.2.7", "anna@example.com", PASSWORD).await.unwrap();
    }
    assert_eq!(guesses(&world, "192.0.2.7", "anna@example.com").await, 10);
    assert_eq!(guesses(&world, "192.0.2.7", "nobody@example.com").await, 10, "who doesn't exist looks alike");
    assert!(world.login_from("192.0.2.7", "anna@example.com", PASSWORD).await.is_err());
    assert!(world.login_from("192.0.2.7", "bert@example.com", PASSWORD).await.is_ok());
    assert!(world.login_from("192.0.2.8", "anna@example.com", PASSWORD).await.is_ok());
    world.advance(SignedDuration::from_mins(5)).await;
    assert!(world.login_from("192.0.2.7", "anna@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_limiter_that_dies_leaves_the_strict_limit_and_what_it_admitted_counts() {
    let limiter = Limiter::start().await;
    let world = limited(&limiter).await;
    for _ in 0..7 {
        world.login_from("192.0.2.7", "anna@example.com", WRONG).await.unwrap_err();
    }
    limiter.stop().await;
    assert_eq!(guesses(&world, "192.0.2.7", "anna@example.com").await, 3);
    assert!(world.login_from("192.0.2.9", "anna@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_limiter_that_hangs_is_left_alone_and_asked_again() {
    let limiter = Limiter::start().await;
    let world = impatient(&limiter, Some(Duration::from_millis(100))).await;
    limiter.say(Verdict::Silence);
    assert_eq!(guesses(&world, "192.0.2.7", "anna@example.com").await, 10);
    let asked = limiter.take_checks().len();
    assert!(asked < 10, "{asked} of 30 log-ins waited for it");
    limiter.say(Verdict::Allow);
    until("the limiter decides again", async || {
        world.login_from("192.0.2.7", "anna@example.com", PASSWORD).await.is_ok()
    })
    .await;
}
