//! The running stack, as far as it is watched: the content of `sipup up --ready-file`.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::error::{Error, Result};

/// A running local stack.
#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    /// Where clients connect.
    pub url: String,
    /// Envoy's metrics.
    #[serde(default)]
    pub ingress_metrics_url: String,
    /// Every process of every service.
    #[serde(default)]
    pub services: Vec<Process>,
    /// The pid of each process by its name.
    #[serde(default)]
    pub pids: BTreeMap<String, i32>,
    /// The users of the demo data; none where the stack was not seeded.
    #[serde(default)]
    pub users: Vec<DemoUser>,
}

/// A user of the demo data.
#[derive(Clone, Debug, Deserialize)]
pub struct DemoUser {
    /// What it logs in with.
    pub email: String,
    /// And its password.
    pub password: String,
    /// `buyer`, `approver`, `company_admin` or `seller`.
    pub role: String,
}

/// One process of a service.
#[derive(Clone, Debug, Deserialize)]
pub struct Process {
    /// Its name: `catalog-0`.
    pub name: String,
    /// Its admin port.
    pub admin_url: String,
}

impl Stack {
    /// Reads a ready file.
    ///
    /// # Errors
    ///
    /// The file can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Content { path: path.to_owned(), problem: error.to_string() })
    }
}
