//! The Diversion header (RFC 5806): who forwarded a call, most recent first.

use super::number::of_user_part;
use super::region::Region;
use super::scan::{Address, Malformed, entries, user_part};
use crate::units::PhoneNumber;

/// One diverting party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// Their number; `None` when it is withheld, an extension, or no number at all.
    pub number: Option<PhoneNumber>,
    /// Why the call was diverted, in lower case (RFC 5806 section 4: `unconditional`, `user-busy` and so on).
    pub reason: Option<String>,
    /// Whether the diverting party asked not to be shown (`privacy=full` or `uri`): such a number routes a
    /// call and is shown to nobody.
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

fn read(entry: &str, region: Region) -> Result<Diversion, Malformed> {
    let address = Address::read(entry)?;
    let user = user_part(address.uri);
    let privacy = address.parameter("privacy").map(str::to_ascii_lowercase);
    let reason = address.parameter("reason").filter(|reason| !reason.is_empty());
    Ok(Diversion {
        number: user.and_then(|part| of_user_part(&part, region)),
        reason: reason.map(|reason| reason.chars().take(64).collect::<String>().to_ascii_lowercase()),
        private: privacy.is_some_and(|privacy| matches!(privacy.as_str(), "full" | "uri")),
    })
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
}
