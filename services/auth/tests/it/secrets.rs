//! What must not be seen.

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
    let tokens = world.login("anna@example.com", password).await.unwrap().tokens.unwrap();
    let next = world.refresh(&tokens.refresh_token).await.unwrap();
    world.logout(&next.refresh_token).await.unwrap();

    let dump = "SELECT coalesce(string_agg(t::text, ''), '') FROM auth.";
    let mut seen = format!("{refused:?}{}", logged());
    for table in ["companies", "users", "sessions", "idempotency"] {
        let row = world.sql().await.query_one(&format!("{dump}{table} AS t"), &[]).await.unwrap();
        seen.push_str(row.get(0));
    }
    assert!(seen.contains("auth.login") && seen.contains("INVALID_CREDENTIALS"), "the log has what happened");
    for secret in [password, &tokens.refresh_token, &tokens.access_token, &next.refresh_token] {
        assert!(!seen.contains(secret), "{secret} is seen");
    }
}
