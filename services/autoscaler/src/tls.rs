//! TLS of the custom metrics API: the certificate in use, swapped while connections last, and client certificates that are asked for
//! but not insisted on. Whom they make the client is decided per request.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use jiff::Timestamp;
use platform::{Clock, Tasks};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, UnixTime},
    server::{
        NoServerSessionStorage, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{certificate::Stored, front_proxy::FrontProxy};

/// How long a handshake may take, and how many may go on at once.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
const HANDSHAKES: usize = 128;
/// How long to leave a listener alone that can't accept.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What connections are made with. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    known: Mutex<Known>,
    config: ArcSwapOption<ServerConfig>,
}

#[derive(Debug, Default)]
struct Known {
    certificate: Option<(Arc<CertifiedKey>, Timestamp)>,
    front_proxy: Option<Arc<FrontProxy>>,
}

impl Tls {
    /// Without certificate and front proxy: no connection is made, and no request believed.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, known: Mutex::default(), config: ArcSwapOption::empty() }))
    }

    /// Serves `stored` from the next connection on.
    ///
    /// # Errors
    ///
    /// The TLS library refuses; all stays as it was.
    pub fn serve(&self, stored: &Stored) -> Result<(), rustls::Error> {
        let mut known = self.known();
        let config = config(&stored.key, known.front_proxy.as_ref())?;
        known.certificate = Some((Arc::clone(&stored.key), stored.ends));
        self.0.config.store(Some(Arc::new(config)));
        Ok(())
    }

    /// Believes `front_proxy` from the next request on.
    ///
    /// # Errors
    ///
    /// The TLS library refuses; all stays as it was.
    pub fn believe(&self, front_proxy: FrontProxy) -> Result<(), rustls::Error> {
        let front_proxy = Arc::new(front_proxy);
        let mut known = self.known();
        if let Some((key, _)) = &known.certificate {
            let config = config(key, Some(&front_proxy))?;
            self.0.config.store(Some(Arc::new(config)));
        }
        known.front_proxy = Some(front_proxy);
        Ok(())
    }

    /// Who is believed, if that is known.
    pub fn front_proxy(&self) -> Option<Arc<FrontProxy>> {
        self.known().front_proxy.clone()
    }

    /// Whether there is a certificate that has not ended.
    ///
    /// # Errors
    ///
    /// In words for the operator.
    pub fn has_certificate(&self) -> Result<(), String> {
        match self.known().certificate {
            None => Err("no certificate yet".to_owned()),
            Some((_, ends)) if ends <= self.0.clock.now() => Err(format!("the certificate ended at {ends}")),
            Some(_) => Ok(()),
        }
    }

    /// Whether it is known who is believed.
    ///
    /// # Errors
    ///
    /// In words for the operator.
    pub fn has_front_proxy(&self) -> Result<(), String> {
        self.front_proxy().map(drop).ok_or_else(|| {
            "ConfigMap kube-system/extension-apiserver-authentication is not known yet".to_owned()
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(
    key: &Arc<CertifiedKey>,
    front_proxy: Option<&Arc<FrontProxy>>,
) -> Result<ServerConfig, rustls::Error> {
    let certificate: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(Arc::clone(key)));
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    let mut config = match front_proxy {
        Some(front_proxy) => builder.with_client_cert_verifier(Arc::new(Requested(Arc::clone(front_proxy)))),
        None => builder.with_no_client_auth(),
    }
    .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Each connection shows its client certificate anew, and handshakes are few.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Asks for a client certificate and takes any, or none, whose key the client has: a stranger is answered 401, not cut off.
#[derive(Debug)]
struct Requested(Arc<FrontProxy>);

impl ClientCertVerifier for Requested {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.hints()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verifier().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verifier().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.verifier().supported_verify_schemes()
    }
}

/// Connections after their handshake. Slow handshakes hold up nobody.
#[derive(Debug)]
pub struct TlsListener {
    connections: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Accepts on `listener`, until this is dropped.
    ///
    /// # Errors
    ///
    /// The listener has no address.
    pub fn start(listener: TcpListener, tls: Tls, tasks: &Tasks) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, connections) = mpsc::channel(HANDSHAKES);
        tasks.spawn_until_stop("accept TLS", accept(listener, tls, tasks.clone(), sender));
        Ok(Self { connections, address })
    }
}

async fn accept(
    listener: TcpListener,
    tls: Tls,
    tasks: Tasks,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        let (connection, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        // Without a certificate, or with too much to do, there is nothing to say in TLS.
        let (Some(config), Ok(place)) = (tls.0.config.load_full(), Arc::clone(&places).try_acquire_owned())
        else {
            continue;
        };
        let sender = sender.clone();
        tasks.spawn_until_stop("TLS handshake", async move {
            let _place = place;
            let handshake = TlsAcceptor::from(config).accept(connection);
            match tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await {
                // Refused only when nobody serves any more.
                Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS connection"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// The certificates that a connection's client has shown.
#[derive(Clone, Debug)]
pub struct Peer(pub Arc<[CertificateDer<'static>]>);

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, connection) = stream.io().get_ref();
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self(certificates.iter().map(|certificate| certificate.clone().into_owned()).collect())
    }
}
