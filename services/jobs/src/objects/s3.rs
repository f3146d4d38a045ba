//! Files as objects of a bucket, in S3 or whatever speaks like it.

use std::{fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use object_store::{
    ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    buffered::BufWriter,
    path::Path,
};
use tokio::io::AsyncWriteExt as _;

use super::{Error, ObjectName, PIECE};

/// Size of the parts of an upload, two of which may be in memory. S3 takes 5 MiB at least and 10,000 of them.
const PART: usize = 8 << 20;
/// How long requests are tried again by themselves, so that a download's check ends within its call.
const TRIED_FOR: Duration = Duration::from_secs(15);

/// A bucket, or what begins with a prefix there.
#[derive(Clone)]
pub(crate) struct Bucket {
    store: Arc<AmazonS3>,
    prefix: Path,
}

/// Without the store, which knows credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// A file that is being written: an upload that no one sees until it is complete.
pub(crate) struct Writer(BufWriter);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl Bucket {
    /// The bucket of this name, reached as the variables `AWS_…` say.
    pub(super) fn from_env(bucket: &str, prefix: &str) -> anyhow::Result<Self> {
        Self::new(AmazonS3Builder::from_env().with_bucket_name(bucket), prefix)
    }

    pub(super) fn new(builder: AmazonS3Builder, prefix: &str) -> anyhow::Result<Self> {
        let retry = RetryConfig { max_retries: 5, retry_timeout: TRIED_FOR, ..RetryConfig::default() };
        // One by one, because not all that speak like S3 know how to remove many at once.
        let store = builder.with_retry(retry).with_disable_bulk_delete(true).build()?;
        Ok(Self { store: Arc::new(store), prefix: Path::parse(prefix)? })
    }

    pub(super) fn create(&self, name: ObjectName) -> Writer {
        let store: Arc<dyn ObjectStore> = Arc::<AmazonS3>::clone(&self.store);
        Writer(BufWriter::with_capacity(store, self.path(name), PART).with_max_concurrency(1))
    }

    pub(super) fn read(self, name: ObjectName) -> impl Stream<Item = Result<Bytes, Error>> {
        let path = self.path(name);
        let got =
            async move { Ok::<_, Error>(self.store.get(&path).await?.into_stream().map_err(Error::from)) };
        stream::once(got).try_flatten().map_ok(|bytes| stream::iter(pieces(bytes).map(Ok))).try_flatten()
    }

    pub(super) async fn delete(&self, name: ObjectName) -> Result<(), Error> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self, name: ObjectName) -> Path {
        self.prefix.clone().join(name.report_id.to_string()).join(name.object_id.to_string())
    }
}

/// What the network brought at once, cut to size.
fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        (!piece.is_empty()).then_some(piece)
    })
}

impl Writer {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        // Also where something is not found: then it is the bucket.
        self.0.put(piece).await.map_err(|error| Error::Unavailable(io::Error::other(error)))
    }

    pub(super) async fn finish(mut self) -> Result<(), Error> {
        self.0.shutdown().await.map_err(Error::Unavailable)
    }

    /// Parts that were sent cost money until they are removed.
    pub(super) async fn abort(mut self) -> Result<(), Error> {
        Ok(self.0.abort().await?)
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Unavailable(io::Error::other(other)),
        }
    }
}

#[cfg(test)]
mod tests;
