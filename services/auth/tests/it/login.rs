//! Who may log in, and how little a refusal tells.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, Version};
use jiff::SignedDuration;
use tonic::{Code, Status};

use crate::support::{PASSWORD, World, reason};

const HASHES: &str = "auth_password_hash_duration_seconds_count";

async fn lock(world: &World, email: &str) {
    let until = world.clock.now() + SignedDuration::from_hours(1);
    let sql = "UPDATE auth.users SET locked_until = $1 WHERE email_key = $2";
    assert_eq!(world.sql().await.execute(sql, &[&until, &email]).await.unwrap(), 1);
}

/// The refusal of a log-in, and how many hashes were computed for it.
async fn refused(world: &World, email: &str, password: &str) -> (Status, f64) {
    let before = world.metric(HASHES).await;
    let status = world.login(email, password).await.unwrap_err();
    (status, world.metric(HASHES).await - before)
}

#[tokio::test]
async fn unknown_user_wrong_password_and_locked_account_look_the_same_and_cost_the_same() {
    let world = World::start().await;
    for email in ["anna@example.com", "locked@example.com"] {
        world.register(email).await.unwrap();
    }
    lock(&world, "locked@example.com").await;
    let (wrong, hashes) = refused(&world, "anna@example.com", "wrong horse battery").await;
    assert_eq!((wrong.code(), reason(&wrong).as_str()), (Code::Unauthenticated, "INVALID_CREDENTIALS"));
    assert!((hashes - 1.0).abs() < f64::EPSILON, "{hashes}");
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
        ("locked@example.com", "wrong horse battery"),
    ] {
        let (status, hashes) = refused(&world, email, password).await;
        assert_eq!(status.code(), wrong.code(), "{email}");
        assert_eq!(status.message(), wrong.message(), "{email}");
        assert_eq!(status.details(), wrong.details(), "{email}");
        assert!((hashes - 1.0).abs() < f64::EPSILON, "{email}: {hashes}");
    }
}

#[tokio::test]
async fn a_lock_ends_by_itself() {
    let world = World::start().await;
    world.register("anna@example.com").await.unwrap();
    lock(&world, "anna@example.com").await;
    assert!(world.login("anna@example.com", PASSWORD).await.is_err());
    world.advance(SignedDuration::from_hours(1)).await;
    assert!(world.login("anna@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_hash_of_older_costs_is_replaced_when_its_user_logs_in() {
    let world = World::start().await;
    world.register("anna@example.com").await.unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let old: PasswordHash = cheap.hash_password(PASSWORD.as_bytes()).unwrap();
    let old = old.to_string();
    let sql = world.sql().await;
    sql.execute("UPDATE auth.users SET password_hash = $1", &[&old]).await.unwrap();
    let stored = async || {
        sql.query_one("SELECT password_hash FROM auth.users", &[]).await.unwrap().get::<_, String>(0)
    };

    assert!(world.login("anna@example.com", "wrong horse battery").await.is_err());
    assert_eq!(stored().await, old, "a wrong password changes nothing");
    assert!(world.login("anna@example.com", PASSWORD).await.is_ok());
    let new = stored().await;
    assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
    assert!(world.login("anna@example.com", PASSWORD).await.is_ok());
    assert_eq!(stored().await, new, "a hash of today stays");
}

#[tokio::test]
async fn a_hash_made_for_the_demo_logs_in() {
    let world = World::start().await;
    world.register("anna@example.com").await.unwrap();
    let hash = auth::hash_password(auth::demo::PASSWORD).await.unwrap();
    world.sql().await.execute("UPDATE auth.users SET password_hash = $1", &[&hash]).await.unwrap();
    assert!(world.login("anna@example.com", auth::demo::PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_field_that_can_not_be_right_is_named_before_anything_is_hashed() {
    let world = World::start().await;
    for (email, password, field) in [("no address", PASSWORD, "email"), ("anna@example.com", "", "password")]
    {
        let (status, hashes) = refused(&world, email, password).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert!(status.message().starts_with(field), "{}", status.message());
        assert!(hashes.abs() < f64::EPSILON);
    }
}
