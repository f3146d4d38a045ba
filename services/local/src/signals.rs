//! The ways in which people and programs ask `sipup up` to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Listens for Ctrl-C, `SIGTERM`, the end of the terminal and, where wanted, the end of standard input.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    end_of_input: CancellationToken,
}

impl Stop {
    /// From now on, none of them ends the process by itself.
    pub(crate) fn listen(on_eof: bool) -> Result<Self> {
        let listen = |kind| signal(kind).map_err(Error::hook("listen for signals"));
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let end_of_input = if on_eof { end_of_input() } else { CancellationToken::new() };
        Ok(Self { interrupt, terminate, hang_up: listen(SignalKind::hangup())?, end_of_input })
    }

    /// Waits until one of them comes.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            () = self.end_of_input.cancelled() => {}
        }
    }
}

/// A thread, because a read of standard input can't be given up: it ends with the process. What is typed means nothing.
fn end_of_input() -> CancellationToken {
    let ended = CancellationToken::new();
    let end = ended.clone();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        end.cancel();
    });
    ended
}
