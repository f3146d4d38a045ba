//! The whole service, as a pod of it runs, and an API server's way to it.

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc};

use autoscaler::{AdapterArgs, Args, Switch};
use http::StatusCode;
use jiff::SignedDuration;
use platform::{Clock, testing::Running};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    time_provider::TimeProvider,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    api_server::ApiServer,
    limiter::{Limiter, Says},
    pki::{Authority, Client},
    until,
};

pub(crate) const SECRET: &str = "/api/v1/namespaces/shop/secrets/shop-sipup-autoscaler-tls";
pub(crate) const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/shop-sipup-autoscaler";
pub(crate) const CONFIG: &str =
    "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
pub(crate) const REGISTRATIONS: [&str; 2] = [
    "/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io",
    "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.custom.metrics.k8s.io",
];
pub(crate) const VALUE: &str =
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/services/shop-sipup-envoy/active_users";
pub(crate) const HPA: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";

/// What a chart installs: an empty Secret, a Lease without a record, registrations without a bundle.
pub(crate) fn install(api: &ApiServer) {
    api.put(SECRET, json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "labels": {"a": "b"}}}));
    api.put(
        LEASE,
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"namespace": "shop"}}),
    );
    for path in REGISTRATIONS {
        api.put(path, registration("shop", "shop-sipup-autoscaler"));
    }
}

pub(crate) fn registration(namespace: &str, service: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {},
        "spec": {"service": {"namespace": namespace, "name": service, "port": 443},
            "groupPriorityMinimum": 100, "versionPriority": 100},
    })
}

/// By what API servers may be known.
pub(crate) fn config(authority: &Authority) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system"},
        "data": {
            "requestheader-client-ca-file": authority.pem,
            "requestheader-allowed-names": r#"["front-proxy-client"]"#,
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
            "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
            "requestheader-group-headers": r#"["X-Remote-Group"]"#,
            "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
        },
    })
}

/// The service, what it needs, and who asks it.
pub(crate) struct Adapter {
    pub(crate) api: ApiServer,
    pub(crate) limiter: Limiter,
    pub(crate) clock: Clock,
    pub(crate) authority: Authority,
    pub(crate) proxy: Client,
    pub(crate) running: Running,
    pub(crate) tls: SocketAddr,
}

pub(crate) fn args(limiter: &Limiter, custom_metrics: Switch) -> Args {
    Args {
        server: platform::testing::server_args(),
        limiter_url: limiter.url(),
        users_per_pod: NonZeroU32::new(1_000),
        custom_metrics,
        adapter: AdapterArgs {
            tls_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            service_name: "shop-sipup-envoy".to_owned(),
            own_service: "shop-sipup-autoscaler".to_owned(),
            namespace: Some("shop".to_owned()),
            cluster_domain: "cluster.local".to_owned(),
            tls_secret: None,
            lease: None,
            pod_name: None,
            certificate_lifetime: SignedDuration::from_hours(24 * 90),
        },
    }
}

impl Adapter {
    /// Starts it on a fresh release, and waits until it is ready.
    pub(crate) async fn start() -> Self {
        let clock = Clock::manual(Clock::system().now());
        let (api, authority) = (ApiServer::start().await, Authority::new("front proxy"));
        install(&api);
        api.put(CONFIG, config(&authority));
        let limiter = Limiter::start(clock.clone(), Says::Users(1_234)).await;
        let proxy = authority.client("front-proxy-client");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap();
        let pod = Some((api.client(), listener));
        let running = platform::testing::start(
            "autoscaler",
            clock.clone(),
            args(&limiter, Switch::On),
            move |args, context| autoscaler::serve_with(pod, args, context),
        )
        .await
        .unwrap();
        let adapter = Self { api, limiter, clock, authority, proxy, running, tls };
        // The channel to the limiter stands a moment after the service does.
        adapter.api.answer_reviews(Some(true));
        until("the limiter is reached", async || {
            adapter.clock.advance(SignedDuration::from_secs(2));
            (adapter.as_hpa(VALUE).await.0 == StatusCode::OK).then_some(())
        })
        .await;
        adapter
    }

    /// What API servers trust.
    pub(crate) fn trusted(&self) -> Vec<u8> {
        bundle(&self.api, REGISTRATIONS[0]).unwrap()
    }

    /// Asks as an API server does for the HPA's controller.
    pub(crate) async fn as_hpa(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.get(path, Some(&self.proxy), &[("X-Remote-User", HPA)]).await;
        (answer.status, answer.json())
    }

    /// Asks as an API server does for itself.
    pub(crate) async fn as_master(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters")];
        all.extend(headers);
        self.get(path, Some(&self.proxy), &all).await
    }

    /// Asks over a connection of its own, which must be one that API servers trust.
    pub(crate) async fn get(&self, path: &str, client: Option<&Client>, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, client, headers).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        client: Option<&Client>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&self.trusted()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let time = Arc::new(At(self.clock.clone()));
        let config = ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), time)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            Some(client) => config
                .with_client_auth_cert(vec![client.certificate.clone()], client.key.clone_key())
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("shop-sipup-autoscaler.shop.svc").unwrap();
        let stream = tokio::net::TcpStream::connect(self.tls).await.unwrap();
        let mut stream =
            tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        Answer::parse(&answer, certificate)
    }
}

/// The bundle of a registration.
pub(crate) fn bundle(api: &ApiServer, path: &str) -> Option<Vec<u8>> {
    let text = api.get(path)?["spec"]["caBundle"].as_str()?.to_owned();
    Some(decode(&text))
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).unwrap()
}

/// The test's time, for TLS.
#[derive(Debug)]
struct At(Clock);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) head: String,
    pub(crate) body: String,
    /// What the server showed.
    pub(crate) certificate: CertificateDer<'static>,
}

impl Answer {
    fn parse(text: &str, certificate: CertificateDer<'static>) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned(), certificate }
    }

    pub(crate) fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}
