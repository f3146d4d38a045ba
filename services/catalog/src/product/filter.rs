//! The filter of a list: conditions joined by `AND`.
//!
//! ```text
//! filter    = [ condition { "AND" condition } ]
//! condition = ( "category_id" | "brand" | "sku" ) "=" string
//!           | "active" "=" ( "true" | "false" )
//!           | "price" ( ">=" | "<=" ) digits
//! string    = '"' { character | '\"' | '\\' } '"'
//! ```
//! Blanks stand anywhere between words. Each condition may be said once.

use std::{fmt, iter::Peekable, str::CharIndices};

use platform::Invalid;

use super::{Sku, brand, price_minor};
use crate::category::CategoryId;

/// The longest filter, in characters.
pub const MAX_FILTER: usize = 1_000;

/// Which products a list shows. `Display` gives one text for all ways to write the same filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductFilter {
    /// Only in this category, or below it.
    pub category_id: Option<CategoryId>,
    /// Only of this maker.
    pub brand: Option<String>,
    /// Only this article.
    pub sku: Option<Sku>,
    /// Only those that can be ordered, or only those that can't. Where nothing is said, those that can.
    pub active: Option<bool>,
    /// Only from this price on, in minor units.
    pub min_price: Option<i64>,
    /// Only up to this price, in minor units.
    pub max_price: Option<i64>,
}

impl ProductFilter {
    /// Reads a filter; an empty one shows every active product.
    ///
    /// # Errors
    ///
    /// Names `filter`, with the place of the mistake.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().nth(MAX_FILTER).is_some() {
            return Err(refused(format!("must have at most {MAX_FILTER} characters")));
        }
        let mut filter = Self::default();
        let mut words = Words { text, rest: text.char_indices().peekable() };
        let Some(mut field) = words.next()? else { return Ok(filter) };
        loop {
            filter.condition(&field, &mut words)?;
            match words.next()? {
                None => return Ok(filter),
                Some(Word { kind: Kind::Plain("AND"), .. }) => field = words.expect("a condition")?,
                Some(word) => return Err(word.unexpected("AND")),
            }
        }
    }

    fn condition(&mut self, field: &Word<'_>, words: &mut Words<'_>) -> Result<(), Invalid> {
        let Kind::Plain(name) = field.kind else { return Err(field.unexpected("a field")) };
        let operator = words.expect("an operator")?;
        let Kind::Operator(sign) = operator.kind else { return Err(operator.unexpected("an operator")) };
        let value = words.expect("a value")?;
        match (name, sign) {
            ("category_id", "=") => {
                let id = CategoryId::parse("category_id", value.string()?).map_err(inside)?;
                field.once(&mut self.category_id, id)
            }
            ("brand", "=") => field.once(&mut self.brand, brand(value.string()?).map_err(inside)?),
            ("sku", "=") => field.once(&mut self.sku, Sku::parse(value.string()?).map_err(inside)?),
            ("active", "=") => field.once(&mut self.active, value.boolean()?),
            ("price", ">=") => field.once(&mut self.min_price, value.price()?),
            ("price", "<=") => field.once(&mut self.max_price, value.price()?),
            ("price", _) => Err(operator.unexpected(">= or <=")),
            ("category_id" | "brand" | "sku" | "active", _) => Err(operator.unexpected("=")),
            _ => Err(field.unexpected("category_id, brand, sku, active or price")),
        }
    }
}

impl fmt::Display for ProductFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let conditions = [
            self.category_id.as_ref().map(|id| format!("category_id = {}", quoted(id.as_str()))),
            self.brand.as_ref().map(|brand| format!("brand = {}", quoted(brand))),
            self.sku.as_ref().map(|sku| format!("sku = {}", quoted(sku.as_str()))),
            self.active.map(|active| format!("active = {active}")),
            self.min_price.map(|price| format!("price >= {price}")),
            self.max_price.map(|price| format!("price <= {price}")),
        ];
        f.write_str(&conditions.into_iter().flatten().collect::<Vec<_>>().join(" AND "))
    }
}

fn refused(problem: impl Into<String>) -> Invalid {
    Invalid::new("filter", problem)
}

/// A value that its own type refuses, told as a mistake of the filter.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn inside(invalid: Invalid) -> Invalid {
    refused(format!("{} {}", invalid.field, invalid.problem))
}

/// A word of the filter and where it begins.
#[derive(Debug)]
struct Word<'a> {
    kind: Kind<'a>,
    /// Counted in characters, from 1.
    place: usize,
}

#[derive(Debug)]
enum Kind<'a> {
    /// Letters, digits and `_`.
    Plain(&'a str),
    /// `=`, `>=`, `<=`, or a sign that is none of them.
    Operator(&'a str),
    /// What stands between quotes.
    Text(String),
}

impl Word<'_> {
    fn unexpected(&self, expected: &str) -> Invalid {
        refused(format!("at character {}: expected {expected}", self.place))
    }

    fn once<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), Invalid> {
        if slot.replace(value).is_some() {
            return Err(refused(format!("at character {}: this condition is there already", self.place)));
        }
        Ok(())
    }

    fn string(&self) -> Result<String, Invalid> {
        match &self.kind {
            Kind::Text(text) => Ok(text.clone()),
            _ => Err(self.unexpected("text in double quotes")),
        }
    }

    fn boolean(&self) -> Result<bool, Invalid> {
        match self.kind {
            Kind::Plain("true") => Ok(true),
            Kind::Plain("false") => Ok(false),
            _ => Err(self.unexpected("true or false")),
        }
    }

    fn price(&self) -> Result<i64, Invalid> {
        let digits = match self.kind {
            Kind::Plain(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text,
            _ => return Err(self.unexpected("a whole number of minor units")),
        };
        // A number too large for 64 bits is too large for a price as well.
        price_minor("price", digits.parse().unwrap_or(i64::MAX)).map_err(inside)
    }
}

/// Cuts the filter into words.
struct Words<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl<'a> Words<'a> {
    fn expect(&mut self, what: &str) -> Result<Word<'a>, Invalid> {
        self.next()?.ok_or_else(|| refused(format!("at the end: expected {what}")))
    }

    fn next(&mut self) -> Result<Option<Word<'a>>, Invalid> {
        while self.rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some(&(start, first)) = self.rest.peek() else { return Ok(None) };
        let place = self.text[..start].chars().count() + 1;
        let kind = match first {
            '"' => Kind::Text(self.quoted(place)?),
            c if is_plain(c) => Kind::Plain(self.run(start, is_plain)),
            '=' | '<' | '>' => Kind::Operator(self.run(start, |c| matches!(c, '=' | '<' | '>'))),
            _ => return Err(refused(format!("at character {place}: {first:?} has no place here"))),
        };
        Ok(Some(Word { kind, place }))
    }

    fn run(&mut self, start: usize, is_part: impl Fn(char) -> bool) -> &'a str {
        let mut end = start;
        while let Some((at, c)) = self.rest.next_if(|(_, c)| is_part(*c)) {
            end = at + c.len_utf8();
        }
        &self.text[start..end]
    }

    fn quoted(&mut self, place: usize) -> Result<String, Invalid> {
        self.rest.next();
        let mut text = String::new();
        while let Some((_, c)) = self.rest.next() {
            match c {
                '"' => return Ok(text),
                '\\' => match self.rest.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => {
                        return Err(refused("a backslash must be followed by a double quote or a backslash"));
                    }
                },
                c => text.push(c),
            }
        }
        Err(refused(format!("at character {place}: the double quote is not closed")))
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(text: &str) -> String {
        let invalid = ProductFilter::parse(text).unwrap_err();
        assert_eq!(invalid.field, "filter");
        invalid.problem
    }

    #[test]
    fn conditions_are_joined_in_any_order_and_spacing() {
        let filter =
            ProductFilter::parse(r#" price<=500 AND brand = "A \"B\" \\" AND  category_id="hex-bolts""#)
                .unwrap();
        assert_eq!(filter.brand.as_deref(), Some(r#"A "B" \"#));
        assert_eq!(filter.max_price, Some(500));
        assert_eq!(
            filter.to_string(),
            r#"category_id = "hex-bolts" AND brand = "A \"B\" \\" AND price <= 500"#
        );
        assert_eq!(ProductFilter::parse(" \t"), Ok(ProductFilter::default()));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(problem(r#"brand = "x" OR sku = "y""#).contains("character 13: expected AND"));
        assert!(problem("colour = 5").contains("character 1: expected category_id"));
        assert!(problem("price = 5").contains("expected >= or <="));
        assert!(problem("sku >= \"a\"").contains("expected ="));
        assert!(problem("active = 1").contains("true or false"));
        assert!(problem("price >= -1").contains("has no place here"));
        assert!(problem("price >= 99999999999999999999").contains("1,000,000,000,000"));
        assert!(problem("sku = \"a").contains("not closed"));
        assert!(problem("sku = \"ä\"").contains("sku must be"));
        assert!(problem("sku =").contains("at the end: expected a value"));
        assert!(problem("active = true AND").contains("at the end"));
        assert!(problem("active = true AND active = false").contains("there already"));
        assert!(problem(&"x".repeat(1_001)).contains("at most"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = ProductFilter::parse(&text);
        }

        #[test]
        fn a_filter_reads_back_from_its_text(
            brand in proptest::option::of("[^\\p{Cc}\u{2028}\u{2029}]{0,20}"),
            sku in proptest::option::of("[A-Z0-9][a-z+./_-]{0,9}"),
            active in any::<Option<bool>>(),
            min_price in proptest::option::of(0..=1_000_000_000_000_i64),
        ) {
            let sku = sku.map(|sku| Sku::parse(sku).unwrap());
            let filter = ProductFilter { brand, sku, active, min_price, ..ProductFilter::default() };
            prop_assert_eq!(ProductFilter::parse(&filter.to_string()), Ok(filter));
        }
    }
}
