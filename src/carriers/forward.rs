//! Handing a call on to Vapi: its SIP address, and headers that say whose line it was forwarded by.
//!
//! Anybody can send an `X-Forwarded-From` to an open SIP address, so ours is signed: `X-Fwd-Sig` is the
//! hexadecimal HMAC-SHA256 of `forwarded|dialed|call|time`, where `X-Fwd-Call` and `X-Fwd-Time` (seconds since
//! 1970) say the last two. On Vapi they arrive as `variableValues["forwarded-from"]` and so on.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::signature::same;
use crate::evidence::{CallFacts, ForwardProof, Place};
use crate::units::{CallId, DialedNumber, PhoneNumber, hex};

/// RFC 3261 section 25.1: what may stand in a header of a SIP address as it is. All else is escaped.
const HEADER_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Where calls are handed on to.
#[derive(Debug, Clone)]
pub struct Forward {
    /// A SIP address in which `{number}` stands for the dialed number, as in `sip:{number}@sip.vapi.ai`.
    pub address: String,
    /// The addresses of numbers that have one of their own.
    pub own: BTreeMap<DialedNumber, String>,
    /// The name and password that the address asks for (digest).
    pub login: Option<(String, SecretString)>,
    /// The key of `X-Fwd-Sig`.
    pub secret: Option<SecretString>,
}

/// A call to be handed on.
#[derive(Debug, Clone)]
pub struct Leg<'a> {
    /// The carrier's id of the call.
    pub call: &'a CallId,
    /// The dialed number.
    pub dialed: &'a DialedNumber,
    /// The number that forwarded it.
    pub forwarded: Option<&'a PhoneNumber>,
    /// Now, in seconds since 1970.
    pub now: i64,
}

impl Forward {
    /// The SIP address of a call, without headers.
    pub fn address(&self, dialed: &DialedNumber) -> String {
        match self.own.get(dialed) {
            Some(own) => own.clone(),
            None => self.address.replace("{number}", dialed.as_e164()),
        }
    }

    /// The headers of a call, by name.
    pub fn headers(&self, leg: &Leg) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        let forwarded = leg.forwarded.map_or("", PhoneNumber::as_e164);
        if !forwarded.is_empty() {
            headers.push(("X-Forwarded-From", forwarded.to_owned()));
        }
        headers.push(("X-Fwd-Call", leg.call.as_str().to_owned()));
        if let Some(secret) = &self.secret {
            let signature = sign(secret, forwarded, leg.dialed, leg.call.as_str(), leg.now);
            headers.push(("X-Fwd-Time", leg.now.to_string()));
            headers.push(("X-Fwd-Sig", signature));
        }
        headers
    }

    /// Where there is a key: takes an `X-Forwarded-From` that is not signed out of what a carrier says of a call. It is the
    /// caller's own word where the carrier's SIP address may be called by anybody.
    pub fn leave_out_unsigned(&self, facts: &mut CallFacts, dialed: &DialedNumber, now: i64) {
        let Some(secret) = &self.secret else {
            return;
        };
        let (before, proof) = (facts.forwarding.len(), &facts.forward_proof);
        facts.forwarding.retain(|found| {
            found.place != Place::XForwardedFrom
                || believed(secret, &found.text, proof, dialed, now).is_some()
        });
        if facts.forwarding.len() < before {
            tracing::warn!(
                source = facts.source.name(),
                "an X-Forwarded-From without a good X-Fwd-Sig names nobody, as vapi.forward_secret is set"
            );
        }
    }

    /// The SIP address of a call with its headers in it (RFC 3261 section 19.1.1).
    pub fn address_with_headers(&self, leg: &Leg) -> String {
        let mut address = self.address(leg.dialed);
        for (name, value) in self.headers(leg) {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(name);
            address.push('=');
            address.extend(utf8_percent_encode(&value, HEADER_VALUE));
        }
        address
    }

    /// The headers as Plivo takes them: names with one capital, values of letters and digits, at most 120 of
    /// them; Plivo puts `X-PH-` before the names.
    pub fn plivo_headers(&self, leg: &Leg) -> Vec<(&'static str, String)> {
        let plain = |text: &str| {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(120)
                .collect::<String>()
        };
        let forwarded = leg.forwarded.map_or("", PhoneNumber::as_e164);
        let call = plain(leg.call.as_str());
        let mut headers = Vec::new();
        if !forwarded.is_empty() {
            headers.push(("Forwardedfrom", plain(forwarded)));
        }
        headers.push(("Fwdcall", call.clone()));
        if let Some(secret) = &self.secret {
            let signature = sign(secret, forwarded, leg.dialed, &call, leg.now);
            headers.push(("Fwdtime", leg.now.to_string()));
            headers.push(("Fwdsig", signature));
        }
        headers
    }
}

/// The signature of a forwarding number; `forwarded` is E.164, or empty where there is none.
pub fn sign(secret: &SecretString, forwarded: &str, dialed: &DialedNumber, call: &str, time: i64) -> String {
    let text = format!("{forwarded}|{}|{call}|{time}", dialed.as_e164());
    // HMAC takes keys of any length.
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .map(|mac| hex(&mac.chain_update(text).finalize().into_bytes()))
        .unwrap_or_default()
}

/// The fewest hexadecimal digits of a signature: half of it (RFC 2104 section 5), for carriers whose header values
/// are short.
const SHORTEST_SIGNATURE: usize = 32;

/// How old a signature may be, in seconds: a call rings at once.
const WINDOW: i64 = 300;

/// The number of an `X-Forwarded-From`, if `proof` is ours of it and recent.
pub fn believed(
    secret: &SecretString,
    number: &str,
    proof: &ForwardProof,
    dialed: &DialedNumber,
    now: i64,
) -> Option<PhoneNumber> {
    // What is signed is E.164; some carriers' headers lose the plus.
    let number = format!("+{}", number.trim().trim_start_matches('+'));
    let number: PhoneNumber = number.parse().ok()?;
    let (signature, call) = (proof.signature.as_deref()?, proof.call.as_deref()?);
    let time: i64 = proof.time.as_deref()?.trim().parse().ok()?;
    let is_recent = now.saturating_sub(time).saturating_abs() <= WINDOW;
    (is_recent && verify(secret, number.as_e164(), dialed, call, time, signature)).then_some(number)
}

/// Whether `signature`, or at least its first half, is ours of these values. Whether `time` is recent is for
/// whoever asks.
pub fn verify(
    secret: &SecretString,
    forwarded: &str,
    dialed: &DialedNumber,
    call: &str,
    time: i64,
    signature: &str,
) -> bool {
    let expected = sign(secret, forwarded, dialed, call, time);
    let claimed = signature.trim().to_ascii_lowercase();
    let start = expected.get(..claimed.len().max(SHORTEST_SIGNATURE));
    start.is_some_and(|start| same(start.as_bytes(), claimed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Headers, Source};

    const SECRET: &str = "fwd-test";

    fn forward(secret: bool) -> Forward {
        Forward {
            address: "sip:{number}@sip.vapi.ai".to_owned(),
            own: BTreeMap::new(),
            login: None,
            secret: secret.then(|| SECRET.into()),
        }
    }

    fn with_leg<T>(forwarded: bool, call: &str, check: impl FnOnce(&Leg) -> T) -> T {
        let (call, dialed) = (call.parse().unwrap(), "+12025550102".parse().unwrap());
        let number: PhoneNumber = "+12025550103".parse().unwrap();
        check(&Leg {
            call: &call,
            dialed: &dialed,
            forwarded: forwarded.then_some(&number),
            now: 1_760_000_000,
        })
    }

    /// By Python: `hmac.new(b"fwd-test", b"+12025550103|+12025550102|CA1|1760000000", "sha256").hexdigest()`.
    const SIGNATURE: &str = "8aaccbfd867dc649c40ba64b7d996eedcbfa85a67961677bd7666a6d20faeb04";

    #[test]
    fn the_address_names_the_number_and_carries_the_headers_escaped() {
        let address = with_leg(true, "CA1", |leg| forward(true).address_with_headers(leg));
        assert_eq!(
            address,
            format!(
                "sip:+12025550102@sip.vapi.ai?X-Forwarded-From=%2B12025550103&X-Fwd-Call=CA1\
                 &X-Fwd-Time=1760000000&X-Fwd-Sig={SIGNATURE}"
            )
        );
    }

    #[test]
    fn without_a_forwarder_or_a_key_nothing_is_made_up() {
        let address = with_leg(false, "v2:a b".replace(' ', "&").as_str(), |leg| {
            forward(false).address_with_headers(leg)
        });
        assert_eq!(address, "sip:+12025550102@sip.vapi.ai?X-Fwd-Call=v2%3Aa%26b");
    }

    #[test]
    fn plivo_gets_letters_and_digits_whose_signature_holds_as_it_arrives() {
        let headers = with_leg(true, "a-1-b", |leg| forward(true).plivo_headers(leg));
        let value = |name| {
            headers
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap()
                .1
                .as_str()
        };
        assert_eq!(value("Forwardedfrom"), "12025550103");
        assert_eq!(value("Fwdcall"), "a1b");
        assert!(headers.iter().all(|(name, value)| {
            value.len() <= 120
                && (name.to_string() + value)
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric())
        }));
        let dialed = "+12025550102".parse().unwrap();
        let holds = verify(
            &SECRET.into(),
            "+12025550103",
            &dialed,
            "a1b",
            1_760_000_000,
            value("Fwdsig"),
        );
        assert!(holds);
    }

    #[test]
    fn an_unsigned_x_forwarded_from_is_left_out_where_there_is_a_key() {
        let dialed = "+12025550102".parse().unwrap();
        let signed = [
            ("X-Fwd-Call", "CA1"),
            ("X-Fwd-Time", "1760000000"),
            ("X-Fwd-Sig", SIGNATURE),
        ];
        let places = |number: &str, proof: &[(&str, &str)], secret: bool, late: i64| {
            let named = [
                ("X-Forwarded-From", number),
                ("Diversion", "<sip:+12025550104@h>"),
            ];
            let headers = Headers::from_pairs(named.iter().chain(proof).copied());
            let mut facts = CallFacts::from_sip(Source::Telnyx, &headers, true);
            forward(secret).leave_out_unsigned(&mut facts, &dialed, 1_760_000_000 + late);
            let places = facts.forwarding.iter().map(|found| found.place);
            places.collect::<Vec<Place>>()
        };
        let (both, other) = ([Place::XForwardedFrom, Place::Diversion], [Place::Diversion]);
        assert_eq!(places("+12025550103", &signed, true, 0), both);
        assert_eq!(places("12025550103", &signed, true, WINDOW), both);
        assert_eq!(places("+12025550103", &signed, true, WINDOW + 1), other);
        assert_eq!(places("+12025550105", &signed, true, 0), other);
        assert_eq!(places("+12025550103", &signed[..2], true, 0), other);
        assert_eq!(places("+12025550103", &[signed[0], signed[2]], true, 0), other);
        assert_eq!(places("+12025550103", &[], true, 0), other);
        assert_eq!(places("+12025550103", &[], false, 0), both);
    }

    #[test]
    fn a_signature_or_its_first_half_holds_and_for_nothing_else() {
        let dialed: DialedNumber = "+12025550102".parse().unwrap();
        let holds = |forwarded: &str, time: i64, signature: &str| {
            verify(&SECRET.into(), forwarded, &dialed, "CA1", time, signature)
        };
        assert!(holds("+12025550103", 1_760_000_000, SIGNATURE));
        assert!(holds("+12025550103", 1_760_000_000, &SIGNATURE.to_uppercase()));
        assert!(holds("+12025550103", 1_760_000_000, &SIGNATURE[..32]));
        assert!(!holds("+12025550103", 1_760_000_000, &SIGNATURE[..31]));
        assert!(!holds("+12025550103", 1_760_000_000, &format!("{SIGNATURE}0")));
        assert!(!holds("+12025550104", 1_760_000_000, SIGNATURE));
        assert!(!holds("+12025550103", 1_760_000_001, SIGNATURE));
        assert!(!holds("+12025550103", 1_760_000_000, ""));
        assert!(!holds("+12025550103", 1_760_000_000, &"é".repeat(32)));
    }
}
