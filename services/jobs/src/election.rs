//! Which pod does what only one needs to do: by a Lease in a cluster, by an advisory lock of the database elsewhere.

use anyhow::Context as _;
use futures::future::BoxFuture;
use kubernetes::{Client, Lease, Timing};
use platform::{Clock, db::DbArgs};
use queue::{AdvisoryLock, Election, Work};
use tokio_util::sync::CancellationToken;

/// The advisory lock of those who have no Lease.
const LOCK: &str = "sipup jobs schedule";

/// How the process is chosen that does what only one needs to do.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ElectionArgs {
    /// Name of the Lease (`coordination.k8s.io/v1`) that the leader holds, in the pod's own namespace. It must exist, and the service
    /// account may `get` and `update` it. Empty or left out: an advisory lock of the database.
    #[arg(long, env = "SIPUP_LEASE")]
    pub lease: Option<String>,

    /// Name of this pod, for people who read the Lease. Default: the name of the machine.
    #[arg(long, env = "SIPUP_POD_NAME")]
    pub pod_name: Option<String>,
}

impl ElectionArgs {
    pub(crate) async fn start(&self, database: &DbArgs, clock: &Clock) -> anyhow::Result<Box<dyn Election>> {
        let Some(name) = self.lease.as_deref().filter(|name| !name.is_empty()) else {
            return Ok(Box::new(AdvisoryLock::new(database.clone(), LOCK)));
        };
        let namespace =
            kubernetes::own_namespace().context("--lease works in a pod with a service account")?;
        let client = kubernetes::connect().await?;
        Ok(Box::new(self.by_lease(client, &namespace, name, clock)))
    }

    fn by_lease(&self, client: Client, namespace: &str, name: &str, clock: &Clock) -> LeaseElection {
        let identity = kubernetes::identity(self.pod_name.as_deref());
        LeaseElection(Lease::new(client, namespace, name, identity, Timing::default(), clock.clone()))
    }
}

/// Election by a Lease.
#[derive(Debug)]
struct LeaseElection(Lease);

impl Election for LeaseElection {
    fn lead(self: Box<Self>, stop: CancellationToken, work: Work) -> BoxFuture<'static, ()> {
        Box::pin(self.0.run(stop, move |_| work()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use kubernetes::testing::FakeApi;
    use serde_json::json;
    use tokio::sync::Notify;

    use super::*;

    const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/shop-sipup-jobs";

    #[tokio::test(start_paused = true)]
    async fn of_two_pods_with_a_lease_one_leads_and_the_other_follows_it() {
        let api = FakeApi::default();
        api.put(PATH, json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "shop-sipup-jobs"}}));
        let (leaders, changed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut stops = Vec::new();
        for pod in ["jobs-a", "jobs-b"] {
            let args = ElectionArgs { pod_name: Some(pod.to_owned()), ..ElectionArgs::default() };
            let election = Box::new(args.by_lease(api.client(), "shop", "shop-sipup-jobs", &Clock::system()));
            let (leaders, changed) = (Arc::clone(&leaders), Arc::clone(&changed));
            let work: Work = Box::new(move || {
                leaders.fetch_add(1, Ordering::SeqCst);
                changed.notify_one();
                Box::pin(std::future::pending())
            });
            let stop = CancellationToken::new();
            #[expect(clippy::disallowed_methods, reason = "a test has no tracked tasks")]
            let running = tokio::spawn(election.lead(stop.clone(), work));
            stops.push((pod, stop, running));
        }
        changed.notified().await;
        assert_eq!(leaders.load(Ordering::SeqCst), 1);
        let holder = || api.get(PATH).unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned();
        let first = holder();
        let leader = stops.iter().position(|(pod, ..)| first.starts_with(&format!("{pod}_"))).unwrap();
        let (_, stop, running) = stops.remove(leader);
        stop.cancel();
        running.await.unwrap();
        changed.notified().await;
        assert_eq!(leaders.load(Ordering::SeqCst), 2);
        assert!(holder().starts_with(&format!("{}_", stops[0].0)), "{} after {first}", holder());
    }

    #[tokio::test]
    async fn a_lease_outside_of_a_cluster_is_refused_in_words() {
        let args = ElectionArgs { lease: Some("jobs".into()), pod_name: None };
        let database = DbArgs::new("postgres://svc_jobs@127.0.0.1/sipup".parse().unwrap());
        let error = args.start(&database, &Clock::system()).await.unwrap_err().to_string();
        assert!(error.contains("--lease"), "{error}");
        let without = ElectionArgs { lease: Some(String::new()), pod_name: None };
        let election = without.start(&database, &Clock::system()).await.unwrap();
        assert!(format!("{election:?}").starts_with("AdvisoryLock"));
    }
}
