//! Text that should be a telephone number to one in E.164.

use phonenumber::Mode;

use super::region::Region;
use super::scan::{UserPart, percent_decoded, user_part};
use crate::units::PhoneNumber;

/// Most bytes of what can be a number: E.164 has 15 digits, and what is around them is not much.
const MAX_TEXT: usize = 64;

/// The number that `text` spells, read as in `region` when it has no country code; `None` when no numbering
/// plan has it.
///
/// Takes a plain number, or a `tel:`, `sip:` or `sips:` address of one. Digits without `+` that are no number
/// of the region are tried as international ones. Letters are never read as on a keypad, for a display name is
/// not a number.
pub fn normalise(text: &str, region: Region) -> Option<PhoneNumber> {
    let text = text.trim();
    if text.len() > MAX_TEXT * 4 {
        return None;
    }
    if text.contains(':') && !text.starts_with(|first: char| first.is_ascii_digit() || first == '+') {
        return of_user_part(&user_part(text)?, region);
    }
    // As some carriers write it: the address without its scheme.
    let user = text.split('@').next().unwrap_or(text);
    let user = user.split([';', ':']).next().unwrap_or(user);
    let decoded = percent_decoded(user)?;
    plain(&decoded, region)
}

/// The number of a URI's user part.
pub(super) fn of_user_part(part: &UserPart, region: Region) -> Option<PhoneNumber> {
    match &part.prefix {
        Some(prefix) if !part.text.starts_with('+') => plain(&format!("{prefix}{}", part.text), region),
        _ => plain(&part.text, region),
    }
}

/// The number that digits and what people write between them spell.
fn plain(text: &str, region: Region) -> Option<PhoneNumber> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let bare: String = text.chars().filter(|sign| !" -.()".contains(*sign)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if !(3..=18).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    valid(&bare, region).or_else(|| {
        let international = (!bare.starts_with('+')).then(|| format!("+{bare}"));
        international.and_then(|text| valid(&text, Region::UNKNOWN))
    })
}

fn valid(text: &str, region: Region) -> Option<PhoneNumber> {
    let number = phonenumber::parse(region.id(), text).ok()?;
    if !phonenumber::is_valid(&number) {
        return None;
    }
    number.format().mode(Mode::E164).to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, region: &str) -> Option<String> {
        let number = normalise(text, region.parse().unwrap())?;
        Some(number.as_e164().to_owned())
    }

    #[test]
    fn spellings_of_carriers_become_e164() {
        for (text, region, number) in [
            (" +1 (202) 555-0103 ", "US", "+12025550103"),
            ("2025550103", "US", "+12025550103"),
            ("12025550103", "US", "+12025550103"),
            ("+112025550103", "US", "+12025550103"),
            ("tel:+1-202-555-0103", "US", "+12025550103"),
            ("sip:+12025550103@10.0.0.1:5060;user=phone", "US", "+12025550103"),
            ("+12025550103@carrier.example", "US", "+12025550103"),
            ("2025550103;phone-context=+1", "US", "+12025550103"),
            ("0493363501", "AU", "+61493363501"),
            ("0033612345678", "GB", "+33612345678"),
            ("33612345678", "FR", "+33612345678"),
            ("+4407400123456", "GB", "+447400123456"),
            ("00447400123456", "GB", "+447400123456"),
            ("447400123456", "GB", "+447400123456"),
            ("0612345678", "IT", "+390612345678"),
        ] {
            assert_eq!(read(text, region).as_deref(), Some(number), "{text} in {region}");
        }
    }

    #[test]
    fn what_no_plan_has_is_no_number() {
        for text in [
            "",
            "911",
            "1001",
            "*72",
            "202555010",
            "+15555550103",
            "+266696687",
            "anonymous",
            "1-800-FLOWERS",
            "+12025550101p1234",
            "Restricted",
            "sip:+12025550199@a@b",
            "http://+12025550199",
            "+１２０２５５５０１０３",
        ] {
            assert_eq!(read(text, "US"), None, "{text}");
        }
        assert_eq!(read(&"1".repeat(100_000), "US"), None);
        assert_eq!(
            normalise("2025550103", Region::UNKNOWN).map(|n| n.as_e164().len()),
            None
        );
    }
}
