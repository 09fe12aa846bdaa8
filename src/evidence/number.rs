//! Text that should be a telephone number to one in E.164.

use std::net::Ipv4Addr;

use super::region::Region;
use super::scan::{Address, UserPart, user_part_or_bare};
use crate::units::{DialedNumber, InvalidPhone, PhoneNumber, plan};

/// Most bytes of what can be a number: E.164 has 15 digits, and what is around them is not much.
const MAX_TEXT: usize = 64;

/// The number that `text` spells, read as in `region` when it has no country code; `None` when no numbering
/// plan has it.
///
/// Takes a plain number, or an address of one with or without its scheme (`tel:`, `sip:`, `sips:`) and brackets.
/// Digits without `+` that are no number of the region are tried as international ones; where a form's decoding has
/// made a blank of the plus, they are nothing else. Letters are never read as on a keypad, for a display name is
/// not a number, and neither is a host's IPv4 address: `203.0.113.45` would be one of Duisburg's, the same for all callers
/// of that host.
pub fn normalise(text: &str, region: Region) -> Option<PhoneNumber> {
    if text.len() > MAX_TEXT * 4 || is_host(text) {
        return None;
    }
    if let Some(digits) = without_its_plus(text) {
        return plain(&format!("+{digits}"), region);
    }
    let text = text.trim();
    let uri = if text.contains('<') {
        Address::read(text).ok()?.uri
    } else {
        text
    };
    of_user_part(&user_part_or_bare(uri)?, region)
}

/// A number as people write it into a list: also one that could be a host's address, as `93.215.21.21` is a number in Spain.
/// All else as [`normalise`].
pub fn normalise_listed(text: &str, region: Region) -> Option<PhoneNumber> {
    plain(text.trim(), region).or_else(|| normalise(text, region))
}

/// A number as carriers that write no plus give it: digits that are an international number are that, and not one
/// of the region. All else as [`normalise`].
pub fn normalise_international(text: &str, region: Region) -> Option<PhoneNumber> {
    let digits = text.trim();
    let bare = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let whole = bare
        .then(|| plain(&format!("+{digits}"), Region::UNKNOWN))
        .flatten();
    whole.or_else(|| normalise(text, region))
}

/// A dialed number however it is written: in E.164, without its plus or with a blank for it, or as an address.
///
/// # Errors
/// [`InvalidPhone`] when it spells no number in any of these ways.
pub fn dialed(text: &str) -> Result<DialedNumber, InvalidPhone> {
    let read = normalise_international(text, Region::UNKNOWN);
    match read {
        Some(number) => number.as_e164().parse(),
        // Who left out the country code is told so.
        None => text.parse(),
    }
}

/// The digits behind a blank that was a plus before a form was decoded.
fn without_its_plus(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(' ')?;
    let plain = |sign: char| sign.is_ascii_digit() || " -.()".contains(sign);
    (digits.starts_with(|first: char| first.is_ascii_digit()) && digits.chars().all(plain)).then_some(digits)
}

/// The number of a URI's user part.
pub(super) fn of_user_part(part: &UserPart, region: Region) -> Option<PhoneNumber> {
    if is_host(&part.text) {
        return None;
    }
    match &part.prefix {
        Some(prefix) if !part.text.starts_with('+') => plain(&format!("{prefix}{}", part.text), region),
        _ => plain(&part.text, region),
    }
}

fn is_host(text: &str) -> bool {
    text.trim().parse::<Ipv4Addr>().is_ok()
}

/// The number that digits and what people write between them spell.
fn plain(text: &str, region: Region) -> Option<PhoneNumber> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let bare: String = text.chars().filter(|sign| !" -.()".contains(*sign)).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if !(3..=18).contains(&digits.len()) {
        return None;
    }
    plan::read(&bare, region.id())?.parse().ok()
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
            (" 12025550103", "DE", "+12025550103"),
            ("<12025550103@pbx.example>", "US", "+12025550103"),
            ("\"Alice\" <+12025550103>;tag=1", "US", "+12025550103"),
            ("<sip:+12025550103>", "US", "+12025550103"),
            ("8 (846) 212-34-56", "RU", "+78462123456"),
            ("+7 846 212-34-56", "US", "+78462123456"),
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
            "sip:192.0.2.4",
            "pbx@12025550199",
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

    #[test]
    fn a_hosts_address_is_no_number_unless_a_list_has_it() {
        for text in [
            "203.0.113.45",
            " 203.0.113.45",
            "<203.0.113.45>",
            "203.0.113.45:5060",
            "sip:203.0.113.45",
            "anonymous@203.0.113.45",
            "203.0.113.45;phone-context=+49",
            "64.23.5.12",
            "52.29.45.61",
        ] {
            for region in ["DE", "US", "DK", "AT"] {
                assert_eq!(read(text, region), None, "{text} in {region}");
            }
        }
        assert_eq!(read("202.555.0103", "US").as_deref(), Some("+12025550103"));
        for (text, region, number) in [
            ("93.215.21.21", "ES", "+34932152121"),
            ("44.123.45.67", "CH", "+41441234567"),
            ("20.30.11.45", "DK", "+4520301145"),
            ("06.12.34.56.78", "FR", "+33612345678"),
        ] {
            let listed = normalise_listed(text, region.parse().unwrap());
            assert_eq!(listed.unwrap().as_e164(), number, "{text} in {region}");
        }
    }

    #[test]
    fn a_dialed_number_is_read_however_a_stream_or_a_webhook_writes_it() {
        for text in [
            "+12025550102",
            "12025550102",
            " 12025550102",
            "+1 (202) 555-0102",
            "0012025550102",
            "sip:+12025550102@h;user=phone",
            "sip:12025550102@h",
            "sip:+12025550102",
            "<sip:+12025550102@h>;tag=1",
            "tel:+1-202-555-0102",
            "tel:12025550102",
            "12025550102@h:5060",
            "%2B12025550102",
        ] {
            let read = dialed(text).map(|number| number.as_e164().to_owned());
            assert_eq!(read.as_deref(), Ok("+12025550102"), "{text}");
        }
        for (text, why) in [
            ("", InvalidPhone::NotInternational),
            ("2025550102", InvalidPhone::NotInternational),
            ("support", InvalidPhone::NotInternational),
            ("sip:support@h", InvalidPhone::NotInternational),
            ("+1202555", InvalidPhone::NoSuchNumber),
        ] {
            assert_eq!(dialed(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_carrier_that_writes_no_plus_means_an_international_number() {
        let germany = "DE".parse().unwrap();
        let read = |text| normalise_international(text, germany).map(|number| number.as_e164().to_owned());
        assert_eq!(read("12025550103").as_deref(), Some("+12025550103"));
        assert_eq!(read("4915112345678").as_deref(), Some("+4915112345678"));
        assert_eq!(read("030 123456").as_deref(), Some("+4930123456"));
        assert_eq!(read("anonymous"), None);
    }
}
