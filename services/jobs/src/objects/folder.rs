//! Files as files, for one machine or a volume that all pods mount.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use super::{Error, ObjectName, PIECE};

/// A folder with one of its own for each report.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// A file that is being written, under a passing name.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    draft: PathBuf,
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) async fn create(&self, name: ObjectName) -> Result<Writer, Error> {
        let (path, draft) = (self.path(name), self.draft(name));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await.map_err(Error::Unavailable)?;
        }
        let file = File::create(&draft).await.map_err(Error::Unavailable)?;
        Ok(Writer { file, draft, path })
    }

    pub(super) fn read(&self, name: ObjectName) -> impl Stream<Item = Result<Bytes, Error>> + use<> {
        stream::try_unfold(Source::Path(self.path(name)), async |source| {
            let mut file = match source {
                Source::Path(path) => File::open(path).await?,
                Source::Open(file) => file,
            };
            let mut piece = BytesMut::with_capacity(PIECE);
            // A read may give less than there is: a piece is full, or the last.
            while piece.len() < PIECE && file.read_buf(&mut piece).await? > 0 {}
            Ok((!piece.is_empty()).then(|| (piece.freeze(), Source::Open(file))))
        })
    }

    pub(super) async fn delete(&self, name: ObjectName) -> Result<(), Error> {
        for path in [self.path(name), self.draft(name)] {
            unless_missing(fs::remove_file(path).await)?;
        }
        // Left where another attempt has something in it.
        if let Some(folder) = self.path(name).parent() {
            drop(fs::remove_dir(folder).await);
        }
        Ok(())
    }

    fn path(&self, name: ObjectName) -> PathBuf {
        self.0.join(name.to_string())
    }

    fn draft(&self, name: ObjectName) -> PathBuf {
        self.0.join(format!("{name}.part"))
    }
}

enum Source {
    Path(PathBuf),
    Open(File),
}

fn unless_missing(outcome: io::Result<()>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Unavailable(error)),
        _ => Ok(()),
    }
}

impl Writer {
    pub(super) async fn write(&mut self, piece: Bytes) -> Result<(), Error> {
        self.file.write_all(&piece).await.map_err(Error::Unavailable)
    }

    /// The bytes are on the disk before the name is, and the name before anybody hears of it.
    pub(super) async fn finish(self) -> Result<(), Error> {
        let Self { mut file, draft, path } = self;
        let renamed = async {
            file.flush().await?;
            file.sync_all().await?;
            fs::rename(&draft, &path).await?;
            sync_folder(&path).await
        };
        renamed.await.map_err(Error::Unavailable)
    }
}

async fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder).await?.sync_all().await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use uuid::Uuid;

    use super::*;

    fn name() -> ObjectName {
        ObjectName { report_id: Uuid::now_v7(), object_id: Uuid::now_v7() }
    }

    #[tokio::test]
    async fn a_file_is_there_once_it_is_finished_and_not_before() {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, name) = (Folder::new(temporary.path().to_owned()), name());
        let mut writer = folder.create(name).await.unwrap();
        writer.write(Bytes::from_static(b"half")).await.unwrap();
        let read = async || folder.read(name).try_collect::<Vec<_>>().await;
        assert!(matches!(read().await, Err(Error::Missing)));
        writer.finish().await.unwrap();
        assert_eq!(read().await.unwrap(), ["half"]);
    }

    #[tokio::test]
    async fn a_large_file_is_read_in_pieces() {
        let temporary = tempfile::tempdir().unwrap();
        let (folder, name) = (Folder::new(temporary.path().to_owned()), name());
        let mut writer = folder.create(name).await.unwrap();
        for _ in 0..3 {
            writer.write(vec![7; PIECE - 1].into()).await.unwrap();
        }
        writer.finish().await.unwrap();
        let pieces: Vec<Bytes> = folder.read(name).try_collect().await.unwrap();
        let sizes: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [PIECE, PIECE, PIECE - 3]);
    }

    #[tokio::test]
    async fn deleting_leaves_nothing_of_a_file_whole_or_half_and_bears_repetition() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path().to_owned());
        let (whole, half) = (name(), name());
        folder.create(whole).await.unwrap().finish().await.unwrap();
        drop(folder.create(half).await.unwrap());
        for name in [whole, half, whole] {
            folder.delete(name).await.unwrap();
        }
        assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
    }
}
