//! Refresh tokens: one successor each, and what happens to copies.

use futures::future::join_all;
use jiff::SignedDuration;
use tonic::{Code, Status};

use crate::support::{World, reason};

fn assert_ended<T: std::fmt::Debug>(outcome: Result<T, Status>) {
    let status = outcome.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "SESSION_ENDED"));
}

async fn generation(world: &World) -> i32 {
    world.sql().await.query_one("SELECT generation FROM auth.sessions", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn twenty_tabs_that_refresh_at_once_agree() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    let refreshed = join_all((0..20).map(|_| world.refresh(&tokens.refresh_token))).await;
    let next: Vec<String> = refreshed.into_iter().map(|pair| pair.unwrap().refresh_token).collect();
    assert!(next.iter().all(|token| *token == next[0]), "{next:?}");
    assert_eq!(generation(&world).await, 1);
    assert!(world.refresh(&next[0]).await.is_ok());
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again_within_the_grace() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    let lost = world.refresh(&tokens.refresh_token).await.unwrap();
    world.advance(SignedDuration::from_secs(14)).await;
    assert_eq!(world.refresh(&tokens.refresh_token).await.unwrap().refresh_token, lost.refresh_token);
    assert_eq!(generation(&world).await, 1);
}

#[tokio::test]
async fn a_token_used_again_after_the_grace_ends_the_session_with_all_its_tokens() {
    let world = World::start().await;
    let stolen = world.session("anna@example.com").await;
    let newest = world.refresh(&stolen.refresh_token).await.unwrap();
    world.advance(SignedDuration::from_secs(15)).await;
    assert_ended(world.refresh(&stolen.refresh_token).await);
    assert_ended(world.refresh(&newest.refresh_token).await);
    world.until_refused(&newest.access_token).await;
    world.until_refused(&stolen.access_token).await;
    let reason: String =
        world.sql().await.query_one("SELECT reason FROM auth.sessions", &[]).await.unwrap().get(0);
    assert_eq!(reason, "reuse");
}

#[tokio::test]
async fn one_session_ends_alone() {
    let world = World::start().await;
    let one = world.session("anna@example.com").await;
    let other = world.session("bent@example.com").await;
    world.logout(&one.refresh_token).await.unwrap();
    world.until_refused(&one.access_token).await;
    assert!(world.get_me(&other.access_token).await.is_ok());
    assert!(world.refresh(&other.refresh_token).await.is_ok());
}

#[tokio::test]
async fn what_is_no_token_of_ours_ends_nothing() {
    let world = World::start().await;
    let foreign = World::start_with(|args| {
        args.refresh_key = "another key, also long enough to be one".parse().unwrap();
    });
    let foreign = foreign.await.session("anna@example.com").await;
    let tokens = world.session("anna@example.com").await;
    let mut tampered = tokens.refresh_token.clone().into_bytes();
    tampered[20] = if tampered[20] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    for token in [tampered.as_str(), foreign.refresh_token.as_str(), "x"] {
        assert_ended(world.refresh(token).await);
        assert!(world.logout(token).await.is_ok());
    }
    assert_eq!(world.refresh("").await.unwrap_err().code(), Code::InvalidArgument);
    assert!(world.refresh(&tokens.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_session_that_is_not_used_for_thirty_days_ends_and_one_that_is_goes_on() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    world.advance(SignedDuration::from_hours(29 * 24)).await;
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    world.advance(SignedDuration::from_hours(29 * 24)).await;
    let next = world.refresh(&next.refresh_token).await.unwrap();
    world.advance(SignedDuration::from_hours(30 * 24)).await;
    assert_ended(world.refresh(&next.refresh_token).await);
}
