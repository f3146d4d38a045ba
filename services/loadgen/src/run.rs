//! A run from the first connection to the report.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use platform::Clock;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{Outcome, Transport},
    engine::{Engine, Streams},
    error::Result,
    identity::{Identities, Identity, IdentityFile, Mint},
    live::{Live, Snapshot},
    overlay::{Overlay, Watch},
    plan::{Plan, WarmUp},
    recorder::{Key, Recorder, Sample, Sight},
    report::{Evidence, Report},
    scenario::Step,
    seller, usage,
    user::User,
    wire::{Wire, WireOptions},
    world::World,
};

/// How often the live view is renewed.
const TICK: Duration = Duration::from_secs(1);
/// How often identities are looked through for tokens that near their end.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Tokens renewed at once.
const RENEW_AT_ONCE: usize = 16;

/// Prepares and runs `plan`. For one run; several share the preparation of a [`Generator`].
///
/// # Errors
///
/// The plan can't be run, or the platform lets nobody in.
pub async fn run(plan: &Plan, live: &Live, stop: CancellationToken) -> Result<Report> {
    Generator::prepare(plan, live).await?.run(plan, live, stop).await
}

/// Connections, users and the catalogue: what runs share.
#[derive(Debug)]
pub struct Generator {
    wire: Arc<Wire>,
    world: Arc<World>,
    identities: Identities,
    /// None where users are not the platform's.
    file: Option<IdentityFile>,
    clock: Clock,
}

impl Generator {
    /// Connects, prepares the identities and reads the catalogue.
    ///
    /// # Errors
    ///
    /// The plan can't be run, or the platform lets nobody in.
    pub async fn prepare(plan: &Plan, live: &Live) -> Result<Self> {
        plan.validate()?;
        let options = WireOptions {
            connections: plan.connections,
            sources: plan.sources.max(1),
            timeout: plan.timeout,
            client_header: plan.client_header.clone(),
        };
        let wire = Wire::connect(&plan.url, options).await?;
        let (clock, count) = (Clock::system(), plan.identities.min(plan.users) as usize);
        let (identities, file) = if let Some(folder) = plan.signing_keys.clone() {
            let mint = Mint::open(folder, plan.token_issuer.clone(), clock.clone())?;
            (Identities::mint(&Arc::new(mint), count)?, None)
        } else {
            let file = IdentityFile::new(plan.identity_file.clone(), plan.url.clone());
            let progress = |done| live.preparing(done, count);
            (Identities::prepare(wire.channels(), count, &file, &progress).await?, Some(file))
        };
        let channel = || wire.channels()[0].clone();
        let mut world = World::read(channel(), &identities.all[0], plan.scenario.sku_skew).await?;
        world.agreements = seller::prepare(plan, channel(), &world, &identities).await?;
        Ok(Self { wire: Arc::new(wire), world: Arc::new(world), identities, file, clock })
    }

    /// Runs `plan` on what is prepared. Cancelling `stop` ends it early, with a report of what was until then.
    ///
    /// # Errors
    ///
    /// The identities can't be kept.
    pub async fn run(&self, plan: &Plan, live: &Live, stop: CancellationToken) -> Result<Report> {
        plan.validate()?;
        self.renew_due(None).await;
        let unseen = self.identities.all.iter().filter(|identity| identity.is_unseen()).count();
        let plan = &Plan { warm_up: WarmUp::Time(plan.warm_up_of(unseen)), ..plan.clone() };
        let (started, cpu_before) = (self.clock.now(), usage::own_cpu());
        let watch = plan.stack.as_ref().map(|stack| Watch::start(stack.clone()));
        let recorder = Mutex::new(Recorder::of(plan, started));
        let (wire, world) = (Arc::clone(&self.wire), Arc::clone(&self.world));
        let (began, streams) = (Instant::now(), Streams::new(plan.scenario.watch_time));
        let engine = Arc::new(Engine { wire, world, recorder, began, streams });

        live.begin(plan);
        let beside = async { tokio::join!(self.keep_tokens_fresh(&engine), tell(&engine, plan, live)) };
        tokio::select! {
            () = engine.run(plan, self.users(plan), stop.clone()) => {}
            _ = beside => {}
        }
        live.end();

        let lasted = engine.began.elapsed();
        let cpu = usage::own_cpu().zip(cpu_before).map(|(now, before)| now.saturating_sub(before));
        let overlay = match watch {
            Some(watch) => watch.stop().await,
            None => Overlay::default(),
        };
        if let Some(file) = &self.file {
            file.write(self.identities.all.iter().map(Arc::as_ref))?;
        }
        let ended_early = stop.is_cancelled();
        let recorder = engine.recorder();
        let identities = &self.identities;
        Ok(Report::of(
            plan,
            &Evidence {
                started,
                lasted,
                cpu,
                overlay,
                identities,
                agreements: &self.world.agreements,
                recorder: &recorder,
                ended_early,
            },
        ))
    }

    fn users(&self, plan: &Plan) -> Vec<User> {
        let mut random = StdRng::seed_from_u64(plan.seed);
        let user = |(number, identity): (u32, &Arc<Identity>)| {
            let rest = random.random::<f64>() < plan.scenario.rest_share;
            let transport = if rest { Transport::Rest } else { Transport::Grpc };
            User::new(number, transport, Arc::clone(identity))
        };
        (0..plan.users).zip(self.identities.all.iter().cycle()).map(user).collect()
    }

    async fn keep_tokens_fresh(&self, engine: &Engine) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            self.renew_due(Some(engine)).await;
        }
    }

    /// Renews the tokens that near their end; counted beside the schedule.
    async fn renew_due(&self, engine: Option<&Engine>) {
        let now = self.clock.now();
        let due = self.identities.all.iter().filter(|identity| identity.is_due(now));
        stream::iter((0..).zip(due).zip(self.wire.channels().iter().cycle()))
            .for_each_concurrent(RENEW_AT_ONCE, async |((user, identity), channel)| {
                let intended = engine.map_or(Duration::ZERO, |engine| engine.began.elapsed());
                let outcome =
                    identity.refresh(channel.clone()).await.map_or_else(Outcome::of, |()| Outcome::Right);
                let key = Key { journey: None, step: Step::Refresh, transport: Transport::Grpc };
                if let Some(engine) = engine {
                    let ended = engine.began.elapsed();
                    engine.recorder().beside(&Sample {
                        key,
                        user,
                        intended,
                        started: intended,
                        ended,
                        outcome,
                        sight: Sight::Known,
                    });
                }
            })
            .await;
    }
}

/// Tells the live view what happens, for ever.
async fn tell(engine: &Engine, plan: &Plan, live: &Live) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let snapshot = Snapshot::of(&mut engine.recorder(), engine.began.elapsed(), plan);
        live.tick(&snapshot);
    }
}
