//! What a running stack tells those who want to use it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::stack::databases::Database;
use crate::stack::{Service, Stack, services};

/// A user of the demo data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoUser {
    /// The address to log in with.
    pub email: String,
    /// The password.
    pub password: String,
    /// What the user may do: `buyer`, `approver`, `company_admin` or `seller`.
    pub role: String,
}

/// Everything about a stack that is ready; the content of `--ready-file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackInfo {
    /// Where clients connect: gRPC, gRPC-Web and REST.
    pub url: String,
    /// Envoy's own metrics and readiness.
    pub ingress_metrics_url: String,
    /// Envoy's admin port.
    pub ingress_admin_url: String,
    /// Every process of every service.
    pub services: Vec<ServiceInfo>,
    /// The key set of access tokens.
    pub jwks_url: String,
    /// The database on the primary, as the role that owns it.
    pub postgres_url: String,
    /// The same on the replica; `None` with `--postgres-url`.
    pub postgres_replica_url: Option<String>,
    /// The password of each role that services log in with.
    pub role_passwords: BTreeMap<String, String>,
    /// The nodes of the Valkey cluster, `host:port`.
    pub redis_nodes: Vec<String>,
    /// Who can log in; nobody with `--no-seed`.
    pub users: Vec<DemoUser>,
    /// The pid of each running process by its name: `catalog-0`, `postgres-primary`, `valkey-5`, `envoy`.
    pub pids: BTreeMap<String, i32>,
    /// The pid of `sipup up` itself.
    pub up: u32,
    /// Where all data is.
    pub data_dir: PathBuf,
    /// Where the logs are: one per process, `<name>.log`, and `envoy-access.jsonl`.
    pub logs: PathBuf,
    /// Where e-mails are written, one `.eml` file each.
    pub mail: PathBuf,
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// The service.
    pub service: Service,
    /// The name of the process: `catalog-0`.
    pub name: String,
    /// Its gRPC port, past Envoy.
    pub url: String,
    /// Its admin port: `/readyz`, `/metrics`, `/log-filter`.
    pub admin_url: String,
}

/// Describes a stack whose parts have all started.
pub(super) fn of(stack: &Stack, database: &Database) -> Result<StackInfo> {
    let (plan, layout) = (&stack.plan, stack.plan.layout);
    let roles =
        Service::ALL.map(|service| Ok((format!("svc_{service}"), stack.secrets.role_password(service)?)));
    Ok(StackInfo {
        url: local_url(layout.ingress()),
        ingress_metrics_url: local_url(layout.ingress_metrics()),
        ingress_admin_url: local_url(layout.ingress_admin()),
        services: plan
            .options
            .services()
            .map(|(service, replica)| service_info(stack, service, replica))
            .collect(),
        jwks_url: format!("{}/jwks.json", local_url(layout.jwks(0))),
        postgres_url: database.owner_url.clone(),
        postgres_replica_url: database.replica_url.clone(),
        role_passwords: roles.into_iter().collect::<Result<_>>()?,
        redis_nodes: plan.redis_nodes()?,
        users: if plan.options.no_seed { Vec::new() } else { plan.options.users.clone() },
        pids: stack.supervisor.pids(),
        up: std::process::id(),
        data_dir: plan.folder.path().to_owned(),
        logs: plan.logs()?,
        mail: plan.folder.inside("mail")?,
    })
}

fn service_info(stack: &Stack, service: Service, replica: u16) -> ServiceInfo {
    let layout = stack.plan.layout;
    ServiceInfo {
        service,
        name: services::name(service, replica),
        url: local_url(layout.grpc(service, replica)),
        admin_url: local_url(layout.admin(service, replica)),
    }
}

fn local_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
