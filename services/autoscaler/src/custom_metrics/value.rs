//! The metric's value.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde_json::{Value, json};

use super::{CustomMetrics, failure::Failure};
use crate::{
    authorize::Sight,
    cluster::{GROUP, VERSIONS},
    front_proxy::User,
    trigger::METRIC,
    users::Count,
};

type Names = (String, String, String, String, String);

/// `/apis/<group>/<version>/namespaces/{namespace}/{resource}/{name}/{metric}`.
pub(super) async fn value(
    State(api): State<CustomMetrics>,
    Extension(user): Extension<User>,
    Path((version, namespace, resource, name, metric)): Path<Names>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Failure> {
    let sight = Sight::Metric {
        version: version.clone(),
        namespace: namespace.clone(),
        resource: resource.clone(),
        name: name.clone(),
        metric: metric.clone(),
    };
    api.authorize(&user, sight).await?;
    let known = VERSIONS.contains(&version.as_str())
        && (resource.as_str(), metric.as_str()) == ("services", METRIC)
        && (&namespace, &name) == (&api.namespace, &api.service);
    if !known {
        return Err(Failure::NotFound(format!(
            "there is no metric {metric} of {resource} {namespace}/{name} in {GROUP}/{version}; there is {METRIC} of services {}/{}",
            api.namespace, api.service
        )));
    }
    if query.iter().any(|(key, value)| key == "metricLabelSelector" && !value.is_empty()) {
        return Err(Failure::NotFound(format!("metric {METRIC} has no labels that a selector could match")));
    }
    let count = api.users.count().await.map_err(|unknown| Failure::Unavailable(unknown.to_string()))?;
    Ok(Json(list(&version, &namespace, &name, &count)))
}

/// A list of one. What is meant and measured is the same in both versions, under other names.
fn list(version: &str, namespace: &str, name: &str, count: &Count) -> Value {
    let mut item = json!({
        "describedObject": {"kind": "Service", "namespace": namespace, "name": name, "apiVersion": "/v1"},
        "timestamp": count.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "value": count.users.to_string(),
    });
    let window = count.window.as_secs().into();
    if version == "v1beta1" {
        item["metricName"] = METRIC.into();
        item["selector"] = Value::Null;
        item["window"] = window;
    } else {
        item["metric"] = json!({"name": METRIC, "selector": null});
        item["windowSeconds"] = window;
    }
    json!({
        "kind": "MetricValueList",
        "apiVersion": format!("{GROUP}/{version}"),
        "metadata": {},
        "items": [item],
    })
}
