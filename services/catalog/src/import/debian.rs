//! The index of a Debian archive: stanzas of `Field: value` lines.

use std::io::BufRead;

use platform::Invalid;

use super::{
    BadRow, DEFAULT_CURRENCY, Error, Item, MAX_ROW, Row, Values,
    lines::{Line, Lines},
};
use crate::product::{MAX_BRAND, MAX_NAME, Price};

/// Where packages without a section stand.
const DEFAULT_SECTION: &str = "misc";

/// Rows of a package index, one for each stanza.
#[derive(Debug)]
pub struct DebianIndex<R> {
    lines: Lines<R>,
    ended: bool,
}

/// The fields of a stanza that matter here.
#[derive(Debug, Default)]
struct Stanza {
    /// The line that it begins on.
    line: u64,
    bytes: usize,
    fields: Fields,
    bad: Option<BadRow>,
}

#[derive(Debug, Default)]
struct Fields {
    package: Option<String>,
    maintainer: Option<String>,
    section: Option<String>,
    installed_size: Option<String>,
    size: Option<String>,
    description: Option<String>,
    /// Whether the last field was one of these, so that its further lines belong here.
    in_description: bool,
}

impl<R: BufRead> DebianIndex<R> {
    /// The rows of `file`.
    pub fn new(file: R) -> Self {
        Self { lines: Lines::new(file), ended: false }
    }

    fn stanza(&mut self) -> Result<Option<Stanza>, Error> {
        let mut stanza: Option<Stanza> = None;
        while let Some((number, line)) = self.lines.next()? {
            match line {
                Line::Bytes(line) if line.trim_ascii().is_empty() => {
                    if stanza.is_some() {
                        return Ok(stanza);
                    }
                }
                line => stanza.get_or_insert_with(|| Stanza { line: number, ..Stanza::default() }).add(line),
            }
        }
        Ok(stanza)
    }
}

impl<R: BufRead> Iterator for DebianIndex<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.ended {
            return None;
        }
        match self.stanza() {
            Ok(Some(stanza)) => Some(Ok(stanza.into_row())),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl Stanza {
    /// Takes a line in. After the first that is bad, the rest of the stanza is only skipped.
    fn add(&mut self, line: Line) {
        if self.bad.is_some() {
            return;
        }
        let problem = match line {
            Line::TooLong => Err("is longer than 1 MiB"),
            Line::Bytes(line) if self.bytes + line.len() > MAX_ROW => Err("is longer than 1 MiB"),
            Line::Bytes(line) => {
                self.bytes += line.len();
                String::from_utf8(line).map_err(|_| "is not UTF-8").and_then(|line| self.fields.add(&line))
            }
        };
        if let Err(problem) = problem {
            self.bad = Some(BadRow::whole(self.line, problem));
        }
    }

    fn into_row(self) -> Result<Row, BadRow> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let fields = self.fields;
        let description = fields.description.unwrap_or_default();
        let synopsis = description.lines().next().unwrap_or_default().trim();
        let sku = fields.package.unwrap_or_default();
        let name = if synopsis.is_empty() { cut(&sku, MAX_NAME) } else { cut(synopsis, MAX_NAME) };
        let values = Values {
            name,
            sku,
            brand: maker(&fields.maintainer.unwrap_or_default()),
            category: fields
                .section
                .filter(|section| !section.is_empty())
                .unwrap_or_else(|| DEFAULT_SECTION.into()),
            description,
            ..Values::default()
        };
        Row::with_price(self.line, values, price(fields.installed_size.or(fields.size).as_deref()))
    }
}

impl Fields {
    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(more) = line.strip_prefix([' ', '\t']) {
            if let (true, Some(description)) = (self.in_description, &mut self.description) {
                description.push('\n');
                // A line with nothing but a point stands for an empty one.
                description.push_str(if more.trim_end() == "." { "" } else { more.trim_end() });
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').ok_or("has a line that is no field")?;
        let value = Some(value.trim().to_owned());
        self.in_description = false;
        match field.to_ascii_lowercase().as_str() {
            "package" => self.package = value,
            "maintainer" => self.maintainer = value,
            "section" => self.section = value,
            "installed-size" => self.installed_size = value,
            "size" => self.size = value,
            // The description in another language comes as `Description-de`; the hash of one, as `Description-md5`.
            "description" | "description-en" => {
                self.description = value;
                self.in_description = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whoever maintains it, without the address.
fn maker(maintainer: &str) -> String {
    let name = maintainer.split('<').next().unwrap_or_default().trim().trim_matches('"');
    cut(if name.is_empty() { maintainer } else { name }, MAX_BRAND)
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// So many cents as the package has KiB, or bytes.
fn price(size: Option<&str>) -> Result<Price, Invalid> {
    let invalid = |problem| Invalid::new("price", problem);
    let size = size.ok_or_else(|| invalid("there is no Installed-Size and no Size"))?;
    let cents = size.parse().map_err(|_| invalid("the size is not a number"))?;
    Price::new(cents, DEFAULT_CURRENCY).map_err(|refused| Invalid::new("price", refused.problem))
}
