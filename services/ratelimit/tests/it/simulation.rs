//! Six hours of log-ins: a botnet after one account, a bot that doesn't give up, a fast bot inside an office, and people.

use jiff::SignedDuration;
use ratelimit::{rules::DEFAULTS, store::Mode};

use crate::support::{Pod, Time, fresh, fresh_ip, request};

const HOURS: u32 = 6;
/// What the bot in the office guesses each minute, at accounts that are nobody's: twice what its address may fail.
const OFFICE_GUESSES: u32 = 40;
/// Everybody acts at most once a minute, except the bot that doesn't give up.
const STEP: SignedDuration = SignedDuration::from_mins(1);

struct World {
    pod: Pod,
    time: Time,
    run: String,
}

impl World {
    /// Tries to log in; answers whether the password was looked at.
    async fn try_login(&self, account: &str, ip: &str, right: bool) -> bool {
        let account = format!("{account}-{}", self.run);
        let asked = request([("action", "login"), ("account", &account), ("ip", ip)]);
        for per in [&["account"][..], &["ip"], &["account", "ip"]] {
            let per: Vec<String> = per.iter().map(|name| (*name).to_owned()).collect();
            self.time.tell(&self.pod.redis, &asked.facts.principal(&per).unwrap().tag()).await;
        }
        let decision = self.pod.limiter.decide(&[asked], Mode::Count).await;
        assert!(decision.limits[0].iter().all(|limit| !limit.local), "redis must have answered");
        if decision.allowed && right {
            self.pod.limiter.succeeded(decision.ticket).await;
        }
        decision.allowed
    }
}

/// A person: mistypes once, and comes back each minute until let in.
#[derive(Default)]
struct Person {
    waits_since: Option<u32>,
    longest: u32,
    logins: u32,
}

impl Person {
    async fn live(&mut self, world: &World, minute: u32, name: &str, ip: &str) {
        let wants = minute.is_multiple_of(60) || self.waits_since.is_some();
        if !wants {
            return;
        }
        if self.waits_since.is_none() {
            world.try_login(name, ip, false).await;
        }
        let since = *self.waits_since.get_or_insert(minute);
        if world.try_login(name, ip, true).await {
            self.waits_since = None;
            self.logins += 1;
        }
        self.longest = self.longest.max(minute - since);
    }
}

fn colleague(number: usize) -> String {
    format!("colleague-{number}")
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_guess_little_and_nobody_else_waits_for_long() {
    let time = Time::start();
    let world = World { pod: Pod::at(DEFAULTS, &time).await, time, run: fresh("run") };
    // Of this run's own: counters of another run would stand in another time. The bots come from sixty networks.
    let (office, home, hideout) = (fresh_ip(), fresh_ip(), fresh_ip());
    let botnet: Vec<String> = (0..60).map(|_| fresh_ip()).collect();
    let (mut guesses, mut stubborn, mut owner) = (0_u32, 0_u32, Person::default());
    let mut colleagues = [Person::default(), Person::default(), Person::default()];
    assert!(world.try_login("victim", &home, true).await);
    for number in 0..colleagues.len() {
        assert!(world.try_login(&colleague(number), &office, true).await);
    }
    let mut inside = 0;
    for minute in 0..HOURS * 60 {
        for bot in 0..3 {
            let ip = &botnet[(minute as usize * 3 + bot) % botnet.len()];
            guesses += u32::from(world.try_login("victim", ip, false).await);
        }
        for _ in 0..4 {
            stubborn += u32::from(world.try_login("other", &hideout, false).await);
        }
        for guess in 0..OFFICE_GUESSES {
            inside += u32::from(world.try_login(&format!("anybody-{minute}-{guess}"), &office, false).await);
        }
        owner.live(&world, minute, "victim", &home).await;
        for (number, person) in colleagues.iter_mut().enumerate() {
            person.live(&world, minute, &colleague(number), &office).await;
        }
        world.time.clock.advance(STEP);
    }
    assert!(guesses <= 50 * (HOURS + 1), "{guesses} guesses at an account from everywhere");
    assert!(stubborn <= 80, "{stubborn} guesses from one address that doesn't give up");
    assert_eq!((owner.logins, owner.longest), (HOURS, 0), "the owner is never locked out");
    assert!(inside <= 100 * (HOURS * 12 + 1), "{inside} guesses at many accounts from one address");
    for person in &colleagues {
        assert_eq!((person.logins, person.longest), (HOURS, 0), "a bot's colleagues are not kept out");
    }
    world.pod.stop().await;
}
