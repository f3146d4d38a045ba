//! `sipup down`: ends a platform that was left behind.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data folder of the platform. Default `$XDG_DATA_HOME/sipup`, else `~/.local/share/sipup`.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Args {
    #[expect(clippy::print_stdout, reason = "a command speaks to whoever called it")]
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let folder = self.data_dir.unwrap_or_else(local::default_path);
        let ended = local::down(&folder).await?;
        if let Some(pid) = ended.up {
            println!("stopped `sipup up` (process {pid}) and all it ran");
        }
        if !ended.left_behind.is_empty() {
            println!("ended what was left behind: {}", ended.left_behind.join(", "));
        }
        if ended == local::Ended::default() {
            println!("nothing runs on {}", folder.display());
        }
        Ok(())
    }
}
