//! One connection, for a command that needs no pool.

use super::{
    ConnectArgs,
    connect::{Connector, Role},
    connection::Connection,
    error::Error,
};

/// A connection to the primary, as whatever role the URL names. Services have [`super::Db`] instead.
#[derive(Debug)]
pub struct OneConnection(Connection);

impl OneConnection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// No server takes writes and lets us in.
    pub async fn open(args: &ConnectArgs, application: &str) -> Result<Self, Error> {
        let connection = Connector::new(args, application)?.connect(Role::Primary).await;
        connection.map(Self).map_err(|failure| Error::Unavailable(failure.cause))
    }

    /// The connection itself.
    pub fn client(&self) -> &tokio_postgres::Client {
        self.0.client()
    }

    /// The connection itself, for work that ends with it.
    pub fn into_client(self) -> tokio_postgres::Client {
        self.0.client
    }
}
