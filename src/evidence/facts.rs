//! The facts of a call, as every carrier and Vapi hand them over.

use serde::Serialize;
use utoipa::ToSchema;

use super::caller::CallerNumber;
use super::headers::Headers;
use super::scan::Address;
use crate::units::words;

/// Most places of a call's forwarding evidence that are kept.
const MAX_PLACES: usize = 32;

words! {
    /// Who brought the news.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Source {
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
        #[default]
        Pcm = "pcm",
    }
}

/// How well the originating provider vouches for the caller's number (ATIS-1000074 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub enum AttestationLevel {
    /// It knows the customer and that the number is theirs.
    A,
    /// It knows the customer, not the number.
    B,
    /// It only took the call in, as from abroad.
    C,
    /// A verification was made and failed.
    Failed,
}

impl AttestationLevel {
    /// `A`, `B` or `C`, in either case.
    pub fn of_letter(letter: &str) -> Option<Self> {
        match letter.trim() {
            "A" | "a" => Some(Self::A),
            "B" | "b" => Some(Self::B),
            "C" | "c" => Some(Self::C),
            _ => None,
        }
    }
}

/// An attestation, and whether somebody who can verified it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attestation {
    /// How well the number is vouched for.
    pub level: AttestationLevel,
    /// Whether its signature was verified, by the carrier or here.
    pub verified: bool,
}

impl Attestation {
    /// Reads a `verstat`, as carriers and their SIP headers give it (`TN-Validation-Passed-A`,
    /// `TN-Validation-Failed`, 3GPP TS 24.229 section 7.2A.20); `None` when nothing was validated.
    pub fn from_verstat(text: &str) -> Option<Self> {
        let text = text.trim();
        let level = if text.starts_with("TN-Validation-Failed") {
            AttestationLevel::Failed
        } else {
            let rest = text.strip_prefix("TN-Validation-Passed")?;
            let letter = rest.trim_start_matches('-').get(..1).unwrap_or("");
            // Passed without a letter vouches for no more than the lowest.
            AttestationLevel::of_letter(letter).unwrap_or(AttestationLevel::C)
        };
        Some(Self {
            level,
            verified: true,
        })
    }

    /// The `verstat` of an address: a parameter of its number, of its URI or behind it.
    pub(super) fn of_address(text: &str) -> Option<Self> {
        let address = Address::read(text).ok()?;
        let within = address
            .uri
            .split([';', '@'])
            .filter_map(|part| part.split_once('='));
        let mut stated = within.filter(|(name, _)| name.trim().eq_ignore_ascii_case("verstat"));
        let stated = stated.next().map(|(_, value)| value);
        Self::from_verstat(stated.or_else(|| address.parameter("verstat"))?)
    }
}

words! {
    /// Where forwarding evidence was found.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Place {
        /// A field of one's own SBC or carrier application (`X-Forwarded-From`).
        XForwardedFrom = "x_forwarded_from",
        /// Twilio's `ForwardedFrom`, or Vapi's `transport.forwardedFrom` made of it.
        ForwardedFrom = "forwarded_from",
        /// Bandwidth's `diversion.origTo`.
        OrigTo = "orig_to",
        /// The Diversion header (RFC 5806).
        Diversion = "diversion",
        /// The History-Info header (RFC 7044).
        HistoryInfo = "history_info",
        /// Referred-By (RFC 3892): who transferred the call, weak.
        ReferredBy = "referred_by",
        /// P-Asserted-Identity (RFC 3325): weak, and only where it is not the caller.
        PAssertedIdentity = "p_asserted_identity",
        /// Remote-Party-ID (draft-ietf-sip-privacy), as P-Asserted-Identity; P-Preferred-Identity (RFC 3325) is read as one
        /// that nobody screened.
        RemotePartyId = "remote_party_id",
        /// A PASSporT's `div` (RFC 8946).
        PassportDiv = "passport_div",
        /// A PASSporT's `dest` that is not the dialed number.
        PassportDest = "passport_dest",
    }
}

impl Place {
    /// Whether it is no more than a hint of who forwarded, even of a known peer: it is there to say something else.
    pub const fn is_hint(self) -> bool {
        matches!(
            self,
            Self::ReferredBy | Self::PAssertedIdentity | Self::RemotePartyId
        )
    }
}

/// Forwarding evidence in the form it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// The header or field that it was read from.
    pub place: Place,
    /// The raw text: a header value, or a number.
    pub text: String,
}

/// The place alone: the text holds numbers.
impl std::fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Forwarding({})", self.place.name())
    }
}

/// What vouches for an `X-Forwarded-From`, as it came beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardProof {
    /// `X-Fwd-Sig`.
    pub signature: Option<String>,
    /// `X-Fwd-Call`: the id of the call where it was signed.
    pub call: Option<String>,
    /// `X-Fwd-Time`: seconds since 1970.
    pub time: Option<String>,
}

/// What somebody knows of a call, before anything is searched.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// Who says so.
    pub source: Source,
    /// The caller's number, when whoever brings the facts has read it.
    pub caller: Option<CallerNumber>,
    /// The caller in the form it was sent, to be read by the region of the dialed number where
    /// [`CallFacts::caller`] is not set.
    pub caller_text: Option<String>,
    /// How well the caller's number is attested.
    pub attestation: Option<Attestation>,
    /// What From says of its number, to be read where [`CallFacts::attestation`] is not set.
    pub from_attestation: Option<Attestation>,
    /// Where forwarding evidence was found, and what it was.
    pub forwarding: Vec<Forwarding>,
    /// What vouches for an `X-Forwarded-From` among [`CallFacts::forwarding`].
    pub forward_proof: ForwardProof,
    /// The `Identity` header, all lines of it joined by commas.
    pub identity: Option<String>,
    /// Which of the PASSporTs of [`CallFacts::identity`] were verified, by their place in
    /// [`super::passport::read_header`]'s answer. Set by whoever fetched their certificates.
    pub verified_passports: Vec<usize>,
    /// Whether the peer is known to be who it says (a signature, an allow-list): what strangers send weighs less.
    pub trusted: bool,
}

/// What is there, without a number.
impl std::fmt::Debug for CallFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallFacts")
            .field("source", &self.source)
            .field("caller", &self.caller)
            .field("attestation", &self.attestation)
            .field("forwarding", &self.forwarding)
            .field("identity", &self.identity.is_some())
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

impl CallFacts {
    /// The facts in the headers of a SIP message.
    pub fn from_sip(source: Source, headers: &Headers, trusted: bool) -> Self {
        let mut facts = Self {
            source,
            trusted,
            ..Self::default()
        };
        facts.add_sip(headers);
        facts
    }

    /// Adds what SIP headers say; what is known already stays. A blank caller is not known: frameworks in between give
    /// one where a header has a form that they do not read (`findings/drachtio_srf_a_number_asserted_as_tel_is_no_number.sh`).
    pub fn add_sip(&mut self, headers: &Headers) {
        const NAMES: [(Place, &[&str]); 6] = [
            (Place::XForwardedFrom, &["x-forwarded-from"]),
            (Place::Diversion, &["diversion", "x-diversion"]),
            (Place::HistoryInfo, &["history-info"]),
            (Place::ReferredBy, &["referred-by"]),
            (Place::PAssertedIdentity, &["p-asserted-identity"]),
            (Place::RemotePartyId, &["remote-party-id", "p-preferred-identity"]),
        ];
        for (place, names) in NAMES {
            for text in names.iter().filter_map(|name| headers.lines(name)) {
                self.add_forwarding(place, text);
            }
        }
        let from = headers.get("from");
        if self.from_attestation.is_none() {
            self.from_attestation = from.as_deref().and_then(Attestation::of_address);
        }
        if self.caller_text.as_deref().is_none_or(is_blank) {
            self.caller_text = from;
        }
        let proof = &mut self.forward_proof;
        for (known, name) in [
            (&mut self.identity, "identity"),
            (&mut proof.signature, "x-fwd-sig"),
            (&mut proof.call, "x-fwd-call"),
            (&mut proof.time, "x-fwd-time"),
        ] {
            if known.is_none() {
                *known = headers.get(name);
            }
        }
    }

    /// Adds one place of forwarding evidence; the same a second time changes nothing.
    pub fn add_forwarding(&mut self, place: Place, text: impl Into<String>) {
        let found = Forwarding {
            place,
            text: text.into(),
        };
        if self.forwarding.len() < MAX_PLACES && !self.forwarding.contains(&found) {
            self.forwarding.push(found);
        }
    }
}

/// Whether a field that is there says nothing.
pub fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_caller_is_read_from_the_headers_and_another_stays() {
        let headers = Headers::from_pairs([("From", "<sip:+12025550101@h>")]);
        let caller = |known: Option<&str>| {
            let mut facts = CallFacts {
                caller_text: known.map(str::to_owned),
                ..CallFacts::default()
            };
            facts.add_sip(&headers);
            facts.caller_text.unwrap()
        };
        assert_eq!(caller(None), "<sip:+12025550101@h>");
        assert_eq!(caller(Some(" ")), "<sip:+12025550101@h>");
        assert_eq!(caller(Some("anonymous")), "anonymous");
    }

    #[test]
    fn a_verstat_is_read_with_its_letter() {
        let level = |text| Attestation::from_verstat(text).map(|read| read.level);
        assert_eq!(level("TN-Validation-Passed-A"), Some(AttestationLevel::A));
        assert_eq!(
            level("TN-Validation-Passed-C-Diverted"),
            Some(AttestationLevel::C)
        );
        assert_eq!(level("TN-Validation-Passed"), Some(AttestationLevel::C));
        assert_eq!(level("TN-Validation-Failed-B"), Some(AttestationLevel::Failed));
        assert_eq!(level("No-TN-Validation"), None);
    }

    #[test]
    fn a_verstat_stands_beside_the_number_the_host_or_the_brackets() {
        let level = |text| Attestation::of_address(text).map(|read| read.level);
        for text in [
            "\"A\" <sip:+12025550101;verstat=TN-Validation-Failed@h;user=phone>;tag=1",
            "<sip:+12025550101@h;user=phone;Verstat=TN-Validation-Failed>",
            "<sip:+12025550101@h>;verstat=TN-Validation-Failed",
            "tel:+12025550101;verstat=TN-Validation-Failed",
        ] {
            assert_eq!(level(text), Some(AttestationLevel::Failed), "{text}");
        }
        assert_eq!(
            level("\"verstat=TN-Validation-Failed\" <sip:+12025550101@h>"),
            None
        );
        assert_eq!(level("<sip:+12025550101;verstat=No-TN-Validation@h>"), None);
    }

    #[test]
    fn facts_print_without_numbers() {
        let headers = Headers::from_pairs([
            ("Diversion", "<sip:+12025550103@h>"),
            ("From", "<sip:+12025550101@h>"),
        ]);
        let facts = CallFacts::from_sip(Source::Sip, &headers, true);
        assert_eq!(facts.forwarding.len(), 1);
        assert!(!format!("{facts:?}").contains("0103"), "{facts:?}");
    }
}
