//! The words of evidence: what a piece of it is, who brought it, what contradicts what. In JSON and in the store each
//! is one word, and a word that this release does not know is no value.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decision::Reason;
use crate::evidence::{Place, Source};
use crate::units::words;

words! {
    /// What a piece of evidence is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum EvidenceKind {
        /// The dialed number is one user's alone (T0).
        AssignedNumber = "assigned_number",
        /// Something was said of a forwarding, and nothing of it could be used (T1).
        Forwarding = "forwarding",
        /// [`Place::XForwardedFrom`] (T1).
        XForwardedFrom = "x_forwarded_from",
        /// [`Place::ForwardedFrom`] (T1).
        ForwardedFrom = "forwarded_from",
        /// [`Place::OrigTo`] (T1).
        OrigTo = "orig_to",
        /// [`Place::Diversion`] (T1).
        Diversion = "diversion",
        /// [`Place::HistoryInfo`] (T1).
        HistoryInfo = "history_info",
        /// [`Place::ReferredBy`] (T1).
        ReferredBy = "referred_by",
        /// [`Place::PAssertedIdentity`] (T1).
        PAssertedIdentity = "p_asserted_identity",
        /// [`Place::RemotePartyId`] (T1).
        RemotePartyId = "remote_party_id",
        /// The caller's number (T2).
        CallerNumber = "caller_number",
        /// [`Place::PassportDiv`] (T3).
        PassportDiv = "passport_div",
        /// [`Place::PassportDest`] (T3).
        PassportDest = "passport_dest",
        /// A PIN (T4).
        Pin = "pin",
        /// The voice (T5).
        Voice = "voice",
    }
}

impl From<Place> for EvidenceKind {
    fn from(place: Place) -> Self {
        match place {
            Place::XForwardedFrom => Self::XForwardedFrom,
            Place::ForwardedFrom => Self::ForwardedFrom,
            Place::OrigTo => Self::OrigTo,
            Place::Diversion => Self::Diversion,
            Place::HistoryInfo => Self::HistoryInfo,
            Place::ReferredBy => Self::ReferredBy,
            Place::PAssertedIdentity => Self::PAssertedIdentity,
            Place::RemotePartyId => Self::RemotePartyId,
            Place::PassportDiv => Self::PassportDiv,
            Place::PassportDest => Self::PassportDest,
        }
    }
}

words! {
    /// Who brought a piece of evidence.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum EvidenceSource {
        /// Vapi's webhooks.
        Vapi = "vapi",
        /// Twilio.
        Twilio = "twilio",
        /// Telnyx.
        Telnyx = "telnyx",
        /// Vonage.
        Vonage = "vonage",
        /// Bandwidth.
        Bandwidth = "bandwidth",
        /// Plivo.
        Plivo = "plivo",
        /// An Asterisk of the operator's.
        Asterisk = "asterisk",
        /// A jambonz of the operator's.
        Jambonz = "jambonz",
        /// A SIP message itself.
        Sip = "sip",
        /// A plain audio stream.
        Pcm = "pcm",
        /// Keypad events of the carrier's stream or webhooks.
        Keypad = "keypad",
        /// Vapi's message of a keypad entry.
        VapiKeypad = "vapi_keypad",
        /// A tool call of the assistant.
        Tool = "tool",
        /// The roster of the dialed number.
        Roster = "roster",
        /// The call's audio.
        Audio = "audio",
    }
}

impl From<Source> for EvidenceSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Vapi => Self::Vapi,
            Source::Twilio => Self::Twilio,
            Source::Telnyx => Self::Telnyx,
            Source::Vonage => Self::Vonage,
            Source::Bandwidth => Self::Bandwidth,
            Source::Plivo => Self::Plivo,
            Source::Asterisk => Self::Asterisk,
            Source::Jambonz => Self::Jambonz,
            Source::Sip => Self::Sip,
            Source::Pcm => Self::Pcm,
        }
    }
}

words! {
    /// Which two pieces of evidence cannot both be right, or should not be.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ContradictionCode {
        /// The caller's number is one user's and the voice is not theirs.
        CallerIsNotTheVoice = "caller_is_not_the_voice",
        /// The PIN is one user's and the voice is not theirs.
        PinIsNotTheVoice = "pin_is_not_the_voice",
        /// The line is one user's and the voice another's.
        ForwarderIsNotTheVoice = "forwarder_is_not_the_voice",
        /// The forwarding evidence points to several users.
        ForwardingDisagrees = "forwarding_disagrees",
        /// The PIN is one user's and the line another's.
        PinIsNotTheForwarder = "pin_is_not_the_forwarder",
        /// The PIN is one user's and the caller's number another's.
        PinIsNotTheCaller = "pin_is_not_the_caller",
        /// PINs of several users were given.
        SeveralPins = "several_pins",
        /// The caller's number is a user's and its verification failed.
        CallerNotAttested = "caller_not_attested",
    }
}

impl ContradictionCode {
    /// The contradiction for people. It names nobody: the evidence has the ids.
    pub const fn message(self) -> &'static str {
        match self {
            Self::CallerIsNotTheVoice => {
                "the call comes from the phone of one user, and the voice is not theirs: somebody else uses that \
                 phone, or the caller's number is forged"
            }
            Self::PinIsNotTheVoice => {
                "the PIN of one user was given, and the voice is not theirs: somebody else knows it"
            }
            Self::ForwarderIsNotTheVoice => {
                "the call came through the line of one user, and the voice is that of another user of this number"
            }
            Self::ForwardingDisagrees => "the forwarding evidence points to several users of this number",
            Self::PinIsNotTheForwarder => {
                "the PIN of one user was given on a call that came through the line of another"
            }
            Self::PinIsNotTheCaller => "the PIN of one user was given on a call from the phone of another",
            Self::SeveralPins => "PINs of several users were given on this call",
            Self::CallerNotAttested => {
                "the caller's number is that of a user, and its verification failed: it may be forged"
            }
        }
    }

    /// Whether it speaks against a PIN that was given.
    pub const fn is_of_a_pin(self) -> bool {
        match self {
            Self::PinIsNotTheVoice
            | Self::PinIsNotTheForwarder
            | Self::PinIsNotTheCaller
            | Self::SeveralPins => true,
            Self::CallerIsNotTheVoice
            | Self::ForwarderIsNotTheVoice
            | Self::ForwardingDisagrees
            | Self::CallerNotAttested => false,
        }
    }
}

/// Why it cannot be said who speaks, by all evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeakerReason {
    /// The voice's own reason.
    Voice(Reason),
    /// The voice is nobody's that is enrolled, and somebody who may be speaking never enrolled.
    NotEnrolled,
}

impl SpeakerReason {
    /// The name it has in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voice(reason) => reason.name(),
            Self::NotEnrolled => "not_enrolled",
        }
    }
}

impl Serialize for SpeakerReason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SpeakerReason {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let mut all = Reason::ALL
            .map(Self::Voice)
            .into_iter()
            .chain([Self::NotEnrolled]);
        all.find(|reason| reason.name() == name)
            .ok_or_else(|| D::Error::custom(format!("there is no reason `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_and_every_source_keeps_its_name_as_evidence() {
        for place in Place::ALL {
            assert_eq!(EvidenceKind::from(place).name(), place.name());
        }
        for source in Source::ALL {
            assert_eq!(EvidenceSource::from(source).name(), source.name());
        }
    }

    #[test]
    fn names_are_those_in_json_both_ways() {
        for kind in EvidenceKind::ALL {
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.name());
            assert_eq!(serde_json::from_value::<EvidenceKind>(written).unwrap(), kind);
        }
        assert!(serde_json::from_str::<EvidenceSource>("\"pigeon\"").is_err());
    }

    #[test]
    fn contradictions_of_pins_are_those_that_name_one() {
        for code in ContradictionCode::ALL {
            assert_eq!(code.is_of_a_pin(), code.name().contains("pin"), "{code:?}");
        }
    }
}
