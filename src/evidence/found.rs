//! What the facts of a call come to: who forwarded it, who called.

use super::caller::CallerNumber;
use super::facts::{Attestation, Place};
use super::note::Note;
use crate::units::PhoneNumber;

/// Somebody who may have forwarded the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarder {
    /// The number that forwarded.
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

impl Found {
    /// Whether the caller's number is one that forwarded the call, as some carriers and PBXs send it: then the caller
    /// is not known, whatever stands in From.
    pub fn caller_forwarded(&self) -> bool {
        let caller = self.caller.as_ref().and_then(CallerNumber::number);
        let mut forwarders = self.forwarders.iter().chain(&self.passports);
        caller.is_some_and(|caller| forwarders.any(|one| one.number.is_line_of(caller)))
    }

    pub(super) fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn add(&mut self, mut forwarder: Forwarder) {
        if let Some(best) = self.forwarders.first() {
            forwarder.outdone = !best.number.is_line_of(&forwarder.number);
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
