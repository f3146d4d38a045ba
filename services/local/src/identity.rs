//! Which process a pid means: pids are reused, so a pid alone is never signalled.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::wait;

/// One process, told apart from any later one with the same pid by its start time and program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its process id.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did.
    started: u64,
    /// Which boot of the machine that was.
    boot: String,
    /// The program, which its command line names.
    program: PathBuf,
}

impl Identity {
    /// The living process `pid`, which runs `program`; `None` if there is none.
    pub(crate) fn of(pid: i32, program: &Path) -> Option<Self> {
        let started = start_time(pid)?;
        Some(Self { pid, started, boot: boot_id(), program: program.to_owned() })
    }

    /// The process that calls this.
    pub(crate) fn own() -> Option<Self> {
        let pid = nix::unistd::getpid().as_raw();
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let program = words(&command_line).next().map(PathBuf::from)?;
        Self::of(pid, &program)
    }

    /// Whether this very process still runs. One that has ended but was not reaped yet counts as gone.
    pub(crate) fn is_alive(&self) -> bool {
        self.boot == boot_id() && start_time(self.pid) == Some(self.started) && self.runs_program()
    }

    /// Sends `signal` to it, if it still is this process. The answer says whether it was.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid), signal).is_ok()
    }

    /// Waits until the process has ended; `false` if it still runs after `bound`.
    pub(crate) async fn gone_within(&self, bound: Duration) -> bool {
        wait::until(bound, || async { !self.is_alive() }).await
    }

    /// The program's path is somewhere in the command line: behind a launcher such as `unshare`, or within one long word of a
    /// process that describes itself there, as Valkey does. There are no words for an instant while a program is started.
    fn runs_program(&self) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let program = self.program.as_os_str().as_encoded_bytes();
        command_line.is_empty() || command_line.windows(program.len().max(1)).any(|part| part == program)
    }
}

/// The parent of the calling process and the name of its program.
pub(crate) fn parent() -> Option<(Identity, String)> {
    let pid = nix::unistd::getppid().as_raw();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let program = words(&command_line).next().map(PathBuf::from)?;
    Some((Identity::of(pid, &program)?, name))
}

fn words(command_line: &[u8]) -> impl Iterator<Item = String> + '_ {
    command_line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned())
}

/// Field 22 of `/proc/<pid>/stat`, counted after the name, which may itself hold spaces and brackets.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_is_alive_and_a_reused_pid_is_not_it() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        assert!(!Identity { started: own.started + 1, ..own.clone() }.is_alive());
        assert!(!Identity { boot: "another boot".into(), ..own.clone() }.is_alive());
        assert!(!Identity { program: "/bin/other".into(), ..own }.is_alive());
    }

    #[test]
    fn a_process_that_ended_is_not_alive_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap(), Path::new("sleep")).unwrap();
        let signalled = identity.signal(Signal::SIGKILL);
        let gone = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(identity.gone_within(Duration::from_secs(10)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(signalled && gone);
    }
}
