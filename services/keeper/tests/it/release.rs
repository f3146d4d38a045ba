//! A release: nodes that come and go, names that resolve to them, and a keeper for each.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use keeper::{Keeper, Members, Resolve};
use platform::Secret;
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) const PRIMARIES: usize = 3;

const PASSWORD: &str = "not a \"secret\"";
const PATIENCE: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(100);

/// Runs Valkey ("$@") until standard input ends, which it does however the test process goes. Ends it like a lost machine.
const GUARD: &str = r#"
"$@" >/dev/null 2>&1 &
node=$!
exec 3<&0
(read -r _ <&3; kill -9 "$node") 2>/dev/null &
wait "$node"
"#;

/// The names that resolve, shared by all releases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<HashMap<String, IpAddr>>>);

impl Resolve for Names {
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<IpAddr>> + Send {
        let found = self.0.lock().unwrap().get(host).copied();
        std::future::ready(found.ok_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

impl Names {
    pub(crate) fn set(&self, host: String, ip: IpAddr) {
        self.0.lock().unwrap().insert(host, ip);
    }
}

struct Pod {
    guard: Child,
    ip: IpAddr,
}

impl Drop for Pod {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ended = self.guard.wait();
    }
}

pub(crate) struct Release {
    pub(crate) name: &'static str,
    pub(crate) names: Names,
    server: PathBuf,
    folder: TempDir,
    pods: HashMap<usize, Pod>,
    nodes: usize,
    keepers: JoinSet<()>,
}

impl Release {
    /// So many nodes that know nothing of one another.
    pub(crate) async fn new(name: &'static str, names: &Names, nodes: usize) -> Self {
        let server = local::testing::valkey_server().await;
        let folder = tempfile::tempdir().unwrap();
        let (pods, names) = (HashMap::new(), names.clone());
        let mut release = Self { name, names, server, folder, pods, nodes, keepers: JoinSet::new() };
        (0..nodes).for_each(|nth| release.start(nth, new_ip()));
        release
            .eventually(|| {
                let silent = (0..nodes).find(|nth| !release.say(*nth, "PING").contains("+PONG"));
                silent.map_or(Ok(()), |nth| Err(format!("node {nth} does not answer")))
            })
            .await;
        release
    }

    /// So many nodes that are a cluster, with their keepers.
    pub(crate) async fn whole(name: &'static str, names: &Names, nodes: usize) -> Self {
        let mut release = Self::new(name, names, nodes).await;
        (0..nodes).for_each(|nth| release.keep(nth));
        release.becomes_whole().await;
        release
    }

    pub(crate) fn host(&self, nth: usize) -> String {
        format!("valkey-{nth}.valkey.{}.svc", self.name)
    }

    pub(crate) fn ip(&self, nth: usize) -> IpAddr {
        self.pods[&nth].ip
    }

    /// Starts the pod with what its volume holds.
    pub(crate) fn start(&mut self, nth: usize, ip: IpAddr) {
        let volume = self.volume(nth);
        fs::create_dir_all(&volume).unwrap();
        let config = format!(
            "bind {ip}\nport {}\ndir {}\ncluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\n\
             cluster-announce-ip {ip}\ncluster-announce-hostname {}\ncluster-require-full-coverage no\n\
             cluster-allow-replica-migration no\ncluster-replica-validity-factor 0\nappendonly yes\nsave \"\"\n\
             repl-diskless-sync-delay 0\nrequirepass \"{escaped}\"\nprimaryauth \"{escaped}\"\n",
            port(),
            volume.display(),
            self.host(nth),
            escaped = PASSWORD.replace('"', "\\\"")
        );
        let file = self.folder.path().join(format!("{nth}.conf"));
        fs::write(&file, config).unwrap();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&self.server).arg(file);
        guard.stdin(Stdio::piped()).stderr(Stdio::null());
        self.pods.insert(nth, Pod { guard: guard.spawn().unwrap(), ip });
        self.names.set(self.host(nth), ip);
    }

    /// Ends the pod without a warning. Its name goes on resolving, as it does for a while.
    pub(crate) fn kill(&mut self, nth: usize) {
        self.pods.remove(&nth).unwrap();
    }

    pub(crate) fn lose_volume(&self, nth: usize) {
        fs::remove_dir_all(self.volume(nth)).unwrap();
    }

    fn volume(&self, nth: usize) -> PathBuf {
        self.folder.path().join(nth.to_string())
    }

    pub(crate) fn keeper(&self, nth: usize) -> Keeper<Names> {
        let members = Members {
            hosts: (0..self.nodes).map(|nth| self.host(nth)).collect(),
            port: port(),
            ordinal: nth,
            node: (self.ip(nth), port()).into(),
            primaries: PRIMARIES,
        };
        Keeper::new(members, Secret::new(PASSWORD), self.names.clone())
    }

    /// Keeps the node from now on.
    pub(crate) fn keep(&mut self, nth: usize) {
        let mut keeper = self.keeper(nth);
        self.keepers.spawn(async move {
            loop {
                keeper.round().await;
                tokio::time::sleep(STEP).await;
            }
        });
    }

    /// Ends all keepers.
    pub(crate) async fn abandon(&mut self) {
        self.keepers.shutdown().await;
    }

    /// Adds a node, and tells all keepers.
    pub(crate) async fn grow(&mut self, nodes: usize) {
        self.abandon().await;
        (self.nodes..nodes).for_each(|nth| self.start(nth, new_ip()));
        self.nodes = nodes;
        (0..nodes).for_each(|nth| self.keep(nth));
    }

    /// Every node serves or follows, knows all others and nobody else, and no primary is without a replica.
    pub(crate) async fn becomes_whole(&self) {
        self.eventually(|| self.check()).await;
    }

    async fn eventually(&self, condition: impl Fn() -> Result<(), String>) {
        let end = Instant::now() + PATIENCE;
        while let Err(problem) = condition() {
            assert!(Instant::now() < end, "{}: {problem}", self.name);
            tokio::time::sleep(STEP).await;
        }
    }

    fn check(&self) -> Result<(), String> {
        let mut replicas: HashMap<String, usize> = HashMap::new();
        for nth in 0..self.nodes {
            let info = self.say(nth, "CLUSTER INFO");
            let known = format!("cluster_known_nodes:{}\r", self.nodes);
            for needed in ["cluster_state:ok", "cluster_slots_ok:16384", &known] {
                if !info.contains(needed) {
                    return Err(format!("no {needed} in node {nth}: {info}"));
                }
            }
            let replication = self.say(nth, "INFO replication");
            if replication.contains("role:slave") && !replication.contains("master_link_status:up") {
                return Err(format!("node {nth} has no copy: {replication}"));
            }
            for line in self.say(nth, "CLUSTER NODES").lines().filter(|line| line.contains("myself")) {
                let words: Vec<&str> = line.split_whitespace().collect();
                match words[3] {
                    "-" if words.len() < 9 => return Err(format!("node {nth} is spare: {line}")),
                    "-" => *replicas.entry(words[0].to_owned()).or_default() += 0,
                    primary => *replicas.entry(primary.to_owned()).or_default() += 1,
                }
            }
        }
        let least = (self.nodes - PRIMARIES) / PRIMARIES;
        if replicas.len() == PRIMARIES && replicas.values().all(|count| *count >= least) {
            return Ok(());
        }
        Err(format!("replicas of each primary: {replicas:?}"))
    }

    /// Says a command to a node. Empty if it does not answer.
    pub(crate) fn say(&self, nth: usize, command: &str) -> String {
        let Some(pod) = self.pods.get(&nth) else { return String::new() };
        say((pod.ip, port()).into(), command).unwrap_or_default()
    }

    /// Writes a hundred keys, each to the node that takes it.
    pub(crate) fn fill(&self) {
        for key in 0..100 {
            let taken = (0..self.nodes)
                .filter(|nth| self.say(*nth, &format!("SET k{key} v{key}")).contains("+OK\r\n+OK"));
            assert_eq!(taken.count(), 1, "k{key}");
        }
        // Each primary's replica has it too.
        for nth in 0..self.nodes {
            self.say(nth, "WAIT 1 10000");
        }
    }

    /// How many of them are still there.
    pub(crate) fn kept(&self) -> usize {
        let has = |key: &usize| {
            (0..self.nodes).any(|nth| self.say(nth, &format!("GET k{key}")).contains(&format!("v{key}\r")))
        };
        (0..100).filter(has).count()
    }

    /// A primary.
    pub(crate) fn primary(&self) -> usize {
        (0..self.nodes).find(|nth| self.say(*nth, "INFO replication").contains("role:master")).unwrap()
    }
}

fn say(node: SocketAddr, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&node, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    write!(stream, "AUTH '{PASSWORD}'\r\n{command}\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// An address that nobody had before.
pub(crate) fn new_ip() -> IpAddr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [low, high, ..] = std::process::id().to_le_bytes();
    Ipv4Addr::new(127, high | 64, low, LAST.fetch_add(1, Relaxed) + 1).into()
}

/// The same for all nodes, as on pods. The bus is 10,000 higher, and below the ports of clients.
fn port() -> u16 {
    17_000 + u16::try_from(std::process::id() % 4_000).unwrap()
}
