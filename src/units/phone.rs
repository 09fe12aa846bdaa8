//! Phone numbers in E.164, checked once at the door and masked whenever they are printed by accident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{plan, spelling};

/// Text that is not a telephone number somebody could be assigned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPhone {
    /// No `+` and country code in front.
    #[error("a phone number starts with + and the country code, as in +12025550102")]
    NotInternational,
    /// The numbering plan has no such number.
    #[error("no country's numbering plan has this number: check for a missing or extra digit")]
    NoSuchNumber,
}

macro_rules! phone_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The whole number in E.164, as in `+12025550102`. Never write it to a log.
            pub fn as_e164(&self) -> &str {
                &self.0
            }

            /// What it is compared by: equal for the spellings of one line that carriers and address books disagree
            /// on, as Mexico's with and without the 1 behind `+52`.
            pub fn line_key(&self) -> String {
                spelling::key(&self.0)
            }

            /// All spellings of this line, this one first.
            pub fn spellings(&self) -> Vec<String> {
                spelling::all(&self.0)
            }

            /// Whether both are one line, in whatever spelling.
            pub fn is_line_of(&self, other: &Self) -> bool {
                self == other || self.line_key() == other.line_key()
            }

            /// The number with its middle hidden, four digits of it or more, as in `+120***0102`: enough to tell
            /// two numbers of a deployment apart in a log, not enough to call anybody.
            pub fn masked(&self) -> String {
                mask(&self.0)
            }
        }

        /// Masked, so that a `{:?}` in a log line gives nobody's number away.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.masked())
            }
        }

        impl FromStr for $name {
            type Err = InvalidPhone;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                to_e164(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidPhone;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.0
            }
        }
    };
}

phone_type! {
    /// A dialed Vapi number: the unit of isolation. Every search names exactly one.
    ///
    /// ```
    /// use voxline::units::{DialedNumber, InvalidPhone};
    ///
    /// let number: DialedNumber = "+1 (202) 555-0102".parse()?;
    /// assert_eq!(number.as_e164(), "+12025550102");
    /// // What a log line gets is not enough to call anybody.
    /// assert_eq!(format!("{number:?}"), "+120***0102");
    /// assert_eq!("202-555-0102".parse::<DialedNumber>(), Err(InvalidPhone::NotInternational));
    /// # Ok::<(), InvalidPhone>(())
    /// ```
    DialedNumber
}
phone_type! {
    /// A phone number of a user.
    PhoneNumber
}

/// Digits that are always hidden: ten thousand numbers look alike. Some whole numbers have no more than seven.
const HIDDEN: usize = 4;

/// The most digits that are shown.
const SHOWN: usize = 8;

fn mask(e164: &str) -> String {
    let digits = e164.strip_prefix('+').unwrap_or(e164);
    let shown = digits.len().saturating_sub(HIDDEN).min(SHOWN);
    let front = shown / 2;
    let back = digits.len() - (shown - front);
    format!("+{}***{}", &digits[..front], &digits[back..])
}

/// Checks `text` against the numbering plans and gives it in E.164. Spaces, dots, dashes and brackets are allowed, a
/// missing country code is not.
fn to_e164(text: &str) -> Result<String, InvalidPhone> {
    let text = text.trim();
    // The bound keeps a megabyte of digits away from the plans; E.164 allows 15.
    if !text.starts_with('+') || text.len() > 40 {
        return Err(InvalidPhone::NotInternational);
    }
    // Letters are no digits here, as on a keypad: a number with letters in it is a typing error.
    let written = |sign: char| sign.is_ascii_digit() || "+ .-()/".contains(sign);
    if !text.chars().all(written) || text[1..].contains('+') {
        return Err(InvalidPhone::NoSuchNumber);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    plan::read(&format!("+{digits}"), None).ok_or(InvalidPhone::NoSuchNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_become_one_number() {
        let plain: DialedNumber = "+12025550102".parse().unwrap();
        let written: DialedNumber = " +1 (202) 555-0102 ".parse().unwrap();
        assert_eq!(plain, written);
        assert_eq!(plain.as_e164(), "+12025550102");
    }

    #[test]
    fn what_nobody_can_be_assigned_is_refused_with_the_reason() {
        assert_eq!(
            "12025550102".parse::<DialedNumber>(),
            Err(InvalidPhone::NotInternational)
        );
        assert_eq!("".parse::<DialedNumber>(), Err(InvalidPhone::NotInternational));
        assert_eq!(
            "+1202555".parse::<DialedNumber>(),
            Err(InvalidPhone::NoSuchNumber)
        );
        assert_eq!(
            "+266696687".parse::<DialedNumber>(),
            Err(InvalidPhone::NoSuchNumber)
        );
        assert_eq!(
            "+1202abc0102".parse::<DialedNumber>(),
            Err(InvalidPhone::NoSuchNumber)
        );
    }

    #[test]
    fn printing_for_a_log_hides_the_middle() {
        let number: PhoneNumber = "+12025550102".parse().unwrap();
        assert_eq!(format!("{number:?}"), "+120***0102");
    }

    #[test]
    fn of_no_plans_number_more_than_all_but_four_digits_are_printed() {
        for (plan, example) in plan::examples() {
            let number: PhoneNumber = example.parse().unwrap();
            let masked = number.masked();
            let shown = masked.chars().filter(char::is_ascii_digit).count();
            let digits = example.len() - 1;
            assert!(
                shown <= digits.saturating_sub(4) && shown <= 8,
                "{plan}: {masked}"
            );
        }
        assert_eq!(mask("+50031234"), "+50***34");
        assert_eq!(mask("+2904"), "+***");
    }
}
