//! Making connections: which server, which address, which certificate.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::net::lookup_host;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    ConnectArgs, DatabaseUrl,
    connection::Connection,
    error::{Cause, Error},
    tls,
    url::Server,
};

/// How long a server may take to accept a connection and log us in.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A peer that acknowledges nothing for this long is gone.
const PEER_SILENT_FOR: Duration = Duration::from_secs(10);

/// One address of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The name that a certificate is checked against.
    pub(crate) host: Arc<str>,
    pub(crate) address: SocketAddr,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica,
}

/// Knows everything needed to log in.
#[derive(Clone)]
pub(crate) struct Connector {
    config: tokio_postgres::Config,
    servers: Arc<[Server]>,
    /// The server that was the primary when last asked. Tried first: one that is down may cost seconds to find out.
    last_primary: Arc<AtomicUsize>,
    tls: MakeRustlsConnect,
}

impl Connector {
    pub(crate) fn new(args: &ConnectArgs, application: &str) -> Result<Self, Error> {
        let mut config = login(&args.database_url);
        config
            .application_name(application)
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(PEER_SILENT_FOR)
            .keepalives(true)
            .keepalives_idle(PEER_SILENT_FOR)
            .keepalives_interval(PEER_SILENT_FOR / 3)
            .keepalives_retries(3);
        if let Some(password) = &args.database_password {
            config.password(password.expose());
        }
        let tls = tls::connector(args.database_ca_file.as_deref())?;
        Ok(Self { config, servers: args.database_url.servers().into(), last_primary: Arc::default(), tls })
    }

    pub(crate) fn tls(&self) -> &MakeRustlsConnect {
        &self.tls
    }

    /// Whether a replica can be there at all.
    pub(crate) fn has_several_servers(&self) -> bool {
        self.servers.len() > 1
    }

    /// Connects to the first server that has `role`.
    pub(crate) async fn connect(&self, role: Role) -> Result<Connection, Failure> {
        let mut last = Failure::from(Cause::new("no server has an address"));
        for index in self.order(role) {
            let server = &self.servers[index];
            let addresses = match lookup_host((&*server.host, server.port)).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    last = Cause::new(&format!("{} does not resolve: {error}", server.host)).into();
                    continue;
                }
            };
            for address in addresses {
                match self.connect_to(&Endpoint { host: server.host.as_str().into(), address }, role).await {
                    Ok(connection) => {
                        if role == Role::Primary {
                            self.last_primary.store(index, Ordering::Relaxed);
                        }
                        return Ok(connection);
                    }
                    Err(failure) => last = failure.or(last),
                }
            }
        }
        Err(last)
    }

    /// Which servers to try, in order.
    fn order(&self, role: Role) -> impl Iterator<Item = usize> + use<> {
        let (count, primary) = (self.servers.len(), self.last_primary.load(Ordering::Relaxed));
        let first = match role {
            Role::Primary => primary,
            Role::Replica => primary + 1,
        };
        (first..first + count).map(move |index| index % count)
    }

    /// Connects to one address, which must have `role`.
    pub(crate) async fn connect_to(&self, endpoint: &Endpoint, role: Role) -> Result<Connection, Failure> {
        let mut config = self.config.clone();
        config.host(&*endpoint.host).hostaddr(endpoint.address.ip()).port(endpoint.address.port());
        config.target_session_attrs(match role {
            Role::Primary => TargetSessionAttrs::ReadWrite,
            Role::Replica => TargetSessionAttrs::ReadOnly,
        });
        let connecting = async {
            let (client, task) = config.connect(self.tls.clone()).await?;
            Ok::<_, tokio_postgres::Error>(Connection::start(client, task, endpoint.clone()))
        };
        match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Failure::of(&error, endpoint)),
            Err(_) => Err(Cause::new(&format!("{endpoint} did not answer in time")).into()),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.host, self.address)
    }
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// Waiting won't help: the role, its password or the database are wrong.
    pub(crate) is_final: bool,
}

impl Failure {
    fn of(error: &tokio_postgres::Error, endpoint: &Endpoint) -> Self {
        let state = error.code().map_or("", tokio_postgres::error::SqlState::code);
        Self {
            cause: Cause::of(error).at(endpoint),
            is_final: state.starts_with("28") || state == "3D000" || state == "42501",
        }
    }

    /// The one to tell of two: what is final says more.
    fn or(self, earlier: Self) -> Self {
        if earlier.is_final { earlier } else { self }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, is_final: false }
    }
}

/// The address's own settings without its hosts, which are tried one by one.
fn login(url: &DatabaseUrl) -> tokio_postgres::Config {
    let from = url.config();
    let mut config = tokio_postgres::Config::new();
    config.user(url.user()).dbname(url.database()).ssl_mode(from.get_ssl_mode());
    config.ssl_negotiation(from.get_ssl_negotiation()).channel_binding(from.get_channel_binding());
    if let Some(password) = from.get_password() {
        config.password(password);
    }
    if let Some(options) = from.get_options() {
        config.options(options);
    }
    config
}
