//! Numbers that carriers and address books spell differently: one line, two numbers in E.164.
//!
//! | country | one | the other | since |
//! |---|---|---|---|
//! | Mexico | `+52` and ten digits | `+521` and ten digits, for mobiles | 2020 |
//! | Argentina | `+54` and ten digits | `+549` and ten digits, for mobiles | always |
//! | Italy | `+390…` for fixed lines | `+39…`, its 0 taken for a national prefix; `+3903…` for a mobile | 1998 |
//! | Brazil | `+55`, area, `9` and eight digits | without the 9, for mobiles | 2012 to 2016 |
//! | Ivory Coast | `+225` and ten digits | the last eight of them | 2021 |
//! | Benin | `+22901` and eight digits | `+229` and eight digits | 2024 |

use super::plan;
use super::renumbering::renewed;

/// The key by which numbers are compared: equal for all spellings of one line. It is the number itself, or the
/// spelling that its country has now, or for Argentina the one without 9, for nothing tells which of its numbers are
/// mobiles.
pub(super) fn key(e164: &str) -> String {
    let Some((code, national)) = plan::parts(e164) else {
        return e164.to_owned();
    };
    if code == "54" && national.len() == 11 && national.starts_with('9') {
        return format!("+54{}", &national[1..]);
    }
    // What the plan has as it stands may be a line of its own, but for Brazil's seventh hundreds, which all have
    // their 9 by now.
    let given_up = code == "55" || !plan::has(code, national);
    match renewed(code, national).filter(|now| given_up && plan::has(code, now)) {
        Some(now) => format!("+{code}{now}"),
        None => e164.to_owned(),
    }
}

/// All numbers with the key of `e164`, the number itself first: what a line may be stored as.
pub(super) fn all(e164: &str) -> Vec<String> {
    let key = key(e164);
    let mut found = vec![e164.to_owned(), key.clone()];
    if let Some((code, national)) = plan::parts(&key) {
        found.extend(older(code, national));
    }
    let mut kept: Vec<String> = Vec::with_capacity(found.len());
    for number in found {
        if self::key(&number) == key && !kept.contains(&number) {
            kept.push(number);
        }
    }
    kept
}

/// The other spellings of a national number in the one that its country has now.
fn older(code: &str, national: &str) -> Option<String> {
    let rest = match (code, national.len()) {
        ("52", 10) => format!("1{national}"),
        ("54", 10) => format!("9{national}"),
        ("55", 11) if national.as_bytes()[2] == b'9' => format!("{}{}", &national[..2], &national[3..]),
        ("39", _) => national
            .strip_prefix('0')
            .map_or_else(|| format!("0{national}"), str::to_owned),
        ("225", 10) => national[2..].to_owned(),
        ("229", 10) => national.strip_prefix("01")?.to_owned(),
        _ => return None,
    };
    Some(format!("+{code}{rest}"))
}

#[cfg(test)]
mod tests {
    use crate::units::PhoneNumber;

    fn phone(text: &str) -> PhoneNumber {
        text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    /// Each line in the spellings that are met for it.
    const LINES: &[(&str, &[&str])] = &[
        ("Mexico, mobile", &["+525512345678", "+5215512345678"]),
        ("Mexico, Monterrey", &["+528112345678", "+5218112345678"]),
        (
            "Argentina, Buenos Aires",
            &["+541123456789", "+5491123456789", "+54 11 15 2345-6789"],
        ),
        ("Argentina, Cordoba", &["+543514123456", "+5493514123456"]),
        ("Italy, Rome", &["+390612345678", "+39612345678"]),
        ("Italy, Milan", &["+390236618300", "+39236618300"]),
        ("Italy, mobile", &["+393471234567", "+3903471234567"]),
        ("Brazil, Sao Paulo", &["+5511981234567", "+551181234567"]),
        ("Brazil, Brasilia", &["+5561991234567", "+556191234567"]),
        (
            "Brazil, the seventh hundreds",
            &["+5511971234567", "+551171234567"],
        ),
        ("Ivory Coast, Orange", &["+2250707123456", "+22507123456"]),
        ("Ivory Coast, MTN", &["+2250545123456", "+22545123456"]),
        ("Ivory Coast, Moov", &["+2250101234567", "+22501234567"]),
        ("Ivory Coast, fixed", &["+2252720212345", "+22520212345"]),
        ("Ivory Coast, fixed by MTN", &["+2252520012345", "+22520012345"]),
        (
            "Ivory Coast, mobile among the fixed",
            &["+2250120812345", "+22520812345"],
        ),
        ("Benin", &["+2290197123456", "+22997123456"]),
    ];

    #[test]
    fn a_callers_number_finds_its_line_in_whatever_spelling_was_stored() {
        for (name, spellings) in LINES {
            for one in *spellings {
                for other in *spellings {
                    let (one, other) = (phone(one), phone(other));
                    assert!(one.is_line_of(&other), "{name}");
                    let found = one.spellings();
                    assert!(found.contains(&other.as_e164().to_owned()), "{name}: {found:?}");
                }
            }
            assert_eq!(phone(spellings[0]).spellings()[0], spellings[0], "{name}");
        }
    }

    #[test]
    fn different_lines_stay_different() {
        let numbers: Vec<PhoneNumber> = LINES
            .iter()
            .map(|(_, spellings)| phone(spellings[0]))
            .chain(
                [
                    // A fixed line of Sao Paulo and a mobile with the same digits behind its 9.
                    "+551132345678",
                    // A fixed line of Varese's area, and the mobile that its digits without 0 are.
                    "+390331123456",
                    "+39331123456",
                    // Two operators of the Ivory Coast with the same eight digits.
                    "+2250507123456",
                    "+12025550103",
                    "+78121234567",
                ]
                .map(phone),
            )
            .collect();
        for (at, one) in numbers.iter().enumerate() {
            for other in &numbers[at + 1..] {
                assert!(!one.is_line_of(other), "{} {}", one.as_e164(), other.as_e164());
                assert!(!one.spellings().contains(&other.as_e164().to_owned()));
            }
        }
    }

    #[test]
    fn elsewhere_a_number_has_one_spelling() {
        for number in [
            "+12025550103",
            "+447400123456",
            "+33612345678",
            "+78121234567",
            "+4915112345678",
        ] {
            assert_eq!(phone(number).spellings(), [number]);
            assert_eq!(phone(number).line_key(), number);
        }
    }
}
