//! Lines of a file, none of which takes more memory than it may.

use std::io::{self, BufRead};

use super::MAX_ROW;

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Its bytes, without `\n` or `\r\n`.
    Bytes(Vec<u8>),
    /// It was longer than [`MAX_ROW`], and is gone.
    TooLong,
}

/// Reads lines and counts them.
#[derive(Debug)]
pub(super) struct Lines<R> {
    file: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, number: 0 }
    }

    /// The next line and its number, from 1. A byte order mark before the first is left out.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        if self.number == 0 {
            skip_byte_order_mark(&mut self.file)?;
        }
        let mut line = Vec::new();
        let mut too_long = false;
        let mut any = false;
        loop {
            let buffer = retry_interrupted(|| self.file.fill_buf().map(<[u8]>::len))?;
            if buffer == 0 {
                break;
            }
            any = true;
            let buffer = self.file.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            too_long |= line.len() + part.len() > MAX_ROW;
            if too_long {
                line = Vec::new();
            } else {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.file.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        if too_long {
            return Ok(Some((self.number, Line::TooLong)));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some((self.number, Line::Bytes(line))))
    }
}

/// Takes the byte order mark from the beginning of `file`, if it has one. A file that begins with a part of one is no UTF-8 anyway.
pub(super) fn skip_byte_order_mark(file: &mut impl BufRead) -> io::Result<()> {
    for byte in "\u{feff}".bytes() {
        retry_interrupted(|| file.fill_buf().map(<[u8]>::len))?;
        if file.fill_buf()?.first() != Some(&byte) {
            break;
        }
        file.consume(1);
    }
    Ok(())
}

/// Runs `read` again for as long as signals interrupt it.
pub(super) fn retry_interrupted<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(file: &[u8]) -> Vec<(u64, Line)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(7, file));
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn lines_end_in_every_way_and_the_last_need_not() {
        let bytes = |text: &str| Line::Bytes(text.as_bytes().to_vec());
        assert_eq!(
            all(b"\xef\xbb\xbfone line\r\n\ntwo\rhalf"),
            [(1, bytes("one line")), (2, bytes("")), (3, bytes("two\rhalf"))]
        );
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_hides_no_other() {
        let mut file = vec![b'x'; MAX_ROW + 1];
        file.extend_from_slice(b"\nnext\n");
        assert_eq!(all(&file), [(1, Line::TooLong), (2, Line::Bytes(b"next".to_vec()))]);
        assert!(matches!(&all(&vec![b'x'; MAX_ROW])[..], [(1, Line::Bytes(_))]));
    }
}
