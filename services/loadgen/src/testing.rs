//! A platform in miniature, in memory, that knows how long it held each answer and lies when it is told to: what the instrument is
//! checked against.

mod inventory;
mod orders;
mod platform;
mod prices;
mod reports;
mod watch;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::platform::routes;

/// What the stub does wrong, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Another product than the one asked for.
    OtherProduct,
    /// An older version of a product than was answered before.
    OlderProduct,
    /// A total that is not the sum of its lines.
    OtherTotal,
    /// An order of another company.
    ForeignOrder,
    /// A second order under the same key.
    SecondOrder,
    /// No order where one was placed.
    LostOrder,
    /// A watch that leaves an event out.
    LostEvent,
    /// Prices that were agreed with another company.
    OthersPrice,
    /// The price of one unit for any quantity.
    NoTier,
    /// An order at another price than was told.
    OtherCharge,
    /// A report that leaves an order out.
    ReportWithoutOrder,
    /// A report with an order of another company.
    ForeignLine,
    /// A report whose digest is not that of its file.
    OtherDigest,
    /// A report that counts more rows than its file has.
    OtherRows,
}

/// What becomes of a watch after its first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchEnd {
    /// It goes on for ever.
    #[default]
    Never,
    /// The server ends it once, as one does that is about to stop; the client resumes it.
    OnceWell,
    /// It breaks with an error.
    Broken,
}

/// How the stub behaves.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// How long reads of one product are held: the n-th for the n-th of these, over and over. Empty: not at all.
    pub delays: Vec<Duration>,
    /// What it does wrong.
    pub lie: Option<Lie>,
    /// Refuses every so-manieth read of one product as over a limit; 0 refuses none.
    pub limit_every: u64,
    /// What becomes of a watch after its first event.
    pub watch: WatchEnd,
    /// Refuses every so-manieth report because too many are under way; 0 refuses none.
    pub refuse_reports_every: u64,
    /// Whether reports are given up instead of made.
    pub reports_fail: bool,
    /// Products in its catalogue.
    pub products: u32,
}

/// What the stub itself counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Calls by method; both transports.
    pub calls: BTreeMap<&'static str, u64>,
    /// How long each read of one product was held.
    pub held: Vec<Duration>,
    /// Calls refused as over a limit.
    pub limited: u64,
}

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    behaviour: Behaviour,
    seen: Mutex<Seen>,
}

/// A running stub.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, method: &'static str) -> u64 {
        let mut seen = self.seen();
        let calls = seen.calls.entry(method).or_default();
        *calls += 1;
        *calls
    }

    /// Holds the answer to the call with this number, and notes how long that was.
    async fn hold(&self, number: u64) {
        let began = Instant::now();
        let delays = &self.behaviour.delays;
        if !delays.is_empty() {
            let turn = usize::try_from(number - 1).unwrap_or(0) % delays.len();
            tokio::time::sleep(delays[turn]).await;
        }
        self.seen().held.push(began.elapsed());
    }
}

impl Stub {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start(behaviour: Behaviour) -> std::io::Result<Self> {
        Self::start_on(behaviour, 0).await
    }

    /// Starts on this port.
    ///
    /// # Errors
    ///
    /// The port can't be had.
    pub async fn start_on(mut behaviour: Behaviour, port: u16) -> std::io::Result<Self> {
        if behaviour.products == 0 {
            behaviour.products = 200;
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let seen = Mutex::new(Seen::default());
        let shared = Arc::new(Shared { behaviour, seen });
        let stop = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&shared), stop.clone());
        let task = ::platform::Tasks::new(stop.clone()).spawn("stub", serving);
        Ok(Self { address, shared, stop, task })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has counted.
    pub fn seen(&self) -> Seen {
        self.shared.seen().clone()
    }

    /// Ends it.
    pub async fn stop(self) {
        self.stop.cancel();
        // It can't fail: it was asked to end.
        let _ = self.task.await;
    }
}

/// Both protocols on one port, as an ingress has them.
async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let tasks = ::platform::Tasks::new(stop.clone());
    let service = TowerToHyperService::new(routes(shared));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((connection, _)) = accepted else { continue };
        // Small answers must not wait for each other.
        let _ = connection.set_nodelay(true);
        let service = service.clone();
        tasks.spawn_until_stop("connection", async move {
            // A client that leaves is no matter.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}
