//! Who called, as the carrier says it.

use super::number::normalise;
use super::region::Region;
use super::scan::user_part_or_bare;
use crate::units::PhoneNumber;

/// The caller's number as a carrier gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerNumber {
    /// A number of a numbering plan.
    Known(PhoneNumber),
    /// The caller, or the network for them, withheld it.
    Anonymous,
    /// Something is there that is nobody's number: an extension, an invalid number, a name.
    Unusable,
}

/// Words that stand for a withheld number (RFC 3323 section 4.1 and what carriers send).
const WORDS: &[&str] = &[
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "private",
    "blocked",
    "withheld",
    "no caller id",
    "private number",
    "not available",
];

/// The same words spelt on a keypad, as some carriers put them into a number: ANONYMOUS, RESTRICTED, BLOCKED,
/// UNKNOWN, UNAVAILABLE.
const KEYPAD: &[&str] = &["266696687", "7378742833", "2562533", "8656696", "86282452253"];

impl CallerNumber {
    /// Reads what a carrier gave as the caller: a number, an address of one, or one of the spellings of a
    /// withheld number.
    pub fn read(text: &str, region: Region) -> Self {
        let user = user_part_or_bare(text.trim()).map_or_else(|| text.to_owned(), |part| part.text);
        let word = user.split('@').next().unwrap_or_default().trim().to_lowercase();
        let digits = word.strip_prefix('+').unwrap_or(&word);
        if WORDS.contains(&word.as_str()) || KEYPAD.contains(&digits) || text.contains("anonymous.invalid") {
            return Self::Anonymous;
        }
        normalise(text, region).map_or(Self::Unusable, Self::Known)
    }

    /// The number, when there is one.
    pub fn number(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Known(number) => Some(number),
            Self::Anonymous | Self::Unusable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_withheld_number_is_known() {
        for text in [
            "anonymous",
            "Restricted",
            "UNAVAILABLE",
            "unknown",
            "private",
            "+266696687",
            "266696687",
            "+7378742833",
            "+2562533",
            "+8656696",
            "+86282452253",
            "sip:anonymous@anonymous.invalid",
            "sip:Restricted@carrier.example",
            "sip:+266696687@h",
        ] {
            assert_eq!(
                CallerNumber::read(text, "US".parse().unwrap()),
                CallerNumber::Anonymous,
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_are_known_and_the_rest_is_unusable() {
        let read = |text| CallerNumber::read(text, "US".parse().unwrap());
        let known = CallerNumber::Known("+12025550101".parse().unwrap());
        assert_eq!(read("+12025550101"), known);
        assert_eq!(read("sip:12025550101@sip.example;user=phone"), known);
        for text in ["", "1001", "Alice", "+1555", "sip:pbx@h"] {
            assert_eq!(read(text), CallerNumber::Unusable, "{text}");
        }
    }
}
