//! Comma-separated values. The first record names the columns.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader};

use super::{
    BadRow, Error, Item, MAX_ROW, Row, Values,
    lines::{retry_interrupted, skip_byte_order_mark},
};

/// The most fields that a record may have.
const MAX_FIELDS: usize = 1_000;

/// The columns that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Sku,
    Name,
    Description,
    Brand,
    Category,
    Price,
    Currency,
    Unit,
}

impl Column {
    const ALL: [(&'static str, Self); 8] = [
        ("sku", Self::Sku),
        ("name", Self::Name),
        ("description", Self::Description),
        ("brand", Self::Brand),
        ("category", Self::Category),
        ("price", Self::Price),
        ("currency", Self::Currency),
        ("unit", Self::Unit),
    ];
    /// The columns that must be there.
    const REQUIRED: [Self; 4] = [Self::Sku, Self::Name, Self::Category, Self::Price];

    fn of(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, column)| column)
    }

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, column)| *column == self).map_or("", |(name, _)| name)
    }

    fn slot(self, values: &mut Values) -> &mut String {
        match self {
            Self::Sku => &mut values.sku,
            Self::Name => &mut values.name,
            Self::Description => &mut values.description,
            Self::Brand => &mut values.brand,
            Self::Category => &mut values.category,
            Self::Price => &mut values.price,
            Self::Currency => &mut values.currency,
            Self::Unit => &mut values.unit,
        }
    }
}

/// Rows of a CSV file. Blank lines are skipped.
pub struct Csv<R> {
    file: R,
    parser: Reader,
    /// What each column of the file is; none for one that is not read. Empty until the header was.
    columns: Vec<Option<Column>>,
    /// The line that has been reached.
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
    ended: bool,
}

impl<R> std::fmt::Debug for Csv<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Csv")
            .field("columns", &self.columns)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// A record as it was found: its line and fields, or what is wrong with it.
type Record = Result<(u64, Vec<Vec<u8>>), BadRow>;

impl<R: BufRead> Csv<R> {
    /// The rows of `file`.
    pub fn new(file: R) -> Self {
        Self {
            file,
            parser: Reader::new(),
            columns: Vec::new(),
            line: 1,
            text: vec![0; MAX_ROW],
            ends: vec![0; MAX_FIELDS],
            ended: false,
        }
    }

    /// The next record; none at the end. A record that is too large is given up at the end of the line where it got too large: most likely a
    /// quote was left open, and what follows are rows again.
    fn record(&mut self) -> Result<Option<Record>, Error> {
        self.skip_line_ends()?;
        let begins = self.line;
        self.parser.set_line(begins);
        let (mut written, mut ended) = (0, 0);
        loop {
            retry_interrupted(|| self.file.fill_buf().map(<[u8]>::len))?;
            let input = self.file.fill_buf()?;
            let (result, read, wrote, fields) =
                self.parser.read_record(input, &mut self.text[written..], &mut self.ends[ended..]);
            self.file.consume(read);
            written += wrote;
            ended += fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    return self.give_up(begins, "is longer than 1 MiB; is a quote left open?");
                }
                ReadRecordResult::OutputEndsFull => {
                    return self.give_up(begins, "has more than 1,000 fields");
                }
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::Record => {
                    self.line = self.parser.line();
                    return Ok(Some(Ok((begins, fields_of(&self.text, &self.ends[..ended])))));
                }
            }
        }
    }

    /// Goes to where the next record begins. The parser would skip line ends too, and leave it open where that is; it ends a record
    /// at the first byte of `\r\n`.
    fn skip_line_ends(&mut self) -> Result<(), Error> {
        loop {
            retry_interrupted(|| self.file.fill_buf().map(<[u8]>::len))?;
            let input = self.file.fill_buf()?;
            let ends: Vec<u8> =
                input.iter().copied().take_while(|byte| matches!(byte, b'\r' | b'\n')).collect();
            let more = !ends.is_empty() && ends.len() == input.len();
            self.file.consume(ends.len());
            self.line += ends.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            if !more {
                return Ok(());
            }
        }
    }

    fn give_up(&mut self, begins: u64, problem: &str) -> Result<Option<Record>, Error> {
        self.line = self.parser.line();
        loop {
            retry_interrupted(|| self.file.fill_buf().map(<[u8]>::len))?;
            let input = self.file.fill_buf()?;
            let end = input.iter().position(|byte| *byte == b'\n');
            let skipped = end.map_or(input.len(), |end| end + 1);
            self.file.consume(skipped);
            if end.is_some() || skipped == 0 {
                break;
            }
        }
        self.line += 1;
        self.parser = Reader::new();
        Ok(Some(Err(BadRow::whole(begins, problem))))
    }

    /// Reads the header if nobody did, then the next row.
    fn row(&mut self) -> Result<Option<Result<Row, BadRow>>, Error> {
        if self.columns.is_empty() {
            // The parser strips it too, but takes a first piece with nothing else in it for the end of the file.
            skip_byte_order_mark(&mut self.file)?;
            let Some(header) = self.record()? else { return Ok(None) };
            let (_, fields) = header.map_err(|bad| Error::Header(bad.problem))?;
            self.columns = columns(&fields)?;
        }
        let record = self.record()?;
        Ok(record.map(|record| record.and_then(|(line, fields)| self.read(line, fields))))
    }

    fn read(&self, line: u64, fields: Vec<Vec<u8>>) -> Result<Row, BadRow> {
        if fields.len() > self.columns.len() {
            let problem = format!("has {} fields, the header {}", fields.len(), self.columns.len());
            return Err(BadRow::whole(line, problem));
        }
        let mut values = Values::default();
        for (column, field) in self.columns.iter().zip(fields) {
            if let Some(column) = column {
                let text = String::from_utf8(field).map_err(|_| BadRow {
                    line,
                    field: column.name().to_owned(),
                    problem: "is not UTF-8".to_owned(),
                })?;
                *column.slot(&mut values) = text;
            }
        }
        Row::new(line, values)
    }
}

fn fields_of(text: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, end)| text[start..*end].to_vec()).collect()
}

fn columns(header: &[Vec<u8>]) -> Result<Vec<Option<Column>>, Error> {
    let columns: Vec<Option<Column>> =
        header.iter().map(|name| std::str::from_utf8(name).ok().and_then(Column::of)).collect();
    for (name, column) in Column::ALL {
        let count = columns.iter().filter(|found| **found == Some(column)).count();
        if count > 1 {
            return Err(Error::Header(format!("names the column {name} twice")));
        }
        if count == 0 && Column::REQUIRED.contains(&column) {
            return Err(Error::Header(format!("has no column {name}")));
        }
    }
    Ok(columns)
}

impl<R: BufRead> Iterator for Csv<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.ended {
            return None;
        }
        let row = self.row();
        self.ended = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}
