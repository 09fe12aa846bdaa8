//! How values stand in the tables: text and bytes in, checked types out.

use std::str::FromStr;

use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use unicode_normalization::UnicodeNormalization;

use super::StoreError;
use crate::units::Seconds;

/// The present moment, to the microsecond the store keeps, so that what is returned equals what is read
/// back later.
pub(super) fn now() -> OffsetDateTime {
    whole_micros(OffsetDateTime::now_utc())
}

/// `at` in UTC without what is smaller than a microsecond.
pub(super) fn whole_micros(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.checked_to_offset(UtcOffset::UTC).unwrap_or(at);
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}

/// RFC 3339 in UTC with always six decimals, so that the order of the text is the order of the times. What is at either end of
/// the calendar, and beyond it in UTC, is the end: nothing is stored there.
pub(super) fn time_text(at: OffsetDateTime) -> String {
    let utc = at.checked_to_offset(UtcOffset::UTC);
    let Some(at) = utc.filter(|utc| (0..=9999).contains(&utc.year())) else {
        let end = if at.year() > 0 { LAST } else { FIRST };
        return end.to_owned();
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

/// The first and the last moment of the calendar that RFC 3339 has, as [`time_text`] writes them.
const FIRST: &str = "0000-01-01T00:00:00.000000Z";
const LAST: &str = "9999-12-31T23:59:59.999999Z";

/// Reads back [`time_text`].
pub(super) fn read_time(text: &str) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| StoreError::Unreadable { what: "time" })
}

/// Reads back anything that was stored by its text.
pub(super) fn read<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable { what })
}

/// Reads back an unsigned number from the signed one the tables have.
pub(super) fn read_u64(value: i64, what: &'static str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Unreadable { what })
}

/// A stored span of time.
pub(super) fn read_seconds(value: f64) -> Result<Seconds, StoreError> {
    Seconds::checked(value).ok_or(StoreError::Unreadable { what: "span of time" })
}

/// SHA-256 (FIPS 180-4) of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The trimmed `text`, when it has 1 to `max` characters and no control characters.
pub(super) fn label(
    text: &str,
    field: &'static str,
    max: usize,
    allowed: &'static str,
) -> Result<String, StoreError> {
    let text = text.trim();
    let length = text.chars().take(max + 1).count();
    if length == 0 || length > max || text.chars().any(char::is_control) {
        return Err(StoreError::BadText { field, allowed });
    }
    Ok(text.to_owned())
}

/// A name as it is kept: a [`label`] in [`one_spelling`], with something to be seen in it and nothing that changes how the
/// text around it is read.
pub(super) fn kept_name(
    text: &str,
    field: &'static str,
    max: usize,
    allowed: &'static str,
) -> Result<String, StoreError> {
    let spelt = one_spelling(text);
    if spelt.chars().any(misleads) {
        let allowed = "without characters that turn text round or stand for lost ones (U+FFFD)";
        return Err(StoreError::BadText { field, allowed });
    }
    let is_seen = |letter: char| !letter.is_whitespace() && !is_invisible(letter);
    if text.trim().chars().any(char::is_control) || !spelt.chars().any(is_seen) {
        return Err(StoreError::BadText { field, allowed });
    }
    label(&spelt, field, max, allowed)
}

/// `text` in composed characters (NFC, Unicode Standard Annex 15) with one space where there is white space, so that what
/// looks the same is the same, whoever's keyboard or file it is from.
pub(super) fn one_spelling(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").nfc().collect()
}

/// Turns the text around it round (Unicode Standard Annex 9), or stands where a letter was lost.
fn misleads(letter: char) -> bool {
    matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFD}')
}

/// Unicode's `Default_Ignorable_Code_Point`.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_and_sort_as_text() {
        let early = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_001_999).unwrap();
        let late = early + time::Duration::microseconds(1);
        assert_eq!(read_time(&time_text(early)).unwrap(), whole_micros(early));
        assert!(time_text(early) < time_text(late));
        assert_eq!(time_text(early), "2023-11-14T22:13:20.000001Z");
    }

    #[test]
    fn times_at_either_end_of_the_calendar_sort_as_text() {
        let text = |time: &str| time_text(OffsetDateTime::parse(time, &Rfc3339).unwrap());
        for (time, wanted) in [
            ("0000-01-01T00:00:00+01:00", FIRST),
            ("0000-01-01T00:00:00Z", FIRST),
            ("9999-12-31T23:59:59.999999Z", LAST),
            ("9999-12-31T23:59:59-01:00", LAST),
        ] {
            assert_eq!(text(time), wanted, "{time}");
            let at = OffsetDateTime::parse(time, &Rfc3339).unwrap();
            assert_eq!(whole_micros(at), at);
        }
    }

    #[test]
    fn a_label_is_short_visible_text() {
        assert_eq!(label("  Ana ", "name", 5, "short").unwrap(), "Ana");
        for bad in ["", "   ", "abcdef", "a\nb"] {
            assert!(label(bad, "name", 5, "short").is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn a_name_is_kept_in_one_spelling_and_can_be_seen() {
        let kept = |text: &str| kept_name(text, "name", 9, "short").ok();
        for (text, spelt) in [
            (" Jose\u{301} ", "José"),
            ("José", "José"),
            ("Anna \u{A0} Lee", "Anna Lee"),
            // Joiners are part of how names are written.
            ("نيما\u{200C}جان", "نيما\u{200C}جان"),
        ] {
            assert_eq!(kept(text).as_deref(), Some(spelt), "{text:?}");
        }
        for bad in [
            "",
            "a\nb",
            "\u{200B}\u{200B}",
            "\u{FEFF}",
            "\u{3164}",
            "a\u{202E}b",
            "a\u{2066}b",
            "Jos\u{FFFD}",
            "abcdefghij",
        ] {
            assert_eq!(kept(bad), None, "{bad:?}");
        }
    }
}
