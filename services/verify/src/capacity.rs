//! How large a release must be for its users, in one place: the chart computes the same, and a test compares the two.

mod live;

use std::{collections::BTreeMap, fmt, num::NonZeroU32, str::FromStr};

pub use self::live::{Check, Finding, Verdict, compare};
use crate::table;

/// Calls per second of a thousand users who think for 7 s between two clicks.
const CALLS_OF_1000_USERS: u64 = 143;
/// The fewest pods of a service, so that one may be away.
const FEWEST_PODS: u32 = 2;
/// The least connections that the pool of one pod has.
const LEAST_POOL: u32 = 4;
/// Connections that a service has however small the release is.
const LEAST_BUDGET: u32 = 20;
/// Connections that all pods of a service may have to one server.
const LARGEST_BUDGET: u32 = 100;
/// Connections for migrations, replicas and people.
const SPARE_CONNECTIONS: u32 = 20;

/// The services that grow with the users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Products and categories.
    Catalog,
    /// Orders and stock.
    Orders,
    /// Companies, users and sessions.
    Auth,
    /// Work that happens later.
    Jobs,
    /// Rate limits.
    Ratelimit,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Catalog, Self::Orders, Self::Auth, Self::Jobs, Self::Ratelimit];

    /// The name of its component.
    pub fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Orders => "orders",
            Self::Auth => "auth",
            Self::Jobs => "jobs",
            Self::Ratelimit => "ratelimit",
        }
    }

    /// Whether it has a pool of database connections.
    pub fn has_database(self) -> bool {
        self != Self::Ratelimit
    }

    /// Users that one pod bears, 15 % to spare included (the README has the figures behind it).
    pub fn default_users_per_pod(self) -> NonZeroU32 {
        let users = match self {
            Self::Catalog | Self::Auth => 2_500,
            Self::Orders | Self::Ratelimit => 4_000,
            Self::Jobs => 5_000,
        };
        NonZeroU32::new(users).unwrap_or(NonZeroU32::MIN)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Users who are active at the same time.
    pub target_users: u32,
    /// Users that one pod bears.
    pub users_per_pod: BTreeMap<Service, NonZeroU32>,
    /// Pods of Envoy.
    pub envoy_replicas: NonZeroU32,
}

impl Sizes {
    /// The defaults of the chart, for this many users.
    pub fn new(target_users: u32) -> Self {
        Self {
            target_users,
            users_per_pod: Service::ALL.map(|service| (service, service.default_users_per_pod())).into(),
            envoy_replicas: NonZeroU32::MIN.saturating_add(1),
        }
    }

    fn users_per_pod(&self, service: Service) -> NonZeroU32 {
        self.users_per_pod.get(&service).copied().unwrap_or_else(|| service.default_users_per_pod())
    }
}

/// `catalog=2500`: how many users a pod of a service bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsersPerPod(pub Service, pub NonZeroU32);

impl FromStr for UsersPerPod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, users) = text.split_once('=').ok_or("must be <service>=<users>")?;
        let service = Service::ALL.into_iter().find(|service| service.name() == name);
        let service = service.ok_or("must begin with catalog, orders, auth, jobs or ratelimit")?;
        let users = users.parse().map_err(|_| "must end with a number of users from 1 on")?;
        Ok(Self(service, users))
    }
}

/// A size that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "usersPerPod.{service} is too small for the target: {pods} pods at {LEAST_POOL} connections each pass the budget of {LARGEST_BUDGET}"
)]
pub struct TooManyPods {
    /// Of which service.
    pub service: Service,
    /// How many, with those that a rolling update adds.
    pub pods: u32,
}

/// How large each part of a release must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Users who are active at the same time.
    pub target_users: u32,
    /// Calls per second that they make.
    pub calls_per_second: u64,
    /// The services.
    pub services: Vec<ServicePlan>,
    /// Connections that each service's role may have to one server.
    pub connection_limit: u32,
    /// Connections that a database server allows.
    pub max_connections: u32,
    /// Client connections that one Envoy takes.
    pub envoy_connections: u64,
}

/// How large one service must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// Which.
    pub service: Service,
    /// Users that one pod bears.
    pub users_per_pod: NonZeroU32,
    /// Fewest pods.
    pub min: u32,
    /// Most pods.
    pub max: u32,
    /// Pods that a rolling update adds at most.
    pub surge: u32,
    /// Database connections of all pods together; `None` without a database.
    pub pool_budget: Option<u32>,
}

impl Plan {
    /// The plan for these sizes.
    ///
    /// # Errors
    ///
    /// A service would have more pods than its database connections allow.
    pub fn new(sizes: &Sizes) -> Result<Self, TooManyPods> {
        let users = sizes.target_users;
        let services =
            Service::ALL.map(|service| ServicePlan::new(service, users, sizes.users_per_pod(service)));
        let services = services.into_iter().collect::<Result<Vec<_>, _>>()?;
        let budgets = || services.iter().filter_map(|plan| plan.pool_budget);
        Ok(Self {
            target_users: users,
            calls_per_second: u64::from(users) * CALLS_OF_1000_USERS / 1_000,
            connection_limit: (budgets().max().unwrap_or(0) * 6).div_ceil(5),
            max_connections: (budgets().sum::<u32>() * 5).div_ceil(4) + SPARE_CONNECTIONS,
            envoy_connections: (u64::from(users) * 3).div_ceil(u64::from(sizes.envoy_replicas.get()) * 2),
            services,
        })
    }
}

impl ServicePlan {
    fn new(service: Service, users: u32, users_per_pod: NonZeroU32) -> Result<Self, TooManyPods> {
        let max = users.div_ceil(users_per_pod.get()).max(FEWEST_PODS);
        let min = max.div_ceil(4).max(FEWEST_PODS);
        let surge = max.div_ceil(4);
        let pods = max.saturating_add(surge);
        let wanted = pods.saturating_mul(LEAST_POOL);
        if service.has_database() && wanted > LARGEST_BUDGET {
            return Err(TooManyPods { service, pods });
        }
        let pool_budget = service.has_database().then(|| wanted.max(LEAST_BUDGET));
        Ok(Self { service, users_per_pod, min, max, surge, pool_budget })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} users, {} calls/s\n", self.target_users, self.calls_per_second)?;
        let head = ["service", "users per pod", "min", "max", "surge", "connections"].map(str::to_owned);
        let rows = self.services.iter().map(|plan| {
            let pool = plan.pool_budget.map_or_else(|| "-".to_owned(), |pool| pool.to_string());
            let numbers =
                [plan.users_per_pod.get(), plan.min, plan.max, plan.surge].map(|number| number.to_string());
            std::iter::once(plan.service.to_string()).chain(numbers).chain([pool]).collect()
        });
        let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
        writeln!(f, "{}", table::render(&rows))?;
        writeln!(f, "connections of a role    {}", self.connection_limit)?;
        writeln!(f, "max_connections          {}", self.max_connections)?;
        write!(f, "connections of an Envoy  {}", self.envoy_connections)
    }
}

#[cfg(test)]
mod tests;
