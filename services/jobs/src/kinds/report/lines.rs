//! Lines of orders as CSV.

use csv::{Terminator, Writer, WriterBuilder};
use jiff::Timestamp;
use uuid::Uuid;

use crate::kinds::money;

/// The header. Columns are only ever added, behind the others.
const HEADER: [&str; 12] = [
    "order_id",
    "company_id",
    "state",
    "created_at",
    "purchase_order_number",
    "line_number",
    "sku",
    "name",
    "quantity",
    "unit_price",
    "line_total",
    "currency",
];

/// What a spreadsheet takes for the beginning of a formula, the full-width forms among it, or skips before it looks for one.
const FORMULAS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) order_id: Uuid,
    pub(crate) company_id: Uuid,
    /// `placed`, `shipped` or `cancelled`.
    pub(crate) state: &'static str,
    pub(crate) created_at: Timestamp,
    pub(crate) purchase_order_number: String,
    pub(crate) number: i16,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i32,
    pub(crate) price_minor: i64,
    pub(crate) currency: String,
}

/// The first row.
pub(super) fn header() -> Result<Vec<u8>, csv::Error> {
    let mut rows = rows();
    rows.write_record(HEADER)?;
    text(rows)
}

/// A row for each line.
pub(super) fn encode(lines: &[Line]) -> Result<Vec<u8>, csv::Error> {
    let mut rows = rows();
    for line in lines {
        let total = i64::from(line.quantity).saturating_mul(line.price_minor);
        rows.write_record([
            line.order_id.to_string().as_str(),
            &line.company_id.to_string(),
            line.state,
            &line.created_at.to_string(),
            &harmless(&line.purchase_order_number),
            &line.number.to_string(),
            &harmless(&line.sku),
            &harmless(&line.name),
            &line.quantity.to_string(),
            &money::plain(line.price_minor, &line.currency),
            &money::plain(total, &line.currency),
            &line.currency,
        ])?;
    }
    text(rows)
}

/// The text, with an apostrophe before what a spreadsheet would run as a formula. OWASP describes the attack as "CSV injection": a buyer could
/// write a formula into a purchase order number that runs where the seller opens the report.
fn harmless(text: &str) -> String {
    if text.starts_with(FORMULAS) { format!("'{text}") } else { text.to_owned() }
}

/// As RFC 4180 wants it: lines end in CR LF.
fn rows() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new())
}

fn text(rows: Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    rows.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Line {
        Line {
            order_id: Uuid::from_u128(1),
            company_id: Uuid::from_u128(2),
            state: "placed",
            created_at: "2026-01-05T10:07:00.123456Z".parse().unwrap(),
            purchase_order_number: "PO 7".to_owned(),
            number: 1,
            sku: "BOLT-M8".to_owned(),
            name: name.to_owned(),
            quantity: 1_000,
            price_minor: 123,
            currency: "EUR".to_owned(),
        }
    }

    fn row(name: &str) -> String {
        String::from_utf8(encode(&[line(name)]).unwrap()).unwrap()
    }

    #[test]
    fn a_row_has_what_the_header_names() {
        let text = String::from_utf8(header().unwrap()).unwrap() + &row("Hex bolt M8");
        assert_eq!(
            text,
            "order_id,company_id,state,created_at,purchase_order_number,line_number,sku,name,quantity,unit_price,line_total,currency\r\n\
             00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,placed,2026-01-05T10:07:00.123456Z,PO 7,1,BOLT-M8,\
             Hex bolt M8,1000,1.23,1230.00,EUR\r\n"
        );
    }

    #[test]
    fn texts_with_commas_quotes_and_line_breaks_are_quoted() {
        assert!(row("Bolt, 8 mm").contains(",\"Bolt, 8 mm\","));
        assert!(row("8\" bolt").contains(",\"8\"\" bolt\","));
        assert!(row("two\nlines").contains(",\"two\nlines\","));
        assert!(row("").contains(",BOLT-M8,,1000,"));
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for text in ["Bolt = nut", "8-bolt", "'=1", "", " x"] {
            assert_eq!(harmless(text), text);
        }
        let mut order = line("=HYPERLINK(\"http://evil.example\")");
        order.purchase_order_number = "@x".to_owned();
        let text = String::from_utf8(encode(&[order]).unwrap()).unwrap();
        assert!(text.contains(",'@x,1,") && text.contains(",\"'=HYPERLINK(\"\"http"), "{text}");
    }
}
