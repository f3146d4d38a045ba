//! The story over REST, with curl.

use serde_json::{Value, json};
use tests::{
    Stack,
    curl::{Reply, curl},
};
use uuid::Uuid;

use crate::world::{product, world};

/// A REST caller.
struct Rest<'a> {
    stack: &'a Stack,
    token: Option<String>,
}

impl Rest<'_> {
    async fn call(&self, arguments: &[&str], path: &str) -> Reply {
        let (url, mut all) = (format!("{}{path}", self.stack.url()), arguments.to_vec());
        let authorization = self.token.as_ref().map(|token| format!("authorization: Bearer {token}"));
        if let Some(authorization) = &authorization {
            all.extend(["--header", authorization]);
        }
        all.push(&url);
        curl(&all).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(&[], path).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(&["--header", "content-type: application/json", "--data", &body.to_string()], path).await
    }

    async fn log_in(mut self) -> Self {
        let (email, password) = (format!("{}@example.com", Uuid::now_v7()), Uuid::new_v4().to_string());
        let registration = json!({"companyName": "REST & Co", "email": email, "password": password});
        assert_eq!(self.post("/v1/auth/register", &registration).await.status, 200);
        let reply = self.post("/v1/auth/login", &json!({"email": email, "password": password})).await;
        self.token = reply.json()["tokens"]["accessToken"].as_str().map(str::to_owned);
        assert!(self.token.is_some(), "{reply:?}");
        self
    }
}

fn anonymous() -> Rest<'static> {
    Rest { stack: &world().stack, token: None }
}

async fn stock_of(rest: &Rest<'_>, sku: &str) -> i64 {
    rest.get(&format!("/v1/inventory/{sku}")).await.json()["inventory"]["onHand"].as_i64().unwrap()
}

#[tokio::test]
async fn a_buyer_browses_orders_twice_with_one_key_and_cancels() {
    let rest = anonymous().log_in().await;
    let sku = product(rest.stack, 2).await;
    let key = format!("idempotency-key: {}", Uuid::now_v7());
    let body = json!({"items": [{"sku": sku, "quantity": 2}]}).to_string();
    let order = async || rest.call(&["--header", &key, "--data", &body], "/v1/orders").await;
    let (first, second) = (order().await, order().await);
    assert_eq!((first.status, second.status), (200, 200), "{first:?}");
    assert_eq!(first.body, second.body);
    assert_eq!(
        (first.header("idempotent-replayed"), second.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert!(first.header("sipup-lsn").is_some());
    assert_eq!(stock_of(&rest, &sku).await, 0);

    let id = first.json()["order"]["id"].as_str().unwrap().to_owned();
    let cancelled = rest.post(&format!("/v1/orders/{id}:cancel"), &json!({"reason": "too many"})).await;
    assert_eq!(cancelled.json()["order"]["state"], "ORDER_STATE_CANCELLED", "{cancelled:?}");
    let read = rest.get(&format!("/v1/orders/{id}")).await.json();
    assert_eq!(read["order"]["state"], "ORDER_STATE_CANCELLED");
    assert_eq!(stock_of(&rest, &sku).await, 2);
}

#[tokio::test]
async fn an_order_without_a_key_or_above_the_stock_is_refused_with_its_reason() {
    let rest = anonymous().log_in().await;
    let sku = product(rest.stack, 1).await;
    let refused = rest.post("/v1/orders", &json!({"items": [{"sku": sku, "quantity": 1}]})).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(3)));
    assert!(refused.json().to_string().contains("request_id"), "{refused:?}");

    let body = json!({"items": [{"sku": sku, "quantity": 1_000_000}], "requestId": Uuid::now_v7()});
    let refused = rest.post("/v1/orders", &body).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(9)));
    assert!(refused.json()["details"].to_string().contains("OUT_OF_STOCK"), "{refused:?}");
}

#[tokio::test]
async fn errors_are_json_whoever_makes_them() {
    let rest = anonymous();
    for (path, status, code) in [
        ("/v1/products/00000000-0000-7000-8000-000000000000", 404, 5),
        ("/v1/products/not-an-id", 400, 3),
        ("/v1/orders", 401, 16),
        ("/v1/products?page_size=9999", 400, 3),
        ("/v1/products?nonsense=1", 400, 3),
    ] {
        let reply = rest.get(path).await;
        assert_eq!((reply.status, reply.json()["code"].as_i64()), (status, Some(code)), "{path}: {reply:?}");
        assert!(reply.json()["message"].is_string(), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn large_lists_are_compressed() {
    let rest = anonymous();
    let plain = rest.get("/v1/products?page_size=200").await;
    for encoding in ["gzip", "br", "zstd"] {
        let packed = rest
            .call(&["--header", &format!("accept-encoding: {encoding}")], "/v1/products?page_size=200")
            .await;
        assert_eq!(packed.header("content-encoding"), Some(encoding));
        assert!(
            packed.body.len() * 10 < plain.body.len() * 3,
            "{} of {}",
            packed.body.len(),
            plain.body.len()
        );
    }
}

#[tokio::test]
async fn keys_and_health_are_open_and_browsers_of_other_sites_are_told() {
    let rest = anonymous();
    assert_eq!(rest.get("/.well-known/jwks.json").await.json()["keys"][0]["alg"], "ES256");
    assert_eq!(rest.get("/healthz").await.status, 200);
    let preflight = [
        "--request",
        "OPTIONS",
        "--header",
        "origin: http://localhost:3000",
        "--header",
        "access-control-request-method: POST",
    ];
    let reply = rest.call(&preflight, "/v1/orders").await;
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (200, Some("http://localhost:3000"))
    );
    let foreign = [
        "--request",
        "OPTIONS",
        "--header",
        "origin: https://evil.example",
        "--header",
        "access-control-request-method: POST",
    ];
    assert_eq!(rest.call(&foreign, "/v1/orders").await.header("access-control-allow-origin"), None);
}
