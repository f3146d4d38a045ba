//! A JSON object on each line.

use std::io::BufRead;

use serde::Deserialize;

use super::{
    BadRow, Item, Row, Values,
    lines::{Line, Lines},
};

/// Rows of a file of JSON lines. Blank lines are skipped.
#[derive(Debug)]
pub struct Jsonl<R> {
    lines: Lines<R>,
    ended: bool,
}

impl<R: BufRead> Jsonl<R> {
    /// The rows of `file`.
    pub fn new(file: R) -> Self {
        Self { lines: Lines::new(file), ended: false }
    }
}

impl<R: BufRead> Iterator for Jsonl<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while !self.ended {
            match self.lines.next() {
                Ok(Some((number, Line::Bytes(line)))) if line.trim_ascii().is_empty() => {
                    tracing::trace!(number, "blank");
                }
                Ok(Some((number, Line::Bytes(line)))) => return Some(Ok(row(number, &line))),
                Ok(Some((number, Line::TooLong))) => {
                    return Some(Ok(Err(BadRow::whole(number, "is longer than 1 MiB"))));
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

/// The object of a line. A price may be a number or text; `null` is the same as nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    sku: Option<String>,
    name: Option<String>,
    description: Option<String>,
    brand: Option<String>,
    category: Option<String>,
    price: Option<Amount>,
    currency: Option<String>,
    unit: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Amount {
    Text(String),
    Number(serde_json::Number),
}

fn row(number: u64, line: &[u8]) -> Result<Row, BadRow> {
    let text = std::str::from_utf8(line).map_err(|_| BadRow::whole(number, "is not UTF-8"))?;
    let object: Object =
        serde_json::from_str(text).map_err(|error| BadRow::whole(number, problem(&error)))?;
    let values = Values {
        sku: object.sku.unwrap_or_default(),
        name: object.name.unwrap_or_default(),
        description: object.description.unwrap_or_default(),
        brand: object.brand.unwrap_or_default(),
        category: object.category.unwrap_or_default(),
        price: match object.price {
            Some(Amount::Text(text)) => text,
            Some(Amount::Number(number)) => number.to_string(),
            None => String::new(),
        },
        currency: object.currency.unwrap_or_default(),
        unit: object.unit.unwrap_or_default(),
    };
    Row::new(number, values)
}

/// The parser's words, without its place: it counts one line only.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("is not an object of a product: {text} (column {})", error.column())
}
