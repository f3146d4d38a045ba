//! Names of companies and people.

use platform::Invalid;

/// The longest name, in characters.
const LONGEST: usize = 200;

/// A name as people read it: 1 to 200 characters without control characters, no white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads the name in `field`. White space around it is dropped.
    ///
    /// # Errors
    ///
    /// Names `field` if the text is empty, too long or has control characters.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if !(1..=LONGEST).contains(&text.chars().count()) {
            return Err(Invalid::new(field, format!("must be 1 to {LONGEST} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(field, "must not hold control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_bounded_in_characters() {
        assert_eq!(Name::parse("name", " Käthe \u{a0}").unwrap().as_str(), "Käthe");
        assert!(Name::parse("name", &"ä".repeat(200)).is_ok());
        for text in ["", "  ", "line\nbreak", &"ä".repeat(201)] {
            assert_eq!(Name::parse("name", text).unwrap_err().field, "name", "{text:?}");
        }
    }
}
