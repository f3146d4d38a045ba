//! A live release beside its plan.

use std::fmt;

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{ConfigMap, Container},
    },
    serde::de::DeserializeOwned,
};
use kube::{Api, Client};

use super::{Plan, ServicePlan};
use crate::table;

/// What was found, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The rows.
    pub findings: Vec<Finding>,
}

/// One number or condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub what: String,
    /// As the plan has it.
    pub planned: String,
    /// As it is.
    pub live: String,
    /// Whether that is as it should be.
    pub verdict: Verdict,
}

/// Whether a finding is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Ok,
    /// It is not.
    Differs,
    /// It may be so, and somebody should know.
    Note,
}

impl Check {
    /// Whether nothing differs.
    pub fn is_ok(&self) -> bool {
        self.findings.iter().all(|finding| finding.verdict != Verdict::Differs)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = vec!["what".to_owned(), "plan".to_owned(), "live".to_owned(), String::new()];
        let rows = self.findings.iter().map(|finding| {
            let verdict = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Differs => "differs",
                Verdict::Note => "note",
            };
            vec![finding.what.clone(), finding.planned.clone(), finding.live.clone(), verdict.to_owned()]
        });
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        f.write_str(table::render(&rows).trim_end())
    }
}

/// Compares the release whose objects' names begin with `fullname` with its plan. It needs the rights to get Deployments, HPAs and
/// `ConfigMap`s of the namespace.
///
/// # Errors
///
/// The API server refused, or is away.
pub async fn compare(
    client: &Client,
    namespace: &str,
    fullname: &str,
    plan: &Plan,
) -> Result<Check, kube::Error> {
    let cluster = Cluster { client, namespace };
    let mut findings = Vec::new();
    for service in &plan.services {
        let name = format!("{fullname}-{}", service.service);
        let deployment = cluster.get::<Deployment>(&name).await?;
        let hpa = cluster.get::<HorizontalPodAutoscaler>(&name).await?;
        findings.extend(of_service(service, deployment.as_ref(), hpa.as_ref()));
    }
    let postgres = cluster.get::<ConfigMap>(&format!("{fullname}-postgres")).await?;
    findings.push(in_config(
        postgres.as_ref(),
        "postgres max_connections",
        "max_connections",
        plan.max_connections.into(),
    ));
    let envoy = cluster.get::<ConfigMap>(&format!("{fullname}-envoy-bootstrap")).await?;
    let key = "max_active_downstream_connections";
    findings.push(in_config(envoy.as_ref(), "envoy connections", key, plan.envoy_connections));
    Ok(Check { findings })
}

struct Cluster<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Cluster<'_> {
    async fn get<K>(&self, name: &str) -> Result<Option<K>, kube::Error>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + fmt::Debug
            + DeserializeOwned,
    {
        Api::<K>::namespaced(self.client.clone(), self.namespace).get_opt(name).await
    }
}

fn of_service(
    plan: &ServicePlan,
    deployment: Option<&Deployment>,
    hpa: Option<&HorizontalPodAutoscaler>,
) -> Vec<Finding> {
    let name = plan.service.name();
    let mut findings = Vec::new();
    if let Some(budget) = plan.pool_budget {
        let live = deployment.and_then(|deployment| variable(deployment, "SIPUP_DATABASE_POOL_BUDGET"));
        findings.push(number(format!("{name} connections"), budget.into(), live));
    } else if deployment.is_none() {
        findings.push(absent(format!("{name} Deployment"), "there"));
    }
    let Some(hpa) = hpa else {
        findings.push(absent(format!("{name} HPA"), "there"));
        return findings;
    };
    let spec = hpa.spec.as_ref();
    let min = spec.and_then(|spec| spec.min_replicas).map(i64::from);
    findings.push(number(format!("{name} min pods"), plan.min.into(), min));
    findings.push(number(
        format!("{name} max pods"),
        plan.max.into(),
        spec.map(|spec| spec.max_replicas.into()),
    ));
    findings.push(users_metric(plan, hpa));
    findings.extend(conditions(name, hpa));
    findings
}

/// Users per pod as the HPA has it; without that metric it follows the CPU alone, which may be meant.
fn users_metric(plan: &ServicePlan, hpa: &HorizontalPodAutoscaler) -> Finding {
    let what = format!("{} users per pod", plan.service);
    let metrics = hpa.spec.iter().filter_map(|spec| spec.metrics.as_ref()).flatten();
    let mut targets = metrics.filter_map(|metric| {
        let target = metric.object.as_ref().map(|object| &object.target);
        target.or_else(|| metric.external.as_ref().map(|external| &external.target))
    });
    let planned = u64::from(plan.users_per_pod.get());
    if let Some(target) = targets.find_map(|target| target.average_value.as_ref()) {
        return number(what, planned, whole(&target.0));
    }
    Finding { what, planned: planned.to_string(), live: "CPU only".to_owned(), verdict: Verdict::Note }
}

/// A quantity that is a whole number: `2500`, or `2500k` and `2500000m` as the API server may write it.
fn whole(quantity: &str) -> Option<i64> {
    if let Some(thousands) = quantity.strip_suffix('k') {
        return thousands.parse::<i64>().ok()?.checked_mul(1_000);
    }
    if let Some(milli) = quantity.strip_suffix('m') {
        return milli.parse::<i64>().ok().filter(|milli| milli % 1_000 == 0).map(|milli| milli / 1_000);
    }
    quantity.parse().ok()
}

fn conditions(name: &str, hpa: &HorizontalPodAutoscaler) -> Vec<Finding> {
    let conditions = hpa.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    ["AbleToScale", "ScalingActive", "ScalingLimited"]
        .map(|kind| {
            let found = conditions.clone().find(|condition| condition.type_ == kind);
            let live = found.map_or_else(
                || "unknown".to_owned(),
                |condition| {
                    format!("{} {}", condition.status, condition.reason.as_deref().unwrap_or_default())
                        .trim_end()
                        .to_owned()
                },
            );
            // At its minimum or maximum an HPA is limited, and that is how it should be.
            let limits = kind == "ScalingLimited";
            let as_planned = found.is_some_and(|condition| condition.status == "True") != limits;
            let verdict = match (as_planned, limits) {
                (true, _) => Verdict::Ok,
                (false, true) => Verdict::Note,
                (false, false) => Verdict::Differs,
            };
            let planned = if limits { "False" } else { "True" }.to_owned();
            Finding { what: format!("{name} {kind}"), planned, live, verdict }
        })
        .into()
}

/// A number that the release reads from a file.
fn in_config(config: Option<&ConfigMap>, what: &str, key: &str, planned: u64) -> Finding {
    let Some(config) = config else {
        // An outside database, or no ingress: nothing to compare.
        let (planned, live) = (planned.to_string(), "not of this release".to_owned());
        return Finding { what: what.to_owned(), planned, live, verdict: Verdict::Note };
    };
    let live = config.data.iter().flatten().find_map(|(_, text)| number_after(text, key));
    number(what.to_owned(), planned, live)
}

/// The number behind `key` and `=` or `:`, in a file of any format.
fn number_after(text: &str, key: &str) -> Option<i64> {
    text.lines().find_map(|line| {
        let value = line.trim_start().trim_start_matches('"').strip_prefix(key)?;
        let value = value.trim_start_matches(['"', ' ', ':', '=', '\'']);
        let digits = value.find(|symbol: char| !symbol.is_ascii_digit()).map_or(value, |end| &value[..end]);
        digits.parse().ok()
    })
}

fn variable(deployment: &Deployment, name: &str) -> Option<i64> {
    let pod = deployment.spec.as_ref()?.template.spec.as_ref()?;
    let of = |container: &Container| {
        container.env.iter().flatten().find(|variable| variable.name == name).cloned()
    };
    pod.containers.iter().find_map(of)?.value?.parse().ok()
}

fn number(what: String, planned: u64, live: Option<i64>) -> Finding {
    let is_planned = live.and_then(|live| u64::try_from(live).ok()) == Some(planned);
    let live = live.map_or_else(|| "absent".to_owned(), |live| live.to_string());
    let verdict = if is_planned { Verdict::Ok } else { Verdict::Differs };
    Finding { what, planned: planned.to_string(), live, verdict }
}

fn absent(what: String, planned: &str) -> Finding {
    Finding { what, planned: planned.to_owned(), live: "absent".to_owned(), verdict: Verdict::Differs }
}

#[cfg(test)]
mod tests {
    use kubernetes::testing::FakeApi;
    use serde_json::{Value, json};

    use super::*;
    use crate::capacity::Sizes;

    fn plan() -> Plan {
        Plan::new(&Sizes::new(20_000)).unwrap()
    }

    fn path(group: &str, kind: &str, name: &str) -> String {
        format!("/{group}/namespaces/shop/{kind}/{name}")
    }

    fn hpa(plan: &ServicePlan) -> Value {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": format!("sipup-{}", plan.service)},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": format!("sipup-{}", plan.service)},
                "minReplicas": plan.min, "maxReplicas": plan.max,
                "metrics": [{"type": "Object", "object": {
                    "describedObject": {"kind": "Service", "name": "sipup-envoy"},
                    "metric": {"name": "active_users"},
                    "target": {"type": "AverageValue", "averageValue": plan.users_per_pod.to_string()},
                }}],
            },
            "status": {"currentReplicas": 2, "desiredReplicas": 2, "conditions": [
                {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
                {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
                {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas"},
            ]},
        })
    }

    /// A release that is as planned.
    fn release() -> FakeApi {
        let (api, plan) = (FakeApi::default(), plan());
        for service in &plan.services {
            let name = format!("sipup-{}", service.service);
            let budget = service.pool_budget.unwrap_or(0).to_string();
            api.put(&path("apis/autoscaling/v2", "horizontalpodautoscalers", &name), hpa(service));
            let env = json!([{"name": "SIPUP_DATABASE_POOL_BUDGET", "value": budget}]);
            let pod = json!({"spec": {"containers": [{"name": "main", "env": env}]}});
            let object = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {"selector": {}, "template": pod},
            });
            api.put(&path("apis/apps/v1", "deployments", &name), object);
        }
        let config = |name: &str, data: Value| {
            let object =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
            api.put(&path("api/v1", "configmaps", name), object);
        };
        config(
            "sipup-postgres",
            json!({"postgresql.conf": "listen_addresses = '*'\nmax_connections = 180\n"}),
        );
        config(
            "sipup-envoy-bootstrap",
            json!({"bootstrap.yaml": "  typed_config:\n    max_active_downstream_connections: 15000\n"}),
        );
        api
    }

    async fn check(api: &FakeApi) -> Check {
        compare(&api.client(), "shop", "sipup", &plan()).await.unwrap()
    }

    fn finding(check: &Check, what: &str) -> (String, Verdict) {
        let finding = check.findings.iter().find(|finding| finding.what == what).unwrap();
        (finding.live.clone(), finding.verdict)
    }

    #[tokio::test]
    async fn a_release_as_planned_is_ok() {
        let check = check(&release()).await;
        assert!(check.is_ok(), "{check}");
        assert_eq!(finding(&check, "catalog max pods"), ("8".into(), Verdict::Ok));
        assert_eq!(finding(&check, "orders ScalingLimited"), ("True TooFewReplicas".into(), Verdict::Note));
    }

    #[tokio::test]
    async fn each_number_that_differs_is_named() {
        let api = release();
        let place = path("apis/autoscaling/v2", "horizontalpodautoscalers", "sipup-auth");
        let mut object = api.get(&place).unwrap();
        object["spec"]["maxReplicas"] = 9.into();
        object["spec"]["metrics"][0]["object"]["target"]["averageValue"] = "5k".into();
        object["status"]["conditions"][1]["status"] = "False".into();
        api.put(&place, object);
        let config = json!({"metadata": {"name": "sipup-postgres"}, "data": {"postgresql.conf": "max_connections=100"}});
        api.put(&path("api/v1", "configmaps", "sipup-postgres"), config);
        let check = check(&api).await;
        assert!(!check.is_ok());
        let differing: Vec<&str> = check
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Differs)
            .map(|finding| finding.what.as_str())
            .collect();
        assert_eq!(
            differing,
            ["auth max pods", "auth users per pod", "auth ScalingActive", "postgres max_connections"]
        );
        assert_eq!(finding(&check, "auth users per pod").0, "5000");
        assert!(check.to_string().contains("differs"));
    }

    #[tokio::test]
    async fn what_is_absent_differs_and_what_is_elsewhere_is_noted() {
        let api = release();
        api.delete(&path("apis/autoscaling/v2", "horizontalpodautoscalers", "sipup-jobs"));
        api.delete(&path("api/v1", "configmaps", "sipup-postgres"));
        let check = check(&api).await;
        assert_eq!(finding(&check, "jobs HPA"), ("absent".into(), Verdict::Differs));
        assert_eq!(finding(&check, "postgres max_connections").1, Verdict::Note);
    }

    #[tokio::test]
    async fn an_hpa_that_follows_the_cpu_alone_is_noted() {
        let api = release();
        let place = path("apis/autoscaling/v2", "horizontalpodautoscalers", "sipup-catalog");
        let mut object = api.get(&place).unwrap();
        object["spec"]["metrics"] = json!([]);
        api.put(&place, object);
        assert_eq!(finding(&check(&api).await, "catalog users per pod"), ("CPU only".into(), Verdict::Note));
    }

    #[test]
    fn numbers_are_found_in_any_format() {
        assert_eq!(number_after("  max_connections = 180 # more\n", "max_connections"), Some(180));
        assert_eq!(number_after("a: 1\n\"max_connections\": 7,\n", "max_connections"), Some(7));
        assert_eq!(number_after("superuser_max_connections = 3", "max_connections"), None);
        assert_eq!(
            (whole("2500"), whole("5k"), whole("1500m"), whole("4000000m")),
            (Some(2_500), Some(5_000), None, Some(4_000))
        );
    }
}
