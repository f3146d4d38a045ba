//! REST: the same RPCs as JSON.

use http::Method;
use proto::{
    catalog::v1::{ListProductsRequest, UpdateProductRequest},
    orders::v1::{CreateOrderRequest, GetInventoryRequest},
};
use serde_json::json;

use crate::{
    edge::{bearer, shared},
    stub::{KEY, STATUS},
};

#[tokio::test]
async fn a_message_becomes_json_with_all_of_its_fields() {
    let reply = shared().get("/v1/products/7", &[]).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    let product = &reply.json()["product"];
    assert_eq!((&product["id"], &product["categoryId"]), (&json!("7"), &json!("")));
}

#[tokio::test]
async fn headers_of_the_service_reach_rest_clients() {
    let reply = shared().get("/v1/products/7", &[]).await;
    for (name, value) in [
        ("sipup-lsn", "1-2A"),
        ("idempotent-replayed", "true"),
        ("etag", "\"7\""),
        ("cache-control", "max-age=5"),
        ("server", "sipup"),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert!(!reply.header("x-request-id").is_empty());
}

#[tokio::test]
async fn json_becomes_a_message() {
    let edge = shared();
    let headers = [("authorization", &*bearer(&edge.token())), (KEY, "post"), ("idempotency-key", "once")];
    let body =
        r#"{"items": [{"sku": "A-1", "quantity": 2}], "purchaseOrderNumber": "4711", "note": "grüezi"}"#;
    let reply = edge.rest(Method::POST, "/v1/orders", &headers, body).await;
    assert_eq!((reply.status, &reply.json()["order"]["note"]), (200, &json!("grüezi")));

    let [call] = &edge.calls.of("post")[..] else { panic!("not called once") };
    let request: CreateOrderRequest = call.decode();
    assert_eq!((request.items[0].quantity, &*request.purchase_order_number), (2, "4711"));
    assert_eq!(call.header("idempotency-key"), "once");
}

#[tokio::test]
async fn a_patch_takes_its_message_from_the_body_and_the_rest_from_the_query() {
    let edge = shared();
    let headers = [("authorization", &*bearer(&edge.token())), (KEY, "patch")];
    let path = "/v1/products/7?updateMask=name,unit&requestId=r";
    let reply = edge.rest(Method::PATCH, path, &headers, r#"{"name": "Bolt"}"#).await;
    assert_eq!(reply.status, 200);
    let request: UpdateProductRequest = edge.calls.of("patch")[0].decode();
    let product = request.product.unwrap();
    assert_eq!((&*product.id, &*product.name, &*request.request_id), ("7", "Bolt", "r"));
    assert_eq!(request.update_mask.unwrap().paths, ["name", "unit"]);
}

#[tokio::test]
async fn every_verb_finds_its_rpc() {
    let edge = shared();
    let token = bearer(&edge.token());
    for (method, path, rpc) in [
        (Method::DELETE, "/v1/products/7", "DeleteProduct"),
        (Method::POST, "/v1/products:batchCreate", "BatchCreateProducts"),
        (Method::POST, "/v1/orders/7:cancel", "CancelOrder"),
        (Method::POST, "/v1/jobs/7:cancel", "CancelJob"),
        (Method::GET, "/v1/products:batchGet?skus=a&skus=b", "BatchGetProducts"),
        (Method::POST, "/v1/auth/login", "Login"),
    ] {
        let body = if method == Method::POST { "{}" } else { "" };
        let reply = edge.rest(method, path, &[("authorization", &*token), (KEY, path)], body).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(edge.calls.of(path)[0].path.ends_with(rpc), "{path}");
    }
}

#[tokio::test]
async fn a_sku_may_hold_a_slash_and_a_query_a_space() {
    let edge = shared();
    let token = bearer(&edge.token());
    for path in ["/v1/inventory/AB%2F12.5", "/v1/inventory/AB/12.5"] {
        let reply = edge.get(path, &[("authorization", &*token), (KEY, path)]).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(edge.calls.of(path)[0].decode::<GetInventoryRequest>().sku, "AB/12.5");
    }
    for (path, filter) in
        [("/v1/products?filter=hex+bolt", "hex bolt"), ("/v1/products?filter=hex%20bolt%2B", "hex bolt+")]
    {
        assert_eq!(edge.get(path, &[(KEY, path)]).await.status, 200);
        assert_eq!(edge.calls.of(path)[0].decode::<ListProductsRequest>().filter, filter);
    }
}

#[tokio::test]
async fn codes_of_the_service_become_http_statuses() {
    for (code, status) in [(3, 400), (5, 404), (6, 409), (7, 403), (8, 429), (9, 400), (10, 409), (13, 500)] {
        let reply = shared().get("/v1/products/7", &[(STATUS, &code.to_string())]).await;
        assert_eq!(reply.error(), (status, code));
        assert_eq!(reply.json()["message"], "as told");
    }
}

#[tokio::test]
async fn answers_of_the_edge_itself_look_like_those_of_a_service() {
    let edge = shared();
    let token = bearer(&edge.token());
    let missing = edge.get("/v1/orders/7", &[]).await;
    assert_eq!(missing.error(), (401, 16));
    assert_eq!(missing.json()["message"], "Jwt is missing");
    assert_eq!(edge.get("/v1/nothing", &[("authorization", &*token)]).await.error(), (404, 5));
    assert_eq!(edge.get("/v1/nothing", &[]).await.error(), (401, 16));
}

#[tokio::test]
async fn malformed_json_and_unknown_query_parameters_are_refused() {
    let edge = shared();
    let headers = [("authorization", &*bearer(&edge.token())), (KEY, "malformed")];
    for body in ["{", r#"{"items": 7}"#, r#"{"items": [{"quantity": "many"}]}"#, r#"{"note": 7"#] {
        let reply = edge.rest(Method::POST, "/v1/orders", &headers, body).await;
        assert_eq!(reply.error(), (400, 3), "{body}");
    }
    let reply = edge.get("/v1/products?pageSise=3", &[(KEY, "malformed")]).await;
    assert_eq!(reply.error(), (400, 3));
    assert!(reply.json()["message"].as_str().unwrap().contains("pageSise"), "{reply:?}");
    assert!(edge.calls.of("malformed").is_empty());
}

/// The transcoder offers no way to refuse them.
#[tokio::test]
async fn unknown_fields_of_a_body_are_ignored() {
    let edge = shared();
    let headers = [("authorization", &*bearer(&edge.token())), (KEY, "unknown-field")];
    let body = r#"{"note": "kept", "colour": "red"}"#;
    let reply = edge.rest(Method::POST, "/v1/orders", &headers, body).await;
    assert_eq!(reply.json()["order"]["note"], "kept");
}

#[tokio::test]
async fn the_key_set_is_public() {
    let reply = shared().get("/.well-known/jwks.json", &[]).await;
    assert_eq!((reply.status, reply.json()["keys"][0]["kid"].as_str()), (200, Some("key-1")));
}

#[tokio::test]
async fn a_load_balancer_gets_its_answer() {
    assert_eq!(shared().get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn json_is_compressed_as_the_client_likes() {
    let edge = shared();
    for (accepted, used) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, zstd;q=0.5", "gzip"),
        ("identity", ""),
    ] {
        let reply =
            edge.get("/v1/products/7", &[("accept-encoding", accepted), ("x-test-pad", "5000")]).await;
        assert_eq!(reply.header("content-encoding"), used, "{accepted}");
        // A compressed body is another representation: its tag is weak, not gone.
        assert_eq!(reply.header("etag"), if used.is_empty() { "\"7\"" } else { "W/\"7\"" }, "{accepted}");
        assert_eq!(reply.body.len() < 1_000, !used.is_empty(), "{accepted}");
    }
}
