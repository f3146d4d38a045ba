//! A file of a report while it is written: cut into pieces, counted and hashed.

use aws_lc_rs::digest;
use bytes::BytesMut;
use platform::status;

use super::Failure;
use crate::{
    objects::{PIECE, Writer},
    report::Sha256,
    store::reports::Written,
};

/// A file that grows. It holds less than a piece and what was added last.
pub(super) struct File {
    object: Writer,
    pending: BytesMut,
    digest: digest::Context,
    rows: i64,
    bytes: u64,
    max_bytes: u64,
}

impl File {
    pub(super) fn new(object: Writer, max_bytes: u64) -> Self {
        let digest = digest::Context::new(&digest::SHA256);
        Self { object, pending: BytesMut::new(), digest, rows: 0, bytes: 0, max_bytes }
    }

    /// Adds `text`, which has `rows` rows.
    pub(super) async fn add(&mut self, text: &[u8], rows: usize) -> Result<(), Failure> {
        self.digest.update(text);
        self.rows += i64::try_from(rows).unwrap_or(i64::MAX);
        self.bytes += text.len() as u64;
        if self.bytes > self.max_bytes {
            return Err(Failure::TooLarge);
        }
        self.pending.extend_from_slice(text);
        while self.pending.len() >= PIECE {
            let piece = self.pending.split_to(PIECE).freeze();
            self.object.write(piece).await?;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Written, Failure> {
        if !self.pending.is_empty() {
            self.object.write(self.pending.split().freeze()).await?;
        }
        self.object.finish().await?;
        Ok(Written {
            rows: self.rows,
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            sha256: Sha256::of(self.digest),
        })
    }

    /// Gives the file up.
    pub(super) async fn abort(self) {
        if let Err(error) = self.object.abort().await {
            tracing::warn!(
                error = status::chain(&error),
                "parts of a file that nobody needs were not removed"
            );
        }
    }
}
