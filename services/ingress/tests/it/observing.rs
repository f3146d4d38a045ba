//! What operators see: metrics, the access log, traces.

use std::{fs, time::Duration};

use http::Method;
use serde_json::{Value, json};

use crate::{
    edge::{Reply, bearer, http, shared},
    poll::eventually,
    stub::KEY,
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn metrics(method: Method, path: &str) -> Reply {
    http(shared().envoy.metrics, None, method, path, &[], "".into()).await
}

#[tokio::test]
async fn metrics_name_the_service_and_the_method() {
    shared().get("/v1/products/7", &[]).await;
    let label = r#"grpc_service="sipup.catalog.v1.CatalogService""#;
    let series = eventually(PATIENCE, async || {
        let page = metrics(Method::GET, "/metrics").await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        lines.find(|line| line.contains(label) && line.contains(r#"grpc_method="GetProduct""#))
    });
    assert!(series.await.is_some());
}

#[tokio::test]
async fn the_metrics_port_shows_nothing_else_and_changes_nothing() {
    assert_eq!(metrics(Method::GET, "/ready").await.status, 200);
    for path in ["/config_dump", "/", "/stats", "/metrics/../quitquitquit"] {
        assert_eq!(metrics(Method::GET, path).await.status, 404, "{path}");
    }
    for path in ["/metrics", "/ready", "/quitquitquit"] {
        assert_eq!(metrics(Method::POST, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_access_log_tells_who_called_what_and_how_it_went() {
    let edge = shared();
    let token = bearer(&edge.token());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("authorization", &*token), ("traceparent", &*traceparent), (KEY, "logged")];
    let reply = edge.get("/v1/orders/7", &headers).await;
    assert_eq!(reply.status, 200);
    // Without a collector the context passes as it came.
    assert_eq!(edge.calls.of("logged")[0].header("traceparent"), traceparent);

    let line = eventually(PATIENCE, async || {
        let log = fs::read_to_string(&edge.envoy.access_log).unwrap_or_default();
        log.lines().find(|line| line.contains(trace)).map(str::to_owned)
    });
    let line = line.await.expect("the line with the trace");
    assert!(!line.contains(&token), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    for (field, value) in [
        ("user_id", json!("user-1")),
        ("path", json!("/v1/orders/7")),
        ("rpc", json!("/sipup.orders.v1.OrderService/GetOrder")),
        ("route", json!("orders.GetOrder")),
        ("status", json!(200)),
        ("client", json!("127.0.0.1")),
        ("request_id", json!(reply.header("x-request-id"))),
    ] {
        assert_eq!(line[field], value, "{field} of {line}");
    }
}
