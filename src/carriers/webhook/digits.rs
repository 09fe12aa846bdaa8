//! Digits that a caller typed one after the other.

use std::fmt;

use zeroize::Zeroizing;

/// The most that are kept: no PIN is longer.
const MOST: usize = 32;

/// What a caller typed. Its `Debug` shows nothing, and its memory is cleared.
#[derive(Clone, PartialEq, Eq)]
pub struct Digits(Zeroizing<String>);

impl Digits {
    /// Reads a carrier's list of keys: `*` begins anew, and what is no digit is passed over.
    pub(super) fn read(keys: &str) -> Self {
        let latest = keys.rsplit('*').next().unwrap_or_default();
        let digits = latest.chars().filter(char::is_ascii_digit).take(MOST);
        Self(Zeroizing::new(digits.collect()))
    }

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_begins_anew_and_nothing_is_shown() {
        for (keys, digits) in [
            ("4821", "4821"),
            ("48*4821#", "4821"),
            ("4821*", ""),
            ("", ""),
            ("#", ""),
            ("4w8 2\u{664}1", "4821"),
        ] {
            let read = Digits::read(keys);
            assert_eq!(read.as_str(), digits, "{keys}");
            assert_eq!(format!("{read:?}"), "Digits(***)");
        }
    }
}
