//! Who forwarded a call by its PASSporTs, and whether their chain leads here.

use super::facts::{Attestation, CallFacts, Place};
use super::found::{Forwarder, Found};
use super::note::Note;
use super::passport::{self, Passport};
use crate::units::PhoneNumber;

/// Reads the PASSporTs: who diverted the call, or for whom it was meant.
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
