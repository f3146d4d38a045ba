//! `sipup limits`: what the rate limiter holds to, whom it blocks, and what it would say.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use proto::ratelimit::v1::{
    ActiveUsersRequest, ExplainRequest, GetShadowReportRequest, LimitStatus, ListPenaltiesRequest,
    ListRulesRequest, Rule, RuleAlgorithm, UnbanRequest, limit_service_client::LimitServiceClient,
};
use tonic::transport::{Channel, Endpoint};

/// The exit code of `test` for a request that would be denied, and of `unban` for somebody who isn't blocked.
const NO: u8 = 2;
/// The longest that a command waits for the limiter.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the rules, who is blocked, and how many users are active.
    Show(Target),
    /// Would this request be limited, and by which rule? Counts nothing. Exit code 2 if it would be denied.
    Test {
        #[command(flatten)]
        target: Target,
        /// How much the request counts.
        #[arg(long, default_value_t = 1)]
        cost: u32,
        /// What is known about the request, like `user=…`, `ip=…`, `auth=anonymous`, `action=login`, `account=…`, `device=…`, `method=/…`.
        #[arg(required = true, value_parser = fact)]
        facts: Vec<(String, String)>,
    },
    /// End a penalty, and forget those before it. Exit code 2 if there is none.
    Unban {
        #[command(flatten)]
        target: Target,
        /// Who is blocked, by all facts that the rule counts: `ip=…`, or `account=…` and `ip=…` or `device=…`.
        #[arg(required = true, value_parser = fact)]
        facts: Vec<(String, String)>,
    },
    /// Show what rules in shadow mode would have denied in the last 24 hours.
    Shadow(Target),
}

#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Where the rate limit service is. It has no public route: on a cluster, forward its port first.
    #[arg(long, env = "SIPUP_LIMITER_URL", default_value = "http://127.0.0.1:18140")]
    url: String,
}

/// Reads `name=value`.
fn fact(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("must be like name=value"),
    }
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show(target) => show(target.connect().await?).await,
            Self::Test { target, cost, facts } => test(target.connect().await?, cost, facts).await,
            Self::Unban { target, facts } => unban(target.connect().await?, facts).await,
            Self::Shadow(target) => shadow(target.connect().await?).await,
        }
    }
}

impl Target {
    async fn connect(&self) -> anyhow::Result<LimitServiceClient<Channel>> {
        let endpoint = Endpoint::from_shared(self.url.clone()).context("the limiter's URL")?;
        let channel = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect().await;
        Ok(LimitServiceClient::new(
            channel.with_context(|| format!("reach the rate limit service at {}", self.url))?,
        ))
    }
}

async fn show(mut limits: LimitServiceClient<Channel>) -> anyhow::Result<ExitCode> {
    let rules = limits.list_rules(ListRulesRequest {}).await?.into_inner();
    let mut text = String::new();
    for rule in &rules.rules {
        writeln!(text, "{}", describe(rule))?;
    }
    if !rules.problem.is_empty() {
        writeln!(text, "the rules file as it is now is not in force: {}", rules.problem)?;
    }
    match limits.list_penalties(ListPenaltiesRequest {}).await {
        Ok(listed) => {
            let penalties = listed.into_inner().penalties;
            writeln!(text, "blocked: {}", penalties.len())?;
            for penalty in &penalties {
                let ends = penalty.end_time.map_or(0, |at| at.seconds);
                let (who, rule, level) = (pairs(&penalty.facts), &penalty.rule, penalty.level);
                writeln!(text, "  {who}: rule {rule}, level {level}, until {ends} (Unix time)")?;
            }
        }
        Err(status) => writeln!(text, "blocked: not known ({})", status.message())?,
    }
    match limits.active_users(ActiveUsersRequest {}).await {
        Ok(active) => writeln!(text, "active users: {}", active.into_inner().users)?,
        Err(status) => writeln!(text, "active users: not known ({})", status.message())?,
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn test(
    mut limits: LimitServiceClient<Channel>,
    cost: u32,
    facts: Vec<(String, String)>,
) -> anyhow::Result<ExitCode> {
    let request = ExplainRequest { facts: facts.into_iter().collect(), cost };
    let explained = limits.explain(request).await?.into_inner();
    let mut text = String::new();
    for limit in &explained.limits {
        writeln!(text, "{}", verdict(limit))?;
    }
    let outcome = match (explained.allowed, explained.limits.is_empty()) {
        (true, true) => "allowed: no rule applies",
        (true, false) => "allowed",
        (false, _) => "denied",
    };
    print(&format!("{text}{outcome}\n"))?;
    Ok(if explained.allowed { ExitCode::SUCCESS } else { NO.into() })
}

async fn unban(
    mut limits: LimitServiceClient<Channel>,
    facts: Vec<(String, String)>,
) -> anyhow::Result<ExitCode> {
    let request = UnbanRequest { facts: facts.into_iter().collect() };
    let found = limits.unban(request).await?.into_inner().found;
    print(if found { "the penalty is over\n" } else { "there was no penalty\n" })?;
    Ok(if found { ExitCode::SUCCESS } else { NO.into() })
}

async fn shadow(mut limits: LimitServiceClient<Channel>) -> anyhow::Result<ExitCode> {
    let report = limits.get_shadow_report(GetShadowReportRequest {}).await?.into_inner();
    let mut text = String::new();
    for rule in &report.rules {
        writeln!(text, "{}: would have denied {} of {} requests", rule.rule, rule.denied, rule.requests)?;
    }
    print(if text.is_empty() { "no rule was in shadow mode in the last 24 hours\n" } else { &text })?;
    Ok(ExitCode::SUCCESS)
}

fn describe(rule: &Rule) -> String {
    let window = rule.window.unwrap_or_default();
    let length = Duration::try_from(window).unwrap_or_default().as_secs_f64();
    let amount = match rule.algorithm() {
        RuleAlgorithm::Rate => format!("a burst of {}, whole again after {length} s", rule.limit),
        RuleAlgorithm::Window | RuleAlgorithm::Exact | RuleAlgorithm::Unspecified => {
            format!("{} per {length} s", rule.limit)
        }
    };
    let when = |word: &str, facts: &HashMap<String, String>| match pairs(facts) {
        pairs if pairs.is_empty() => String::new(),
        pairs => format!(" {word} {pairs}"),
    };
    let (matches, unless) = (when("where", &rule.r#match), when("unless", &rule.unless));
    let cost = if rule.cost == 1 { String::new() } else { format!(", each counting {}", rule.cost) };
    let shadow = if rule.shadow { " (shadow)" } else { "" };
    format!("{}: {amount} for each {}{matches}{unless}{cost}{shadow}", rule.name, rule.per.join(" and "))
}

fn verdict(limit: &LimitStatus) -> String {
    let wait = limit.retry_after.map_or(0, |wait| wait.seconds + i64::from(wait.nanos > 0));
    let says = match (limit.denied, limit.penalized, limit.shadow) {
        (true, true, _) => format!("blocked by a penalty for {wait} s"),
        (true, false, _) => format!("denies, for {wait} s"),
        (false, _, true) => "only reports".to_owned(),
        (false, _, false) => "admits".to_owned(),
    };
    format!("{}: {says}; {} of {} left", limit.rule, limit.remaining, limit.limit)
}

/// `name=value`, sorted by name.
fn pairs(facts: &HashMap<String, String>) -> String {
    let mut pairs: Vec<String> = facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs.join(" ")
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("standard output is closed")
}
