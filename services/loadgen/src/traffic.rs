//! Load for other tests: so many mixed calls per second in the background, nothing sent twice, and a list of every call that failed.

use std::path::PathBuf;
use std::time::Duration;

use platform::Tasks;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, Result},
    live::Live,
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
}

impl Traffic {
    /// 200 mixed calls per second of gRPC and REST to the platform at `url`; evenly spaced, so that each moment is covered.
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
        let stopped = stop.clone();
        let task = Tasks::new(stop.clone())
            .spawn("traffic", async move { generator.run(&plan, &Live::Silent, stopped).await });
        Ok(Running { stop, task })
    }
}

impl Running {
    /// Ends the traffic and waits for the last answers. [`Report::failures`] lists every call that failed.
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
