//! The number of pods follows the number of people.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tests::wait;

use crate::{
    announce,
    helm::{self, chart},
    kubectl::get,
    release::{MAIN, Release},
    rolling::until_old_pods_are_gone,
    traffic::Flow,
};

/// People of this trial.
const USERS: u32 = 2_000;
/// People per pod of the catalogue in this trial: five pods for all of them.
const USERS_PER_POD: u32 = 400;
/// The trial's size, and the time the HPA looks back before it takes pods away.
const SETTINGS: [&str; 3] = [
    "capacity.targetUsers=2000",
    "capacity.usersPerPod.catalog=400",
    "services.catalog.autoscaling.behavior.scaleDown.stabilizationWindowSeconds=15",
];

/// Few people, then thousands, then few: pods come, share the load, and go, and no call fails.
pub(crate) fn replicas_follow_users() -> anyhow::Result<()> {
    helm::upgrade("helm", MAIN.0, &chart(), &SETTINGS)?;
    MAIN.until_ready()?;
    let hpa = hpa(MAIN, "catalog")?;
    let (least, most) = (bound(&hpa, "minReplicas")?, bound(&hpa, "maxReplicas")?);
    ensure!(most == i64::from(USERS.div_ceil(USERS_PER_POD)), "the formula says {most}");
    let (_, known) = wait::blocking("the count of users is known", Duration::from_mins(4), || {
        Ok(metric(MAIN, "catalog")?.filter(|users| *users < f64::from(USERS_PER_POD)))
    })?;
    announce(&format!("a fresh release knows its active users after {known:.0?}"));

    let few = Flow::start(MAIN)?;
    let keys = tempfile::tempdir()?;
    MAIN.write_secret("auth", ".pem", keys.path())?;
    let many = Flow::start_with(MAIN, |traffic| traffic.signed_by(keys.path().to_owned(), USERS))?;
    let ((), rose) = wait::blocking("one pod for every 400 people", Duration::from_mins(4), || {
        let replicas = MAIN.replicas("catalog")?;
        ensure!(replicas >= most - 1, "{replicas} replicas for {:?} users", metric(MAIN, "catalog")?);
        Ok(Some(()))
    })?;
    MAIN.until_ready()?;
    announce(&format!("{USERS} people: from {least} to {} pods in {rose:.0?}", MAIN.replicas("catalog")?));
    let report = many.stop()?;
    ensure!(report.failures.is_empty(), "{}", crate::traffic::summary(&report));

    let ((), fell) = wait::blocking("pods go when people have gone", Duration::from_mins(8), || {
        Ok((MAIN.replicas("catalog")? == least).then_some(()))
    })?;
    until_old_pods_are_gone()?;
    announce(&format!("back to {least} pods {fell:.0?} after the last of them"));
    few.stop_without_failure("pods up and down")?;
    helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready().map(drop)
}

/// The autoscaler of a service.
pub(crate) fn hpa(release: Release, component: &str) -> anyhow::Result<Value> {
    get(&["hpa", &release.object(component)])
}

/// Active users per pod as the HPA sees them, times its pods. None while it doesn't know.
pub(crate) fn metric(release: Release, component: &str) -> anyhow::Result<Option<f64>> {
    let hpa = hpa(release, component)?;
    let empty = Vec::new();
    let metrics = hpa["status"]["currentMetrics"].as_array().unwrap_or(&empty);
    let average = metrics.iter().find(|metric| metric["type"] == "Object");
    let Some(average) = average.and_then(|metric| metric["object"]["current"]["averageValue"].as_str())
    else {
        return Ok(None);
    };
    let pods = hpa["status"]["currentReplicas"].as_f64().unwrap_or(1.0);
    Ok(Some(quantity(average)? * pods))
}

fn bound(hpa: &Value, field: &str) -> anyhow::Result<i64> {
    hpa["spec"][field].as_i64().with_context(|| format!("the HPA has {field}"))
}

/// `12`, or `12500m` for thousandths.
fn quantity(text: &str) -> anyhow::Result<f64> {
    let parsed = match text.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().map(|value| value / 1000.0),
        None => text.parse(),
    };
    parsed.with_context(|| format!("a quantity: {text}"))
}
