//! A company joins, works for a while, and leaves.

use jiff::SignedDuration;
use proto::auth::v1::Role;
use tonic::Code;

use crate::support::{PASSWORD, World, reason, time};

#[tokio::test]
async fn a_company_registers_logs_in_works_and_logs_out() {
    let world = World::start().await;
    let registered = world.register("Anna@Example.com").await.unwrap().into_inner();
    let (company, user) = (registered.company.unwrap(), registered.user.unwrap());
    assert_eq!((user.company_id.as_str(), user.role()), (company.id.as_str(), Role::CompanyAdmin));
    assert_eq!(time(user.create_time), world.clock.now());

    let login = world.login("anna@example.COM", PASSWORD).await.unwrap();
    assert_eq!(login.user.as_ref(), Some(&user));
    let first = login.tokens.unwrap();
    assert_eq!(time(first.access_token_expire_time), world.clock.now() + SignedDuration::from_mins(10));
    assert_eq!(time(first.refresh_token_expire_time), world.clock.now() + SignedDuration::from_hours(720));

    let me = world.get_me(&first.access_token).await.unwrap();
    assert_eq!((me.user, me.company), (Some(user), Some(company)));

    let second = world.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, first.refresh_token);
    assert!(world.get_me(&second.access_token).await.is_ok());

    world.logout(&second.refresh_token).await.unwrap();
    world.until_refused(&second.access_token).await;
    world.until_refused(&first.access_token).await;
    assert_eq!(reason(&world.refresh(&second.refresh_token).await.unwrap_err()), "SESSION_ENDED");
    // Ending an ended session changes nothing, and neither does text that is no token.
    world.logout(&second.refresh_token).await.unwrap();
    world.logout("no token at all").await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn without_a_token_nobody_is_somebody() {
    let world = World::start().await;
    let request = proto::auth::v1::GetMeRequest {};
    assert_eq!(world.client.clone().get_me(request).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_token_whose_user_is_gone_says_so() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    world.sql().await.batch_execute("DELETE FROM auth.sessions; DELETE FROM auth.users").await.unwrap();
    let status = world.get_me(&tokens.access_token).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "USER_NOT_FOUND"));
}

#[tokio::test]
async fn an_access_token_expires() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    world.advance(SignedDuration::from_mins(10)).await;
    assert_eq!(reason(&world.get_me(&tokens.access_token).await.unwrap_err()), "TOKEN_EXPIRED");
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    assert!(world.get_me(&next.access_token).await.is_ok());
}
