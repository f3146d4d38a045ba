//! What text may look like, for every field that people read.

use platform::Invalid;

/// Characters that break a line beside the control characters: line and paragraph separator.
const LINE_BREAKS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// The longest name that stands in URLs, in characters.
pub(crate) const MAX_SLUG: usize = 63;

/// A name that people choose and that stands in URLs: 1 to 63 characters of `a-z 0-9 -`, the first a letter or digit.
///
/// # Errors
///
/// Names `field`.
pub(crate) fn slug(field: &'static str, text: String) -> Result<String, Invalid> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_valid = text.len() <= MAX_SLUG
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'-');
    if is_valid {
        Ok(text)
    } else {
        let rule = "must be 1 to 63 characters of a-z, 0-9 and -, the first a letter or digit";
        Err(Invalid::new(field, rule))
    }
}

/// Text of one line: no control characters, no line breaks, `min` to `max` characters, not only blanks where something is asked for.
///
/// # Errors
///
/// Names `field`.
pub(crate) fn line(field: &'static str, text: String, min: usize, max: usize) -> Result<String, Invalid> {
    if text.chars().any(|c| c.is_control() || LINE_BREAKS.contains(&c)) {
        return Err(Invalid::new(field, "must not hold control characters or line breaks"));
    }
    let length = text.chars().count();
    if length > max {
        return Err(Invalid::new(field, format!("must have at most {max} characters, has {length}")));
    }
    if length < min || (min > 0 && text.trim().is_empty()) {
        return Err(Invalid::new(field, "must not be empty or blank"));
    }
    Ok(text)
}

/// Text of any number of lines, up to `max` characters: no control characters but tabs and line ends.
///
/// # Errors
///
/// Names `field`.
pub(crate) fn lines(field: &'static str, text: String, max: usize) -> Result<String, Invalid> {
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(Invalid::new(field, "must not hold control characters other than tabs and line ends"));
    }
    let length = text.chars().count();
    if length > max {
        return Err(Invalid::new(field, format!("must have at most {max} characters, has {length}")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_not_bytes() {
        assert!(line("name", "ä".repeat(200), 1, 200).is_ok());
        assert!(line("name", "ä".repeat(201), 1, 200).is_err());
        assert!(lines("description", "😀".repeat(20), 20).is_ok());
    }

    #[test]
    fn a_line_has_no_breaks_and_is_not_blank() {
        for text in ["a\nb", "a\0", "a\u{7f}", "a\u{85}", "a\u{2028}b", " ", ""] {
            assert!(line("name", text.to_owned(), 1, 200).is_err(), "{text:?}");
        }
        assert!(line("brand", String::new(), 0, 100).is_ok());
    }

    #[test]
    fn longer_text_may_have_lines_and_tabs_but_no_zero_byte() {
        assert!(lines("description", "a\r\n\tb".to_owned(), 100).is_ok());
        assert!(lines("description", "a\0b".to_owned(), 100).is_err());
    }
}
