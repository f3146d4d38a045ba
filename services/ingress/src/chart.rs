//! The same configuration as files of a Helm chart, where a release decides some of the values.
//!
//! Nothing here knows Envoy's fields. A configuration with every option is rendered, then once more for each variable
//! with that one value changed, or that one option left out: what differs is what the variable decides, and is written
//! as an expression of Helm. So the chart can't drift from what [`Config`] renders elsewhere.

mod compare;
mod variables;
mod yaml;

use std::{collections::BTreeSet, path::Path};

use aws_lc_rs::digest;
use serde_json::Value;

use crate::{
    Access, Backend, Config, Descriptors, Endpoints, Error, Limiter, Otlp, Tls,
    chart::{compare::Marks, variables::Variable},
    files, rpcs,
};

/// Where the chart mounts the `ConfigMap` with all of these files but the bootstrap, as a whole folder.
pub const CHART_XDS_FOLDER: &str = "/etc/envoy/xds";
/// Where the chart mounts the Secret with `tls.crt` and `tls.key`, as a whole folder.
pub const CHART_TLS_FOLDER: &str = "/etc/envoy/tls";

/// What a `ConfigMap` takes is 1 MiB, and base64 takes a third on top of what is binary.
const LARGEST_DESCRIPTORS: usize = 650 << 10;

/// A file for the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    /// Its name, which is also its key in the `ConfigMap`.
    pub name: String,
    /// What it holds.
    pub content: Vec<u8>,
}

/// Why there are no files for the chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There is no configuration to begin with.
    #[error(transparent)]
    Config(#[from] Error),
    /// A variable that nothing depends on.
    #[error("nothing in the configuration depends on `{name}`")]
    Unused {
        /// The variable.
        name: String,
    },
    /// A value that is computed from a variable, which an expression of Helm would have to repeat.
    #[error("`{name}` does not stand at {at} as it is given, but as {found}")]
    Derived {
        /// The variable.
        name: String,
        /// Path in the configuration.
        at: String,
        /// What stands there.
        found: String,
    },
    /// The contracts have grown out of a `ConfigMap`.
    #[error("the descriptor set has {bytes} bytes, more than a ConfigMap takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// The files of the chart: `bootstrap.yaml`, `lds.yaml`, `cds.yaml`, `rds.yaml` and `sds.yaml`, which are to be run
/// through Helm's `tpl`, and the descriptor set, which is not. The comment at the head of each says which variables it
/// reads.
///
/// The name of the descriptor set contains its hash. So new contracts change the listeners, which name the file, and
/// Envoy reads both again.
///
/// # Errors
/// If a variable decides nothing, or something that Helm would have to compute.
pub fn chart() -> Result<Vec<ChartFile>, ChartError> {
    let size = proto::SLIM_DESCRIPTORS.len();
    if size > LARGEST_DESCRIPTORS {
        return Err(ChartError::TooLarge { bytes: size });
    }
    let config = with_everything()?;
    let base = parts(&config)?;
    let variables = variables::all(&config);
    let mut marks = Marks::default();
    for variable in &variables {
        let mut probe = config.clone();
        (variable.change)(&mut probe);
        marks.add(variable, &base, &parts(&probe)?)?;
    }
    let mut written = PARTS.map(|(part, about)| file(&base, &marks, &variables, part, about)).to_vec();
    written.push(ChartFile { name: descriptors(), content: proto::SLIM_DESCRIPTORS.to_vec() });
    Ok(written)
}

/// The files with what their heads say of them.
const PARTS: [(&str, &str); 5] = [
    ("bootstrap.yaml", "What Envoy reads once: restart it when this changes."),
    (files::LDS, "Where clients connect, and the filters. A change cuts streams after Envoy's drain time."),
    (files::CDS, "The services, and how a sick pod is noticed."),
    (files::RDS, "The routes: time-outs, limits, retries. A change disturbs nobody."),
    (files::SDS, "Where the certificate is. Read only with TLS."),
];

fn file(base: &Value, marks: &Marks, variables: &[Variable], part: &str, about: &str) -> ChartFile {
    let used = variables.iter().filter(|variable| marks.is_used(part, &variable.name));
    let used: Vec<String> = used.map(Variable::line).collect();
    let head = format!(
        "{{{{- /*\n{about}\n\nWritten by `sipup ingress render --chart` from services/ingress: change it there.\n\
         To be run through `tpl` with a dict that has these:\n{}\n*/ -}}}}\n",
        used.join("\n")
    );
    let body = yaml::write(&base[part], marks, &format!("/{part}"));
    ChartFile { name: part.to_owned(), content: (head + &body).into_bytes() }
}

/// Every option on, with values that nobody reads.
fn with_everything() -> Result<Config, Error> {
    let somewhere = || Endpoints::Dns { host: "somewhere".to_owned(), port: 1 };
    let areas = rpcs()?.into_iter().filter(|rpc| rpc.access != Access::Internal).map(|rpc| rpc.area);
    let areas: BTreeSet<String> = areas.collect();
    let backends = areas.into_iter().map(|area| Backend::new(area, somewhere())).collect();
    let mut config = Config::new(backends, somewhere());
    config.tls = Some(Tls::new(CHART_TLS_FOLDER));
    config.cors_origins = vec!["https://somewhere".to_owned()];
    config.limiter = Some(Limiter::new(somewhere()));
    config.otlp = Some(Otlp::new(somewhere()));
    config.limits.heap_bytes = Some(1);
    config.descriptors = chart_descriptors();
    Ok(config)
}

/// Where the chart's Envoy finds the contracts.
pub fn chart_descriptors() -> Descriptors {
    Descriptors::File(Path::new(CHART_XDS_FOLDER).join(descriptors()))
}

fn descriptors() -> String {
    let hash = digest::digest(&digest::SHA256, proto::SLIM_DESCRIPTORS);
    let hash = hash.as_ref().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("sipup-{hash:012x}.binpb")
}

/// All parts as one value, so that a variable is looked for in all of them at once.
fn parts(config: &Config) -> Result<Value, Error> {
    let files = config.files(Path::new(CHART_XDS_FOLDER))?;
    let parts = [Some(files.bootstrap), Some(files.lds), Some(files.cds), Some(files.rds), files.sds];
    let named = PARTS.iter().zip(parts).filter_map(|((name, _), part)| Some(((*name).to_owned(), part?)));
    Ok(Value::Object(named.collect()))
}
