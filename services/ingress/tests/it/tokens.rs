//! Tokens: who gets through, and what the service is told about them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::orders::v1::{GetOrderRequest, GetOrderResponse};
use serde_json::json;
use tonic::Code;

use crate::{
    edge::{bearer, shared},
    keys::{Key, now},
    stub::KEY,
};

async fn get_order(metadata: &[(&'static str, &str)]) -> Code {
    let path = "/sipup.orders.v1.OrderService/GetOrder";
    let called = shared().grpc::<_, GetOrderResponse>(path, GetOrderRequest::default(), metadata).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

fn unsigned() -> String {
    let claims = json!({"iss": "https://sipup.local", "aud": "sipup", "sub": "user-1", "exp": now() + 600});
    let [header, claims] =
        [json!({"alg": "none", "kid": "key-1"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.")
}

#[tokio::test]
async fn a_token_that_is_not_right_in_every_part_is_refused() {
    let edge = shared();
    let good = edge.token();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let changed = |changes| edge.key.token(&changes);
    for (what, token, expected) in [
        ("valid", good.clone(), Code::Ok),
        ("expired", changed(json!({"exp": now() - 60})), Code::Unauthenticated),
        ("not valid yet", changed(json!({"nbf": now() + 300})), Code::Unauthenticated),
        ("without an end", changed(json!({"exp": null})), Code::Unauthenticated),
        ("valid for too long", changed(json!({"exp": now() + 200_000})), Code::Unauthenticated),
        ("for somebody else", changed(json!({"aud": "other"})), Code::PermissionDenied),
        ("of another issuer", changed(json!({"iss": "https://evil.example"})), Code::Unauthenticated),
        ("with a broken signature", format!("{signed}.{}", "A".repeat(86)), Code::Unauthenticated),
        ("of another key under our id", Key::new("key-1").token(&json!({})), Code::Unauthenticated),
        ("of an unknown key", Key::new("key-2").token(&json!({})), Code::Unauthenticated),
        ("unsigned", unsigned(), Code::Unauthenticated),
        ("not a token", "token".into(), Code::Unauthenticated),
    ] {
        assert_eq!(get_order(&[("authorization", &bearer(&token))]).await, expected, "{what}");
    }
    assert_eq!(get_order(&[]).await, Code::Unauthenticated);
}

#[tokio::test]
async fn an_open_route_still_refuses_a_bad_token() {
    let edge = shared();
    let foreign = bearer(&Key::new("key-1").token(&json!({})));
    assert_eq!(edge.get("/v1/products/7", &[("authorization", &*foreign)]).await.error(), (401, 16));
    assert_eq!(edge.get("/v1/products/7", &[("authorization", &*bearer(&edge.token()))]).await.status, 200);
}

#[tokio::test]
async fn a_stale_token_does_not_keep_anyone_from_logging_in() {
    let edge = shared();
    let stale = bearer(&edge.key.token(&json!({"exp": now() - 60})));
    let reply = edge.rest(http::Method::POST, "/v1/auth/login", &[("authorization", &*stale)], "{}").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn the_service_learns_the_user_from_the_token_alone() {
    let edge = shared();
    let token = bearer(&edge.token());
    let claimed = [("x-user-id", "admin"), ("x-user-role", "seller"), ("x_user_id", "admin")];

    let mut metadata = vec![("authorization", &*token), (KEY, "spoof-required")];
    metadata.extend(claimed);
    assert_eq!(get_order(&metadata).await, Code::Ok);
    let call = &edge.calls.of("spoof-required")[0];
    assert_eq!((call.header("x-user-id"), call.header("x-user-role")), ("user-1", "buyer"));
    // The service checks the token again.
    assert_eq!(call.header("authorization"), token);

    for (key, path) in [("spoof-optional", "/v1/products/7"), ("spoof-open", "/v1/auth/login")] {
        let method = if key == "spoof-open" { http::Method::POST } else { http::Method::GET };
        let mut headers = vec![(KEY, key)];
        headers.extend(claimed);
        assert_eq!(edge.rest(method, path, &headers, "").await.status, 200);
        let call = &edge.calls.of(key)[0];
        for (name, _) in claimed {
            assert!(!call.headers.contains_key(name), "{key}: {name}");
        }
    }
}
