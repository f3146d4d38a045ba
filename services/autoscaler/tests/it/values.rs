//! The metric as HPAs read it.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{
    adapter::{Adapter, VALUE},
    limiter::Says,
};

#[tokio::test]
async fn the_value_has_the_form_of_each_version() {
    let adapter = Adapter::start().await;
    let (status, body) = adapter.as_hpa(VALUE).await;
    assert_eq!(status, StatusCode::OK);
    let timestamp = body["items"][0]["timestamp"].clone();
    let text = timestamp.as_str().unwrap();
    assert!(text.len() == 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(), "{text}");
    let object =
        json!({"kind": "Service", "namespace": "shop", "name": "shop-sipup-envoy", "apiVersion": "/v1"});
    let expected = json!({
        "kind": "MetricValueList",
        "apiVersion": "custom.metrics.k8s.io/v1beta2",
        "metadata": {},
        "items": [{
            "describedObject": object,
            "metric": {"name": "active_users", "selector": null},
            "timestamp": timestamp,
            "windowSeconds": 300,
            "value": "1234",
        }],
    });
    assert_eq!(body, expected);

    let (status, body) = adapter.as_hpa(&VALUE.replace("v1beta2", "v1beta1")).await;
    let expected = json!({
        "kind": "MetricValueList",
        "apiVersion": "custom.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [{
            "describedObject": object,
            "metricName": "active_users",
            "selector": null,
            "timestamp": timestamp,
            "window": 300,
            "value": "1234",
        }],
    });
    assert_eq!((status, body), (StatusCode::OK, expected));
}

#[tokio::test]
async fn nobody_is_a_value_and_not_knowing_is_none() {
    let adapter = Adapter::start().await;
    adapter.limiter.say(Says::Users(0));
    adapter.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(adapter.as_hpa(VALUE).await.1["items"][0]["value"], "0");

    adapter.limiter.say(Says::Unknown);
    adapter.clock.advance(SignedDuration::from_secs(2));
    let answer = adapter.as_master(VALUE, &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, None));
    let body = answer.json();
    assert_eq!((&body["kind"], &body["reason"]), (&"Status".into(), &"ServiceUnavailable".into()));
    let message =
        "the number of active users is not known: active users have not been counted for a whole window yet";
    assert_eq!(body["message"], message);

    adapter.limiter.say(Says::Users(7));
    adapter.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(adapter.as_hpa(VALUE).await.1["items"][0]["value"], "7");
}

#[tokio::test]
async fn there_is_no_other_metric_and_no_other_object() {
    let adapter = Adapter::start().await;
    let group = "/apis/custom.metrics.k8s.io/v1beta2/namespaces";
    for path in [
        format!("{group}/other/services/shop-sipup-envoy/active_users"),
        format!("{group}/shop/services/other/active_users"),
        format!("{group}/shop/services/shop-sipup-envoy/requests"),
        format!("{group}/shop/deployments.apps/shop-sipup-envoy/active_users"),
        format!("{group}/shop/pods/*/active_users"),
        format!("{group}/shop/metrics/active_users"),
        VALUE.replace("v1beta2", "v2"),
        format!("{VALUE}?metricLabelSelector=a%3Db"),
        format!("{VALUE}/more"),
        "/livez".to_owned(),
    ] {
        let (status, body) = adapter.as_hpa(&path).await;
        assert_eq!((status, &body["reason"]), (StatusCode::NOT_FOUND, &"NotFound".into()), "{path}");
    }
    let answer = adapter.send("DELETE", VALUE, Some(&adapter.proxy), &[("X-Remote-User", "x")]).await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"MethodNotAllowed".into())
    );
}
