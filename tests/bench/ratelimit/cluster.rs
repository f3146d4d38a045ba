//! A Valkey cluster of three masters without replicas, which can lose one of them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::process::{self, Process};

/// The fewest that Valkey calls a cluster.
const MASTERS: u16 = 3;
const SLOTS: u16 = 16_384;
/// What a node's port and the one on which nodes talk with one another are apart.
const BUS: u16 = 100;
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The masters, in the order of their slots.
#[derive(Debug)]
pub(crate) struct Cluster {
    program: PathBuf,
    folder: PathBuf,
    ports: Vec<u16>,
    nodes: Vec<Process>,
}

impl Cluster {
    /// Starts the nodes and waits until every slot is served.
    pub(crate) fn start(program: &Path, folder: &Path, port: u16) -> anyhow::Result<Self> {
        let ports: Vec<u16> = (port..port + MASTERS).collect();
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut cluster = Self { program, folder, ports, nodes: Vec::new() };
        for index in 0..cluster.ports.len() {
            let node = cluster.start_node(index)?;
            cluster.nodes.push(node);
        }
        cluster.form()?;
        Ok(cluster)
    }

    /// The addresses of all masters.
    pub(crate) fn addresses(&self) -> String {
        let addresses = self.ports.iter().map(|port| format!("127.0.0.1:{port}"));
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The masters' processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.nodes.iter().map(Process::pid).collect()
    }

    /// Forgets all keys, so that no run begins with what another counted.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        self.ports.iter().try_for_each(|port| call(*port, &["FLUSHALL", "SYNC"]).map(drop))
    }

    /// Kills one master, as a machine that fails does.
    pub(crate) fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.nodes[index].kill()
    }

    /// Starts a killed master again; it knows its place, but none of its keys.
    pub(crate) fn revive(&mut self, index: usize) -> anyhow::Result<()> {
        self.nodes[index] = self.start_node(index)?;
        Ok(())
    }

    /// Lets all masters hang, or go on: connections stay, nobody answers.
    pub(crate) fn pause(&self, paused: bool) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(|node| node.signal(if paused { "STOP" } else { "CONT" }))
    }

    fn start_node(&self, index: usize) -> anyhow::Result<Process> {
        let (port, folder) = (self.ports[index], self.folder.join(format!("valkey-{index}")));
        fs::create_dir_all(&folder)?;
        let configuration = folder.join("valkey.conf");
        let text = format!(
            "port {port}\ncluster-port {}\nbind 127.0.0.1\ndir \"{}\"\ncluster-enabled yes\n\
             cluster-config-file nodes.conf\ncluster-node-timeout 3000\ncluster-require-full-coverage no\n\
             appendonly no\nsave \"\"\nmaxmemory 1gb\nmaxmemory-policy volatile-lru\n",
            port + BUS,
            folder.display()
        );
        fs::write(&configuration, text)?;
        let log = self.folder.join(format!("valkey-{index}.log"));
        let node = Process::start(&self.program, &[configuration.as_os_str()], &[], &log)?;
        process::until("Valkey answers", || call(port, &["PING"]).is_ok_and(|answer| answer == "PONG"))?;
        Ok(node)
    }

    fn form(&self) -> anyhow::Result<()> {
        let third = |nth: usize| u32::from(SLOTS) * u32::try_from(nth).unwrap_or(0) / u32::from(MASTERS);
        for (index, port) in self.ports.iter().enumerate() {
            call(*port, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
            let (first, last) = (third(index).to_string(), (third(index + 1) - 1).to_string());
            call(*port, &["CLUSTER", "ADDSLOTSRANGE", &first, &last])?;
        }
        for other in &self.ports[1..] {
            let (port, bus) = (other.to_string(), (other + BUS).to_string());
            call(self.ports[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        process::until("the cluster is whole", || {
            self.ports.iter().all(|port| {
                let info = call(*port, &["CLUSTER", "INFO"]).unwrap_or_default();
                info.contains("cluster_state:ok") && info.contains(&format!("cluster_slots_ok:{SLOTS}"))
            })
        })
    }
}

/// Sends one command and reads its answer as text.
fn call(port: u16, words: &[&str]) -> anyhow::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let bulks = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    stream.write_all(format!("*{}\r\n{}", words.len(), bulks.collect::<String>()).as_bytes())?;
    let (mut reader, mut line) = (BufReader::new(stream), String::new());
    reader.read_line(&mut line)?;
    match line.trim_end().split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(text.to_owned()),
        Some(("$", length)) => {
            let mut text = vec![0; length.parse().context("read the length of an answer")?];
            reader.read_exact(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        _ => bail!("{}: {}", words.join(" "), line.trim_end()),
    }
}
