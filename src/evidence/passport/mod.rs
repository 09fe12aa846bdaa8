//! PASSporTs (RFC 8225): signed statements about a call in its `Identity` header (RFC 8224).
//!
//! A `shaken` one (RFC 8588) says who called whom: when that is not the number that was dialed here, the call
//! was forwarded, and `dest` is the line it was meant for. A `div` one (RFC 8946) says who diverted it. Both
//! pass networks that strip Diversion. [`decode`] reads one and believes nothing: what it says is a hint.
//! [`verify()`] checks signature, certificates and age, and then it is strong.

mod verify;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::facts::AttestationLevel;
use super::number::normalise;
use super::region::Region;
use super::scan::{Malformed, entries, parameters};
use crate::units::PhoneNumber;

pub use verify::{FRESHNESS, PassportFault, TrustStore, verify};

/// Most destinations that are read of one PASSporT.
const MAX_DESTINATIONS: usize = 20;

/// A PASSporT that was read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// Its kind, as in `shaken` or `div`; `None` for a plain one.
    pub kind: Option<String>,
    /// The algorithm it says it is signed with; only `ES256` can be verified.
    pub algorithm: String,
    /// Where its certificates are (`x5u`), or are said to be by the header's `info`.
    pub certificate_url: Option<String>,
    /// The calling number (`orig.tn`), where it is a phone number.
    pub caller: Option<PhoneNumber>,
    /// Whom they called.
    pub destinations: Vec<PhoneNumber>,
    /// Who diverted the call (`div`).
    pub diverted_by: Option<PhoneNumber>,
    /// How well the originating provider knows the caller (`shaken`).
    pub attestation: Option<AttestationLevel>,
    /// When it was signed, in seconds since 1970.
    pub issued_at: i64,
    /// What is signed: header and claims as they were sent.
    pub(super) signed: String,
    /// The signature over header and payload (RFC 7515 section 5.1).
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    ppt: Option<String>,
    x5u: Option<String>,
    typ: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    attest: Option<String>,
    orig: Option<Value>,
    dest: Option<Value>,
    div: Option<Value>,
}

/// The PASSporTs of an `Identity` header (all lines of it joined by commas), in their order. One that cannot
/// be read is left out, for another provider's may stand beside it.
///
/// # Errors
/// [`Malformed`] when the list itself cannot be read.
pub fn read_header(text: &str) -> Result<Vec<Passport>, Malformed> {
    let read = entries(text)?.into_iter().filter_map(|entry| {
        let (token, rest) = entry.split_once(';').unwrap_or((entry, ""));
        let mut passport = decode(token.trim()).ok()?;
        if passport.certificate_url.is_none() {
            let stated = parameters(rest).ok()?;
            let info = stated.into_iter().find(|(name, _)| name == "info");
            passport.certificate_url = info.map(|(_, url)| url.trim_matches(['<', '>']).to_owned());
        }
        Some(passport)
    });
    Ok(read.collect())
}

/// Reads one PASSporT in compact form (RFC 7515 section 3.1). Its telephone numbers are canonical, digits with
/// the country code (RFC 8225 section 5.2.1), so no region is needed.
///
/// # Errors
/// [`Malformed`] when it is no such token.
pub fn decode(token: &str) -> Result<Passport, Malformed> {
    if token.len() > super::MAX_HEADER_BYTES {
        return Err(Malformed::TooLong);
    }
    let shape = Malformed::Token("a PASSporT has three parts in base64url, separated by dots");
    let (signed, signature) = token.rsplit_once('.').ok_or(shape)?;
    let (header, claims) = signed.split_once('.').ok_or(shape)?;
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| shape);
    let header: Header = serde_json::from_slice(&bytes(header)?)
        .map_err(|_| Malformed::Token("a PASSporT's header is a JSON object with `alg`"))?;
    if header
        .typ
        .is_some_and(|typ| !typ.eq_ignore_ascii_case("passport"))
    {
        return Err(Malformed::Token("a PASSporT's `typ` is `passport`"));
    }
    let claims: Claims = serde_json::from_slice(&bytes(claims)?)
        .map_err(|_| Malformed::Token("a PASSporT's claims are a JSON object with `iat`"))?;
    let first = |part: &Option<Value>| part.as_ref().and_then(|part| numbers(part).into_iter().next());
    Ok(Passport {
        kind: header.ppt.map(|kind| kind.to_ascii_lowercase()),
        algorithm: header.alg,
        certificate_url: header.x5u,
        caller: first(&claims.orig),
        destinations: claims.dest.as_ref().map(numbers).unwrap_or_default(),
        diverted_by: first(&claims.div),
        attestation: claims.attest.as_deref().and_then(AttestationLevel::of_letter),
        issued_at: claims.iat,
        signature: bytes(signature)?,
        signed: signed.to_owned(),
    })
}

/// The numbers of a claim: its `tn`, one or a list of them.
fn numbers(claim: &Value) -> Vec<PhoneNumber> {
    let read = |value: &Value| {
        let digits = value.as_str()?;
        let plus = if digits.starts_with('+') { "" } else { "+" };
        normalise(&format!("{plus}{digits}"), Region::UNKNOWN)
    };
    match claim.get("tn") {
        Some(Value::Array(list)) => list.iter().take(MAX_DESTINATIONS).filter_map(read).collect(),
        Some(one) => read(one).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!(
            "{}.{}.{}",
            part(header),
            part(claims),
            URL_SAFE_NO_PAD.encode([7; 64])
        )
    }

    #[test]
    fn a_shaken_one_names_caller_destination_and_attestation() {
        let token = token(
            &json!({"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://cert.example/a.pem"}),
            &json!({"attest": "A", "dest": {"tn": ["12025550103"]}, "iat": 1_787_654_321,
                    "orig": {"tn": "12025550101"}, "origid": "0f5e"}),
        );
        let passport = decode(&token).unwrap();
        assert_eq!(passport.kind.as_deref(), Some("shaken"));
        assert_eq!(passport.caller.unwrap().as_e164(), "+12025550101");
        assert_eq!(passport.destinations[0].as_e164(), "+12025550103");
        assert_eq!(passport.attestation, Some(AttestationLevel::A));
        assert_eq!(passport.diverted_by, None);
    }

    #[test]
    fn a_header_may_hold_several_and_the_unreadable_are_left_out() {
        let div = token(
            &json!({"alg": "ES256", "ppt": "div"}),
            &json!({"dest": {"tn": ["12025550102"]}, "div": {"tn": "12025550103"}, "iat": 1,
                    "orig": {"tn": "12025550101"}}),
        );
        let header =
            format!("garbage;info=<https://x>, {div};info=<https://c.example/c.pem>;alg=ES256;ppt=\"div\"");
        let all = read_header(&header).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].diverted_by.as_ref().unwrap().as_e164(), "+12025550103");
        assert_eq!(all[0].certificate_url.as_deref(), Some("https://c.example/c.pem"));
    }

    #[test]
    fn what_is_no_passport_is_said_to_be_none() {
        let odd = token(&json!({"alg": "ES256", "typ": "jwt"}), &json!({"iat": 1}));
        let timeless = token(&json!({"alg": "ES256"}), &json!({"orig": {"tn": "1"}}));
        for bad in ["", "a.b", "a.b.c", "..", &odd, &timeless, &"x.".repeat(9000)] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_no_plan_has_and_claims_of_other_shapes_are_no_numbers() {
        for claim in [
            json!({"tn": "911"}),
            json!({"tn": 12_025_550_101_u64}),
            json!({"uri": "sip:a@h"}),
            json!([]),
            json!("12025550101"),
        ] {
            assert!(numbers(&claim).is_empty(), "{claim}");
        }
    }
}
