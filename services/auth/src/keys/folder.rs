//! Keys in files: one for each, PKCS#8 in PEM, called by the moment from which it signs. The names say all there is to know, so a
//! mounted Secret is as good as a folder on disk, and nothing can disagree with it. Other files are left alone.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use platform::Secret;

use super::{AHEAD, Error, SigningKey, has_retired};

/// `20260131T120000Z.pem`.
const NAME: &str = "%Y%m%dT%H%M%SZ";
const EXTENSION: &str = "pem";

/// A key that is in no file yet.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What its file must be called.
    pub file_name: String,
    /// What the file must hold. Nobody but its owner may read it.
    pub pem: Secret,
}

/// What [`rotate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// From when the newest key signs, whether it is new or was there already.
    pub signs_from: Timestamp,
    /// Whether that key is new.
    pub is_new: bool,
    /// Names of the files that were deleted, because no valid token can have been signed with their keys.
    pub deleted: Vec<String>,
}

/// Makes a key that signs from `signs_from` on, in whole seconds.
///
/// # Errors
///
/// The machine has no randomness left.
pub fn generate(signs_from: Timestamp) -> Result<NewKey, Error> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pkcs8 = pkcs8.map_err(|_| Error::Generate)?;
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let body = STANDARD.encode(pkcs8.as_ref());
    for (index, symbol) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(symbol);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    Ok(NewKey { file_name: format!("{}.{EXTENSION}", signs_from.strftime(NAME)), pem: Secret::new(pem) })
}

/// Makes `folder` and, if there is no key in it, the first one, which signs from `now` on. Answers whether it made one.
///
/// # Errors
///
/// A file can't be read or written.
pub fn init(folder: &Path, now: Timestamp) -> Result<bool, Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| Error::File {
        what: "make",
        path: folder.to_owned(),
        source,
    })?;
    if !list(folder)?.is_empty() {
        return Ok(false);
    }
    write(folder, &generate(now)?)?;
    Ok(true)
}

/// Adds a key that signs from [`AHEAD`] on, unless one is waiting for its moment already, and deletes those that are of no use any
/// more. To be called once a month, say; more often does no harm.
///
/// # Errors
///
/// A file can't be read, written or deleted, or there is no key to succeed: [`init`] comes first.
pub fn rotate(folder: &Path, now: Timestamp) -> Result<Rotation, Error> {
    let files = list(folder)?;
    let Some((newest, _)) = files.last() else { return Err(Error::Empty { path: folder.to_owned() }) };
    let waiting = (*newest > now).then_some(*newest);
    let signs_from = waiting.unwrap_or(now + AHEAD);
    if waiting.is_none() {
        write(folder, &generate(signs_from)?)?;
    }
    let mut deleted = Vec::new();
    for ((_, path), (next, _)) in files.iter().zip(files.iter().skip(1)) {
        if has_retired(Some(*next), now) {
            fs::remove_file(path).map_err(|source| Error::File {
                what: "delete",
                path: path.clone(),
                source,
            })?;
            deleted.extend(path.file_name().and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    Ok(Rotation { signs_from, is_new: waiting.is_none(), deleted })
}

/// The keys in `folder`, by the moment from which they sign. At least one.
pub(super) fn read(folder: &Path) -> Result<Vec<SigningKey>, Error> {
    let mut keys = Vec::new();
    for (signs_from, path) in list(folder)? {
        let pem =
            fs::read(&path).map_err(|source| Error::File { what: "read", path: path.clone(), source })?;
        keys.push(SigningKey::read(signs_from, &pem).map_err(|source| Error::Key { path, source })?);
    }
    if keys.is_empty() { Err(Error::Empty { path: folder.to_owned() }) } else { Ok(keys) }
}

/// The files of keys in `folder`, by the moment from which they sign.
fn list(folder: &Path) -> Result<Vec<(Timestamp, PathBuf)>, Error> {
    let failed = |source| Error::File { what: "list", path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension() == Some(OsStr::new(EXTENSION)) {
            files.push((signs_from(&path).ok_or_else(|| Error::Name { path: path.clone() })?, path));
        }
    }
    files.sort();
    Ok(files)
}

fn signs_from(path: &Path) -> Option<Timestamp> {
    let name = path.file_stem()?.to_str()?;
    let time = DateTime::strptime(NAME, name).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Writes a key under a name that readers pass over, and gives it its own when it is whole.
fn write(folder: &Path, key: &NewKey) -> Result<(), Error> {
    let path = folder.join(&key.file_name);
    let draft = path.with_extension("draft");
    let written = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(key.pem.expose().as_bytes())?;
        file.sync_all()?;
        // Fails where the key is there already, which a rename would not.
        fs::hard_link(&draft, &path)?;
        fs::remove_file(&draft)
    };
    written().map_err(|source| Error::File { what: "write", path, source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::SignedDuration;

    use super::*;
    use crate::keys::LINGERS;

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        list(folder)
            .unwrap()
            .iter()
            .map(|(_, path)| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_first_key_is_made_once_and_only_its_owner_may_read_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("keys");
        assert!(init(&folder, now()).unwrap());
        assert!(!init(&folder, now() + SignedDuration::from_hours(1)).unwrap());
        assert_eq!(names(&folder), ["20260131T120000Z.pem"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("20260131T120000Z.pem"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
        assert_eq!(read(&folder).unwrap().len(), 1);
    }

    #[test]
    fn a_rotation_adds_one_key_ahead_and_deletes_the_old_one_when_its_tokens_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(matches!(rotate(folder, now()), Err(Error::Empty { .. })));
        init(folder, now()).unwrap();
        let rotated = rotate(folder, now()).unwrap();
        assert_eq!(rotated, Rotation { signs_from: now() + AHEAD, is_new: true, deleted: vec![] });
        // Again, while the new key waits: nothing happens.
        let again = rotate(folder, now() + SignedDuration::from_mins(1)).unwrap();
        assert_eq!(again, Rotation { is_new: false, ..rotated });
        let later = rotate(folder, now() + AHEAD + LINGERS).unwrap();
        assert_eq!(later.deleted, ["20260131T120000Z.pem"]);
        assert_eq!(names(folder), ["20260131T121500Z.pem", "20260131T124100Z.pem"]);
    }

    #[test]
    fn a_folder_that_is_not_as_it_should_be_is_refused_by_the_name_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(matches!(read(folder), Err(Error::Empty { .. })));
        assert!(matches!(read(&folder.join("none")), Err(Error::File { .. })));
        fs::write(folder.join("readme.txt"), "not a key").unwrap();
        fs::write(folder.join("20260131T120000Z.pem"), "not a key").unwrap();
        assert!(read(folder).unwrap_err().to_string().contains("20260131T120000Z.pem"));
        fs::write(folder.join("mine.pem"), "not a key").unwrap();
        assert!(matches!(read(folder), Err(Error::Name { .. })));
    }
}
