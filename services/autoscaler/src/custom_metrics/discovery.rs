//! What there is: the documents from which API servers, and through them all clients, learn of the metric.
//!
//! Its only verb is `get`: with `list` or `delete`, garbage collection and the deletion of namespaces would begin to go through it.

use axum::{
    Extension, Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, Uri,
    header::{ACCEPT, CONTENT_TYPE, VARY},
};
use serde_json::{Value, json};

use super::{CustomMetrics, failure::Failure};
use crate::{
    authorize::Sight,
    cluster::{GROUP, VERSIONS},
    front_proxy::User,
    trigger::METRIC,
};

/// The group of aggregated discovery: one document in place of one per version. Without it, deletion of namespaces depends on more.
const AGGREGATED: &str = "apidiscovery.k8s.io";

/// `/apis`: aggregated for whoever asks for that, as API servers do.
pub(super) async fn groups(
    State(api): State<CustomMetrics>,
    Extension(user): Extension<User>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    api.authorize(&user, Sight::Discovery(uri.path().to_owned())).await?;
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let version = accepted.flat_map(|value| value.split(',')).find_map(aggregated);
    let vary = [(VARY, "Accept")];
    let Some(version) = version else {
        let list = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_document()]});
        return Ok((vary, Json(list)).into_response());
    };
    let content = format!("application/json;g={AGGREGATED};v={version};as=APIGroupDiscoveryList");
    let body = aggregated_document(version).to_string();
    Ok((vary, [(CONTENT_TYPE, content)], body).into_response())
}

/// `/apis/<group>`.
pub(super) async fn group(
    State(api): State<CustomMetrics>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Result<Json<Value>, Failure> {
    api.authorize(&user, Sight::Discovery(uri.path().to_owned())).await?;
    let mut document = group_document();
    document["kind"] = "APIGroup".into();
    document["apiVersion"] = "v1".into();
    Ok(Json(document))
}

/// `/apis/<group>/<version>`.
pub(super) async fn resources(
    State(api): State<CustomMetrics>,
    Extension(user): Extension<User>,
    uri: Uri,
    Path(version): Path<String>,
) -> Result<Json<Value>, Failure> {
    api.authorize(&user, Sight::Discovery(uri.path().to_owned())).await?;
    if !VERSIONS.contains(&version.as_str()) {
        return Err(Failure::no_path(uri.path()));
    }
    Ok(Json(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{GROUP}/{version}"),
        "resources": [{
            "name": format!("services/{METRIC}"),
            "singularName": "",
            "namespaced": true,
            "kind": "MetricValueList",
            "verbs": ["get"],
        }],
    })))
}

/// The version of aggregated discovery that one part of an Accept header asks for.
fn aggregated(accepted: &str) -> Option<&'static str> {
    let mut parts = accepted.split(';').map(str::trim);
    let json = parts.next()? == "application/json";
    let parameters: Vec<&str> = parts.collect();
    let has =
        |name: &str, value: &str| parameters.iter().any(|part| part.split_once('=') == Some((name, value)));
    (json && has("g", AGGREGATED) && has("as", "APIGroupDiscoveryList")).then_some(())?;
    ["v2", "v2beta1"].into_iter().find(|version| has("v", version))
}

fn group_document() -> Value {
    let versions =
        VERSIONS.map(|version| json!({"groupVersion": format!("{GROUP}/{version}"), "version": version}));
    json!({"name": GROUP, "versions": versions, "preferredVersion": versions[0]})
}

fn aggregated_document(version: &str) -> Value {
    let kind = |kind: &str| json!({"group": "", "version": "", "kind": kind});
    let versions = VERSIONS.map(|version| {
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
                    "subresource": METRIC,
                    "responseKind": kind("MetricValueList"),
                    "verbs": ["get"],
                }],
            }],
        })
    });
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("{AGGREGATED}/{version}"),
        "metadata": {},
        "items": [{"metadata": {"name": GROUP}, "versions": versions}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregated_discovery_is_told_from_the_other_one() {
        for (accepted, version) in [
            ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Some("v2")),
            (
                " application/json; as=APIGroupDiscoveryList; v=v2beta1; g=apidiscovery.k8s.io",
                Some("v2beta1"),
            ),
            ("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList", None),
            ("application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", None),
            ("application/json", None),
            ("*/*", None),
        ] {
            assert_eq!(aggregated(accepted), version, "{accepted}");
        }
    }
}
