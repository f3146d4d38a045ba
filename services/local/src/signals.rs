//! The ways in which people and programs ask `sipup up` to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Ends on Ctrl-C, `SIGTERM`, the end of the terminal and, with `on_eof`, the end of standard input. From this call on, none
/// of the signals ends the process by itself.
///
/// # Errors
/// When the signals can't be listened for.
pub fn asked_to_stop(on_eof: bool) -> Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).map_err(Error::hook("listen for signals"));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hang_up = listen(SignalKind::hangup())?;
    let end_of_input = if on_eof { end_of_input() } else { CancellationToken::new() };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            () = end_of_input.cancelled() => {}
        }
    })
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
