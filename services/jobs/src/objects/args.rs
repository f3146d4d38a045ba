//! Where the storage is, as operators say it.

use std::{path::PathBuf, str::FromStr};

/// Where the files of reports lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Database,
    Folder(PathBuf),
}

/// The text is no address of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a storage: it must be database: or file:///folder")]
pub struct InvalidObjectsUrl;

impl ObjectsUrl {
    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for ObjectsUrl {
    type Err = InvalidObjectsUrl;

    fn from_str(text: &str) -> Result<Self, InvalidObjectsUrl> {
        if text == "database:" {
            return Ok(Self(Place::Database));
        }
        let path = PathBuf::from(text.strip_prefix("file://").ok_or(InvalidObjectsUrl)?);
        if path.is_absolute() { Ok(Self(Place::Folder(path))) } else { Err(InvalidObjectsUrl) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storages_are_known_by_their_schemes() {
        assert_eq!("database:".parse::<ObjectsUrl>().unwrap().0, Place::Database);
        assert_eq!("file:///srv/x".parse::<ObjectsUrl>().unwrap().0, Place::Folder("/srv/x".into()));
    }

    #[test]
    fn what_is_no_storage_is_refused() {
        for text in ["", "database", "file://relative", "/srv/x", "ftp://host/x"] {
            assert_eq!(text.parse::<ObjectsUrl>(), Err(InvalidObjectsUrl), "{text}");
        }
    }
}
