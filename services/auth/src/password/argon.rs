//! Argon2id itself: our costs, the text form of a hash, and the memory that a hash needs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, Salt},
    },
};
use aws_lc_rs::rand;
use platform::Secret;

use super::Error;

/// Memory of a hash in KiB, passes, and lanes: the first choice of the OWASP password storage cheat sheet.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The memory of one hash at a time, kept for the next.
///
/// 19 MiB that are given back after each hash stay with the allocator of the thread that asked for them, on each thread anew.
#[derive(Debug)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    allocated: Arc<AtomicUsize>,
}

impl Memory {
    /// None yet. What is allocated is added to `allocated`, in blocks of 1 KiB.
    pub(super) fn new(allocated: &Arc<AtomicUsize>) -> Self {
        Self { blocks: Vec::new(), allocated: Arc::clone(allocated) }
    }

    fn of(&mut self, count: usize) -> Result<&mut [Block], Error> {
        if self.blocks.len() < count {
            // The old ones first, so that the two are never there together.
            self.blocks = Vec::new();
            let no_memory = |_| Error::Failed(password_hash::Error::OutOfMemory);
            self.blocks.try_reserve_exact(count).map_err(no_memory)?;
            self.blocks.resize(count, Block::new());
            self.allocated.fetch_add(count, Ordering::Relaxed);
        }
        Ok(&mut self.blocks[..count])
    }

    /// Wipes what a hash left, from which its password could be guessed faster.
    pub(super) fn wipe(&mut self) {
        self.blocks.fill(Block::new());
    }
}

/// A hash of `password` with our costs and a salt of its own.
pub(super) fn hash(password: &[u8], memory: &mut Memory) -> Result<Secret, Error> {
    let mut salt = [0; argon2::RECOMMENDED_SALT_LEN];
    rand::fill(&mut salt).map_err(|_| Error::Failed(password_hash::Error::RngFailure))?;
    let salt = Salt::new(&salt).map_err(|error| Error::Failed(error.into()))?;
    let argon2 = ours()?;
    let output = compute(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(Error::Failed)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(Secret::new(hash.to_string()))
}

/// Whether `stored` is a hash of `password`, by the costs that `stored` names.
pub(super) fn verify(password: &[u8], stored: &Secret, memory: &mut Memory) -> Result<bool, Error> {
    let stored = parse(stored)?;
    let incomplete = Error::Failed(password_hash::Error::EncodingInvalid);
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Err(incomplete) };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(Error::Failed)?;
    let version = stored.version.map(Version::try_from).transpose();
    let version = version.map_err(|error| Error::Failed(error.into()))?.unwrap_or_default();
    let params = Params::try_from(&stored).map_err(Error::Failed)?;
    let argon2 = Argon2::new(algorithm, version, params);
    // The comparison takes as long whatever the two are.
    Ok(compute(&argon2, password, salt, expected.len(), memory)? == *expected)
}

fn compute(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &Salt,
    length: usize,
    memory: &mut Memory,
) -> Result<Output, Error> {
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer.get_mut(..length).ok_or(Error::Failed(password_hash::Error::OutputSize))?;
    let blocks = memory.of(argon2.params().block_count())?;
    argon2
        .hash_password_into_with_memory(password, salt, out, blocks)
        .map_err(|error| Error::Failed(error.into()))?;
    Output::new(out).map_err(|error| Error::Failed(error.into()))
}

/// Whether `stored` was made with other costs than are used now, so that it is time for a new one.
///
/// # Errors
///
/// `stored` is no hash.
pub fn is_outdated(stored: &Secret) -> Result<bool, Error> {
    let stored = parse(stored)?;
    let params = Params::try_from(&stored).map_err(Error::Failed)?;
    let wanted = ours()?;
    let same = stored.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && stored.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
        && wanted.params().output_len().is_none_or(|length| params.output_len() == Some(length));
    Ok(!same)
}

fn ours() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| Error::Failed(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn parse(stored: &Secret) -> Result<PasswordHash, Error> {
    PasswordHash::new(stored.expose()).map_err(|_| Error::Failed(password_hash::Error::EncodingInvalid))
}
