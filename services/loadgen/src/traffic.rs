//! Load for other tests: so many mixed calls per second in the background, nothing sent twice, and a list of every call that failed.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use platform::Tasks;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, Result},
    live::{Live, Snapshot},
    plan::Plan,
    report::Report,
    run::Generator,
};

/// The longest that traffic runs when nobody stops it.
const LONGEST: Duration = Duration::from_hours(24);

/// Traffic that is about to start.
#[derive(Clone, Debug)]
pub struct Traffic {
    plan: Plan,
}

/// Traffic that goes on until it is stopped.
#[derive(Debug)]
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<Report>>,
    snapshots: watch::Receiver<Snapshot>,
}

impl Traffic {
    /// 200 mixed calls per second to the platform at `url`, over gRPC and REST, reads and orders, and some fifty streams that stay open.
    /// Evenly spaced, so that each moment is covered. Nothing is sent twice.
    pub fn to(url: impl Into<String>) -> Self {
        let mut plan = Plan::to(url);
        plan.users = 200;
        plan.identities = 10;
        plan.connections = 8;
        plan.rate = Some(200.0);
        plan.ramp = Duration::ZERO;
        plan.duration = LONGEST;
        plan.arrivals = crate::Arrivals::Constant;
        plan.failures_kept = usize::MAX;
        plan.scenario.rest_share = 0.3;
        Self { plan }
    }

    /// So many calls per second.
    pub fn rate(mut self, rate: f64) -> Self {
        self.plan.rate = Some(rate);
        self
    }

    /// Keeps the users in this file, so that a second start is quick.
    pub fn identity_file(mut self, path: PathBuf) -> Self {
        self.plan.identity_file = path;
        self
    }

    /// As many users of their own, whose tokens are signed here with the keys in `folder`: no password is hashed, and no two virtual
    /// users are one to the platform.
    pub fn signed_by(mut self, folder: PathBuf, users: u32) -> Self {
        self.plan.signing_keys = Some(folder);
        self.plan.users = users;
        self.plan.identities = users;
        self
    }

    /// Has each user name an address of its own in this header, for a platform that trusts this machine as a hop.
    pub fn client_header(mut self, name: HeaderName) -> Self {
        self.plan.client_header = Some(name);
        self
    }

    /// Any other setting.
    pub fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Prepares the users, and starts. Calls flow when this returns.
    ///
    /// # Errors
    ///
    /// The platform lets nobody in.
    pub async fn start(self) -> Result<Running> {
        let generator = Generator::prepare(&self.plan, &Live::Silent).await?;
        let (stop, plan) = (CancellationToken::new(), self.plan);
        let (told, snapshots) = watch::channel(Snapshot::default());
        let stopped = stop.clone();
        let task = Tasks::new(stop.clone())
            .spawn("traffic", async move { generator.run(&plan, &Live::Told(told), stopped).await });
        Ok(Running { stop, task, snapshots })
    }
}

impl Running {
    /// How it goes; a second old at most.
    pub fn now(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Waits until what is counted fulfils `condition`, such as a number of right answers after something was done. Ends also when the
    /// traffic does, and answers `false` then.
    pub async fn until(&self, mut condition: impl FnMut(&Snapshot) -> bool) -> bool {
        self.snapshots.clone().wait_for(|snapshot| condition(snapshot)).await.is_ok()
    }

    /// Ends the traffic and waits for the last answers. [`Report::failures`] lists every call that failed, [`Report::problems`] says it in
    /// lines, [`Report::by_journey`] counts.
    ///
    /// # Errors
    ///
    /// The run broke off.
    pub async fn stop(self) -> Result<Report> {
        self.stop.cancel();
        self.task.await.map_err(|error| Error::System {
            what: "end the traffic",
            source: std::io::Error::other(error),
        })?
    }
}
