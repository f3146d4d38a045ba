//! The process that holds the data services while tests need them.

mod services;
mod session;

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::lock::FileLock;
use crate::testing::keeper::services::Services;
pub use crate::testing::runtime::Runtime;

/// How often an idle keeper looks whether the `cargo` it waits for still runs.
const LOOK: Duration = Duration::from_millis(200);

/// Starts the services and holds them until nobody needs them any more. Standard input is the socket of `runtime`, which whoever
/// started this process listens on already: test binaries that connect meanwhile wait for their greeting.
///
/// # Errors
/// When they can't be started, or standard input is something else.
pub async fn keep(runtime: Runtime) -> Result<()> {
    let listener = inherited().map_err(Error::file("listen on", &runtime.socket()))?;
    services::remove_left_behind(&runtime).await?;
    let services = Arc::new(Services::start(&runtime).await?);
    let held = hold(&runtime, &listener, &services).await;
    services.stop().await;
    drop(services);
    end(&runtime)?;
    held
}

/// The socket that is standard input.
fn inherited() -> std::io::Result<UnixListener> {
    let socket: std::os::unix::net::UnixListener = std::io::stdin().as_fd().try_clone_to_owned()?.into();
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket)
}

/// Serves connections until the last has gone.
async fn hold(runtime: &Runtime, listener: &UnixListener, services: &Arc<Services>) -> Result<()> {
    let mut terminated =
        signal(SignalKind::terminate()).map_err(Error::file("listen on", runtime.folder()))?;
    let mut sessions = JoinSet::new();
    let cargos = Cargos::default();
    let mut lease = 0;
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                lease += 1;
                sessions.spawn(session::serve(stream, lease, Arc::clone(services), cargos.clone()));
            }
            Some(_) = sessions.join_next() => {}
            () = tokio::time::sleep(LOOK), if sessions.is_empty() => {
                if !cargos.any_alive() && leave(runtime)? {
                    return Ok(());
                }
            }
            _ = terminated.recv() => return Ok(()),
        }
    }
}

/// Gives up the socket, unless a test binary is just connecting.
fn leave(runtime: &Runtime) -> Result<bool> {
    let Some(_lock) = FileLock::try_take(&runtime.lock())? else { return Ok(false) };
    let socket = runtime.socket();
    std::fs::remove_file(&socket).map_err(Error::file("remove", &socket))?;
    Ok(true)
}

/// Deletes the folder, unless the next keeper uses it already.
fn end(runtime: &Runtime) -> Result<()> {
    let Some(lock) = FileLock::try_take(&runtime.lock())? else { return Ok(()) };
    if !runtime.socket().exists() {
        let _ = std::fs::remove_file(runtime.log());
        drop(lock);
        runtime.remove();
    }
    Ok(())
}

/// Every `cargo` that ran one of our test binaries: it may start the next one any moment.
#[derive(Clone, Debug, Default)]
struct Cargos(Arc<Mutex<Vec<Identity>>>);

impl Cargos {
    fn add(&self, cargo: Identity) {
        let mut cargos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !cargos.contains(&cargo) {
            cargos.push(cargo);
        }
    }

    fn any_alive(&self) -> bool {
        let mut cargos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cargos.retain(Identity::is_alive);
        !cargos.is_empty()
    }
}
