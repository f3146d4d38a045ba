//! What the person who starts the stack can choose.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::folder::DataFolder;
use crate::ports::Layout;
use crate::progress::Progress;
use crate::stack::DemoUser;
use crate::stack::databases::Database;
use crate::valkey::MASTERS;

/// A service of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Products and categories.
    Catalog,
    /// Orders and stock.
    Orders,
    /// Companies, users and sessions.
    Auth,
    /// Work that happens later.
    Jobs,
    /// Rate limits, where they are wanted.
    Ratelimit,
}

impl Service {
    /// The services that every stack has; each has a role in the database, and the ingress sends it calls.
    pub const ALL: [Self; 4] = [Self::Catalog, Self::Orders, Self::Auth, Self::Jobs];

    /// The name by which `sipup serve` knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Orders => "orders",
            Self::Auth => "auth",
            Self::Jobs => "jobs",
            Self::Ratelimit => "ratelimit",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many processes of one service run: `catalog=2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    service: Service,
    count: u16,
}

impl FromStr for Replicas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, count) = text.split_once('=').ok_or("write it as `catalog=2`")?;
        let service = Service::ALL.into_iter().find(|service| service.name() == name);
        let service = service.ok_or_else(|| format!("`{name}` is none of catalog, orders, auth, jobs"))?;
        let count = count.parse().ok().filter(|count| (1..=10).contains(count));
        Ok(Self { service, count: count.ok_or("1 to 10 of each service can run")? })
    }
}

/// Rate limits at the ingress.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// The file of rules; `None` is the defaults of the service.
    pub rules: Option<PathBuf>,
}

/// What to run, and from where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program that has the commands `serve`, `migrate` and `seed`.
    pub executable: PathBuf,
    /// Where the data is kept; `None` is `$XDG_DATA_HOME/sipup`, else `~/.local/share/sipup`.
    pub data_dir: Option<PathBuf>,
    /// Keep the data in a temporary folder, removed at the end.
    pub ephemeral: bool,
    /// The first port; 0 takes any free block.
    pub port_base: u16,
    /// How many of each service; one where nothing is said.
    pub replicas: Vec<Replicas>,
    /// Leave the database without demo data.
    pub no_seed: bool,
    /// Demo products.
    pub products: u32,
    /// The users that `seed` makes.
    pub users: Vec<DemoUser>,
    /// A database to use instead of our own, as the role that owns it.
    pub postgres_url: Option<String>,
    /// How much later than the primary our replica shows a commit.
    pub replica_delay: Duration,
    /// Nodes of a cluster to use instead of our own: `host:port,host:port`.
    pub redis_url: Option<String>,
    /// An Envoy to use instead of the pinned one.
    pub envoy_bin: Option<PathBuf>,
    /// Receives traces over OTLP gRPC: `http://host:4317`.
    pub otlp_url: Option<String>,
    /// Calls per second and client address that Envoy lets through; `None` lets all through, as everybody here has one address.
    pub local_limit: Option<u32>,
    /// Runs the rate limit service, and lets Envoy ask it. `None` limits nobody, for the same reason.
    pub limits: Option<Limits>,
    /// Receives the [`StackInfo`](crate::StackInfo) as JSON when everything is ready.
    pub ready_file: Option<PathBuf>,
    /// Where unpacked wheels are kept; `None` is `$XDG_CACHE_HOME/sipup`, else `~/.cache/sipup`.
    pub wheels: Option<PathBuf>,
    /// Where progress is shown.
    pub progress: Progress,
}

impl Options {
    /// The defaults, for the commands of `executable`.
    pub fn new(executable: PathBuf) -> Self {
        Self {
            executable,
            data_dir: None,
            ephemeral: false,
            port_base: 18_000,
            replicas: Vec::new(),
            no_seed: false,
            products: 10_000,
            users: Vec::new(),
            postgres_url: None,
            replica_delay: Duration::ZERO,
            redis_url: None,
            envoy_bin: None,
            otlp_url: None,
            local_limit: None,
            limits: None,
            ready_file: None,
            wheels: None,
            progress: Progress::on_stderr(),
        }
    }

    /// Every process of every service.
    pub(super) fn services(&self) -> impl Iterator<Item = (Service, u16)> + '_ {
        let limiter = self.limits.as_ref().map(|_| Service::Ratelimit);
        Service::ALL
            .into_iter()
            .chain(limiter)
            .flat_map(|service| (0..self.replicas(service)).map(move |replica| (service, replica)))
    }

    /// How many processes of `service` run; the last word counts.
    pub(super) fn replicas(&self, service: Service) -> u16 {
        self.replicas
            .iter()
            .rev()
            .find(|replicas| replicas.service == service)
            .map_or(1, |replicas| replicas.count)
    }

    /// Every port that the stack will listen on, and for what.
    pub(super) fn ports(&self, layout: Layout) -> Vec<(u16, String)> {
        let ingress = [layout.ingress(), layout.ingress_metrics(), layout.ingress_admin()];
        let mut ports: Vec<(u16, String)> = ingress.map(|port| (port, "Envoy".to_owned())).into();
        if self.postgres_url.is_none() {
            ports.extend([layout.primary(), layout.replica()].map(|port| (port, "Postgres".to_owned())));
        }
        if self.redis_url.is_none() {
            let nodes = valkey_ports(layout).into_iter().flat_map(|port| [port, port + Layout::VALKEY_BUS]);
            ports.extend(nodes.map(|port| (port, "Valkey".to_owned())));
        }
        for (service, replica) in self.services() {
            let both = [layout.grpc(service, replica), layout.admin(service, replica)];
            ports.extend(both.map(|port| (port, service.to_string())));
        }
        ports.extend(
            (0..self.replicas(Service::Auth)).map(|replica| (layout.jwks(replica), "auth".to_owned())),
        );
        ports
    }
}

/// Three masters and three replicas.
pub(super) fn valkey_ports(layout: Layout) -> Vec<u16> {
    (0..).map(|index| layout.valkey(index)).take(2 * MASTERS).collect()
}

/// The options with the place and the ports that they led to.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) folder: DataFolder,
    pub(super) layout: Layout,
}

impl Plan {
    /// Refuses what can't work before anything is started.
    pub(super) fn check(&self) -> Result<()> {
        self.redis_nodes()?;
        self.limit_rules()?;
        self.options.postgres_url.as_deref().map_or(Ok(()), |url| Database::given(url).map(drop))
    }

    /// The folder of the logs.
    pub(super) fn logs(&self) -> Result<PathBuf> {
        self.folder.inside("logs")
    }

    /// The file of rate limit rules, from the root on: services run in another folder.
    ///
    /// # Errors
    /// When there is no such file.
    pub(super) fn limit_rules(&self) -> Result<Option<PathBuf>> {
        let Some(given) = self.options.limits.as_ref().and_then(|limits| limits.rules.as_ref()) else {
            return Ok(None);
        };
        let path = std::path::absolute(given).ok().filter(|path| path.is_file());
        path.map(Some).ok_or_else(|| Error::Option {
            option: "--limit-rules",
            problem: format!("there is no file {}", given.display()),
        })
    }

    /// The nodes of the Valkey cluster, ours or the one that was given.
    ///
    /// # Errors
    /// When what was given is no list of addresses.
    pub(super) fn redis_nodes(&self) -> Result<Vec<String>> {
        let Some(given) = &self.options.redis_url else {
            return Ok(valkey_ports(self.layout)
                .into_iter()
                .map(|port| format!("127.0.0.1:{port}"))
                .collect());
        };
        let nodes = given.trim_start_matches("redis://").trim_end_matches('/').split(',');
        let nodes: Vec<String> = nodes.map(|node| node.trim().to_owned()).collect();
        let is_node =
            |node: &String| node.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if nodes.iter().all(is_node) {
            return Ok(nodes);
        }
        Err(Error::Option { option: "--redis-url", problem: "write it as `host:port,host:port`".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_of_the_layout_is_used_twice_or_lies_outside() {
        let replicas = Service::ALL.map(|service| Replicas { service, count: 10 }).to_vec();
        let options = Options { replicas, limits: Some(Limits::default()), ..Options::new("sipup".into()) };
        let ports = options.ports(Layout::at(18_000).unwrap());
        let distinct: BTreeSet<u16> = ports.iter().map(|(port, _)| *port).collect();
        assert_eq!(distinct.len(), ports.len());
        assert!(distinct.iter().all(|port| (18_000..18_000 + Layout::PORTS).contains(port)));
        assert_eq!(ports.len(), 3 + 2 + 12 + 80 + 10 + 2);
    }

    #[test]
    fn replicas_are_read_and_wrong_ones_are_named() {
        assert_eq!("catalog=2".parse(), Ok(Replicas { service: Service::Catalog, count: 2 }));
        for (text, problem) in
            [("catalog", "catalog=2"), ("cat=2", "`cat`"), ("jobs=0", "1 to 10"), ("jobs=11", "1 to 10")]
        {
            assert!(text.parse::<Replicas>().unwrap_err().contains(problem), "{text}");
        }
    }

    #[test]
    fn a_base_whose_ports_would_leave_the_range_is_refused() {
        for base in [0, 1_023, 32_368, 65_535] {
            assert!(Layout::at(base).is_err(), "{base}");
        }
    }
}
