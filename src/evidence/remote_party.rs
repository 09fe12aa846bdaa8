//! The Remote-Party-ID header (draft-ietf-sip-privacy): who calls, as a server on the way says it. P-Asserted-Identity took
//! its place, and Asterisk, FreeSWITCH and Cisco's systems send it on. P-Preferred-Identity (RFC 3325 section 9.2) is read
//! as one that nobody screened.

use super::diversion::{self, Diversion};
use super::number::normalise;
use super::region::Region;
use super::scan::{Address, Malformed, entries};
use crate::units::PhoneNumber;

/// Somebody who calls.
pub(super) struct RemoteParty {
    /// Their number, as a diverting party's.
    pub party: Diversion,
    /// Whether the server knows that the number is theirs (`screen=yes`).
    pub screened: bool,
}

/// Reads the calling parties of the header, all lines of it joined by commas.
pub(super) fn parse(text: &str, region: Region) -> Result<Vec<RemoteParty>, Malformed> {
    let mut parties = Vec::new();
    for entry in entries(text)? {
        let address = Address::read(entry)?;
        let said = |name: &str| address.parameter(name).map(str::to_ascii_lowercase);
        // Asterisk leaves it out; the called party's own is not who calls.
        if said("party").is_some_and(|party| party != "calling") {
            continue;
        }
        let mut party = diversion::read(entry, region)?;
        party.number = party.number.or_else(|| cisco_number(address.uri, region));
        party.local &= party.number.is_none();
        parties.push(RemoteParty {
            party,
            screened: said("screen").as_deref() == Some("yes"),
        });
    }
    Ok(parties)
}

/// The number that Cisco's systems write beside an extension.
fn cisco_number(uri: &str, region: Region) -> Option<PhoneNumber> {
    let mut parts = uri.split(';');
    let number = parts.find_map(|part| part.trim().strip_prefix("x-cisco-number="))?;
    normalise(number, region)
}

#[cfg(test)]
mod tests {
    use crate::evidence::{CallFacts, CallerNumber, Found, Headers, Note, Place, Region, Source, read_facts};
    use crate::units::{DialedNumber, PhoneNumber};

    const WITHHELD: (&str, &str) = ("From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
    const CALLER: (&str, &str) = ("From", "<sip:+12025550101@h>");

    fn found(trusted: bool, pairs: &[(&str, &str)]) -> Found {
        let headers = Headers::from_pairs(pairs.iter().copied());
        let facts = CallFacts::from_sip(Source::Sip, &headers, trusted);
        let dialed: DialedNumber = "+12025550102".parse().unwrap();
        read_facts(&facts, &dialed, &|_| false, Region::of(&dialed, None))
    }

    fn caller(found: &Found) -> Option<&str> {
        let caller = found.caller.as_ref().and_then(CallerNumber::number);
        caller.map(PhoneNumber::as_e164)
    }

    /// Who forwarded, where that was found, and whether they may be shown.
    fn forwarder(found: &Found) -> Option<(&str, Place, bool)> {
        let best = found.forwarder();
        best.map(|one| (one.number.as_e164(), one.place, one.private))
    }

    #[test]
    fn a_remote_party_id_stands_in_for_a_withheld_from() {
        for (name, text) in [
            (
                "Remote-Party-ID",
                "\"Bob\" <sip:+12025550103@h>;privacy=off;screen=no",
            ),
            (
                "Remote-Party-ID",
                "<12025550103@h>;Party=calling;screen=yes;privacy=full",
            ),
            (
                "remote-party-id",
                "\"sip line\" <sip:69005@10.10.10.2;x-cisco-number=12025550103>;party=calling;\
                 id-type=subscriber;privacy=full;screen=yes",
            ),
            ("P-Preferred-Identity", "\"Bob\" <tel:+12025550103>"),
        ] {
            let found = found(true, &[WITHHELD, (name, text)]);
            assert_eq!(caller(&found), Some("+12025550103"), "{text}");
            assert_eq!((forwarder(&found), found.attestation), (None, None), "{text}");
            assert_eq!(
                found.notes,
                [Note::CallerAsserted(Place::RemotePartyId)],
                "{text}"
            );
        }
    }

    #[test]
    fn an_asserted_identity_is_preferred_to_a_remote_party_id() {
        let (remote, asserted) = ("<sip:+12025550104@h>", "<sip:+12025550103@h>");
        let both = [
            WITHHELD,
            ("Remote-Party-ID", remote),
            ("P-Asserted-Identity", asserted),
        ];
        assert_eq!(caller(&found(true, &both)), Some("+12025550103"));
        let called = ("Remote-Party-ID", "<sip:+12025550104@h>;party=called;screen=yes");
        let preferred = ("P-Preferred-Identity", asserted);
        assert_eq!(
            caller(&found(true, &[WITHHELD, called, preferred])),
            Some("+12025550103")
        );
    }

    #[test]
    fn a_screened_remote_party_who_does_not_call_forwarded() {
        for (text, private) in [
            ("<sip:+12025550103@h>;party=calling;screen=yes", false),
            ("<sip:+12025550103@h>;screen=YES;privacy=yes", true),
        ] {
            let found = found(true, &[CALLER, ("Remote-Party-ID", text)]);
            let expected = ("+12025550103", Place::RemotePartyId, private);
            assert_eq!(forwarder(&found), Some(expected), "{text}");
            assert_eq!(caller(&found), Some("+12025550101"));
        }
        let own = ("Remote-Party-ID", "<sip:+12025550101@h>;screen=yes");
        assert_eq!(forwarder(&found(true, &[CALLER, own])), None);
    }

    #[test]
    fn an_unscreened_or_called_party_forwards_nothing() {
        for (name, text) in [
            ("Remote-Party-ID", "<sip:+12025550103@h>"),
            ("Remote-Party-ID", "<sip:+12025550103@h>;party=calling;screen=no"),
            ("Remote-Party-ID", "<sip:+12025550103@h>;party=called;screen=yes"),
            ("P-Preferred-Identity", "<sip:+12025550103@h>"),
        ] {
            let found = found(true, &[CALLER, (name, text)]);
            assert_eq!(forwarder(&found), None, "{text}");
            assert_eq!(found.notes, [], "{text}");
        }
    }

    #[test]
    fn a_referrer_is_a_hint_of_who_forwarded() {
        let referrer = ("b", "<sip:+12025550103@h>;cid=\"1@h\"");
        let transferred = found(true, &[CALLER, referrer]);
        let expected = ("+12025550103", Place::ReferredBy, false);
        assert_eq!(forwarder(&transferred), Some(expected));
        assert!(Place::ReferredBy.is_hint());
        // Never who calls, and behind what diverted.
        assert_eq!(caller(&found(true, &[WITHHELD, referrer])), None);
        let diverted = ("Diversion", "<sip:+12025550104@h>");
        let both = found(true, &[CALLER, referrer, diverted]);
        assert_eq!(forwarder(&both), Some(("+12025550104", Place::Diversion, false)));
        assert!(both.forwarders[1].outdone);
    }

    #[test]
    fn a_referrer_who_is_the_caller_forwarded_nothing() {
        for referrer in ["<sip:+12025550101@h>", "<12025550101@pbx>"] {
            let found = found(true, &[CALLER, ("Referred-By", referrer)]);
            assert_eq!(forwarder(&found), None, "{referrer}");
            assert_eq!(found.notes, [], "{referrer}");
        }
    }

    #[test]
    fn a_strangers_remote_party_id_is_nothing() {
        let text = "<sip:+12025550103@h>;party=calling;screen=yes";
        for name in ["Remote-Party-ID", "P-Preferred-Identity", "Referred-By"] {
            for from in [CALLER, WITHHELD] {
                let found = found(false, &[from, (name, text)]);
                assert!(found.forwarders.is_empty() && found.notes.is_empty(), "{name}");
                assert_ne!(caller(&found), Some("+12025550103"), "{name}");
            }
        }
    }
}
