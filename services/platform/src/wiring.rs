//! How a service gets its database, Redis and verifier: each joins the process's tasks, metrics and readiness.

use crate::{
    Context, Verifier,
    args::AuthArgs,
    db::{Db, DbArgs, Wiring},
    redis::{Redis, RedisArgs},
    verifier::Revocations,
};

impl Context {
    /// Connects to Redis in the background, if `args` name any nodes. Readiness doesn't ask for it: everything works without.
    ///
    /// # Errors
    ///
    /// The arguments make no sense.
    #[expect(clippy::unused_async, reason = "called like the other parts of a service")]
    pub async fn redis(&self, args: &RedisArgs) -> anyhow::Result<Option<Redis>> {
        Ok(Redis::connect(args, &self.tasks, self.stop.clone(), &self.meter)?)
    }

    /// Connects to the database in the background. The process is not ready before the primary answers.
    ///
    /// # Errors
    ///
    /// The arguments make no sense.
    pub async fn db(&mut self, args: &DbArgs, redis: Option<Redis>) -> anyhow::Result<Db> {
        let wiring = Wiring {
            service: self.identity.service,
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
            meter: self.meter.clone(),
            redis,
        };
        let db = Db::connect(args, wiring).await?;
        let probed = db.clone();
        self.readiness.add("database", move || {
            let db = probed.clone();
            async move { db.ready().await.map_err(|error| crate::status::chain(&error)) }
        });
        Ok(db)
    }

    /// Checks tokens by the published keys, and reads which sessions were ended from `db`.
    pub fn verifier(&self, args: &AuthArgs, db: &Db) -> Verifier {
        let revocations = Revocations::poll(db.clone(), self.clock.clone(), &self.tasks);
        Verifier::start(args, self.clock.clone(), &self.tasks, revocations)
    }
}
