//! The address of the database.

use std::{fmt, str::FromStr};

use tokio_postgres::config::{Host, SslMode};

/// A checked `postgres://` address. It prints without its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: tokio_postgres::Config,
    servers: Vec<Server>,
}

/// A host as the address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The text is no address of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a database URL: {0}")]
pub struct InvalidUrl(&'static str);

impl DatabaseUrl {
    /// The same database for another role.
    pub fn with_user(mut self, user: &str, password: Option<&str>) -> Self {
        self.config.user(user);
        if let Some(password) = password {
            self.config.password(password);
        }
        self
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// Role that logs in.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(InvalidUrl("it must begin with postgres://"));
        }
        // libpq's stricter modes mean what `require` already means here: the certificate is verified.
        let (text, verify) = match text.split_once("sslmode=verify-") {
            Some((before, after)) => {
                let rest = after.strip_prefix("full").or_else(|| after.strip_prefix("ca"));
                (format!("{before}sslmode=require{}", rest.ok_or(InvalidUrl("unknown sslmode"))?), true)
            }
            None => (text.to_owned(), text.contains("sslmode=")),
        };
        let mut config: tokio_postgres::Config =
            text.parse().map_err(|_| InvalidUrl("a part of it can't be read, or is an unknown option"))?;
        if !verify {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(InvalidUrl("it names no role"));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(InvalidUrl("it names no database"));
        }
        let servers = servers(&config)?;
        Ok(Self { config, servers })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user())?;
        for (index, server) in self.servers.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", server.host, server.port)?;
        }
        write!(f, "/{}", self.database())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn servers(config: &tokio_postgres::Config) -> Result<Vec<Server>, InvalidUrl> {
    let ports = config.get_ports();
    if !config.get_hostaddrs().is_empty() {
        return Err(InvalidUrl("hostaddr is not supported; name hosts"));
    }
    let servers: Vec<Server> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(host) if !host.is_empty() => Ok(Server { host: host.clone(), port }),
                _ => Err(InvalidUrl("every host must be a name or an IP address")),
            }
        })
        .collect::<Result<_, _>>()?;
    if servers.is_empty() {
        return Err(InvalidUrl("it names no host"));
    }
    if ports.len() > 1 && ports.len() != servers.len() {
        return Err(InvalidUrl("give one port, or one for each host"));
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lists_its_servers_and_hides_its_password() {
        let url: DatabaseUrl = "postgres://svc_catalog:hunter2@h1:5433,h2:5434/sipup".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://svc_catalog@h1:5433,h2:5434/sipup");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert_eq!(url.servers()[1], Server { host: "h2".into(), port: 5434 });
        assert_eq!(url.config().get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn stricter_modes_of_libpq_are_understood() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url: DatabaseUrl = format!("postgres://u@h/d?sslmode={mode}").parse().unwrap();
            assert_eq!(url.config().get_ssl_mode(), SslMode::Require, "{mode}");
        }
        assert_eq!(
            "postgres://u@h/d?sslmode=verify-nothing".parse::<DatabaseUrl>().unwrap_err().to_string(),
            "not a database URL: unknown sslmode"
        );
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        for text in [
            "",
            "h:5432",
            "mysql://u@h/d",
            "postgres://h/d",
            "postgres://u@h",
            "postgres://u@/d",
            "postgres://u@%2Ftmp/d",
        ] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
    }
}
