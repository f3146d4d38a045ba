use std::io::BufReader;

use proptest::prelude::*;

use super::*;
use crate::product::Price;

/// Reads `file` in pieces of `piece` bytes. Errors of the file itself are told as bad rows of line 0.
fn read(format: Format, file: &[u8], piece: usize) -> Vec<Result<Row, BadRow>> {
    let file = BufReader::with_capacity(piece, std::io::Cursor::new(file.to_vec()));
    let whole = |error: Error| BadRow { line: 0, field: "file".into(), problem: error.to_string() };
    rows(format, file).map(|item| item.unwrap_or_else(|error| Err(whole(error)))).collect()
}

fn bad(rows: &[Result<Row, BadRow>]) -> Vec<(u64, &str)> {
    rows.iter().filter_map(|row| row.as_ref().err()).map(|bad| (bad.line, bad.field.as_str())).collect()
}

fn good(rows: &[Result<Row, BadRow>]) -> Vec<(u64, &str)> {
    rows.iter().filter_map(|row| row.as_ref().ok()).map(|row| (row.line, row.product.sku.as_str())).collect()
}

#[test]
fn a_csv_file_may_be_messy() {
    let file = "\u{feff}price,SKU, Name ,unknown,category,description,unit\r\n\
                1.50,A,\"Bolt, \"\"hex\"\"\",x,Hex Bolts,\"two\r\nlines\",box\r\n\
                \r\n\
                2,B,5\" pipe,,Pipes,,\r\n\
                3,C\r\n\
                4,D,Too many,x,Pipes,,,\r\n\
                1,5,E,x,Pipes,,\r\n\
                7,G,no end,x,Pipes,d,\"u\"";
    for piece in [1, 2, 3, 7, 8_192] {
        let rows = read(Format::Csv, file.as_bytes(), piece);
        assert_eq!(good(&rows), [(2, "A"), (5, "B"), (8, "5"), (9, "G")], "{piece} {rows:?}");
        assert_eq!(bad(&rows), [(6, "category"), (7, "row")], "{rows:?}");
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.product.name, "Bolt, \"hex\"");
        assert_eq!(first.product.description, "two\r\nlines");
        assert_eq!((first.product.price.minor(), first.product.price.currency_code()), (150, "EUR"));
        assert_eq!(
            (first.product.category_id.as_str(), first.category_name.as_str()),
            ("hex-bolts", "Hex Bolts")
        );
        assert_eq!(rows[1].as_ref().unwrap().product.name, "5\" pipe");
    }
}

#[test]
fn a_csv_file_without_a_usable_header_is_refused_as_a_whole() {
    for (file, problem) in [
        ("sku,name,price\nA,B,1\n", "has no column category"),
        ("sku,name,price,category,SKU\n", "names the column sku twice"),
        ("\u{0}\u{1}\n", "has no column sku"),
    ] {
        let rows = read(Format::Csv, file.as_bytes(), 64);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].as_ref().unwrap_err().problem.contains(problem), "{rows:?}");
    }
    assert!(read(Format::Csv, b"", 64).is_empty());
}

#[test]
fn a_quote_that_nobody_closes_takes_a_megabyte_at_most() {
    let mut file = b"sku,name,category,price\nA,\"open,c,1\n".to_vec();
    let filler = b"F,filler,c,1\n";
    while file.len() < MAX_ROW + 2 * filler.len() {
        file.extend_from_slice(filler);
    }
    let lines = file.lines().count() as u64;
    file.extend_from_slice(b"Z,last,c,1\n");
    let rows = read(Format::Csv, &file, 8_192);
    assert_eq!(bad(&rows), [(2, "row")]);
    assert_eq!(good(&rows).last(), Some(&(lines + 1, "Z")));
}

#[test]
fn a_field_that_is_not_utf8_is_refused_by_name_and_stops_nothing() {
    let rows = read(Format::Csv, b"sku,name,category,price\nA,\xff\xfe,c,1\nB,b,c,1\n", 64);
    assert_eq!((bad(&rows), good(&rows)), (vec![(2, "name")], vec![(3, "B")]));
    let file =
        b"{\"sku\":\"A\",\"name\":\"\xff\"}\n{\"sku\":\"B\",\"name\":\"b\",\"category\":\"c\",\"price\":1}\n";
    let rows = read(Format::Jsonl, file, 64);
    assert_eq!((bad(&rows), good(&rows)), (vec![(1, "row")], vec![(2, "B")]));
    let rows = read(Format::DebianIndex, b"Package: a\nX: \xff\nSize: 1\n\nPackage: b\nSize: 1\n", 64);
    assert_eq!((bad(&rows), good(&rows)), (vec![(1, "row")], vec![(5, "b")]));
}

#[test]
fn json_lines_take_prices_as_numbers_and_text() {
    let file = r#"
{"sku":"A","name":"a","category":"c","price":1.5,"brand":null}
{"sku":"B","name":"b","category":"c","price":"2.50","currency":"USD"}

{"sku":"C","name":"c","category":"c","price":1e30}
{"sku":"D","name":"d","category":"c","prise":1}
{"sku":"E","name":"e","category":"c"}
[1]
not json
{"sku":"F","name":"f","category":"c","price":-1}
"#;
    let rows = read(Format::Jsonl, file.as_bytes(), 16);
    let prices: Vec<_> =
        rows.iter().filter_map(|row| row.as_ref().ok()).map(|row| row.product.price).collect();
    assert_eq!(prices, [Price::new(150, "EUR").unwrap(), Price::new(250, "USD").unwrap()]);
    let refused = [(5, "price"), (6, "row"), (7, "price"), (8, "row"), (9, "row"), (10, "price")];
    assert_eq!(bad(&rows), refused);
}

#[test]
fn a_stanza_of_a_package_index_is_a_product() {
    let file = "\n\nPackage: libstdc++6\nInstalled-Size: 2500\nSize: 99\nMaintainer: Jane \"JD\" Doe <jane@example.org>\n\
                Description: GNU Standard C++ Library v3\n This package contains\n  two:\n .\n the end\nTag: a,\n b\n\
                Section: universe/libs\n\n\nPackage: nosize\n\nPackage: plain\nSize: 7\nno field\n\n\
                Package: bare\nSize: 7\nMaintainer: <root@localhost>";
    let rows = read(Format::DebianIndex, file.as_bytes(), 32);
    let product = &rows[0].as_ref().unwrap().product;
    assert_eq!(
        (product.sku.as_str(), product.price.minor(), product.brand.as_str()),
        ("libstdc++6", 2_500, "Jane \"JD\" Doe")
    );
    assert_eq!(product.name, "GNU Standard C++ Library v3");
    assert_eq!(product.description, "GNU Standard C++ Library v3\nThis package contains\n two:\n\nthe end");
    assert_eq!(product.category_id.as_str(), "universe-libs");
    assert_eq!(bad(&rows), [(17, "price"), (19, "row")]);
    let bare = rows[3].as_ref().unwrap();
    assert_eq!((bare.product.name.as_str(), bare.product.brand.as_str()), ("bare", "<root@localhost>"));
    assert_eq!((bare.category_name.as_str(), bare.product.description.as_str()), ("misc", ""));
}

/// Writes `text` as a CSV field.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

prop_compose! {
    fn values()(
        sku in "[A-Za-z0-9][A-Za-z0-9.+_/-]{0,63}",
        name in "[^\\p{Cc}\u{2028}\u{2029} ][^\\p{Cc}\u{2028}\u{2029}]{0,40}",
        description in "[^\\p{Cc}]{0,80}(\n[^\\p{Cc}]{0,20})?",
        brand in "[^\\p{Cc}\u{2028}\u{2029}]{0,20}",
        category in "[A-Za-z][A-Za-z &]{0,20}[a-z]",
        price in "[0-9]{1,9}(\\.[0-9]{1,2})?",
        unit in "(box of [0-9]{1,3})?",
    ) -> Values {
        Values { sku, name, description, brand, category, price, currency: "EUR".into(), unit }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(file in prop::collection::vec(any::<u8>(), 0..2_000), piece in 1..100_usize) {
        for format in [Format::Csv, Format::Jsonl, Format::DebianIndex] {
            read(format, &file, piece);
        }
    }

    #[test]
    fn no_text_behind_a_good_header_makes_the_csv_reader_panic(text in "[a-z,\"\r\n é]{0,300}", piece in 1..50_usize) {
        let file = format!("sku,name,category,price\n{text}");
        let lines = file.lines().count() as u64;
        for row in read(Format::Csv, file.as_bytes(), piece) {
            let line = row.map_or_else(|bad| bad.line, |row| row.line);
            prop_assert!((2..=lines.max(2)).contains(&line));
        }
    }

    #[test]
    fn rows_written_as_csv_and_json_read_back(all in prop::collection::vec(values(), 0..20), piece in 1..200_usize) {
        let mut csv = "sku,name,description,brand,category,price,currency,unit\n".to_owned();
        let mut jsonl = String::new();
        for v in &all {
            let fields = [&v.sku, &v.name, &v.description, &v.brand, &v.category, &v.price, &v.currency, &v.unit];
            csv.push_str(&fields.map(|field| quoted(field)).join(","));
            csv.push_str("\r\n");
            let object = serde_json::json!({
                "sku": v.sku, "name": v.name, "description": v.description, "brand": v.brand,
                "category": v.category, "price": v.price, "currency": v.currency, "unit": v.unit,
            });
            jsonl.push_str(&object.to_string());
            jsonl.push('\n');
        }
        let expected: Vec<_> = all.into_iter().map(|values| Row::new(0, values).map(|row| row.product)).collect();
        for (format, file) in [(Format::Csv, csv), (Format::Jsonl, jsonl)] {
            let found: Vec<_> = read(format, file.as_bytes(), piece)
                .into_iter()
                .map(|row| row.map(|row| row.product).map_err(|bad| BadRow { line: 0, ..bad }))
                .collect();
            prop_assert_eq!(&found, &expected, "{:?}", format);
        }
    }
}
