//! Log-ins, as auth asks about them.

use proto::ratelimit::v1::{
    CheckRequest, CheckResponse, ExplainRequest, ListPenaltiesRequest, Principal, PrincipalKind,
    ReportOutcome, ReportRequest, UnbanRequest,
};
use ratelimit::rules::DEFAULTS;
use tonic::{Code, Status};

use crate::support::{World, fresh, fresh_ip, until};

impl World {
    async fn try_login(&self, account: &str, ip: &str) -> Result<CheckResponse, Status> {
        self.try_by(None, account, ip).await
    }

    /// By a device that the account knows, if there is one.
    async fn try_by(&self, device: Option<&str>, account: &str, ip: &str) -> Result<CheckResponse, Status> {
        let principal =
            |kind: PrincipalKind, value: &str| Principal { kind: kind.into(), value: value.into() };
        let mut principals =
            vec![principal(PrincipalKind::Account, account), principal(PrincipalKind::Ip, ip)];
        principals.extend(device.map(|device| principal(PrincipalKind::Device, device)));
        let request = CheckRequest { action: "login".into(), principals, cost: 0 };
        Ok(self.limits.clone().check(request).await?.into_inner())
    }

    async fn login(&self, account: &str, ip: &str, outcome: ReportOutcome) -> bool {
        self.login_by(None, account, ip, outcome).await
    }

    async fn login_by(&self, device: Option<&str>, account: &str, ip: &str, outcome: ReportOutcome) -> bool {
        let answer = self.try_by(device, account, ip).await.unwrap();
        if answer.allowed {
            let report = ReportRequest { ticket: answer.ticket, outcome: outcome.into() };
            self.limits.clone().report(report).await.unwrap();
        }
        answer.allowed
    }
}

fn facts<const N: usize>(facts: [(&str, &str); N]) -> std::collections::HashMap<String, String> {
    facts.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_from_one_address_gets_ten_tries() {
    let world = World::shared(DEFAULTS).await;
    let (account, ip) = (fresh("a@x.de"), fresh_ip());
    for _ in 0..10 {
        assert!(world.login(&account, &ip, ReportOutcome::Failure).await);
    }
    let denied = world.try_login(&account.to_uppercase(), &ip).await.unwrap();
    assert!(!denied.allowed && denied.ticket.is_empty());
    let limit = denied.limit.unwrap();
    assert_eq!((limit.rule.as_str(), limit.remaining, limit.denied), ("login-pair", 0, true));
    let wait = limit.retry_after.unwrap().seconds;
    assert!((290..=300).contains(&wait), "{wait}");
    assert!(world.login(&fresh("b@x.de"), &ip, ReportOutcome::Success).await, "its neighbour may");
    assert!(world.login(&account, &fresh_ip(), ReportOutcome::Failure).await, "and so may another address");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_that_logs_in_counts_for_nothing_and_guesses_count() {
    let world = World::shared(DEFAULTS).await;
    let ip = fresh_ip();
    for _ in 0..150 {
        assert!(world.login(&fresh("colleague"), &ip, ReportOutcome::Success).await);
    }
    for _ in 0..100 {
        assert!(world.login(&fresh("guess"), &ip, ReportOutcome::Failure).await);
    }
    assert!(!world.login(&fresh("guess"), &ip, ReportOutcome::Failure).await);
    let explained = world
        .limits
        .clone()
        .explain(ExplainRequest {
            facts: facts([("action", "login"), ("ip", &ip), ("account", "someone")]),
            cost: 0,
        })
        .await
        .unwrap()
        .into_inner();
    let denying: Vec<_> =
        explained.limits.iter().filter(|limit| limit.denied).map(|limit| limit.rule.as_str()).collect();
    assert_eq!((explained.allowed, denying), (false, vec!["login-ip"]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_got_in_from_an_address_still_may_when_that_address_has_no_failures_left() {
    let world = World::shared(DEFAULTS).await;
    let (office, known, new) = (fresh_ip(), fresh("known@x.de"), fresh("new@x.de"));
    assert!(world.login(&known, &office, ReportOutcome::Success).await);
    for _ in 0..100 {
        assert!(world.login(&fresh("guess"), &office, ReportOutcome::Failure).await);
    }
    assert!(!world.login(&new, &office, ReportOutcome::Success).await, "the address is at its limit");
    for _ in 0..8 {
        assert!(world.login(&known, &office, ReportOutcome::Failure).await, "mistypes");
    }
    assert!(world.login(&known, &office, ReportOutcome::Success).await);
    assert!(!world.login(&known, &office, ReportOutcome::Failure).await, "ten tries, as everywhere");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attacked_account_stays_open_for_its_owner_and_for_nobody_new() {
    let world = World::shared(DEFAULTS).await;
    let (account, home) = (fresh("victim@x.de"), "198.51.100.7");
    assert!(world.login(&account, home, ReportOutcome::Success).await);
    for _ in 0..50 {
        assert!(world.login(&account, &fresh_ip(), ReportOutcome::Failure).await);
    }
    assert!(!world.login(&account, &fresh_ip(), ReportOutcome::Failure).await, "fifty guesses are enough");
    assert!(
        world.login(&account, "198.51.100.99", ReportOutcome::Success).await,
        "the owner's network is known"
    );
    for _ in 0..5 {
        assert!(!world.login(&account, &fresh_ip(), ReportOutcome::Failure).await);
    }
    assert!(world.login(&account, home, ReportOutcome::Success).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_the_account_knows_counts_by_itself_and_passes_what_others_have_used_up() {
    let world = World::shared(DEFAULTS).await;
    let (account, office, device) = (fresh("colleague@x.de"), fresh_ip(), fresh("device"));
    for _ in 0..30 {
        world.login(&account, &office, ReportOutcome::Failure).await;
    }
    assert!(
        world.try_login(&account, &office).await.unwrap().limit.unwrap().penalized,
        "the pair is blocked"
    );
    for _ in 0..100 {
        world.login(&fresh("guess"), &office, ReportOutcome::Failure).await;
    }
    for _ in 0..60 {
        world.login(&account, &fresh_ip(), ReportOutcome::Failure).await;
    }
    let by =
        async |device: &str, ip: &str, outcome| world.login_by(Some(device), &account, ip, outcome).await;
    assert!(
        !world.login(&account, &fresh_ip(), ReportOutcome::Failure).await,
        "the account has no failures left"
    );
    assert!(!world.login(&fresh("guess"), &office, ReportOutcome::Failure).await, "nor has the address");
    for _ in 0..9 {
        assert!(by(&device, &office, ReportOutcome::Failure).await);
    }
    assert!(by(&device, &fresh_ip(), ReportOutcome::Success).await, "wherever it is");
    let denied = world.try_by(Some(&device), &account, &fresh_ip()).await.unwrap();
    let limit = denied.limit.unwrap();
    assert_eq!((denied.allowed, limit.rule.as_str()), (false, "login-device"), "ten tries, as everywhere");
    assert!(by(&fresh("other"), &office, ReportOutcome::Success).await, "another device");
    assert!(!world.login(&account, &office, ReportOutcome::Success).await, "and no device at all");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_logs_in_makes_its_network_known() {
    let world = World::shared(DEFAULTS).await;
    let (account, home) = (fresh("owner@x.de"), fresh_ip());
    assert!(world.login_by(Some(&fresh("device")), &account, &home, ReportOutcome::Success).await);
    for _ in 0..50 {
        assert!(world.login(&account, &fresh_ip(), ReportOutcome::Failure).await);
    }
    assert!(!world.login(&account, &fresh_ip(), ReportOutcome::Success).await);
    assert!(world.login(&account, &home, ReportOutcome::Success).await, "a new device at home");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_hammers_is_blocked_for_minutes_and_can_be_unbanned() {
    let world = World::shared(DEFAULTS).await;
    let (account, device) = (fresh("e@x.de"), fresh("device"));
    for _ in 0..30 {
        world.login_by(Some(&device), &account, &fresh_ip(), ReportOutcome::Failure).await;
    }
    let limit = world.try_by(Some(&device), &account, &fresh_ip()).await.unwrap().limit.unwrap();
    let wait = limit.retry_after.unwrap().seconds;
    assert!(limit.penalized && (1..=300).contains(&wait), "{limit:?}");
    let unban = UnbanRequest { facts: facts([("account", &account), ("device", &device)]) };
    assert!(world.limits.clone().unban(unban).await.unwrap().into_inner().found);
    assert!(!world.try_by(Some(&device), &account, &fresh_ip()).await.unwrap().limit.unwrap().penalized);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hammers_is_blocked_listed_and_unbanned_without_harm_to_others() {
    let world = World::shared(DEFAULTS).await;
    let mut limits = world.limits.clone();
    let (account, ip) = (fresh("c@x.de"), fresh_ip());
    for _ in 0..30 {
        world.login(&account, &ip, ReportOutcome::Failure).await;
    }
    let limit = world.try_login(&account, &ip).await.unwrap().limit.unwrap();
    assert!(limit.penalized);
    let canonical = ip.replace("::1", "::/64");
    let is_listed = async |limits: &mut proto::ratelimit::v1::limit_service_client::LimitServiceClient<_>| {
        let listed = limits.list_penalties(ListPenaltiesRequest {}).await.unwrap().into_inner().penalties;
        let own = |penalty: &&proto::ratelimit::v1::Penalty| penalty.facts.get("account") == Some(&account);
        let found = listed.iter().find(own).cloned();
        found.inspect(|penalty| {
            assert_eq!((penalty.rule.as_str(), penalty.level), ("login-pair", 0));
            assert!(penalty.facts.contains_key("ip"));
        })
    };
    until("the penalty is listed", async || is_listed(&mut limits).await.is_some()).await;
    assert!(world.login(&account, &fresh_ip(), ReportOutcome::Failure).await, "only this pair is blocked");
    assert!(world.login(&fresh("d@x.de"), &ip, ReportOutcome::Success).await, "only this pair is blocked");
    let unban = UnbanRequest { facts: facts([("account", &account), ("ip", &ip)]) };
    assert!(limits.unban(unban.clone()).await.unwrap().into_inner().found, "{canonical}");
    assert!(!limits.unban(unban).await.unwrap().into_inner().found);
    assert!(is_listed(&mut limits).await.is_none());
    assert!(!world.try_login(&account, &ip).await.unwrap().limit.unwrap().penalized);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_its_field() {
    let world = World::start(DEFAULTS).await;
    let mut limits = world.limits.clone();
    let status =
        limits.check(CheckRequest { action: "login".into(), ..CheckRequest::default() }).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "principals: must be 1 to 16"));
    let status = world.try_login(" ", "192.0.2.1").await.unwrap_err();
    assert_eq!(status.message(), "principals[0].value: must not be empty");
    let report = ReportRequest { ticket: b"forged".to_vec(), outcome: ReportOutcome::Success.into() };
    assert_eq!(limits.report(report).await.unwrap_err().message(), "ticket: must be one that `Check` gave");
    world.stop().await;
}
