//! Files as rows: nothing else is needed, and every pod reads what any other wrote.

use bytes::Bytes;
use futures::{Stream, stream};
use platform::{
    Access,
    db::{self, Db, Rows as _},
};

use super::{Error, ObjectName};

const DELETE_CHUNKS: &str = include_str!("../../queries/delete_report_chunks.sql");
const INSERT_CHUNK: &str = include_str!("../../queries/insert_report_chunk.sql");
const SELECT_CHUNK: &str = include_str!("../../queries/select_report_chunk.sql");

/// The table of pieces.
#[derive(Clone, Debug)]
pub(crate) struct Chunks {
    db: Db,
}

/// A file that is being written. Each piece commits by itself: one transaction over all of them would be open for as long as the report
/// takes, and hold back the vacuum of the queue.
#[derive(Debug)]
pub(crate) struct Writer {
    db: Db,
    name: ObjectName,
    next: i32,
}

impl Chunks {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    pub(super) fn create(&self, name: ObjectName) -> Writer {
        Writer { db: self.db.clone(), name, next: 0 }
    }

    /// Ends at the first piece that isn't there.
    pub(super) fn read(self, name: ObjectName) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::try_unfold((self, 0), move |(chunks, n)| async move {
            let piece = chunks.select(name, n).await?;
            Ok(piece.map(|piece| (piece, (chunks, n + 1))))
        })
    }

    /// From the primary: on a replica that is behind, a file that has just been written would be cut short.
    async fn select(&self, name: ObjectName, n: i32) -> Result<Option<Bytes>, Error> {
        let row = self
            .db
            .tx("reports.read_chunk", &Access::system(), async |tx| {
                tx.query_opt(SELECT_CHUNK, &[&name.report_id, &name.object_id, &n]).await
            })
            .await?;
        Ok(row.map(|row| Bytes::from(row.get::<_, Vec<u8>>("data"))))
    }

    pub(super) async fn delete(&self, name: ObjectName) -> Result<(), Error> {
        self.db
            .tx("reports.delete_chunks", &Access::system(), async |tx| {
                tx.execute(DELETE_CHUNKS, &[&name.report_id, &name.object_id]).await
            })
            .await?;
        Ok(())
    }
}

impl Writer {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        let (name, n, piece) = (self.name, self.next, piece.as_ref());
        let stored = self
            .db
            .tx("reports.write_chunk", &Access::system(), async |tx| {
                tx.execute(INSERT_CHUNK, &[&name.report_id, &name.object_id, &n, &piece]).await
            })
            .await;
        match stored {
            Ok(_) => {}
            // The report has been removed meanwhile.
            Err(db::Error::Constraint { name, .. }) if name == "report_chunks_report_fk" => {
                return Err(Error::Missing);
            }
            Err(error) => return Err(error.into()),
        }
        self.next += 1;
        Ok(())
    }
}
