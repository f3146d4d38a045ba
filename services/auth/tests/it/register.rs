//! Registering: one user for each address, once for each request.

use futures::future::join_all;
use proto::auth::v1::{RegisterRequest, RegisterResponse};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::support::{PASSWORD, World, reason, registration};

async fn count(world: &World, table: &str) -> i64 {
    world.sql().await.query_one(&format!("SELECT count(*) FROM auth.{table}"), &[]).await.unwrap().get(0)
}

/// Sends `request` under the header's key.
async fn with_key(
    world: &World,
    key: &str,
    request: RegisterRequest,
) -> Result<Response<RegisterResponse>, Status> {
    let mut request = Request::new(request);
    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    world.client.clone().register(request).await
}

#[tokio::test]
async fn of_two_who_want_an_address_at_once_exactly_one_gets_it() {
    let world = World::start().await;
    for round in 0..5 {
        let addresses = [format!("anna{round}@example.com"), format!("ANNA{round}@Example.com")];
        let outcomes = join_all(addresses.iter().map(|address| world.register(address))).await;
        let refused: Vec<&Status> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(refused.len(), 1, "{outcomes:?}");
        assert_eq!((refused[0].code(), reason(refused[0]).as_str()), (Code::AlreadyExists, "EMAIL_TAKEN"));
    }
    assert_eq!(
        (count(&world, "users").await, count(&world, "companies").await),
        (5, 5),
        "a refusal leaves no company"
    );
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_and_adds_nothing() {
    let world = World::start().await;
    let outcomes =
        join_all((0..4).map(|_| with_key(&world, "key-1", registration("anna@example.com")))).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let replayed =
        |outcome: &Response<RegisterResponse>| outcome.metadata().contains_key("idempotent-replayed");
    assert_eq!(outcomes.iter().filter(|outcome| replayed(outcome)).count(), 3);
    assert!(outcomes.iter().all(|outcome| outcome.get_ref() == outcomes[0].get_ref()));
    assert_eq!(count(&world, "users").await, 1);

    let by_field = RegisterRequest { request_id: "key-1".into(), ..registration("anna@example.com") };
    let by_field = world.client.clone().register(by_field).await.unwrap();
    assert!(replayed(&by_field), "field and header say the same");
}

#[tokio::test]
async fn a_repeat_with_another_password_is_another_request() {
    let world = World::start().await;
    with_key(&world, "key-1", registration("anna@example.com")).await.unwrap();
    let other =
        RegisterRequest { password: "another horse battery".into(), ..registration("anna@example.com") };
    let status = with_key(&world, "key-1", other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_refused_registration_leaves_its_key_free() {
    let world = World::start().await;
    world.register("anna@example.com").await.unwrap();
    let taken = with_key(&world, "key-1", registration("anna@example.com")).await.unwrap_err();
    assert_eq!(reason(&taken), "EMAIL_TAKEN");
    assert!(with_key(&world, "key-1", registration("bent@example.com")).await.is_ok());
}

#[tokio::test]
async fn what_can_not_be_right_is_named() {
    let world = World::start().await;
    let good = registration("anna@example.com");
    for (field, request) in [
        ("company_name", RegisterRequest { company_name: String::new(), ..good.clone() }),
        ("email", RegisterRequest { email: "anna".into(), ..good.clone() }),
        ("password", RegisterRequest { password: "too short".into(), ..good.clone() }),
        ("display_name", RegisterRequest { display_name: "x".repeat(201), ..good.clone() }),
        ("request_id", RegisterRequest { request_id: "with space".into(), ..good.clone() }),
    ] {
        let status = world.client.clone().register(request).await.unwrap_err();
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
        assert_eq!(reason(&status), "INVALID_FIELD");
    }
    assert_eq!(count(&world, "companies").await, 0);
    assert!(world.login("anna@example.com", PASSWORD).await.is_err());
}
