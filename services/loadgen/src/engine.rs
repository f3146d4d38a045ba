//! Starts calls when they are due. A thread of its own decides, so that no busy runtime delays it; users wait in its hands, and come
//! back to it with their answers.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use platform::{Clock, Tasks};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio_util::sync::CancellationToken;

use crate::{
    arrivals::{Schedule, exponential},
    call::{Call, Failure, Outcome, Transport},
    check::check,
    idle::Idle,
    plan::{Model, Plan},
    recorder::{Key, Recorder, Sample, Sight},
    scenario::Step,
    user::User,
    watch::{Watch, Watcher},
    wire::Wire,
    world::World,
};

/// The longest sleep of the starting thread: so long may it take to notice that it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// What calls need while they run.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) wire: Arc<Wire>,
    pub(crate) world: Arc<World>,
    pub(crate) recorder: Mutex<Recorder>,
    pub(crate) began: Instant,
    pub(crate) streams: Streams,
}

/// Streams that are kept open beside the calls.
#[derive(Debug)]
pub(crate) struct Streams {
    time: Duration,
    tasks: Tasks,
    /// Ends them all, which is no fault of theirs.
    cut: CancellationToken,
}

impl Streams {
    /// None yet; each is to be kept for `time`.
    pub(crate) fn new(time: Duration) -> Self {
        let cut = CancellationToken::new();
        Self { time, tasks: Tasks::new(cut.clone()), cut }
    }
}

impl Engine {
    /// The counts; a call that panicked while it counted has at worst not counted itself.
    pub(crate) fn recorder(&self) -> std::sync::MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `plan` until its end or until `stop`, and waits for the answers.
    pub(crate) async fn run(self: &Arc<Self>, plan: &Plan, users: Vec<User>, stop: CancellationToken) {
        let tasks = Tasks::new(stop.clone());
        let (engine, plan, of_calls) = (Arc::clone(self), plan.clone(), tasks.clone());
        let starter = Starter {
            engine,
            tasks: of_calls,
            runtime: tokio::runtime::Handle::current(),
            clock: Clock::system(),
            stop,
        };
        let timeout = plan.timeout;
        let (ended, end) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            starter.run(&plan, users);
            // Nobody listens where the run was given up.
            let _ = ended.send(());
        });
        // An error says that the thread is gone, which ends the run as well.
        let _ = end.await;
        tasks.join(timeout + Duration::from_secs(1)).await;
        self.streams.cut.cancel();
        self.streams.tasks.join(Duration::from_secs(1)).await;
    }

    async fn perform(self: Arc<Self>, mut user: User, call: Call, intended: Duration) -> User {
        let started = self.began.elapsed();
        let key = Key { journey: Some(user.journey), step: call.step(), transport: call.transport(&user) };
        let sight = user.identity.shown_to(call.service());
        // Boxed here, because what all kinds of calls need is large, and a task is moved several times before it runs.
        let outcome = Box::pin(self.exchange(&mut user, &call)).await;
        let (number, ended) = (user.number, self.began.elapsed());
        self.recorder().ended(&Sample { key, user: number, intended, started, ended, outcome, sight });
        user
    }

    async fn exchange(self: &Arc<Self>, user: &mut User, call: &Call) -> Outcome {
        if let Call::Watch { id } = call {
            return self.watch(user, id).await;
        }
        match self.wire.send(user, &self.world, call).await {
            Ok(reply) => {
                let checked = check(user, &self.world, call, &reply.answer);
                if reply.position.is_some() && matches!(call, Call::Order(_) | Call::AskReport(_)) {
                    user.lsn = reply.position;
                }
                checked.map_or_else(Outcome::of_check, |()| Outcome::Right)
            }
            // What the user was promised and is gone is worse than an error.
            Err(failure) if failure.code == "NOT_FOUND" && call.is_of_own() => {
                Outcome::Wrong(Failure::new("LOST", failure.message))
            }
            Err(failure) => Outcome::of(failure),
        }
    }
}

impl Engine {
    /// Watches an order: the call has ended with the first event. The stream stays open, and is counted when it ends.
    async fn watch(self: &Arc<Self>, user: &User, order: &str) -> Outcome {
        let opened = async { Ok(Watch::open(&self.wire, Watcher::new(user, order)).await) };
        let watch = match self.wire.in_time(opened).await {
            Ok(Ok(watch)) => watch,
            Ok(Err(outcome)) => return outcome,
            Err(failure) => return Outcome::of(failure),
        };
        let (engine, journey, user) = (Arc::clone(self), Some(user.journey), user.number);
        let started = self.began.elapsed();
        drop(self.streams.tasks.spawn("stream", async move {
            let outcome = watch.hold(&engine.wire, engine.streams.time, &engine.streams.cut).await;
            let key = Key { journey, step: Step::Watching, transport: Transport::Grpc };
            let ended = engine.began.elapsed();
            engine.recorder().beside(&Sample {
                key,
                user,
                intended: started,
                started,
                ended,
                outcome,
                sight: Sight::Known,
            });
        }));
        Outcome::Right
    }
}

/// The thread that starts calls.
struct Starter {
    engine: Arc<Engine>,
    tasks: Tasks,
    runtime: tokio::runtime::Handle,
    clock: Clock,
    stop: CancellationToken,
}

/// A user whose call has ended.
type Back = (User, Instant);

impl Starter {
    fn run(self, plan: &Plan, users: Vec<User>) {
        let random = StdRng::seed_from_u64(plan.seed);
        let (send, receive) = channel();
        match plan.model {
            Model::Open => self.open(plan, users, random, &send, &receive),
            Model::Closed => self.closed(plan, users, random, &send, &receive),
        }
    }

    fn open(
        &self,
        plan: &Plan,
        users: Vec<User>,
        mut random: StdRng,
        send: &Sender<Back>,
        back: &Receiver<Back>,
    ) {
        let (mut idle, lead_in) = (Idle::new(users), plan.lead_in());
        // Drawn apart from the users' choices, so that one seed means the same arrivals whatever users do.
        let arrivals = random.random();
        let at_full_rate = plan.warm_up_time() + plan.duration;
        for intended in Schedule::new(plan.arrivals, plan.full_rate(), plan.ramp, at_full_rate, arrivals) {
            if !self.sleep_until(intended) {
                return;
            }
            idle.extend(back.try_iter().map(|(user, _)| user));
            let in_flight = plan.users as usize - idle.len();
            let user = if in_flight < plan.most_in_flight {
                idle.take(intended < lead_in, &mut random)
            } else {
                None
            };
            let Some(user) = user else {
                self.engine.recorder().dropped(intended);
                continue;
            };
            self.start(user, plan, intended, &mut random, send);
        }
    }

    fn closed(
        &self,
        plan: &Plan,
        users: Vec<User>,
        mut random: StdRng,
        send: &Sender<Back>,
        back: &Receiver<Back>,
    ) {
        let end = plan.lead_in() + plan.duration;
        let think = plan.think_time();
        // Users begin spread over the ramp, or over one think time: all at once would be a flood.
        let spread = if plan.ramp.is_zero() { think } else { plan.ramp };
        let mut waiting: Vec<Option<User>> = users.into_iter().map(Some).collect();
        let mut due: BinaryHeap<Reverse<(Duration, usize)>> =
            (0..waiting.len()).map(|slot| Reverse((spread.mul_f64(random.random()), slot))).collect();
        loop {
            let next = due.peek().map_or(end, |Reverse((time, _))| *time).min(end);
            let sleep = next.saturating_sub(self.engine.began.elapsed()).min(LONGEST_SLEEP);
            match back.recv_timeout(sleep) {
                Ok((user, ended)) => {
                    let ended = ended.saturating_duration_since(self.engine.began);
                    let slot = user.number as usize;
                    waiting[slot] = Some(user);
                    due.push(Reverse((ended + think.mul_f64(exponential(&mut random)), slot)));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let now = self.engine.began.elapsed();
            if now >= end || self.stop.is_cancelled() {
                return;
            }
            while let Some(Reverse((time, slot))) =
                due.peek().copied().filter(|Reverse((time, _))| *time <= now)
            {
                due.pop();
                if let Some(user) = waiting[slot].take() {
                    self.start(user, plan, time, &mut random, send);
                }
            }
        }
    }

    fn start(
        &self,
        mut user: User,
        plan: &Plan,
        intended: Duration,
        random: &mut StdRng,
        send: &Sender<Back>,
    ) {
        let call = user.next(&plan.scenario, &self.engine.world, self.clock.now(), random);
        self.engine.recorder().sent(intended);
        let (engine, send) = (Arc::clone(&self.engine), send.clone());
        let _inside = self.runtime.enter();
        drop(self.tasks.spawn("call", async move {
            let user = engine.perform(user, call, intended).await;
            // Refused when the last call was started already.
            let _ = send.send((user, Instant::now()));
        }));
    }

    /// Sleeps until a time of the run. Answers `false` when it is to stop.
    fn sleep_until(&self, time: Duration) -> bool {
        loop {
            if self.stop.is_cancelled() {
                return false;
            }
            let left = time.saturating_sub(self.engine.began.elapsed());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(LONGEST_SLEEP));
        }
    }
}
