//! Files of products: read row by row, never as a whole. What is wrong with a row is told with its line, and stops no other row.
//!
//! Three formats:
//!
//! - **csv** (RFC 4180): the first line names the columns, in any order: `sku`, `name`, `category`, `price`, and where there are any,
//!   `description`, `brand`, `currency`, `unit`. Others are ignored. UTF-8, with or without a byte order mark; any line ends.
//! - **jsonl**: an object on each line, with the same fields.
//! - **debian-index**: stanzas as `apt-cache dumpavail` prints them. Package → SKU, first line of Description → name, all of it →
//!   description, Maintainer (without the address, cut to 100 characters) → brand, Section → category, Installed-Size in KiB (else
//!   Size in bytes) → price in cents.
//!
//! `price` is in major units with a decimal point; `currency` is EUR, and `unit` is `piece`, where nothing is said. `category` is a name:
//! its slug is the category's id.

mod csv;
mod debian;
mod jsonl;
mod lines;
mod row;
mod slug;
pub mod upload;

use std::io::{self, BufRead};

pub use self::{
    csv::Csv,
    debian::DebianIndex,
    jsonl::Jsonl,
    row::{DEFAULT_CURRENCY, Row, Values},
    slug::category_slug,
};

/// The most bytes that one row may take. A file with a quote that nobody closes must not end up in memory.
pub const MAX_ROW: usize = 1 << 20;

/// Formats of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object on each line.
    Jsonl,
    /// What `apt-cache dumpavail` prints.
    DebianIndex,
}

/// A row that can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line that the row begins on, from 1.
    pub line: u64,
    /// The field at fault, or `row`.
    pub field: String,
    /// What is wrong, in words.
    pub problem: String,
}

impl BadRow {
    /// A row of which no field can be read.
    fn whole(line: u64, problem: impl Into<String>) -> Self {
        Self { line, field: "row".to_owned(), problem: problem.into() }
    }
}

/// Why a file can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system, or whatever else the bytes come from.
    #[error("the file can't be read")]
    Read(#[from] io::Error),
    /// The first line of a CSV file.
    #[error("the header {0}")]
    Header(String),
}

/// What a reader of rows gives: a row, a bad row, or the reason why there are no more. The latter comes last.
pub type Item = Result<Result<Row, BadRow>, Error>;

/// The rows of `file`.
pub fn rows<R: BufRead + Send + 'static>(format: Format, file: R) -> Box<dyn Iterator<Item = Item> + Send> {
    match format {
        Format::Csv => Box::new(Csv::new(file)),
        Format::Jsonl => Box::new(Jsonl::new(file)),
        Format::DebianIndex => Box::new(DebianIndex::new(file)),
    }
}

#[cfg(test)]
mod tests;
