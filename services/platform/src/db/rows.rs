//! Reading rows, the same in transactions that write and in those that don't.

use std::fmt;

use tokio_postgres::Row;

use super::{
    error::Error,
    run::{Params, Run},
};

/// A transaction that may write. It never runs on a replica.
#[derive(Debug)]
pub struct Tx<'a>(&'a Run);

/// A transaction that reads, on whichever server is fresh enough. It has nothing to write with, and can't be taken for a [`Tx`]:
///
/// ```
/// # use platform::db::{Error, ReadOnly, Rows as _};
/// async fn stock(ro: &ReadOnly<'_>) -> Result<i64, Error> {
///     Ok(ro.query_one("SELECT quantity FROM stock", &[]).await?.get(0))
/// }
/// ```
///
/// ```compile_fail
/// async fn stock_is_decided_on_a_replica(ro: &platform::db::ReadOnly<'_>) {
///     ro.execute("UPDATE stock SET quantity = quantity - 1", &[]).await;
/// }
/// ```
///
/// ```compile_fail
/// async fn writes(_: &platform::db::Tx<'_>) {}
/// async fn a_read_calls_what_writes(ro: &platform::db::ReadOnly<'_>) {
///     writes(ro).await;
/// }
/// ```
#[derive(Debug)]
pub struct ReadOnly<'a>(&'a Run);

/// What [`Tx`] and [`ReadOnly`] have in common. Statements are constants: values travel as parameters.
pub trait Rows: sealed::Sealed + fmt::Debug + Sync {
    /// All rows.
    fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        self.run().query(sql, params)
    }

    /// The row, or none. More than one is an internal error.
    fn query_opt(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        async move {
            let mut rows = self.query(sql, params).await?;
            let row = rows.pop();
            if rows.is_empty() {
                Ok(row)
            } else {
                Err(Error::internal("more than one row where one was expected"))
            }
        }
    }

    /// The row. None, or more than one, is an internal error.
    fn query_one(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> impl Future<Output = Result<Row, Error>> + Send {
        async move {
            let row = self.query_opt(sql, params).await?;
            row.ok_or_else(|| Error::internal("no row where one was expected"))
        }
    }
}

impl Rows for Tx<'_> {}
impl Rows for ReadOnly<'_> {}

impl<'a> Tx<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
        Self(run)
    }

    /// Runs a statement that gives no rows back. Answers how many it touched.
    ///
    /// # Errors
    ///
    /// [`Error::Constraint`] by name, or whatever else keeps it from running. The transaction then can only end.
    pub async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, Error> {
        self.0.execute(sql, params).await
    }

    /// As [`Tx::execute`], but gives up with [`Error::LockTimeout`] when a lock is not free within `wait`. The statements after it
    /// wait as long as ever.
    ///
    /// # Errors
    ///
    /// As [`Tx::execute`].
    pub async fn execute_within(
        &self,
        wait: std::time::Duration,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, Error> {
        self.0.execute_within(wait, sql, params).await
    }
}

impl<'a> ReadOnly<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
        Self(run)
    }
}

impl sealed::Sealed for Tx<'_> {
    fn run(&self) -> &Run {
        self.0
    }
}

impl sealed::Sealed for ReadOnly<'_> {
    fn run(&self) -> &Run {
        self.0
    }
}

mod sealed {
    /// Keeps [`super::Rows`] to the two that are.
    pub trait Sealed {
        #[doc(hidden)]
        fn run(&self) -> &super::Run;
    }
}
