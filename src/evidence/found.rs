//! What the facts of a call come to: who forwarded it, who called.

use std::fmt;

use super::caller::CallerNumber;
use super::diversion::{self, Diversion};
use super::facts::{Attestation, CallFacts, Forwarding, Place};
use super::history_info;
use super::number::normalise;
use super::passport::{self, Passport};
use super::region::Region;
use super::scan::{Address, Malformed, entries};
use crate::units::{DialedNumber, PhoneNumber};

/// Somebody who may have forwarded the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarder {
    /// Their number.
    pub number: PhoneNumber,
    /// Where it was found.
    pub place: Place,
    /// Why they forwarded it, where that was said.
    pub reason: Option<String>,
    /// Whether the number may be used and not shown.
    pub private: bool,
    /// Whether a signature over it was verified here (PASSporTs alone).
    pub verified: bool,
    /// Whether this place says something else than a better one: then it counts as a hint.
    pub outdone: bool,
}

/// Something about the evidence that an operator may want to know. It names no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A header that could not be read, and so was not used.
    Malformed(Place, Malformed),
    /// Only numbers of this deployment: the echo that Twilio and others add, and no forwarder.
    OwnNumbersOnly(Place),
    /// The forwarder is there, without a number.
    NoNumber(Place),
    /// This place names another number than the one before it in order of preference.
    Disagrees(Place),
    /// The caller was withheld and is known from P-Asserted-Identity.
    CallerAsserted,
    /// A PASSporT was signed for another caller than this call's: it is not used.
    OtherCaller,
    /// A verified PASSporT's chain does not lead to the dialed number: it counts as a hint.
    BrokenChain,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(place, why) => write!(f, "{} was not used: {why}", place.name()),
            Self::OwnNumbersOnly(place) => {
                write!(f, "{} holds only numbers of this deployment", place.name())
            }
            Self::NoNumber(place) => write!(f, "{} names no number: withheld, or an extension", place.name()),
            Self::Disagrees(place) => {
                write!(
                    f,
                    "{} names another number than a better place does",
                    place.name()
                )
            }
            Self::CallerAsserted => f.write_str("the caller is withheld and known from p_asserted_identity"),
            Self::OtherCaller => f.write_str("a PASSporT is of another caller and was not used"),
            Self::BrokenChain => f.write_str("a PASSporT does not lead to the dialed number"),
        }
    }
}

/// What facts came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Who forwarded the call by headers and carrier fields (T1): one a place, the preferred first.
    pub forwarders: Vec<Forwarder>,
    /// Who forwarded it by PASSporTs (T3).
    pub passports: Vec<Forwarder>,
    /// Who called (T2); `None` when nothing was said of it.
    pub caller: Option<CallerNumber>,
    /// How well the caller is attested.
    pub attestation: Option<Attestation>,
    /// What else there is to say.
    pub notes: Vec<Note>,
}

impl Found {
    /// The forwarder, as far as headers and carrier fields tell.
    pub fn forwarder(&self) -> Option<&Forwarder> {
        self.forwarders.first()
    }
}

/// Reads the facts of a call to `dialed`. `own` says of a number whether it is one of this deployment's: such
/// entries are echoes of carriers on the way, and the first that is left is the forwarder. `region` is that of
/// the dialed number.
///
/// Of several places the one that was put there on purpose comes first (the field of one's own SBC, then a
/// carrier's field, then Diversion, History-Info, P-Asserted-Identity); another number in a later one is noted
/// and counts as a hint.
pub fn read_facts(
    facts: &CallFacts,
    dialed: &DialedNumber,
    own: &dyn Fn(&PhoneNumber) -> bool,
    region: Region,
) -> Found {
    let mut found = Found::default();
    let is_own = |number: &PhoneNumber| number.as_e164() == dialed.as_e164() || own(number);
    let reader = Reader {
        is_own: &is_own,
        region,
    };
    found.caller = caller(facts, region, &mut found.notes);
    let from = found.caller.as_ref().and_then(CallerNumber::number).cloned();
    let mut places: Vec<&Forwarding> = facts.forwarding.iter().collect();
    places.sort_by_key(|found| found.place);
    for place in places {
        match reader.forwarder(place, from.as_ref()) {
            Ok(Some(forwarder)) => found.add(forwarder),
            Ok(None) => {}
            Err(note) => found.note(note),
        }
    }
    found.attestation = facts.attestation;
    read_passports(facts, &is_own, from.as_ref(), &mut found);
    found
}

impl Found {
    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn add(&mut self, mut forwarder: Forwarder) {
        if let Some(best) = self.forwarders.first() {
            forwarder.outdone = best.number != forwarder.number;
        }
        if forwarder.outdone {
            self.note(Note::Disagrees(forwarder.place));
        }
        let twin = |known: &Forwarder| known.place == forwarder.place && known.number == forwarder.number;
        if !self.forwarders.iter().any(twin) {
            self.forwarders.push(forwarder);
        }
    }
}

struct Reader<'a> {
    is_own: &'a dyn Fn(&PhoneNumber) -> bool,
    region: Region,
}

impl Reader<'_> {
    /// The forwarder of one place; a note when there is none for a reason worth telling.
    fn forwarder(&self, found: &Forwarding, caller: Option<&PhoneNumber>) -> Result<Option<Forwarder>, Note> {
        let place = found.place;
        let parties = self.parties(found).map_err(|why| Note::Malformed(place, why))?;
        if parties.is_empty() {
            return Ok(None);
        }
        let echoed = |party: &Diversion| party.number.as_ref().is_some_and(self.is_own);
        let Some(party) = parties.into_iter().find(|party| !echoed(party)) else {
            return Err(Note::OwnNumbersOnly(place));
        };
        let Some(number) = party.number else {
            return Err(Note::NoNumber(place));
        };
        // An asserted identity is the caller's, unless it is somebody else's.
        if place == Place::PAssertedIdentity && caller.is_none_or(|caller| *caller == number) {
            return Ok(None);
        }
        Ok(Some(Forwarder {
            number,
            place,
            reason: party.reason,
            private: party.private,
            verified: false,
            outdone: false,
        }))
    }

    /// The diverting parties of a place, most recent first.
    fn parties(&self, found: &Forwarding) -> Result<Vec<Diversion>, Malformed> {
        match found.place {
            Place::HistoryInfo => {
                let history = history_info::parse(&found.text, self.region)?;
                let parties = history_info::diverting(&history).into_iter();
                Ok(parties
                    .map(|entry| Diversion {
                        number: entry.number.clone(),
                        reason: entry.left_because.map(|cause| format!("cause {cause}")),
                        private: entry.private,
                    })
                    .collect())
            }
            Place::Diversion => diversion::parse(&found.text, self.region),
            _ if found.text.contains('<') => diversion::parse(&found.text, self.region),
            _ => Ok(self.plain(entries(&found.text)?)),
        }
    }

    /// The numbers of a carrier's plain field.
    fn plain(&self, texts: Vec<&str>) -> Vec<Diversion> {
        let texts = texts.into_iter();
        texts
            .map(|text| Diversion {
                number: normalise(text, self.region),
                reason: None,
                private: false,
            })
            .collect()
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
    let asserted = facts
        .forwarding
        .iter()
        .find(|found| found.place == Place::PAssertedIdentity);
    let asserted = asserted.and_then(|found| diversion::parse(&found.text, region).ok());
    let number = asserted.into_iter().flatten().find_map(|party| party.number);
    match number {
        Some(number) => {
            notes.push(Note::CallerAsserted);
            Some(CallerNumber::Known(number))
        }
        None => said,
    }
}

/// Reads the PASSporTs: who diverted the call, or for whom it was meant.
fn read_passports(
    facts: &CallFacts,
    is_own: &dyn Fn(&PhoneNumber) -> bool,
    caller: Option<&PhoneNumber>,
    found: &mut Found,
) {
    let Some(text) = &facts.identity else { return };
    let all = match passport::read_header(text) {
        Ok(all) => all,
        Err(why) => return found.note(Note::Malformed(Place::PassportDest, why)),
    };
    for (at, passport) in all.iter().enumerate() {
        // A token lifted from another call has another caller.
        if matches!((&passport.caller, caller), (Some(signed), Some(caller)) if signed != caller) {
            found.note(Note::OtherCaller);
            continue;
        }
        let signed = facts.verified_passports.contains(&at);
        if let Some(level) = passport.attestation
            && found.attestation.is_none()
        {
            found.attestation = Some(Attestation {
                level,
                verified: signed,
            });
        }
        let (number, place) = match &passport.diverted_by {
            Some(number) => (Some(number), Place::PassportDiv),
            None => (meant_for(passport, is_own), Place::PassportDest),
        };
        let Some(number) = number.filter(|number| !is_own(number)) else {
            continue;
        };
        let verified = signed && leads_here(passport, &all, is_own);
        if signed && !verified {
            found.note(Note::BrokenChain);
        }
        let forwarder = Forwarder {
            number: number.clone(),
            place,
            reason: None,
            private: false,
            verified,
            outdone: false,
        };
        if !found.passports.contains(&forwarder) {
            found.passports.push(forwarder);
        }
    }
}

/// The number a call was meant for, when it was not one of ours.
fn meant_for<'a>(passport: &'a Passport, is_own: &dyn Fn(&PhoneNumber) -> bool) -> Option<&'a PhoneNumber> {
    if passport.destinations.iter().any(is_own) {
        return None;
    }
    passport.destinations.first()
}

/// Whether a `div` was made for a call that came here: its destination is ours, or the next in the chain
/// diverted it on (RFC 8946 section 4.1). A `shaken` one is the chain's first link and always fits.
fn leads_here(passport: &Passport, all: &[Passport], is_own: &dyn Fn(&PhoneNumber) -> bool) -> bool {
    if passport.diverted_by.is_none() {
        return true;
    }
    passport.destinations.iter().any(|destination| {
        is_own(destination)
            || all
                .iter()
                .any(|next| next.diverted_by.as_ref() == Some(destination))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Headers, Source};

    const ECHO: &str = "<sip:+12025550102@twilio.com>;reason=unconditional";

    fn found(pairs: &[(&str, &str)]) -> Found {
        let facts = CallFacts::from_sip(Source::Sip, &Headers::from_pairs(pairs.iter().copied()), true);
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
        assert_eq!(withheld.notes, [Note::CallerAsserted]);
    }

    #[test]
    fn a_malformed_header_is_not_guessed_at() {
        let found = found(&[("Diversion", "<sip:+12025550103@h")]);
        assert_eq!(found.forwarders, []);
        assert_eq!(
            found.notes,
            [Note::Malformed(Place::Diversion, Malformed::Bracket)]
        );
    }
}
