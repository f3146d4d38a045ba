//! What must not be seen.

use proto::auth::v1::LoginRequest;

use crate::support::{World, logged, registration};

#[tokio::test]
async fn neither_logs_nor_refusals_nor_the_database_show_a_password_or_a_token() {
    let world = World::start().await;
    let password = "the password of this one test";
    let mut request = registration("anna@example.com");
    request.password = password.into();
    request.request_id = "key-1".into();
    world.client.clone().register(request.clone()).await.unwrap();
    let refused = [
        world.client.clone().register(request.clone()).await.map(|_| ()).err(),
        world.register("anna@example.com").await.map(|_| ()).err(),
        world.login("anna@example.com", &format!("{password}!")).await.map(|_| ()).err(),
        world.login("anna@example.com", &password.repeat(20)).await.map(|_| ()).err(),
    ];
    let begun = world.login("anna@example.com", password).await.unwrap();
    let (tokens, device) = (begun.tokens.unwrap(), begun.device_token);
    let again = LoginRequest {
        email: "anna@example.com".into(),
        password: password.into(),
        device_token: device.clone(),
    };
    let another = world.client.clone().login(again).await.unwrap().into_inner().device_token;
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    world.logout(&next.refresh_token).await.unwrap();

    let dump = "SELECT coalesce(string_agg(t::text, ''), '') FROM auth.";
    let mut seen = format!("{refused:?}{}", logged());
    for table in ["companies", "users", "sessions", "idempotency"] {
        let row = world.sql().await.query_one(&format!("{dump}{table} AS t"), &[]).await.unwrap();
        seen.push_str(row.get(0));
    }
    assert!(seen.contains("auth.login") && seen.contains("INVALID_CREDENTIALS"), "the log has what happened");
    let tokens = [&tokens.refresh_token, &tokens.access_token, &next.refresh_token, &device, &another];
    for secret in [password].into_iter().chain(tokens.map(String::as_str)) {
        assert!(!secret.is_empty() && !seen.contains(secret), "{secret} is seen");
    }
}
