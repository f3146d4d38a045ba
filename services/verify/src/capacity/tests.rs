use super::*;

fn plan(users: u32) -> Plan {
    Plan::new(&Sizes::new(users)).unwrap()
}

fn numbers(plan: &Plan) -> Vec<(u32, u32, Option<u32>)> {
    plan.services.iter().map(|service| (service.min, service.max, service.pool_budget)).collect()
}

#[test]
fn twenty_thousand_users_need_what_the_readme_says() {
    let plan = plan(20_000);
    assert_eq!(plan.calls_per_second, 2_860);
    assert_eq!(
        numbers(&plan),
        [(2, 8, Some(40)), (2, 5, Some(28)), (2, 8, Some(40)), (2, 4, Some(20)), (2, 5, None)]
    );
    assert_eq!((plan.connection_limit, plan.max_connections, plan.envoy_connections), (48, 180, 15_000));
}

#[test]
fn a_small_release_has_two_pods_of_each_and_the_least_budget() {
    for users in [1, 500, 5_000] {
        let plan = plan(users);
        assert!(
            plan.services.iter().all(|service| (service.min, service.max, service.surge) == (2, 2, 1)),
            "{users}"
        );
        assert_eq!((plan.connection_limit, plan.max_connections), (24, 120));
    }
}

#[test]
fn more_users_never_need_less() {
    let plans: Vec<Plan> = (1..=80).map(|thousands| plan(thousands * 625)).collect();
    for pair in plans.windows(2) {
        let [less, more] = pair else { unreachable!("windows of two") };
        for (less, more) in less.services.iter().zip(&more.services) {
            assert!(more.max >= less.max && more.min >= less.min && more.pool_budget >= less.pool_budget);
        }
        assert!(
            more.max_connections >= less.max_connections && more.envoy_connections >= less.envoy_connections
        );
    }
}

#[test]
fn pods_bear_the_users_and_their_pools_fit_the_servers() {
    for users in (1..=50_000).step_by(997) {
        let plan = plan(users);
        for service in &plan.services {
            assert!(service.max * service.users_per_pod.get() >= users);
            assert!(service.min * 4 >= service.max && service.min <= service.max);
            let pods = service.max + service.surge;
            assert!(service.pool_budget.is_none_or(|budget| budget >= pods * LEAST_POOL && budget <= 100));
            assert!(service.pool_budget.unwrap_or(0) < plan.connection_limit);
        }
        // All pools together take at most 0.8 of what is not reserved for superusers.
        let pools: u32 = plan.services.iter().filter_map(|service| service.pool_budget).sum();
        assert!(pools * 10 <= (plan.max_connections - 3) * 8, "{users}");
    }
}

#[test]
fn more_pods_than_connections_allow_are_refused_by_service() {
    let sizes = Sizes {
        users_per_pod: [(Service::Orders, NonZeroU32::new(900).unwrap())].into(),
        ..Sizes::new(20_000)
    };
    let error = Plan::new(&sizes).unwrap_err();
    assert_eq!(error, TooManyPods { service: Service::Orders, pods: 29 });
    assert!(error.to_string().contains("usersPerPod.orders"));
}

#[test]
fn a_flag_names_a_service_and_its_users() {
    let parsed = "jobs=700".parse::<UsersPerPod>().unwrap();
    assert_eq!(parsed, UsersPerPod(Service::Jobs, NonZeroU32::new(700).unwrap()));
    for wrong in ["jobs", "jobs=0", "jobs=many", "envoy=5"] {
        wrong.parse::<UsersPerPod>().unwrap_err();
    }
}

#[test]
fn the_table_shows_every_number() {
    let text = plan(20_000).to_string();
    let catalog = text.lines().find(|line| line.starts_with("catalog")).unwrap();
    assert_eq!(catalog.split_whitespace().collect::<Vec<_>>(), ["catalog", "2500", "2", "8", "2", "40"]);
    assert!(text.contains("max_connections          180"), "{text}");
}
