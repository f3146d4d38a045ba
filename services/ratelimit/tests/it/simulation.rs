//! Log-ins by bots and people. Six hours: a botnet after one account, a bot that doesn't give up, a fast bot inside an office. A day: bots
//! inside an office that are after a colleague, and one that has stolen the token of a device.

use jiff::SignedDuration;
use ratelimit::{rules::DEFAULTS, store::Mode};

use crate::support::{Pod, Time, fresh, fresh_ip, request};

const HOURS: u32 = 6;
const DAY: u32 = 24;
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
    /// Tries to log in from where nobody has before; answers whether the password was looked at.
    async fn try_login(&self, account: &str, ip: &str, right: bool) -> bool {
        self.try_login_by(None, account, ip, right).await
    }

    /// Tries to log in, maybe by a device that the account knows; answers whether the password was looked at.
    async fn try_login_by(&self, device: Option<&str>, account: &str, ip: &str, right: bool) -> bool {
        let account = format!("{account}-{}", self.run);
        let mut asked = request([("action", "login"), ("account", &account), ("ip", ip)]);
        if let Some(device) = device {
            asked.facts.add("device", device);
        }
        for per in [&["account"][..], &["action", "ip"], &["account", "ip"], &["account", "device"]] {
            let per: Vec<String> = per.iter().map(|name| (*name).to_owned()).collect();
            if let Some(principal) = asked.facts.principal(&per) {
                self.time.tell(&self.pod.redis, &principal.tag()).await;
            }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_the_office_guesses_little_all_day_and_never_keeps_a_known_device_out() {
    let time = Time::start();
    let world = World { pod: Pod::at(DEFAULTS, &time).await, time, run: fresh("run") };
    let (office, road, hideout) = (fresh_ip(), fresh_ip(), fresh_ip());
    let (mut hasty, mut patient, mut thief) = (0_u32, 0_u32, 0_u32);
    for name in ["colleague", "another", "robbed"] {
        assert!(world.try_login(name, &office, true).await);
    }
    for minute in 0..DAY * 60 {
        // One doesn't give up, one keeps just within the limit, and one has stolen a token.
        for _ in 0..4 {
            hasty += u32::from(world.try_login("colleague", &office, false).await);
            thief += u32::from(world.try_login_by(Some("stolen"), "robbed", &hideout, false).await);
        }
        for _ in 0..2 {
            patient += u32::from(world.try_login("another", &office, false).await);
        }
        if minute % 60 == 30 {
            for (name, ip) in [("colleague", &office), ("another", &office), ("colleague", &road)] {
                for right in [false, true] {
                    assert!(
                        world.try_login_by(Some(name), name, ip, right).await,
                        "{name} in minute {minute}"
                    );
                }
            }
            assert!(world.try_login("robbed", &office, true).await, "without the token that is used up");
        }
        world.time.clock.advance(STEP);
    }
    assert!(hasty <= 100, "{hasty} guesses by a bot that doesn't give up");
    assert!(patient <= 10 * 12 * DAY, "{patient} guesses by a bot that keeps within the limit");
    // The block is a quarter of an hour at most.
    assert!((100..=1_000).contains(&thief), "{thief} guesses by a stolen token");
    world.pod.stop().await;
}
