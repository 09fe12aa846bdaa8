//! Whether a webhook is Vapi's: checked over the bytes as they came, before anything reads them.
//!
//! The modes are those of Vapi's server authentication: the old inline secret, a bearer token, a signature
//! (HMAC, RFC 2104, with every option of Vapi's plan), and tokens of our own token endpoint (OAuth 2.0
//! client credentials, RFC 6749 section 4.4). No comparison's time tells how much of a guess was right.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::carriers::signature::same;
use crate::units::hex;

use super::settings::{HmacAlgorithm, HmacPlan, VapiAuth};
use super::tokens::Tokens;

/// The header of the old inline secret.
const SECRET_HEADER: &str = "x-vapi-secret";

/// Above this a timestamp counts milliseconds: as seconds it would lie in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A request as it arrived.
pub struct Arrived<'a> {
    /// A header by its lower-case name.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// The body, byte by byte.
    pub body: &'a [u8],
    /// The address Vapi called, where it is known.
    pub url: Option<&'a str>,
    /// The present moment.
    pub now: OffsetDateTime,
}

/// Why a request is not taken for Vapi's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotVapi {
    /// Nothing is configured by which Vapi would be known.
    #[error(
        "no webhook is taken, because nothing is configured by which Vapi's would be known: set vapi.auth and vapi.secret"
    )]
    NoAuthentication,
    /// A header is missing or unreadable.
    #[error("the header `{0}` is missing or cannot be read")]
    Missing(String),
    /// The secret, token or signature is another.
    #[error("the header `{0}` does not hold what Vapi would send: check the credential on both sides")]
    Wrong(String),
    /// The timestamp is too far from now.
    #[error(
        "the webhook is dated {seconds} s from now, more than vapi.replay_seconds allows: check both clocks"
    )]
    Stale {
        /// How far the signature's time is from ours, in seconds.
        seconds: i64,
    },
}

/// Checks that a request is Vapi's by `auth`; tokens of the token endpoint are looked up in `tokens`.
///
/// # Errors
/// [`NotVapi`] says what was missing or wrong, never what would have been right.
pub fn authenticate(auth: &VapiAuth, tokens: &Tokens, arrived: &Arrived<'_>) -> Result<(), NotVapi> {
    match auth {
        VapiAuth::Refuse => Err(NotVapi::NoAuthentication),
        VapiAuth::Secret(secret) => fixed(arrived, SECRET_HEADER, None, secret),
        VapiAuth::Bearer {
            header,
            prefix,
            token,
        } => fixed(arrived, header, prefix.then_some("bearer"), token),
        VapiAuth::Hmac(plan) => signed(plan, arrived),
        VapiAuth::OAuth2 { .. } => {
            let header = "authorization";
            let token = after_scheme(sent(arrived, header)?, "bearer");
            let good = token.is_some_and(|token| tokens.is_good(token, arrived.now));
            good.then_some(())
                .ok_or_else(|| NotVapi::Wrong(header.to_owned()))
        }
    }
}

fn sent<'a>(arrived: &Arrived<'a>, header: &str) -> Result<&'a str, NotVapi> {
    let value = (arrived.header)(header).map(str::trim);
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| NotVapi::Missing(header.to_owned()))
}

/// A fixed text in a header, behind an authentication scheme if one is named.
fn fixed(
    arrived: &Arrived<'_>,
    header: &str,
    scheme: Option<&str>,
    secret: &SecretString,
) -> Result<(), NotVapi> {
    let value = sent(arrived, header)?;
    let token = match scheme {
        Some(scheme) => after_scheme(value, scheme),
        None => Some(value),
    };
    let good = token.is_some_and(|token| same(token.as_bytes(), secret.expose_secret().as_bytes()));
    good.then_some(())
        .ok_or_else(|| NotVapi::Wrong(header.to_owned()))
}

/// What stands behind an authentication scheme, whose case does not matter (RFC 9110 section 11.1).
pub(super) fn after_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (named, token) = value.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| token.trim())
}

fn signed(plan: &HmacPlan, arrived: &Arrived<'_>) -> Result<(), NotVapi> {
    let claimed = sent(arrived, &plan.signature_header)?;
    let timestamp = plan.timestamp_header.as_deref();
    let timestamp = timestamp
        .map(|header| Ok((header, sent(arrived, header)?)))
        .transpose()?;
    let id = plan.id_header.as_deref();
    let id = id.map(|header| sent(arrived, header)).transpose()?;
    let wrong = || NotVapi::Wrong(plan.signature_header.clone());
    let key = key_of(plan).ok_or_else(wrong)?;
    let values = [
        ("{body}", arrived.body),
        ("{timestamp}", timestamp.map_or("", |(_, value)| value).as_bytes()),
        ("{method}", b"POST"),
        ("{url}", arrived.url.unwrap_or_default().as_bytes()),
        ("{svix-id}", id.unwrap_or_default().as_bytes()),
    ];
    let parts = signed_parts(&plan.payload, &values);
    // Several signatures may stand in the header while a key is exchanged.
    let good = claimed.split_ascii_whitespace().any(|one| {
        let bare = match &plan.prefix {
            Some(prefix) => one.strip_prefix(prefix.as_str()),
            None => Some(one),
        };
        let bytes = bare.and_then(|text| {
            if plan.base64 {
                decode_base64(text)
            } else {
                unhex(text)
            }
        });
        bytes.is_some_and(|bytes| verified(plan.algorithm, &key, &parts, &bytes))
    });
    if !good {
        return Err(wrong());
    }
    match timestamp {
        Some((header, value)) => fresh(plan, header, value, arrived.now),
        None => Ok(()),
    }
}

/// The pieces that are signed, one after the other: the format with its names replaced by their values.
fn signed_parts<'a>(format: &'a str, values: &[(&str, &'a [u8])]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = format;
    while !rest.is_empty() {
        let next = values
            .iter()
            .filter_map(|(name, value)| Some((rest.find(name)?, name.len(), *value)))
            .min_by_key(|(at, ..)| *at);
        let Some((at, length, value)) = next else {
            break;
        };
        parts.push(&rest.as_bytes()[..at]);
        parts.push(value);
        rest = &rest[at + length..];
    }
    parts.push(rest.as_bytes());
    parts
}

fn verified(algorithm: HmacAlgorithm, key: &[u8], parts: &[&[u8]], claimed: &[u8]) -> bool {
    fn check<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], claimed: &[u8]) -> bool {
        keyed::<M>(key, parts).is_some_and(|mac| mac.verify_slice(claimed).is_ok())
    }
    match algorithm {
        HmacAlgorithm::Sha256 => check::<Hmac<Sha256>>(key, parts, claimed),
        HmacAlgorithm::Sha512 => check::<Hmac<Sha512>>(key, parts, claimed),
        HmacAlgorithm::Sha1 => check::<Hmac<Sha1>>(key, parts, claimed),
    }
}

/// The signature over a body, as `plan` has it: what stands in its header.
pub(super) fn signature(plan: &HmacPlan, values: &[(&str, &[u8])]) -> Option<String> {
    fn tag<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        Some(keyed::<M>(key, parts)?.finalize().into_bytes().to_vec())
    }
    let key = key_of(plan)?;
    let parts = signed_parts(&plan.payload, values);
    let tag = match plan.algorithm {
        HmacAlgorithm::Sha256 => tag::<Hmac<Sha256>>(&key, &parts),
        HmacAlgorithm::Sha512 => tag::<Hmac<Sha512>>(&key, &parts),
        HmacAlgorithm::Sha1 => tag::<Hmac<Sha1>>(&key, &parts),
    }?;
    let written = if plan.base64 {
        STANDARD.encode(tag)
    } else {
        hex(&tag)
    };
    Some(format!("{}{written}", plan.prefix.as_deref().unwrap_or_default()))
}

/// The key's bytes.
fn key_of(plan: &HmacPlan) -> Option<Zeroizing<Vec<u8>>> {
    let secret = plan.secret.expose_secret();
    if !plan.secret_is_base64 {
        return Some(Zeroizing::new(secret.as_bytes().to_vec()));
    }
    // Svix writes its keys with this in front.
    let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
    decode_base64(bare).map(Zeroizing::new)
}

fn keyed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

/// An error unless the timestamp, which was signed, is near the present moment. Its unit is documented
/// nowhere: what is too large for seconds is milliseconds.
fn fresh(plan: &HmacPlan, header: &str, timestamp: &str, now: OffsetDateTime) -> Result<(), NotVapi> {
    let number: i64 = timestamp
        .parse()
        .map_err(|_| NotVapi::Missing(header.to_owned()))?;
    let seconds = if number > MILLISECONDS_FROM {
        number / 1_000
    } else {
        number
    };
    let away = now.unix_timestamp().saturating_sub(seconds).saturating_abs();
    let window = i64::try_from(plan.window.as_secs()).unwrap_or(i64::MAX);
    if away > window {
        return Err(NotVapi::Stale { seconds: away });
    }
    Ok(())
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BODY: &[u8] = br#"{"message":{"type":"status-update","status":"in-progress"}}"#;
    const AT: &str = "1760000000000";
    const HEX_DATED: &str = "5819a5d1e3d539f82be436d916657320927967151cbe854a76b14a41e12114e2";
    const HEX_BODY: &str = "83653a80e4c1b40a1304f961247f8f06653ad099e3a1b68ee7c3e41db63f3e7d";
    const SHA512: &str =
        "sGMJIgWu/s6yzCo+AJlcAN7j0KBGRnHzgHKwrWQb6eelKaf2craZ6bycZ6zScI2FfSysj5H5XmfVgFqmsKdUYw==";

    fn plan() -> HmacPlan {
        HmacPlan {
            secret: SecretString::from("vapi-test-secret"),
            secret_is_base64: false,
            algorithm: HmacAlgorithm::Sha256,
            base64: false,
            signature_header: "x-signature".to_owned(),
            prefix: None,
            timestamp_header: Some("x-timestamp".to_owned()),
            id_header: None,
            payload: "{timestamp}.{body}".to_owned(),
            window: Duration::from_secs(300),
        }
    }

    fn check(auth: &VapiAuth, headers: &[(&str, &str)], body: &[u8], seconds: i64) -> Result<(), NotVapi> {
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| *value)
        };
        let arrived = Arrived {
            header: &header,
            body,
            url: Some("https://id.example.com/vapi/events"),
            now: OffsetDateTime::from_unix_timestamp(seconds).unwrap(),
        };
        authenticate(auth, &Tokens::default(), &arrived)
    }

    fn hmac(plan: HmacPlan, headers: &[(&str, &str)]) -> Result<(), NotVapi> {
        check(&VapiAuth::Hmac(plan), headers, BODY, 1_760_000_100)
    }

    #[test]
    fn the_vectors_hold() {
        let dated = [("x-signature", HEX_DATED), ("x-timestamp", AT)];
        assert_eq!(hmac(plan(), &dated), Ok(()));
        let mut bare = plan();
        bare.payload = "{body}".to_owned();
        bare.timestamp_header = None;
        bare.prefix = Some("sha256=".to_owned());
        let prefixed = format!("sha256={HEX_BODY}");
        assert_eq!(hmac(bare.clone(), &[("x-signature", &prefixed)]), Ok(()));
        assert!(
            hmac(bare, &[("x-signature", HEX_BODY)]).is_err(),
            "without its prefix"
        );
        let mut long = plan();
        long.algorithm = HmacAlgorithm::Sha512;
        long.base64 = true;
        assert_eq!(
            hmac(long, &[("x-signature", SHA512), ("x-timestamp", AT)]),
            Ok(())
        );
    }

    #[test]
    fn every_name_of_the_format_is_replaced_and_the_rest_stays() {
        let values: [(&str, &[u8]); 5] = [
            ("{body}", b"{timestamp}"),
            ("{timestamp}", b"7"),
            ("{method}", b"POST"),
            ("{url}", b"https://a/b"),
            ("{svix-id}", b"m-1"),
        ];
        let parts = signed_parts("{svix-id}.{timestamp}|{method} {url}:{body}!", &values);
        assert_eq!(parts.concat(), b"m-1.7|POST https://a/b:{timestamp}!");
    }

    #[test]
    fn a_changed_byte_another_time_or_a_missing_header_is_refused() {
        let dated = [("x-signature", HEX_DATED), ("x-timestamp", AT)];
        let auth = VapiAuth::Hmac(plan());
        let mut other = BODY.to_vec();
        other.push(b' ');
        assert!(matches!(
            check(&auth, &dated, &other, 1_760_000_000),
            Err(NotVapi::Wrong(_))
        ));
        for (late, good) in [(0, true), (300, true), (301, false), (-301, false)] {
            assert_eq!(
                check(&auth, &dated, BODY, 1_760_000_000 + late).is_ok(),
                good,
                "{late}"
            );
        }
        assert!(matches!(hmac(plan(), &dated[..1]), Err(NotVapi::Missing(_))));
        assert!(matches!(hmac(plan(), &dated[1..]), Err(NotVapi::Missing(_))));
        let redated = [("x-signature", HEX_DATED), ("x-timestamp", "1760000000001")];
        assert!(matches!(hmac(plan(), &redated), Err(NotVapi::Wrong(_))));
        for junk in ["zz", "5", "é", "5819"] {
            assert!(hmac(plan(), &[("x-signature", junk), ("x-timestamp", AT)]).is_err());
        }
    }

    #[test]
    fn secrets_and_bearer_tokens_are_compared_whole() {
        let secret = VapiAuth::Secret(SecretString::from("s3cret"));
        let sent = |value| check(&secret, &[("x-vapi-secret", value)], BODY, 0);
        assert_eq!(sent("s3cret"), Ok(()));
        assert!(sent("s3cre").is_err() && sent("s3crett").is_err() && sent("").is_err());
        let bearer = |prefix| VapiAuth::Bearer {
            header: "x-token".to_owned(),
            prefix,
            token: SecretString::from("t"),
        };
        assert_eq!(check(&bearer(true), &[("x-token", "bearer t")], BODY, 0), Ok(()));
        assert_eq!(check(&bearer(false), &[("x-token", "t")], BODY, 0), Ok(()));
        assert!(check(&bearer(true), &[("x-token", "t")], BODY, 0).is_err());
        assert!(check(&bearer(false), &[("authorization", "Bearer t")], BODY, 0).is_err());
    }

    #[test]
    fn nothing_configured_lets_nobody_in() {
        let refused = check(&VapiAuth::Refuse, &[("authorization", "Bearer ")], BODY, 0);
        assert_eq!(refused, Err(NotVapi::NoAuthentication));
    }
}
