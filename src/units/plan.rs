//! The numbering plans: which digits are somebody's number, read as libphonenumber reads them.
//!
//! The plans' data is that of the `phonenumber` crate. Its reader is not used: it takes the national prefix off
//! numbers that are whole already, and so has none of Russia's numbers that begin with 8.

use phonenumber::country;
use phonenumber::metadata::{DATABASE, Descriptor, Metadata};

use super::renumbering::renewed;

/// The most digits of a country code (ITU-T E.164 section 6.2.1).
const LONGEST_CODE: usize = 3;

/// The least digits of a national number that is read.
const SHORTEST: usize = 2;

/// The number in E.164 that `text` spells: `+` and digits, or digits alone, read by the plan of `region` and else as
/// an international number. `None` when no plan has it.
///
/// A number that a plan has as it stands stays as it stands. What is taken off otherwise, in the order of
/// libphonenumber, is an international prefix, a repeated country code, and the national prefix; and a spelling
/// that its country has given up becomes the one it has now.
pub fn read(text: &str, region: Option<country::Id>) -> Option<String> {
    let (digits, plus) = text.strip_prefix('+').map_or((text, false), |rest| (rest, true));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if plus {
        return international(digits);
    }
    let local = region
        .and_then(|region| DATABASE.by_id(region.as_ref()))
        .and_then(|meta| local(digits, meta));
    local
        .or_else(|| international(digits))
        .or_else(|| international(digits.strip_prefix("00")?))
}

/// The region of a number in E.164: its plan's main one.
pub fn region_of(e164: &str) -> Option<country::Id> {
    let (meta, _) = by_code(e164.strip_prefix('+')?)?;
    meta.id().parse().ok()
}

/// The country code and the national number of a number in E.164.
pub fn parts(e164: &str) -> Option<(&str, &str)> {
    let digits = e164.strip_prefix('+')?;
    let (_, national) = by_code(digits)?;
    Some((&digits[..digits.len() - national.len()], national))
}

/// Whether the plan of a country code has this national number as it stands.
pub fn has(code: &str, national: &str) -> bool {
    let Some(plans) = code.parse().ok().and_then(|code: u16| DATABASE.by_code(&code)) else {
        return false;
    };
    let in_any = |fit| plans.iter().any(|meta| is_assigned(meta, national, fit));
    in_any(Fit::Whole) || in_any(Fit::Start)
}

/// How a pattern of a plan fits. The data's patterns have alternatives of which a shorter one may stand before the one
/// that fits the whole number, and cannot be tied to its end from outside: where none fits to the end, one that fits the
/// beginning of a number of a length that there is counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    Start,
}

/// Digits that begin with a country code.
fn international(digits: &str) -> Option<String> {
    let (meta, national) = by_code(digits)?;
    of_plan(meta, national).or_else(|| {
        // The code twice, as some carriers write it.
        let again = national.strip_prefix(&meta.country_code().to_string())?;
        whole(meta, again, Fit::Whole).or_else(|| whole(meta, again, Fit::Start))
    })
}

/// Digits as they are dialed in a region.
fn local(digits: &str, meta: &Metadata) -> Option<String> {
    if let Some(end) = meta.international_prefix().and_then(|prefix| {
        let found = prefix.find(digits)?;
        (found.start() == 0).then_some(found.end())
    }) && let Some(read) = (!digits[end..].starts_with('0'))
        .then(|| international(&digits[end..]))
        .flatten()
    {
        return Some(read);
    }
    // With the region's own code in front, where it is not part of a number there.
    let with_code = digits
        .strip_prefix(&meta.country_code().to_string())
        .filter(|_| !meta.descriptors().general().is_match(digits))
        .and_then(|national| of_plan(meta, national));
    with_code.or_else(|| of_plan(meta, digits))
}

/// A national number as it stands, without its national prefix, or as its country spells it now.
fn of_plan(meta: &Metadata, national: &str) -> Option<String> {
    let bare = without_prefix(meta, national);
    let known = [Fit::Whole, Fit::Start].into_iter().find_map(|fit| {
        let stands = whole(meta, national, fit);
        stands.or_else(|| whole(meta, bare.as_deref()?, fit))
    });
    known.or_else(|| {
        let now = renewed(&meta.country_code().to_string(), national)?;
        whole(meta, &now, Fit::Whole).or_else(|| whole(meta, &now, Fit::Start))
    })
}

/// A national number that some plan of the country code has as it stands.
fn whole(meta: &Metadata, national: &str, fit: Fit) -> Option<String> {
    let code = meta.country_code();
    let plans = DATABASE.by_code(&code)?;
    let known = national.len() >= SHORTEST && plans.into_iter().any(|meta| is_assigned(meta, national, fit));
    known.then(|| format!("+{code}{national}"))
}

/// The rest behind the national prefix, or what the plan makes of a carrier's code and of digits that are dialed
/// within the country only; `None` when nothing is in front.
fn without_prefix(meta: &Metadata, national: &str) -> Option<String> {
    let Some(prefix) = meta.national_prefix_for_parsing() else {
        return Some(national.strip_prefix(meta.national_prefix()?)?.to_owned());
    };
    let found = prefix.captures(national)?;
    let whole = found.get(0).filter(|whole| whole.start() == 0)?;
    let last = found.get(found.len() - 1).filter(|_| found.len() > 1);
    match (meta.national_prefix_transform_rule(), last) {
        (Some(rule), Some(_)) => Some(prefix.replace(national, rule).into_owned()),
        _ => Some(national[whole.end()..].to_owned()),
    }
}

/// The plan of the country code that `digits` begin with, the main one of several, and the digits behind it.
fn by_code(digits: &str) -> Option<(&'static Metadata, &str)> {
    (1..=LONGEST_CODE).find_map(|length| {
        let code: u16 = digits
            .get(..length)
            .filter(|code| !code.starts_with('0'))?
            .parse()
            .ok()?;
        let main = DATABASE.by_code(&code)?.into_iter().next()?;
        Some((main, &digits[length..]))
    })
}

/// The kinds of number that a plan gives out to subscribers.
fn kinds(meta: &Metadata) -> impl Iterator<Item = &Descriptor> {
    let all = meta.descriptors();
    let kinds = [
        all.fixed_line(),
        all.mobile(),
        all.toll_free(),
        all.premium_rate(),
        all.shared_cost(),
        all.personal_number(),
        all.voip(),
        all.pager(),
        all.uan(),
        all.voicemail(),
    ];
    kinds.into_iter().flatten()
}

/// Whether a plan has given out this number.
fn is_assigned(meta: &Metadata, national: &str, fit: Fit) -> bool {
    let fits = |kind: &Descriptor| {
        kind.is_match(national)
            && (fit == Fit::Start
                || kind
                    .national_number()
                    .find(national)
                    .is_some_and(|found| found.end() == national.len()))
    };
    meta.descriptors().general().is_match(national) && kinds(meta).any(fits)
}

/// Every example number that the plans' data has, in E.164, with the id of its plan.
#[cfg(test)]
pub(super) fn examples() -> Vec<(&'static str, String)> {
    let of_plan = |meta: &'static Metadata| {
        let examples = kinds(meta).filter_map(Descriptor::example);
        examples.map(move |example| (meta.id(), format!("+{}{example}", meta.country_code())))
    };
    DATABASE.iter().flat_map(of_plan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's `phonenumbers` 9.0.33, an independent port of libphonenumber: numbers of every plan that begin with
    /// its own national prefix, and example numbers in their national spelling. `kind`, region, text, E.164.
    const TABLE: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/numbers/phone_numbers.tsv"
    ));

    #[test]
    fn numbers_with_national_prefixes_are_read_as_elsewhere() {
        let mut own = 0;
        let mut wrong = Vec::new();
        for line in TABLE.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [kind, region, text, e164] = fields[..] else {
                panic!("{line}")
            };
            let digits: String = text
                .chars()
                .filter(|sign| sign.is_ascii_digit() || *sign == '+')
                .collect();
            own += usize::from(kind == "own_prefix");
            let read = read(&digits, region.parse().ok());
            if read.as_deref() != Some(e164) {
                wrong.push(format!("{line}: {read:?}"));
            }
        }
        assert!(
            own >= 20 && wrong.is_empty(),
            "{own} of their own prefix\n{}",
            wrong.join("\n")
        );
    }

    #[test]
    fn every_example_of_the_plans_is_read_with_and_without_its_plus() {
        let mut read_through = 0;
        for (plan, e164) in examples() {
            assert_eq!(read(&e164, None).as_deref(), Some(e164.as_str()), "{plan}");
            assert_eq!(read(&e164[1..], None).as_deref(), Some(e164.as_str()), "{plan}");
            assert!(region_of(&e164).is_some() || plan == "001", "{e164}");
            read_through += 1;
        }
        assert!(read_through > 700, "{read_through}");
    }

    #[test]
    fn russian_numbers_that_begin_with_8_are_read_in_both_spellings() {
        // Petersburg, Kazan, Samara, Krasnodar, Petrozavodsk, and a number that anybody may call for nothing.
        for national in [
            "8121234567",
            "8432123456",
            "8462123456",
            "8612123456",
            "8142123456",
            "8005553535",
        ] {
            let e164 = format!("+7{national}");
            let russia = "RU".parse().ok();
            assert_eq!(read(&e164, None), Some(e164.clone()));
            assert_eq!(
                read(&format!("8{national}"), russia),
                Some(e164.clone()),
                "with the prefix"
            );
            assert_eq!(read(national, russia), Some(e164.clone()), "without it");
        }
    }

    #[test]
    fn what_no_plan_has_is_not_read() {
        for text in [
            "",
            "+",
            "+1",
            "+999123456789",
            "+0012025550103",
            "+15555550103",
            "911",
            "+7812123456",
        ] {
            assert_eq!(read(text, "US".parse().ok()), None, "{text}");
        }
    }
}
