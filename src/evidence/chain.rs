//! Who forwarded a call by its PASSporTs, and whether their chain leads here.

use super::facts::{Attestation, CallFacts, Place};
use super::found::{Forwarder, Found};
use super::note::Note;
use super::passport::{self, Passport};
use crate::units::PhoneNumber;

/// What a PASSporT says of who forwarded the call.
struct Link<'a> {
    number: &'a PhoneNumber,
    place: Place,
    signed: bool,
    /// Whether it is a `div` whose destination is ours: the chain's last link (RFC 8946 section 4.1).
    ends_here: bool,
}

/// Reads the PASSporTs: who diverted the call last, or for whom it was meant.
pub(super) fn read_passports(
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
    let mut links = Vec::new();
    for (at, passport) in all.iter().enumerate() {
        let (number, place) = match &passport.diverted_by {
            Some(number) => (Some(number), Place::PassportDiv),
            None => (meant_for(passport, is_own), Place::PassportDest),
        };
        // A token lifted from another call has another caller. But a carrier may write the forwarder into From: the token then
        // names the true caller, and says, unproven, who forwarded.
        let is_others =
            matches!((&passport.caller, caller), (Some(signed), Some(caller)) if !signed.is_line_of(caller));
        let is_forwarders = |number: &PhoneNumber| caller.is_some_and(|caller| caller.is_line_of(number));
        if is_others && !number.is_some_and(is_forwarders) {
            found.note(Note::OtherCaller);
            continue;
        }
        let signed = facts.verified_passports.contains(&at) && !is_others;
        if let Some(level) = passport.attestation
            && found.attestation.is_none()
            && !is_others
        {
            found.attestation = Some(Attestation {
                level,
                verified: signed,
            });
        }
        if let Some(number) = number.filter(|number| !is_own(number)) {
            links.push(Link {
                number,
                place,
                signed,
                ends_here: place == Place::PassportDiv && passport.destinations.iter().any(is_own),
            });
        }
    }
    keep_newest(&mut links);
    for link in &links {
        add(link, found);
    }
}

/// Leaves the last links of the chain, where there are any: who diverted before them had the call no more. What nobody
/// signed outdoes nothing that was signed.
fn keep_newest(links: &mut Vec<Link>) {
    let last = links.iter().filter(|link| link.ends_here);
    let last_signed = last.map(|link| link.signed).max();
    links.retain(|link| match last_signed {
        Some(true) => link.ends_here && link.signed,
        Some(false) => link.ends_here || link.signed,
        None => true,
    });
}

/// Adds a link. A signed `div` is a hint where it was made for a call elsewhere; a `shaken` one is the chain's first
/// link and always fits.
fn add(link: &Link, found: &mut Found) {
    let verified = link.signed && (link.ends_here || link.place == Place::PassportDest);
    if link.signed && !verified {
        found.note(Note::BrokenChain);
    }
    let forwarder = Forwarder {
        number: link.number.clone(),
        place: link.place,
        reason: None,
        private: false,
        verified,
        outdone: false,
    };
    if !found.passports.contains(&forwarder) {
        found.passports.push(forwarder);
    }
}

/// The number a call was meant for, when it was not one of ours.
fn meant_for<'a>(passport: &'a Passport, is_own: &dyn Fn(&PhoneNumber) -> bool) -> Option<&'a PhoneNumber> {
    if passport.destinations.iter().any(is_own) {
        return None;
    }
    passport.destinations.first()
}
