//! Just enough of a mail reader to check what was sent.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A message, decoded.
#[derive(Debug)]
pub(crate) struct Mail {
    headers: Vec<(String, String)>,
    parts: HashMap<String, String>,
}

impl Mail {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let headers = headers(head);
        let kind = value(&headers, "Content-Type");
        let boundary = kind.split("boundary=\"").nth(1).unwrap().trim_end_matches('"');
        let parts = body
            .split(&format!("--{boundary}"))
            .skip(1)
            .take_while(|part| !part.starts_with("--"))
            .map(|part| part_of(part.trim_start_matches("\r\n")))
            .collect();
        Self { headers, parts }
    }

    /// The names of all headers.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        value(&self.headers, name)
    }

    /// The part of this media type.
    pub(crate) fn part(&self, kind: &str) -> &str {
        &self.parts[kind]
    }
}

fn headers(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let read = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), words(value)));
    unfolded.split("\r\n").map(|line| read(line).unwrap_or_else(|| panic!("no header: {line:?}"))).collect()
}

fn value(headers: &[(String, String)], name: &str) -> String {
    let values: Vec<_> =
        headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect();
    assert_eq!(values.len(), 1, "{name} in {headers:?}");
    values.concat()
}

/// Decodes RFC 2047 words; white space between two of them is not part of the text.
fn words(value: &str) -> String {
    let mut text = String::new();
    let mut rest = &*value.replace("?= =?", "?==?");
    while let Some((before, after)) = rest.split_once("=?utf-8?b?") {
        let (word, behind) = after.split_once("?=").unwrap();
        text.push_str(before);
        text.push_str(&String::from_utf8(STANDARD.decode(word).unwrap()).unwrap());
        rest = behind;
    }
    text + rest
}

fn part_of(part: &str) -> (String, String) {
    let (head, body) = part.split_once("\r\n\r\n").unwrap();
    let headers = headers(head);
    let kind = value(&headers, "Content-Type");
    let bytes = match &*value(&headers, "Content-Transfer-Encoding") {
        "7bit" => body.as_bytes().to_vec(),
        "quoted-printable" => quoted_printable(body),
        "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        other => panic!("{other}"),
    };
    (kind.split(';').next().unwrap().to_owned(), String::from_utf8(bytes).unwrap())
}

fn quoted_printable(body: &str) -> Vec<u8> {
    let body = body.replace("=\r\n", "");
    let mut bytes = body.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'=' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    decoded
}
