//! `sipup keys`: the keys that sign access tokens.

use std::path::PathBuf;

use anyhow::Context as _;
use auth::keys;
use platform::Clock;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the first key, unless there is one.
    Init(Folder),
    /// Add a key that signs once every verifier has fetched it, and delete those of no use any more. Once a month is often enough.
    Rotate(Folder),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Folder {
    /// The folder of the keys, as `serve auth` knows it.
    #[arg(long, env = "SIPUP_SIGNING_KEYS")]
    signing_keys: PathBuf,
}

impl Command {
    #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let now = Clock::system().now();
        match self {
            Self::Init(Folder { signing_keys }) => {
                let made = keys::init(&signing_keys, now).context("make the first key")?;
                println!("{}", if made { "the first key was made" } else { "there is a key already" });
            }
            Self::Rotate(Folder { signing_keys }) => {
                let rotation = keys::rotate(&signing_keys, now).context("rotate the keys")?;
                println!("{rotation:?}");
            }
        }
        Ok(())
    }
}
