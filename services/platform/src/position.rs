//! Positions in the database's log: how a reader says "not older than what I wrote".

use std::{fmt, str::FromStr};

/// A place in the write-ahead log: everything committed before it is visible to whoever has replayed up to it.
///
/// Written `<timeline>-<log position in hexadecimal>`, for example `1-16B3748`. Positions of different timelines order by timeline:
/// a promotion begins a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counts promotions.
    pub timeline: u32,
    /// Bytes since the log began.
    pub lsn: u64,
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log position")]
pub struct NotAPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:X}", self.timeline, self.lsn)
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (timeline, lsn) = text.split_once('-').ok_or(NotAPosition)?;
        // `from_str_radix` would take a sign.
        if text.len() > 27 || lsn.starts_with('+') || timeline.starts_with('+') {
            return Err(NotAPosition);
        }
        Ok(Self {
            timeline: timeline.parse().map_err(|_| NotAPosition)?,
            lsn: u64::from_str_radix(lsn, 16).map_err(|_| NotAPosition)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_as_written() {
        let position = Position { timeline: 3, lsn: 0x2_EB00_0000 };
        assert_eq!(position.to_string(), "3-2EB000000");
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in
            ["", "1", "-", "1-", "-1", "x-1", "1-x", "+1-1", "1-+1", "1-00000000000000001G", "4294967296-0"]
        {
            assert_eq!(text.parse::<Position>(), Err(NotAPosition), "{text}");
        }
    }

    #[test]
    fn a_later_timeline_is_later_whatever_its_position() {
        assert!(Position { timeline: 2, lsn: 1 } > Position { timeline: 1, lsn: 9 });
    }
}
