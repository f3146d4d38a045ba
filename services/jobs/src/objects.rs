//! Where the files of reports lie: in the database, in a folder, or in a bucket.
//!
//! A file is whole or isn't there: what is written becomes an object by [`Writer::finish`] only, and an attempt that ends without it is
//! removed by name, by the next attempt or with its report. Files are written and read in pieces, so that none is ever in memory.

mod args;
mod database;
mod folder;
mod s3;

use std::{fmt, io};

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use platform::{
    Code,
    db::{self, Db},
};
use uuid::Uuid;

pub use self::args::{InvalidObjectsUrl, ObjectsUrl};
use self::{args::Place, database::Chunks, folder::Folder, s3::Bucket};

/// The largest piece that is written or read.
pub(crate) const PIECE: usize = 256 << 10;

/// The name of a file: each attempt at a report has one of its own, so that two that overlap don't write the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) report_id: Uuid,
    pub(crate) object_id: Uuid,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.report_id, self.object_id)
    }
}

/// Why a file can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("the file is not in the storage")]
    Missing,
    /// The storage can't be used, for now.
    #[error("the storage is not available")]
    Unavailable(#[source] io::Error),
    /// The storage is the database, and that failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Error {
    /// The kind of failure.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Missing => Code::FailedPrecondition,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Db(error) => error.code(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Unavailable(error) }
    }
}

/// The storage.
#[derive(Clone, Debug)]
pub(crate) enum Objects {
    Database(Chunks),
    Folder(Folder),
    Bucket(Bucket),
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) enum Writer {
    Database(database::Writer),
    Folder(folder::Writer),
    Bucket(s3::Writer),
}

impl Objects {
    /// The storage at `url`; `db` is where `database:` is.
    ///
    /// # Errors
    ///
    /// What the environment says of the bucket can't be right.
    pub(crate) fn new(url: &ObjectsUrl, db: &Db) -> anyhow::Result<Self> {
        Ok(match url.place() {
            Place::Database => Self::Database(Chunks::new(db.clone())),
            Place::Folder(path) => Self::Folder(Folder::new(path.clone())),
            Place::Bucket { name, prefix } => Self::Bucket(Bucket::from_env(name, prefix)?),
        })
    }

    /// Begins a file.
    pub(crate) async fn create(&self, name: ObjectName) -> Result<Writer, Error> {
        Ok(match self {
            Self::Database(chunks) => Writer::Database(chunks.create(name)),
            Self::Folder(folder) => Writer::Folder(folder.create(name).await?),
            Self::Bucket(bucket) => Writer::Bucket(bucket.create(name)),
        })
    }

    /// The file's bytes, in pieces of [`PIECE`] bytes at most. A file that isn't there is [`Error::Missing`], or ends early: whoever
    /// reads it knows how long it must be.
    pub(crate) fn read(&self, name: ObjectName) -> BoxStream<'static, Result<Bytes, Error>> {
        match self {
            Self::Database(chunks) => chunks.clone().read(name).boxed(),
            Self::Folder(folder) => folder.read(name).boxed(),
            Self::Bucket(bucket) => bucket.clone().read(name).boxed(),
        }
    }

    /// Removes a file, whole or half-written; one that isn't there is no error.
    pub(crate) async fn delete(&self, name: ObjectName) -> Result<(), Error> {
        match self {
            Self::Database(chunks) => chunks.delete(name).await,
            Self::Folder(folder) => folder.delete(name).await,
            Self::Bucket(bucket) => bucket.delete(name).await,
        }
    }
}

impl Writer {
    /// Adds `piece`, of [`PIECE`] bytes at most.
    pub(crate) async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        match self {
            Self::Database(writer) => writer.write(piece).await,
            Self::Folder(writer) => writer.write(piece).await,
            Self::Bucket(writer) => writer.write(piece).await,
        }
    }

    /// Makes it an object, whole and lasting.
    pub(crate) async fn finish(self) -> Result<(), Error> {
        match self {
            // Its pieces are committed one by one; the report's row, which is written after them, makes them a file.
            Self::Database(_) => Ok(()),
            Self::Folder(writer) => writer.finish().await,
            Self::Bucket(writer) => writer.finish().await,
        }
    }

    /// Gives the file up. What has been written under its name is left to [`Objects::delete`].
    pub(crate) async fn abort(self) -> Result<(), Error> {
        match self {
            Self::Database(_) | Self::Folder(_) => Ok(()),
            Self::Bucket(writer) => writer.abort().await,
        }
    }
}
