//! What API servers learn of the API.

use http::StatusCode;
use serde_json::json;

use crate::support::adapter::Adapter;

#[tokio::test]
async fn each_version_lists_one_resource_whose_only_verb_is_get() {
    let adapter = Adapter::start().await;
    for version in ["v1beta1", "v1beta2"] {
        let answer = adapter.as_master(&format!("/apis/custom.metrics.k8s.io/{version}"), &[]).await;
        let expected = json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": format!("custom.metrics.k8s.io/{version}"),
            "resources": [{
                "name": "services/active_users",
                "singularName": "",
                "namespaced": true,
                "kind": "MetricValueList",
                "verbs": ["get"],
            }],
        });
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    }
    let answer = adapter.as_master("/apis/custom.metrics.k8s.io/v1", &[]).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (StatusCode::NOT_FOUND, &"NotFound".into()));
}

#[tokio::test]
async fn the_group_prefers_v1beta2() {
    let adapter = Adapter::start().await;
    let group = json!({
        "name": "custom.metrics.k8s.io",
        "versions": [
            {"groupVersion": "custom.metrics.k8s.io/v1beta2", "version": "v1beta2"},
            {"groupVersion": "custom.metrics.k8s.io/v1beta1", "version": "v1beta1"},
        ],
        "preferredVersion": {"groupVersion": "custom.metrics.k8s.io/v1beta2", "version": "v1beta2"},
    });
    let list = adapter.as_master("/apis", &[("Accept", "application/json")]).await.json();
    assert_eq!(list, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}));
    let mut document = group;
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    assert_eq!(adapter.as_master("/apis/custom.metrics.k8s.io", &[]).await.json(), document);
}

#[tokio::test]
async fn aggregated_discovery_is_answered_in_the_version_that_is_asked_for_first() {
    let adapter = Adapter::start().await;
    let form = |version: &str| {
        format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
    };
    let kind = |kind: &str| json!({"group": "", "version": "", "kind": kind});
    for (accept, version) in [
        (format!("{},{},application/json", form("v2"), form("v2beta1")), "v2"),
        (format!("{},application/json", form("v2beta1")), "v2beta1"),
    ] {
        let answer = adapter.as_master("/apis", &[("Accept", &accept)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type").unwrap(), form(version).to_ascii_lowercase());
        let served = ["v1beta2", "v1beta1"].map(|version| {
            json!({
                "version": version,
                "freshness": "Current",
                "resources": [{
                    "resource": "services",
                    "responseKind": kind(""),
                    "scope": "Namespaced",
                    "singularResource": "",
                    "verbs": [],
                    "subresources": [{
                        "subresource": "active_users",
                        "responseKind": kind("MetricValueList"),
                        "verbs": ["get"],
                    }],
                }],
            })
        });
        let expected = json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": format!("apidiscovery.k8s.io/{version}"),
            "metadata": {},
            "items": [{"metadata": {"name": "custom.metrics.k8s.io"}, "versions": served}],
        });
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn there_is_no_openapi_and_nobody_needs_to_be_known_for_that() {
    let adapter = Adapter::start().await;
    adapter.api.answer_reviews(None);
    for path in ["/openapi/v2", "/openapi/v3", "/openapi/v3/apis/custom.metrics.k8s.io/v1beta2"] {
        let aggregator = [("X-Remote-User", "system:aggregator")];
        let answer = adapter.get(path, Some(&adapter.proxy), &aggregator).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (StatusCode::NOT_FOUND, 404.into()));
        assert_eq!(adapter.get(path, None, &[]).await.status, StatusCode::NOT_FOUND);
    }
}
