//! The facts of a call, read.

use super::caller::CallerNumber;
use super::chain::read_passports;
use super::diversion::{self, Diversion};
use super::facts::{Attestation, AttestationLevel, CallFacts, Forwarding, Place};
use super::found::{Forwarder, Found};
use super::history_info;
use super::note::Note;
use super::region::Region;
use super::remote_party;
use super::scan::{Address, Malformed, entries};
use crate::units::{DialedNumber, PhoneNumber};

/// Reads the facts of a call to `dialed`. `own` says of a number whether it is one of this deployment's: such
/// entries are echoes of carriers on the way, and the first that is left is the forwarder. `region` is that of
/// the dialed number.
///
/// Of several places the one that was put there on purpose comes first (the field of one's own SBC, then a
/// carrier's field, then Diversion, History-Info, and what says something else); another number in a later one is noted
/// and counts as a hint.
pub fn read_facts(
    facts: &CallFacts,
    dialed: &DialedNumber,
    own: &dyn Fn(&PhoneNumber) -> bool,
    region: Region,
) -> Found {
    let mut found = Found::default();
    let dialed_line = dialed.line_key();
    let is_own = |number: &PhoneNumber| number.line_key() == dialed_line || own(number);
    let reader = HeaderReader {
        is_own: &is_own,
        region,
    };
    found.caller = caller(facts, region, &mut found.notes);
    let from = found.caller.as_ref().and_then(CallerNumber::number).cloned();
    // What a stranger writes into these two is no evidence at all.
    let believed = |found: &&Forwarding| {
        facts.trusted || !matches!(found.place, Place::ReferredBy | Place::RemotePartyId)
    };
    let mut places: Vec<&Forwarding> = facts.forwarding.iter().filter(believed).collect();
    places.sort_by_key(|found| found.place);
    for place in places {
        match reader.forwarder(place, from.as_ref()) {
            Ok(Some((forwarder, notes))) => {
                found.add(forwarder);
                for note in notes {
                    found.note(note);
                }
            }
            Ok(None) => {}
            Err(note) => found.note(note),
        }
    }
    let stated = stated_attestation(facts, from.as_ref(), region);
    let failed = stated.filter(|stated| stated.level == AttestationLevel::Failed);
    found.attestation = facts.attestation.or(failed);
    read_passports(facts, &is_own, from.as_ref(), &mut found);
    // What was verified here says more than what the network wrote, and that more than a token that is only read.
    if facts.attestation.is_none() && found.attestation.is_none_or(|read| !read.verified) {
        found.attestation = stated.or(found.attestation);
    }
    if found.caller_forwarded() {
        found.note(Note::CallerIsForwarder);
    }
    found
}

struct HeaderReader<'a> {
    is_own: &'a dyn Fn(&PhoneNumber) -> bool,
    region: Region,
}

impl HeaderReader<'_> {
    /// The forwarder of one place, with what there is to say of it; a note when there is none for a reason worth
    /// telling.
    fn forwarder(
        &self,
        found: &Forwarding,
        caller: Option<&PhoneNumber>,
    ) -> Result<Option<(Forwarder, Vec<Note>)>, Note> {
        let place = found.place;
        let malformed = |why| Note::Malformed(place, why);
        let (parties, older) = self.parties(found).map_err(malformed)?;
        if parties.is_empty() {
            return Ok(None);
        }
        let echoed = |party: &Diversion| party.number.as_ref().is_some_and(self.is_own);
        let mut others = parties.into_iter().filter(|party| !echoed(party)).peekable();
        if others.peek().is_none() {
            return Err(older.map_or(Note::OwnNumbersOnly(place), malformed));
        }
        // An extension is nobody's line; the number that the network forwarded from stands behind it.
        let behind = others.peek().is_some_and(|party| party.local);
        let Some(party) = others.find(|party| !party.local) else {
            return Err(Note::NoNumber(place));
        };
        let Some(number) = party.number else {
            return Err(Note::NoNumber(place));
        };
        // An asserted identity is the caller's, unless it is somebody else's. Who calls by a button of an application refers
        // themselves.
        let is_callers = match place {
            Place::PAssertedIdentity | Place::RemotePartyId => {
                caller.is_none_or(|caller| caller.is_line_of(&number))
            }
            Place::ReferredBy => caller.is_some_and(|caller| caller.is_line_of(&number)),
            _ => false,
        };
        if is_callers {
            return Ok(None);
        }
        let forwarder = Forwarder {
            number,
            place,
            reason: party.reason,
            private: party.private,
            verified: false,
            outdone: false,
        };
        let notes = [
            behind.then_some(Note::BehindExtension(place)),
            older.map(|why| Note::MalformedOlder(place, why)),
        ];
        Ok(Some((forwarder, notes.into_iter().flatten().collect())))
    }

    /// The diverting parties of a place, most recent first, and why older ones could not be read.
    fn parties(&self, found: &Forwarding) -> Result<(Vec<Diversion>, Option<Malformed>), Malformed> {
        match found.place {
            Place::HistoryInfo => {
                let history = history_info::parse(&found.text, self.region)?;
                let parties = history_info::diverting(&history).into_iter();
                let parties = parties.map(|entry| Diversion {
                    number: entry.number.clone(),
                    local: entry.local,
                    reason: entry.left_because.map(|cause| format!("cause {cause}")),
                    private: entry.private,
                });
                Ok((parties.collect(), None))
            }
            Place::Diversion => diversion::parse_lines(&found.text, self.region),
            Place::RemotePartyId => {
                let parties = remote_party::parse(&found.text, self.region)?.into_iter();
                let screened = parties.filter(|one| one.screened);
                Ok((screened.map(|one| one.party).collect(), None))
            }
            // A carrier's plain field, with or without brackets.
            _ => Ok((diversion::parse(&found.text, self.region)?, None)),
        }
    }
}

/// The caller, from what was read already, from the text it was sent as, or as the network asserts it.
fn caller(facts: &CallFacts, region: Region, notes: &mut Vec<Note>) -> Option<CallerNumber> {
    let said = facts.caller.clone().or_else(|| {
        let text = facts.caller_text.as_deref()?;
        let address = Address::read(text.trim()).map_or(text, |address| address.uri);
        Some(CallerNumber::read(address, region))
    });
    if !facts.trusted || said.as_ref().is_some_and(|caller| caller.number().is_some()) {
        return said;
    }
    for place in [Place::PAssertedIdentity, Place::RemotePartyId] {
        let mut asserted = facts.forwarding.iter().filter(|found| found.place == place);
        if let Some(number) = asserted.find_map(|found| asserted_number(found, region)) {
            notes.push(Note::CallerAsserted(place));
            return Some(CallerNumber::Known(number));
        }
    }
    said
}

/// The caller's number by an identity that is asserted.
fn asserted_number(found: &Forwarding, region: Region) -> Option<PhoneNumber> {
    let parties: Vec<Diversion> = match found.place {
        Place::RemotePartyId => {
            let parties = remote_party::parse(&found.text, region).ok()?.into_iter();
            parties.map(|one| one.party).collect()
        }
        _ => diversion::parse(&found.text, region).ok()?,
    };
    parties.into_iter().find_map(|party| party.number)
}

/// What the network wrote of the caller's number into the addresses: into the asserted identity, where it is the
/// caller's, or into From. Of a peer that is not known it can only weaken.
fn stated_attestation(
    facts: &CallFacts,
    caller: Option<&PhoneNumber>,
    region: Region,
) -> Option<Attestation> {
    let caller = caller?;
    let is_callers = |entry: &str| {
        let parties = diversion::parse(entry, region).unwrap_or_default();
        let mut numbers = parties.iter().filter_map(|party| party.number.as_ref());
        numbers.any(|number| number.is_line_of(caller))
    };
    let asserted = facts
        .forwarding
        .iter()
        .filter(|found| found.place == Place::PAssertedIdentity);
    let mut stated = asserted
        .flat_map(|found| entries(&found.text).unwrap_or_default())
        .filter(|entry| is_callers(entry))
        .filter_map(Attestation::of_address);
    let stated = stated.next().or(facts.from_attestation);
    stated.filter(|stated| facts.trusted || stated.level == AttestationLevel::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Headers, Source};

    const ECHO: &str = "<sip:+12025550102@twilio.com>;reason=unconditional";

    fn found(pairs: &[(&str, &str)]) -> Found {
        found_of(true, pairs)
    }

    fn found_of(trusted: bool, pairs: &[(&str, &str)]) -> Found {
        let headers = Headers::from_pairs(pairs.iter().copied());
        let facts = CallFacts::from_sip(Source::Sip, &headers, trusted);
        let dialed: DialedNumber = "+12025550102".parse().unwrap();
        let own = |number: &PhoneNumber| number.as_e164() == "+12025550199";
        read_facts(&facts, &dialed, &own, Region::of(&dialed, None))
    }

    fn forwarder(pairs: &[(&str, &str)]) -> Option<String> {
        found(pairs)
            .forwarder()
            .map(|one| one.number.as_e164().to_owned())
    }

    #[test]
    fn echoes_of_our_own_numbers_are_no_forwarder() {
        let behind =
            format!("{ECHO}, <sip:+12025550199@h>, <sip:+34612345678@10.1.1.1;user=phone>;counter=1");
        assert_eq!(
            forwarder(&[("Diversion", &behind)]).as_deref(),
            Some("+34612345678")
        );
        let only = found(&[("Diversion", ECHO)]);
        assert_eq!(only.forwarder(), None);
        assert_eq!(only.notes, [Note::OwnNumbersOnly(Place::Diversion)]);
    }

    #[test]
    fn a_withheld_forwarder_is_not_replaced_by_the_one_before() {
        let both = "<sip:anonymous@anonymous.invalid>;privacy=full, <sip:+12025550104@h>";
        let found = found(&[("Diversion", both)]);
        assert_eq!(
            (found.forwarder(), &found.notes[..]),
            (None, &[Note::NoNumber(Place::Diversion)][..])
        );
    }

    #[test]
    fn diversion_is_preferred_to_history_info_and_disagreement_is_noted() {
        let history = "<sip:+12025550104@h>;index=1, <sip:+12025550102@h;cause=302>;index=1.1";
        let found = found(&[("History-Info", history), ("Diversion", "<sip:+12025550103@h>")]);
        assert_eq!(found.forwarder().unwrap().number.as_e164(), "+12025550103");
        assert_eq!(found.notes, [Note::Disagrees(Place::HistoryInfo)]);
        assert!(found.forwarders[1].outdone);
    }

    #[test]
    fn an_asserted_identity_is_the_caller_unless_it_is_somebody_elses() {
        let asserted = ("P-Asserted-Identity", "<sip:+12025550103@h>, <tel:+12025550103>");
        assert_eq!(forwarder(&[asserted, ("From", "<sip:+12025550103@h>")]), None);
        assert_eq!(
            forwarder(&[asserted, ("From", "<sip:+12025550101@h>")]).as_deref(),
            Some("+12025550103")
        );
        let withheld = found(&[
            asserted,
            ("From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
        ]);
        assert_eq!(withheld.forwarder(), None);
        assert_eq!(
            withheld.caller.unwrap().number().unwrap().as_e164(),
            "+12025550103"
        );
        assert_eq!(withheld.notes, [Note::CallerAsserted(Place::PAssertedIdentity)]);
    }

    /// The attestation of a call from …0101 whose From and asserted identity have these values of `verstat`.
    fn attested(trusted: bool, from: &str, asserted: (&str, &str)) -> Option<AttestationLevel> {
        let address = |number: &str, said: &str| format!("<sip:{number};verstat={said}@h;user=phone>");
        let (number, said) = asserted;
        let (from, asserted) = (address("+12025550101", from), address(number, said));
        let found = found_of(trusted, &[("From", &from), ("P-Asserted-Identity", &asserted)]);
        found.attestation.map(|attested| attested.level)
    }

    const NOTHING: &str = "No-TN-Validation";
    const FAILED: &str = "TN-Validation-Failed";
    const PASSED: &str = "TN-Validation-Passed-A";

    #[test]
    fn a_failed_verstat_in_the_invite_weakens_the_callers_number() {
        let (own, others) = ("+12025550101", "+12025550103");
        for trusted in [true, false] {
            for (from, asserted) in [
                (FAILED, (own, NOTHING)),
                (NOTHING, (own, FAILED)),
                (PASSED, (own, FAILED)),
                (FAILED, (others, PASSED)),
            ] {
                let level = attested(trusted, from, asserted);
                assert_eq!(level, Some(AttestationLevel::Failed), "{from} {asserted:?}");
            }
            assert_eq!(attested(trusted, NOTHING, (others, FAILED)), None);
        }
    }

    #[test]
    fn a_passed_verstat_of_a_stranger_is_not_believed() {
        let (own, others) = ("+12025550101", "+12025550103");
        for (from, asserted, level) in [
            (PASSED, (own, NOTHING), Some(AttestationLevel::A)),
            (NOTHING, (own, PASSED), Some(AttestationLevel::A)),
            (NOTHING, (others, PASSED), None),
        ] {
            assert_eq!(attested(true, from, asserted), level, "{from} {asserted:?}");
            assert_eq!(attested(false, from, asserted), None, "{from} {asserted:?}");
        }
    }

    #[test]
    fn the_number_behind_an_extension_forwarded_the_call_and_a_note_says_so() {
        let chain = "<sip:101@pbx.example>;reason=unconditional, <sip:+12025550103@h>;reason=no-answer";
        for (text, number) in [
            (chain, Some("+12025550103")),
            (
                "<101@pbx>, <sip:reception@pbx>, <12025550103@h>",
                Some("+12025550103"),
            ),
            (
                "<101@pbx>, <sip:+12025550102@twilio.com>, <12025550103@h>",
                Some("+12025550103"),
            ),
            (
                "<101@pbx>, <sip:anonymous@anonymous.invalid>, <12025550103@h>",
                None,
            ),
            ("<101@pbx>, <sip:+12025550102@twilio.com>", None),
            ("<101@pbx>", None),
        ] {
            let found = found(&[("Diversion", text)]);
            let got = found.forwarder().map(|one| one.number.as_e164());
            assert_eq!(got, number, "{text}");
            let note = match number {
                Some(_) => Note::BehindExtension(Place::Diversion),
                None => Note::NoNumber(Place::Diversion),
            };
            assert_eq!(found.notes, [note], "{text}");
        }
        let field = found(&[("X-Forwarded-From", "101, 12025550103")]);
        assert_eq!(field.forwarder().unwrap().number.as_e164(), "+12025550103");
        let history = "<sip:+12025550104@h>;index=1, <sip:101@pbx;cause=302>;index=1.1;mp=1, \
                       <sip:+12025550102@h;cause=302>;index=1.1.1;mp=1.1";
        assert_eq!(
            forwarder(&[("History-Info", history)]).as_deref(),
            Some("+12025550104")
        );
    }

    #[test]
    fn a_caller_who_is_the_forwarder_is_said_to_be_it_in_any_spelling() {
        for (from, diversion, same) in [
            ("<sip:+12025550103@h>", "<12025550103@pbx>", true),
            ("<sip:+5215512345678@h>", "<sip:+525512345678@h>", true),
            ("<sip:+12025550101@h>", "<12025550103@pbx>", false),
        ] {
            let found = found(&[("From", from), ("Diversion", diversion)]);
            assert_eq!(found.caller_forwarded(), same, "{from}");
            assert_eq!(found.notes.contains(&Note::CallerIsForwarder), same);
        }
    }
}
