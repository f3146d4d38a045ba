//! Where the storage is, as operators say it.

use std::{path::PathBuf, str::FromStr};

/// Where the files of reports lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Database,
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

/// The text is no address of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a storage: it must be database:, file:///folder or s3://bucket/prefix")]
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
        if let Some(bucket) = text.strip_prefix("s3://") {
            return bucket_of(bucket).map(Self).ok_or(InvalidObjectsUrl);
        }
        let path = PathBuf::from(text.strip_prefix("file://").ok_or(InvalidObjectsUrl)?);
        if path.is_absolute() { Ok(Self(Place::Folder(path))) } else { Err(InvalidObjectsUrl) }
    }
}

/// A name as S3 allows it, and a prefix without empty parts.
fn bucket_of(text: &str) -> Option<Place> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    let is_name = (3..=63).contains(&name.len()) && name.bytes().all(letters);
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_uppercase() || letters(b))
    };
    let is_prefix = prefix.is_empty() || prefix.split('/').all(is_part);
    (is_name && is_prefix).then(|| Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
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
    fn a_bucket_may_have_a_prefix() {
        for (text, prefix) in
            [("s3://shop", ""), ("s3://shop/", ""), ("s3://shop/a/B-1", "a/B-1"), ("s3://shop/a/", "a")]
        {
            let bucket = Place::Bucket { name: "shop".to_owned(), prefix: prefix.to_owned() };
            assert_eq!(text.parse::<ObjectsUrl>().unwrap().0, bucket, "{text}");
        }
    }

    #[test]
    fn what_is_no_storage_is_refused() {
        for text in [
            "",
            "database",
            "file://relative",
            "/srv/x",
            "ftp://host/x",
            "s3://",
            "s3://S",
            "s3://shop//x",
            "s3://shop/../x",
            "s3://key:secret@shop",
        ] {
            assert_eq!(text.parse::<ObjectsUrl>(), Err(InvalidObjectsUrl), "{text}");
        }
    }
}
