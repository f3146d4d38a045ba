//! Writes that are safe to repeat, by one mechanism for all services.
//!
//! A caller names its request with a key. The first transaction to claim the key does the work and leaves its response with it; a
//! repeat with the same body gets the same bytes, one with another body is refused, and one that comes while the first still runs
//! waits a little. Key, work and response commit together: there is no moment in which one is there without the others.
//!
//! Keys live in the table `idempotency` of each service's own schema, found by the role's search path, for 30 days.

use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use prost::Message;
use tonic::{Response, metadata::MetadataMap};
use uuid::Uuid;

use crate::{
    Code, Invalid,
    db::{self, Tx},
};

/// The header that says the same as the field `request_id`.
pub const KEY_HEADER: &str = "idempotency-key";
/// The header of an answer that was given before.
pub const REPLAYED_HEADER: &str = "idempotent-replayed";
/// How long a repeat waits for its twin.
pub const TWIN_WAIT: Duration = Duration::from_secs(2);

const CLAIM_KEY: &str = include_str!("../queries/claim_idempotency_key.sql");
const SELECT_KEY: &str = include_str!("../queries/select_idempotency_key.sql");
const STORE_RESPONSE: &str = include_str!("../queries/store_idempotent_response.sql");

/// A caller's name for a request, and what the request said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    method: &'static str,
    key: String,
    body_hash: [u8; digest::SHA256_OUTPUT_LEN],
}

/// What claiming a key led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The key is ours: do the work, and [`RequestKey::store`] the response.
    New,
    /// The work was done before; this was the response.
    Replayed(Bytes),
}

/// Why a key can't be claimed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key was used for a request with another body.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// A twin of this request is still running.
    #[error("the same request is still running")]
    TwinRunning,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl Error {
    /// The kind of failure.
    pub fn code(&self) -> Code {
        match self {
            Self::KeyReused => Code::InvalidArgument,
            Self::TwinRunning => Code::Conflict,
            Self::Db(error) => error.code(),
        }
    }

    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::KeyReused => "REQUEST_ID_REUSED",
            Self::TwinRunning => "REQUEST_RUNNING",
            Self::Db(_) => "DATABASE",
        }
    }
}

impl RequestKey {
    /// The key of a request: the field `request_id` or the header `idempotency-key`. None if it has neither.
    ///
    /// `body` is the request without its `request_id`, and without anything else that a repeat may say differently.
    ///
    /// # Errors
    ///
    /// Names `request_id` if it is not 1 to 128 visible ASCII characters, or if header and field differ.
    pub fn of(
        metadata: &MetadataMap,
        request_id: &str,
        method: &'static str,
        body: &impl Message,
    ) -> Result<Option<Self>, Invalid> {
        let header = metadata.get(KEY_HEADER).map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let key = match (header, request_id) {
            (None, "") => return Ok(None),
            (None, field) => field,
            (Some(header), field) if field.is_empty() || field == header => header,
            (Some(_), _) => {
                return Err(Invalid::new("request_id", format!("differs from the header {KEY_HEADER}")));
            }
        };
        if !(1..=128).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Invalid::new("request_id", "must be 1 to 128 visible ASCII characters"));
        }
        let mut body_hash = [0; digest::SHA256_OUTPUT_LEN];
        body_hash.copy_from_slice(digest::digest(&digest::SHA256, &body.encode_to_vec()).as_ref());
        Ok(Some(Self { method, key: key.to_owned(), body_hash }))
    }

    /// As [`RequestKey::of`], for methods that must not be called without a key.
    ///
    /// # Errors
    ///
    /// Also names `request_id` if there is none.
    pub fn required(
        metadata: &MetadataMap,
        request_id: &str,
        method: &'static str,
        body: &impl Message,
    ) -> Result<Self, Invalid> {
        Self::of(metadata, request_id, method, body)?.ok_or_else(|| {
            Invalid::new("request_id", format!("must be given, here or as the header {KEY_HEADER}"))
        })
    }

    /// The method that the key belongs to.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The key itself.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// SHA-256 of the request.
    pub fn body_hash(&self) -> &[u8] {
        &self.body_hash
    }

    /// The response that this request had, if it was made before. Takes no lock and waits for nobody.
    ///
    /// # Errors
    ///
    /// The key was used for another request, or the database failed.
    pub async fn find(&self, rows: &impl db::Rows, company_id: Uuid) -> Result<Option<Bytes>, Error> {
        let Some(row) = rows.query_opt(SELECT_KEY, &[&company_id, &self.method, &self.key]).await? else {
            return Ok(None);
        };
        if row.get::<_, &[u8]>("body_hash") != self.body_hash {
            return Err(Error::KeyReused);
        }
        Ok(row.get::<_, Option<Vec<u8>>>("response").map(Bytes::from))
    }

    /// Makes the key this transaction's, as its first statement, or finds the response that it had.
    ///
    /// # Errors
    ///
    /// The key was used for another request, a twin runs for longer than [`TWIN_WAIT`], or the database failed.
    pub async fn claim(&self, tx: &Tx<'_>, company_id: Uuid) -> Result<Claim, Error> {
        let claimed = tx
            .execute_within(
                TWIN_WAIT,
                CLAIM_KEY,
                &[&company_id, &self.method, &self.key, &self.body_hash.as_slice()],
            )
            .await
            .map_err(|error| match error {
                db::Error::LockTimeout => Error::TwinRunning,
                other => Error::Db(other),
            })?;
        if claimed == 1 {
            return Ok(Claim::New);
        }
        // A statement of its own, because only a new snapshot sees what the twin committed.
        self.find(tx, company_id).await?.map(Claim::Replayed).ok_or(Error::TwinRunning)
    }

    /// Leaves `response` with the key that this transaction has claimed.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn store(&self, tx: &Tx<'_>, company_id: Uuid, response: &impl Message) -> Result<(), Error> {
        let response = response.encode_to_vec();
        tx.execute(STORE_RESPONSE, &[&company_id, &self.method, &self.key, &response]).await?;
        Ok(())
    }
}

/// What a write that may have been made before answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Done now.
    Done(T),
    /// Done before; these are the bytes of the answer.
    Replayed(Bytes),
}

impl<T> Outcome<T> {
    /// The gRPC answer: `convert`ed if it is new, decoded and marked as replayed otherwise.
    ///
    /// # Errors
    ///
    /// INTERNAL if the stored bytes are no such message.
    pub fn respond<M: Message + Default>(
        self,
        convert: impl FnOnce(T) -> M,
    ) -> Result<Response<M>, tonic::Status> {
        match self {
            Self::Done(value) => Ok(Response::new(convert(value))),
            Self::Replayed(bytes) => {
                let message = M::decode(bytes).map_err(|error| {
                    tracing::error!(%error, "a stored response can't be read");
                    tonic::Status::internal("internal error")
                })?;
                let mut response = Response::new(message);
                response
                    .metadata_mut()
                    .insert(REPLAYED_HEADER, tonic::metadata::MetadataValue::from_static("true"));
                Ok(response)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(key: Option<&'static str>) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        if let Some(key) = key {
            metadata.insert(KEY_HEADER, key.parse().unwrap());
        }
        metadata
    }

    #[test]
    fn field_and_header_say_the_same() {
        let key = |header, field| RequestKey::of(&metadata(header), field, "M", &"body".to_owned());
        assert_eq!(key(None, ""), Ok(None));
        assert_eq!(key(Some("k"), ""), key(None, "k"));
        assert_eq!(key(Some("k"), "k"), key(None, "k"));
        assert!(key(Some("k"), "other").is_err());
    }

    #[test]
    fn another_body_has_another_hash() {
        let hash = |body: &str| {
            RequestKey::of(&metadata(None), "k", "M", &body.to_owned()).unwrap().unwrap().body_hash
        };
        assert_eq!(hash("a"), hash("a"));
        assert_ne!(hash("a"), hash("b"));
    }

    #[test]
    fn keys_that_could_not_be_told_apart_are_refused() {
        for key in ["with space", "tab\t", "umlaut-ä", &"x".repeat(129)] {
            assert!(RequestKey::of(&metadata(None), key, "M", &String::new()).is_err(), "{key}");
        }
        assert!(RequestKey::required(&metadata(None), "", "M", &String::new()).is_err());
    }
}
