//! What processes use, from `/proc`: the tool's own share, and the stack's. Elsewhere than on Linux nothing is known.

use std::{collections::BTreeMap, fs, time::Duration};

/// `/proc` counts in hundredths of a second on every Linux that programs of today see (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time that this process has used.
pub(crate) fn own_cpu() -> Option<Duration> {
    Stat::read("self").map(|stat| stat.own)
}

/// The most memory that this process has held, in bytes.
pub(crate) fn own_peak_memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// A label and what belongs to it: the processes of a stack by what they do.
#[derive(Clone, Debug)]
pub(crate) struct Groups(BTreeMap<i32, String>);

/// What a group uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time since the processes began.
    pub(crate) cpu: Duration,
    /// Memory in bytes: exactly, with shared pages divided among those who share them, or only what each process has for itself.
    pub(crate) memory: u64,
}

impl Groups {
    /// Groups by name, see [`group_of`].
    pub(crate) fn new(pids: &BTreeMap<String, i32>) -> Self {
        Self(pids.iter().map(|(name, pid)| (*pid, group_of(name).to_owned())).collect())
    }

    /// What each group has used until now. Postgres works in children of its first process, so children count.
    /// To divide shared pages takes the kernel long, so it is done only `with_memory`.
    pub(crate) fn measure(&self, with_memory: bool) -> BTreeMap<String, Usage> {
        let mut usages = BTreeMap::<String, Usage>::new();
        for pid in processes() {
            let Some(stat) = Stat::read(&pid.to_string()) else { continue };
            let (group, is_root) = match (self.0.get(&pid), self.0.get(&stat.parent)) {
                (Some(group), _) => (group, true),
                (None, Some(group)) => (group, false),
                (None, None) => continue,
            };
            let usage = usages.entry(group.clone()).or_default();
            usage.cpu += stat.own + if is_root { stat.ended_children } else { Duration::ZERO };
            usage.memory += if with_memory { shared_memory(pid) } else { own_memory(pid) };
        }
        usages
    }
}

/// What the process with this name belongs to: `catalog-0` to `catalog`, but `postgres-replica` to nothing else, because the two
/// servers do different work.
pub(crate) fn group_of(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((group, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => group,
        _ => name,
    }
}

struct Stat {
    parent: i32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    fn read(pid: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name may hold anything, also blanks and brackets.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| Some(TICK * fields.get(index)?.parse().ok()?);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended_children: ticks(13)? + ticks(14)?,
        })
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn own_memory(pid: i32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|text| kilobytes(&text, "RssAnon:"))
        .unwrap_or(0)
}

fn shared_memory(pid: i32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .ok()
        .and_then(|text| kilobytes(&text, "Pss:"))
        .unwrap_or(0)
}

fn kilobytes(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(label))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1_024)
}

/// The processor's name, its cores and the machine's memory, as far as they are told.
pub(crate) fn hardware() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemTotal:"));
    let memory =
        memory.map_or(String::new(), |bytes| format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    format!("{cores} × {}{memory}", name.map_or("processor", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_brackets_in_its_name_is_read() {
        let text = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 100 1 1";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.parent, stat.own), (3, Duration::from_secs(2)));
        assert_eq!(stat.ended_children, Duration::from_millis(500));
    }

    #[test]
    fn replicas_of_a_service_are_one_group_and_servers_of_a_database_are_not() {
        let groups = ["catalog-0", "catalog-11", "postgres-primary", "envoy"].map(group_of);
        assert_eq!(groups, ["catalog", "catalog", "postgres-primary", "envoy"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found_in_its_group() {
        let own = i32::try_from(std::process::id()).unwrap();
        let groups = Groups::new(&BTreeMap::from([("tests-0".to_owned(), own)]));
        assert!(groups.measure(true)["tests"].memory > 100_000);
        assert!(own_cpu().is_some() && own_peak_memory().is_some());
    }
}
