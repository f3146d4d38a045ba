//! From what is known about a request to a verdict: which rules apply, all their counters in one round trip, and what to take back where
//! one principal was denied after another was admitted.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use platform::Tasks;

use crate::{
    facts::{Facts, Principal, names},
    guard::Guard,
    metrics::Metrics,
    penalties::Penalties,
    rule::Rule,
    rules::RuleBook,
    shadow::Shadow,
    store::{Answer, Ask, Held, Item, LocalStore, Mode, RedisStore, Refund, Standing, Store as _, Verdict},
    ticket::Ticket,
};

/// One set of facts, which rules are looked up for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What is known.
    pub facts: Facts,
    /// How often the act counts; a rule's own cost multiplies it.
    pub cost: u32,
}

/// The verdict over all sets of facts together.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Whether the act may go on.
    pub allowed: bool,
    /// For each set of facts the limits that apply to it, in the order of the rules.
    pub limits: Vec<Vec<Limit>>,
    /// What waits for the outcome.
    pub ticket: Ticket,
}

/// Where one limit stands.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Where it stands.
    pub standing: Standing,
    /// The penalty of its principal.
    pub penalty: Option<Held>,
    /// Decided in this process alone.
    pub local: bool,
}

impl Limit {
    /// Whether this limit forbids the act.
    pub fn denies(&self) -> bool {
        !self.rule.shadow && (self.penalty.is_some() || self.standing.verdict == Verdict::Beyond)
    }

    /// Until trying again makes sense; zero where the act is within this limit.
    pub fn wait(&self) -> Duration {
        self.standing.wait.max(self.penalty.map_or(Duration::ZERO, |held| held.left))
    }

    /// Acts that are left.
    pub fn remaining(&self) -> u32 {
        if self.denies() { 0 } else { self.standing.remaining }
    }
}

/// The limit that says most: of those that deny the one that does for longest, else the one with the smallest share left.
pub fn deciding<'a>(limits: impl IntoIterator<Item = &'a Limit>) -> Option<&'a Limit> {
    let enforced = limits.into_iter().filter(|limit| !limit.rule.shadow);
    enforced.min_by(|a, b| {
        let share = |limit: &Limit| f64::from(limit.remaining()) / f64::from(limit.rule.limit);
        b.denies()
            .cmp(&a.denies())
            .then_with(|| if a.denies() { b.wait().cmp(&a.wait()) } else { share(a).total_cmp(&share(b)) })
    })
}

/// Decides over requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: RuleBook,
    shared: Option<Shared>,
    local: LocalStore,
    tasks: Tasks,
    parts: Parts,
}

/// What a limiter tells others.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Counts decisions.
    pub metrics: Metrics,
    /// Tallies rules in shadow mode.
    pub shadow: Shadow,
    /// Keeps the list of those who are blocked.
    pub penalties: Penalties,
    /// This process among the limiter's.
    pub pod: String,
}

#[derive(Clone, Debug)]
struct Shared {
    store: Arc<RedisStore>,
    guard: Guard,
}

impl Limiter {
    /// Counts in `store`, and in `local` while that is away or where there is none.
    pub fn new(
        rules: RuleBook,
        store: Option<Arc<RedisStore>>,
        local: LocalStore,
        tasks: &Tasks,
        parts: Parts,
    ) -> Self {
        let shared = store.map(|store| Shared { store, guard: Guard::new() });
        if let Some(shared) = shared.clone() {
            parts.metrics.watch(shared.guard.clone());
            tasks.spawn_until_stop("limit losses", shared.guard.clone().watch(shared.store.losses()));
            tasks.spawn_until_stop("limit probe", shared.guard.probe(shared.store));
        }
        Self(Arc::new(Inner { rules, shared, local, tasks: tasks.clone(), parts }))
    }

    /// The rules that it decides by.
    pub fn rules(&self) -> &RuleBook {
        &self.0.rules
    }

    /// Decides over all `requests` together.
    pub async fn decide(&self, requests: &[Request], mode: Mode) -> Decision {
        let (asks, places) = plan(&self.0.rules.rules(), requests);
        let mut answers = match asks.as_slice() {
            [ask] => vec![self.ask(ask, mode).await],
            asks => join_all(asks.iter().map(|ask| self.ask(ask, mode))).await,
        };
        let device = requests.iter().any(|request| request.facts.get(names::DEVICE).is_some());
        if device || answers.iter().any(|answer| answer.network_known) {
            for (ask, answer) in asks.iter().zip(&mut answers) {
                self.let_pass(ask, answer, mode).await;
            }
        }
        let allowed = answers.iter().all(|answer| answer.admitted);
        if mode == Mode::Count {
            self.tell(&asks, &answers, allowed);
            if allowed {
                let shared = asks.iter().zip(&answers).filter(|(_, answer)| !answer.local);
                shared.for_each(|(ask, answer)| self.0.local.admitted(ask, answer));
            } else {
                self.take_back(&asks, &answers);
            }
        }
        let ticket = if allowed { self.ticket(&asks, &answers) } else { Ticket::default() };
        let limit = |place: &Place| {
            let (ask, answer) = (&asks[place.ask], &answers[place.ask]);
            let (item, mut standing) = (&ask.items[place.item], answer.standings[place.item]);
            if !allowed && answer.admitted && standing.verdict == Verdict::Within {
                // Taken back, because another principal's limit denies.
                standing.remaining = standing.remaining.saturating_add(item.cost);
            }
            Limit { rule: Arc::clone(&item.rule), standing, penalty: answer.penalty, local: answer.local }
        };
        let limits = places.iter().map(|places| places.iter().map(limit).collect()).collect();
        Decision { allowed, limits, ticket }
    }

    /// Asks again without the limits that let known networks pass, where one of them denied: the network or the device is that of an
    /// account's owner.
    async fn let_pass(&self, ask: &Ask, answer: &mut Answer, mode: Mode) {
        let passes = |item: &Item| item.rule.known_networks_pass && !item.rule.shadow;
        let beyond =
            |(item, standing): (&Item, &Standing)| passes(item) && standing.verdict == Verdict::Beyond;
        if answer.admitted || answer.penalty.is_some() || !ask.items.iter().zip(&answer.standings).any(beyond)
        {
            return;
        }
        let rest =
            Ask { items: ask.items.iter().filter(|item| !passes(item)).cloned().collect(), ..ask.clone() };
        let again = if rest.items.is_empty() { None } else { Some(self.ask(&rest, mode).await) };
        let mut counted = again.as_ref().map_or(&[][..], |again| &again.standings).iter();
        for (item, standing) in ask.items.iter().zip(&mut answer.standings) {
            if !passes(item) {
                *standing = counted.next().copied().unwrap_or(*standing);
            } else if standing.verdict == Verdict::Beyond {
                standing.verdict = Verdict::Known;
            }
        }
        answer.admitted = again.as_ref().is_none_or(|again| again.admitted);
        answer.penalty = again.as_ref().and_then(|again| again.penalty);
        answer.local |= again.is_some_and(|again| again.local);
    }

    /// An operator has ended the penalty of `principal`.
    pub(crate) fn unbanned(&self, principal: &Principal) {
        self.0.local.unbanned(&principal.tag());
    }

    /// Ends what waited for a success.
    pub async fn succeeded(&self, ticket: Ticket) {
        let here = ticket.pod == self.0.parts.pod;
        if here && !ticket.local.is_empty() {
            // The store in memory is always there.
            let _ = self.0.local.refund(&ticket.local).await;
        }
        let Some(shared) = &self.0.shared else { return };
        join_all(by_tag(&ticket.shared).into_iter().map(|refunds| shared.store.refund(refunds))).await;
        if let Some(learned) = &ticket.learned {
            // Unlearned, the owner counts as a stranger while the account is attacked; nothing worse.
            let _ = shared.store.learn(&learned.tag, &learned.network).await;
        }
    }

    async fn ask(&self, ask: &Ask, mode: Mode) -> Answer {
        if let Some(shared) = &self.0.shared
            && shared.guard.allows(&ask.tag)
        {
            if let Some(denied) = self.0.local.denies(ask) {
                return denied;
            }
            if let Ok(answer) = shared.store.check(ask, mode).await {
                shared.guard.succeeded(&ask.tag);
                self.0.local.saw(ask, answer.penalty);
                return answer;
            }
            shared.guard.failed(&ask.tag);
        }
        self.0.local.decide(ask, mode)
    }

    /// What metrics, reports and the audit log learn of a decision.
    fn tell(&self, asks: &[Ask], answers: &[Answer], allowed: bool) {
        let parts = &self.0.parts;
        parts.metrics.decided(allowed, answers.iter().any(|answer| answer.local));
        for (ask, answer) in asks.iter().zip(answers) {
            for (item, standing) in ask.items.iter().zip(&answer.standings) {
                let beyond = standing.verdict == Verdict::Beyond;
                if item.rule.shadow {
                    parts.shadow.saw(&item.rule.name, beyond);
                } else if beyond {
                    parts.metrics.denied(&item.rule.name);
                }
                if beyond
                    && let Some(held) =
                        answer.penalty.filter(|held| held.began && item.rule.penalty.is_some())
                {
                    parts.penalties.began(&ask.principal, &item.rule.name, held);
                }
            }
        }
    }

    /// A denied act counts nowhere. Nobody waits for that.
    fn take_back(&self, asks: &[Ask], answers: &[Answer]) {
        for (ask, answer) in asks.iter().zip(answers).filter(|(_, answer)| answer.admitted) {
            let refunds: Vec<Refund> =
                counted(ask, answer).map(|(item, stamp)| Refund::of(&ask.tag, item, stamp)).collect();
            if refunds.is_empty() {
                continue;
            }
            let (shared, local, in_pod) = (self.0.shared.clone(), self.0.local.clone(), answer.local);
            drop(self.0.tasks.spawn("refund", async move {
                // Lost while Redis goes away, an act stays counted until its window has passed.
                let _ = match shared {
                    Some(shared) if !in_pod => shared.store.refund(&refunds).await,
                    _ => local.refund(&refunds).await,
                };
            }));
        }
    }

    fn ticket(&self, asks: &[Ask], answers: &[Answer]) -> Ticket {
        let mut ticket = Ticket::default();
        for (ask, answer) in asks.iter().zip(answers) {
            for (item, stamp) in counted(ask, answer).filter(|(item, _)| item.rule.failures_only) {
                let refunds = if answer.local { &mut ticket.local } else { &mut ticket.shared };
                refunds.push(Refund::of(&ask.tag, item, stamp));
            }
            let learns = ask.items.iter().any(|item| item.rule.known_networks_pass);
            if learns && let Some(network) = &ask.network {
                ticket.learn(&ask.tag, network);
            }
        }
        if !ticket.local.is_empty() {
            ticket.pod.clone_from(&self.0.parts.pod);
        }
        ticket
    }
}

/// The items of an admitted ask that hold the act, each with its stamp.
fn counted<'a>(ask: &'a Ask, answer: &'a Answer) -> impl Iterator<Item = (&'a Item, i64)> {
    let items = ask.items.iter().zip(&answer.standings);
    items
        .filter(|(item, standing)| standing.verdict == Verdict::Within && item.cost > 0)
        .map(|(item, standing)| (item, standing.stamp))
}

/// Where a limit of a request stands among the asks.
#[derive(Clone, Copy, Debug)]
struct Place {
    ask: usize,
    item: usize,
}

/// One ask per principal, and where each limit of each request is in them. A limit that two requests share is asked for once.
fn plan(rules: &crate::rules::Rules, requests: &[Request]) -> (Vec<Ask>, Vec<Vec<Place>>) {
    let mut asks: Vec<Ask> = Vec::new();
    let mut places = Vec::with_capacity(requests.len());
    for request in requests {
        let mut of_request = Vec::new();
        for rule in rules.iter().filter(|rule| rule.applies_to(&request.facts)) {
            let Some(principal) = request.facts.principal(&rule.per) else { continue };
            let tag = principal.tag();
            let ask = asks.iter().position(|ask| ask.tag == tag).unwrap_or_else(|| {
                let network = if rule.per == [names::ACCOUNT] { request.facts.network() } else { None };
                asks.push(Ask { principal, tag, network, items: Vec::new() });
                asks.len() - 1
            });
            let cost = request.cost.saturating_mul(rule.cost);
            let items = &mut asks[ask].items;
            let item = if let Some(item) = items.iter().position(|item| item.rule.name == rule.name) {
                items[item].cost = items[item].cost.max(cost);
                item
            } else {
                items.push(Item { rule: Arc::clone(rule), cost });
                items.len() - 1
            };
            of_request.push(Place { ask, item });
        }
        places.push(of_request);
    }
    (asks, places)
}

/// Refunds of one principal each: only those may share a call.
fn by_tag(refunds: &[Refund]) -> Vec<&[Refund]> {
    refunds.chunk_by(|a, b| a.tag == b.tag).collect()
}
