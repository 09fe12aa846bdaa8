//! The Diversion header (RFC 5806): who forwarded a call, most recent first.

use super::caller::CallerNumber;
use super::headers::NEXT_LINE;
use super::number::of_user_part;
use super::region::Region;
use super::scan::{Address, MAX_ENTRIES, MAX_HEADER_BYTES, Malformed, entries, user_part_or_bare};
use crate::units::PhoneNumber;

/// One diverting party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// Their number; `None` when it is withheld, an extension, or no number at all.
    pub number: Option<PhoneNumber>,
    /// Whether it is an address of somebody's own system instead, an extension or a name: then the number that the
    /// network knows may stand behind it. A withheld number is none of these.
    pub local: bool,
    /// Why the call was diverted, in lower case (RFC 5806 section 4: `unconditional`, `user-busy` and so on).
    pub reason: Option<String>,
    /// Whether the diverting party asked not to be shown (`privacy=full` or `uri`, of old `yes`): such a number routes
    /// a call and is shown to nobody.
    pub private: bool,
}

/// Reads the header, all lines of it joined by commas. An empty one has no entries.
///
/// # Errors
/// [`Malformed`] for quotes or brackets without a partner, too much text, or too many entries: nothing of
/// such a header is used.
pub fn parse(text: &str, region: Region) -> Result<Vec<Diversion>, Malformed> {
    entries(text)?
        .into_iter()
        .map(|entry| read(entry, region))
        .collect()
}

/// Reads the header line by line, for each is a field of its own (RFC 3261 section 7.3.1): a line that cannot be read ends
/// the list, and costs the newer ones before it nothing. Gives the parties, and why the list ended early.
pub(super) fn parse_lines(
    text: &str,
    region: Region,
) -> Result<(Vec<Diversion>, Option<Malformed>), Malformed> {
    if text.len() > MAX_HEADER_BYTES {
        return Err(Malformed::TooLong);
    }
    let mut parties = Vec::new();
    for line in text.split(NEXT_LINE) {
        match parse(line, region) {
            Ok(more) => parties.extend(more),
            Err(why) if parties.is_empty() || why == Malformed::TooMany => return Err(why),
            Err(why) => return Ok((parties, Some(why))),
        }
        if parties.len() > MAX_ENTRIES {
            return Err(Malformed::TooMany);
        }
    }
    Ok((parties, None))
}

pub(super) fn read(entry: &str, region: Region) -> Result<Diversion, Malformed> {
    let address = Address::read(entry)?;
    let user = user_part_or_bare(address.uri);
    let privacy = address.parameter("privacy").map(str::to_ascii_lowercase);
    let reason = address.parameter("reason").filter(|reason| !reason.is_empty());
    let private = privacy.is_some_and(|privacy| matches!(privacy.as_str(), "full" | "uri" | "yes"));
    let number = user.as_ref().and_then(|part| of_user_part(part, region));
    Ok(Diversion {
        local: number.is_none()
            && !private
            && is_local(address.uri, user.map(|part| part.text).as_deref(), region),
        number,
        reason: reason.map(|reason| reason.chars().take(64).collect::<String>().to_ascii_lowercase()),
        private,
    })
}

/// The most digits of an extension.
const LONGEST_EXTENSION: usize = 7;

/// Whether an address without a number is an extension or a name of some PBX's, and neither a withheld number nor a
/// whole one that no plan has.
pub(super) fn is_local(uri: &str, user: Option<&str>, region: Region) -> bool {
    let Some(user) = user else { return false };
    if CallerNumber::read(uri, region) == CallerNumber::Anonymous {
        return false;
    }
    let digits = user
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte));
    let international = user.starts_with('+');
    !international && (!digits || user.len() <= LONGEST_EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_privacy_stand_with_the_number_they_belong_to() {
        let text =
            r#"<sip:+12025550103@h>;reason="User-Busy";privacy=full, <sip:+12025550104@h>;privacy=off"#;
        let both = parse(text, Region::UNKNOWN).unwrap();
        assert_eq!(both[0].reason.as_deref(), Some("user-busy"));
        assert_eq!((both[0].private, both[1].private), (true, false));
        assert_eq!(both[1].reason, None);
    }

    #[test]
    fn entries_without_scheme_are_read_and_extensions_are_not_withheld() {
        for (text, number, local) in [
            (
                "<12025550103@pbx.example>;reason=unconditional",
                Some("+12025550103"),
                false,
            ),
            ("<+12025550103>", Some("+12025550103"), false),
            ("2025550103", Some("+12025550103"), false),
            (
                "12025550103@pbx.example:5060;reason=no-answer",
                Some("+12025550103"),
                false,
            ),
            (
                "\"Front desk\" <2025550103;phone-context=+1@pbx>",
                Some("+12025550103"),
                false,
            ),
            ("<%2B12025550103@h>", Some("+12025550103"), false),
            ("<sip:12025550103>", Some("+12025550103"), false),
            ("<101@pbx.example>", None, true),
            ("<sip:*101@pbx.example>", None, true),
            ("<sip:reception@pbx.example>", None, true),
            ("101", None, true),
            ("<anonymous@anonymous.invalid>", None, false),
            ("<sip:Restricted@h>", None, false),
            ("<sip:101@pbx>;privacy=full", None, false),
            ("<sip:+15555550103@h>", None, false),
            ("<sip:155555501@h>", None, false),
            ("<sip:@h>", None, false),
        ] {
            let read = parse(text, "US".parse().unwrap()).unwrap();
            let got = read[0].number.as_ref().map(PhoneNumber::as_e164);
            assert_eq!((read.len(), got, read[0].local), (1, number, local), "{text}");
        }
    }
}
