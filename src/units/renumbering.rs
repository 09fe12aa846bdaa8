//! Numbering plans that were changed: what a number of the old one is in the new one.

/// The spelling that a country has now, of a national number in one that it has given up; `None` where it knows no
/// other.
pub(super) fn renewed(code: &str, national: &str) -> Option<String> {
    let digits = national.len();
    match (code, digits) {
        ("52", 11) => national.strip_prefix('1').map(str::to_owned),
        ("55", 10) if matches!(national.as_bytes()[2], b'6'..=b'9') => {
            Some(format!("{}9{}", &national[..2], &national[2..]))
        }
        ("39", _) => Some(
            national
                .strip_prefix('0')
                .map_or_else(|| format!("0{national}"), str::to_owned),
        ),
        ("225", 8) => Some(format!("{}{national}", ivorian_operator(national.as_bytes())?)),
        ("229", 8) => Some(format!("01{national}")),
        _ => None,
    }
}

/// What eight digits of the Ivory Coast were put behind in January 2021: the regulator's two digits of the operator,
/// who is known by the second digit of a mobile and the third of a fixed line (carriers' table of libphonenumber
/// 8.12).
fn ivorian_operator(national: &[u8]) -> Option<&'static str> {
    Some(match (national[0], national[1], national[2]) {
        // Moov had mobiles among the fixed lines' numbers.
        (b'2', b'0'..=b'3', b'8') => "01",
        (b'2' | b'3', _, b'0') => "25",
        (b'2' | b'3', _, b'8') => "21",
        (b'2' | b'3', _, _) => "27",
        (_, b'0'..=b'3', _) => "01",
        (_, b'4'..=b'6', _) => "05",
        (_, b'7'..=b'9', _) => "07",
        _ => return None,
    })
}
