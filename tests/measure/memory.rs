//! Memory of each process, shared pages counted in proportion.

use std::collections::BTreeMap;

use local::StackInfo;

/// Prints the memory of the stack's processes, each with all that it has started.
#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
pub(crate) fn print(info: &StackInfo) -> anyhow::Result<()> {
    let children = children()?;
    let mut sum = 0;
    for (name, pid) in
        info.pids.iter().map(|(name, pid)| (name.as_str(), *pid)).chain([("up", i32::try_from(info.up)?)])
    {
        let own = if name == "up" { kibibytes(pid) } else { tree(pid, &children) };
        sum += own;
        println!("{name:<20}{:>8.1}", mebibytes(own));
    }
    println!("{:<20}{:>8.1}", "sum", mebibytes(sum));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of memory are far below 2^52")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1_024.0
}

fn tree(pid: i32, children: &BTreeMap<i32, Vec<i32>>) -> u64 {
    let below = children.get(&pid).into_iter().flatten().map(|child| tree(*child, children)).sum::<u64>();
    kibibytes(pid) + below
}

fn kibibytes(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

/// Processes by their parent.
fn children() -> anyhow::Result<BTreeMap<i32, Vec<i32>>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The second field is the name in parentheses, which may hold anything; the fourth is the parent.
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    Ok(children)
}
