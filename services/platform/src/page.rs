//! Pages of lists: how large, and where the next one begins.
//!
//! A page token is a keyset cursor, sealed so that it can't be changed, and bound to the list, its filter and the caller that it
//! was made for: somebody else's token is as good as none.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Invalid, Secret};

/// The largest page.
pub const MAX_PAGE_SIZE: i32 = 1_000;

/// Bytes of the seal that stand before the cursor: half of a SHA-256.
const SEAL: usize = 16;

/// How many rows a page may hold, 1 to [`MAX_PAGE_SIZE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(i32);

impl PageSize {
    /// The size that a caller asked for; 0 means `default`.
    ///
    /// # Errors
    ///
    /// Names `page_size` if it is negative or too large.
    pub fn parse(asked: i32, default: i32) -> Result<Self, Invalid> {
        match asked {
            0 => Ok(Self(default)),
            1..=MAX_PAGE_SIZE => Ok(Self(asked)),
            _ => Err(Invalid::new("page_size", format!("must be 1 to {MAX_PAGE_SIZE}, or 0 for {default}"))),
        }
    }

    /// How many rows to ask the database for: one more than the page holds tells whether there is another page.
    pub fn limit(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts `rows` to the page, and answers the last row of the page if there is another one.
    pub fn cut<T>(self, rows: &mut Vec<T>) -> Option<&T> {
        let size = usize::try_from(self.0).unwrap_or(0);
        if rows.len() <= size {
            return None;
        }
        rows.truncate(size);
        rows.last()
    }
}

/// What a service with lists is told besides. Others have no use for a key.
#[derive(clap::Args, Clone, Debug)]
pub struct PageArgs {
    /// Seals page tokens; the same for every pod of a service, at least 32 characters.
    #[arg(long, env = "SIPUP_PAGE_TOKEN_KEY", hide_env_values = true)]
    pub page_token_key: Secret,
}

/// Makes and reads page tokens.
#[derive(Clone)]
pub struct PageTokens(hmac::Key);

impl fmt::Debug for PageTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageTokens")
    }
}

impl PageTokens {
    /// Tokens sealed by the key of `args`.
    ///
    /// # Errors
    ///
    /// The key is shorter than 32 bytes.
    pub fn new(args: &PageArgs) -> anyhow::Result<Self> {
        let key = args.page_token_key.expose().as_bytes();
        anyhow::ensure!(key.len() >= 32, "--page-token-key must have at least 32 characters");
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The token for the page behind `cursor`. `bound_to` names everything that the next request must repeat: the list, its
    /// filter and order, the caller.
    pub fn seal<T: Serialize>(&self, bound_to: &[&str], cursor: &T) -> String {
        // A cursor is a struct of plain values: it always has a JSON form.
        let cursor = serde_json::to_vec(cursor).unwrap_or_default();
        let mut token = self.sign(bound_to, &cursor);
        token.extend_from_slice(&cursor);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor of `token`; none for the first page (an empty token).
    ///
    /// # Errors
    ///
    /// Names `page_token` if it was not made here, for these parameters and this caller.
    pub fn open<T: DeserializeOwned>(&self, bound_to: &[&str], token: &str) -> Result<Option<T>, Invalid> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused =
            || Invalid::new("page_token", "was not given out for this list, filter, order and caller");
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (seal, cursor) = token.split_at_checked(SEAL).ok_or_else(refused)?;
        if aws_lc_rs::constant_time::verify_slices_are_equal(seal, &self.sign(bound_to, cursor)).is_err() {
            return Err(refused());
        }
        serde_json::from_slice(cursor).map(Some).map_err(|_| refused())
    }

    fn sign(&self, bound_to: &[&str], cursor: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        for part in bound_to {
            // Lengths keep ("a", "bc") apart from ("ab", "c").
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        context.update(cursor);
        context.sign().as_ref()[..SEAL].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(key: &str) -> PageArgs {
        PageArgs { page_token_key: Secret::new(key) }
    }

    fn tokens() -> PageTokens {
        PageTokens::new(&args("0123456789abcdef0123456789abcdef")).unwrap()
    }

    #[test]
    fn a_short_key_is_refused_by_the_name_of_its_flag_and_not_shown() {
        let error = PageTokens::new(&args("hunter2")).unwrap_err().to_string();
        assert!(error.contains("--page-token-key") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_token_opens_for_the_same_list_and_caller_only() {
        let token = tokens().seal(&["ListThings", "a", "bc"], &("x", 7));
        assert_eq!(tokens().open(&["ListThings", "a", "bc"], &token), Ok(Some(("x".to_owned(), 7))));
        assert!(tokens().open::<(String, i32)>(&["ListThings", "ab", "c"], &token).is_err());
        assert!(tokens().open::<(String, i32)>(&["ListOthers", "a", "bc"], &token).is_err());
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let token = tokens().seal(&["l"], &12_345);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(tokens().open::<i32>(&["l"], &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        }
        assert!(tokens().open::<i32>(&["l"], "é").is_err());
        assert_eq!(tokens().open::<i32>(&["l"], ""), Ok(None));
    }

    #[test]
    fn a_page_tells_whether_there_is_another() {
        let size = PageSize::parse(2, 50).unwrap();
        let mut rows = vec![1, 2, 3];
        assert_eq!((size.limit(), size.cut(&mut rows).copied(), rows), (3, Some(2), vec![1, 2]));
        assert_eq!(size.cut(&mut vec![1, 2]), None);
        assert!(PageSize::parse(1_001, 50).is_err() && PageSize::parse(-1, 50).is_err());
    }
}
