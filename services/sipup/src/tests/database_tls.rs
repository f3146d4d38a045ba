//! Commands reach a database behind TLS whose certificate an authority of the operator's own has signed.

use std::{path::Path, sync::Arc};

use clap::Parser as _;
use local::testing::{TestDatabase, services};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A Postgres that refuses whoever doesn't ask for TLS: a proxy before the one of the tests.
struct Postgres {
    port: u16,
    /// What signed its certificate, as PEM.
    authority: String,
}

impl Postgres {
    async fn before(port: u16) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Who leaves is no matter: a client that does not trust us has to.
                tokio::spawn(pass_on(client, acceptor.clone(), port));
            }
        });
        Self { port: own, authority: certificate.pem() }
    }

    fn url(&self, database: &TestDatabase, of: u16) -> String {
        let url = database.admin_url().replace(&format!(":{of}/"), &format!(":{}/", self.port));
        format!("{url}?sslmode=require")
    }
}

/// Answers `SSLRequest` with yes, and passes on what is inside.
async fn pass_on(mut client: TcpStream, acceptor: TlsAcceptor, port: u16) -> std::io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    if request != *b"\0\0\0\x08\x04\xd2\x16\x2f" {
        return Err(std::io::Error::other("not a request for TLS"));
    }
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

async fn run(arguments: &[&str]) -> anyhow::Result<()> {
    match Command::try_parse_from(std::iter::once(&"sipup").chain(arguments)).unwrap() {
        Command::Migrate(args) => args.run().await.map(drop),
        Command::Bootstrap(args) => args.run().await.map(drop),
        Command::Seed(args) => args.run().await.map(drop),
        other => panic!("not a command of the database: {other:?}"),
    }
}

#[tokio::test]
async fn commands_of_the_database_trust_the_authorities_of_the_file_and_no_others() {
    let (database, port) = (services().await.database().await, services().await.primary_port());
    let postgres = Postgres::before(port).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, pem).unwrap();
        file
    };
    let own = write("own.pem", &postgres.authority);
    let other = write("other.pem", &Postgres::before(port).await.authority);
    let (url, operator) = (postgres.url(&database, port), "--password=correct horse battery");
    for command in [
        &["migrate"][..],
        &["bootstrap", "--email=operator@example.com", operator],
        &["seed", "--products=5"],
    ] {
        let with = async |more: &[&str]| {
            let connect = [command, &["--database-url", &url], more].concat();
            run(&connect).await
        };
        let trusting = |file: &Path| format!("--database-ca-file={}", file.display());
        with(&[&trusting(&own)]).await.unwrap_or_else(|error| panic!("{command:?}: {error:#}"));
        for refused in [vec![], vec![trusting(&other)]] {
            let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
            let error = format!("{:#}", with(&refused).await.unwrap_err());
            assert!(error.contains("certificate"), "{command:?}: {error}");
        }
    }
}
