//! Random passwords and short names made from hashes.

use std::fmt::Write as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::Result;
use crate::files;

/// A new random password: 160 bits, 32 characters that need no quoting in URLs, SQL or shells.
pub(crate) fn password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    rand::random::<[u8; 32]>().iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// The first 16 hexadecimal digits of the SHA-256 of `content`.
pub(crate) fn fingerprint(content: &[u8]) -> String {
    let mut text = String::new();
    for byte in &digest(&SHA256, content).as_ref()[..8] {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The secret kept in `file`, made on first use; only the owner can read it.
///
/// # Errors
/// When the file can't be read or written.
pub(crate) fn kept_in(file: &Path, make: impl FnOnce() -> String) -> Result<String> {
    if let Some(kept) = files::read_if_there(file)? {
        return Ok(kept.trim().to_owned());
    }
    let fresh = make();
    files::write_whole(file, fresh.as_bytes())?;
    Ok(fresh)
}
