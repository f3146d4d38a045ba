//! Rows that were refused: on standard error, and in a file if one was asked for.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use catalog::import::BadRow;
use serde_json::json;

/// Where refused rows are told.
pub(super) struct Report {
    file: Option<(PathBuf, BufWriter<File>)>,
    /// The first failure to write.
    failed: Option<std::io::Error>,
}

impl Report {
    pub(super) fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let file = path
            .map(|path| File::create(path).map(|file| (path.to_owned(), BufWriter::new(file))))
            .transpose()
            .context("create the report")?;
        Ok(Self { file, failed: None })
    }

    pub(super) fn refused(&mut self, bad: &BadRow) {
        #[expect(clippy::print_stderr, reason = "a command speaks to whoever called it")]
        {
            eprintln!("line {}: {}: {}", bad.line, bad.field, bad.problem);
        }
        if let Some((_, file)) = &mut self.file {
            let row = json!({ "line": bad.line, "field": bad.field, "problem": bad.problem });
            if let Err(error) = writeln!(file, "{row}") {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// Writes what is left, and fails if anything could not be written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Some((path, mut file)) = self.file else { return Ok(()) };
        let written = match self.failed {
            Some(error) => Err(error),
            None => file.flush(),
        };
        written.with_context(|| format!("write {}", path.display()))
    }
}
